//! A video through decoding, optical flow and the networks, the three overlapped in time.

use i3d::classifier::{Arrival, Classification, Classifier, LongClip, Segment, Timeline, Windows};
use i3d::clip::Clip;
use i3d::feed::{CHUNK, Feed, FlowInputs, count_frames};
use i3d::network::Stream;
use i3d::preprocess::Preprocess;
use i3d::report::VideoSummary;
use i3d::video;
use i3d::{Error, Result};

use crate::args::{ClipArgs, Frames};
use crate::input::{self, DEFAULT_FRAMES, FlowChoice, Part};
use crate::protocol::on_pool;
use crate::stages::{self, Done, Event};
use crate::talk::{Talk, Unit};

/// Chunks of frames that may wait between two stages, where a clip can be of any length.
const AHEAD: usize = 2;

/// Bytes of pictures that may wait for flow, where the clip is short enough to be decoded at once.
const AHEAD_BYTES: usize = 256 << 20;

/// How to look at a video.
pub struct Options<'a> {
    /// Which frames.
    pub clip: &'a ClipArgs,
    /// Which streams, RGB first.
    pub streams: &'a [Stream],
    /// How to compute flow.
    pub flow: FlowChoice,
    /// Windows of the timeline, if one is wanted.
    pub timeline: Option<Windows>,
}

/// What came of it.
pub struct Watched {
    /// The result for the whole video.
    pub result: Classification,
    /// What happens when, if that was asked for.
    pub segments: Vec<Segment>,
    /// About the video.
    pub video: VideoSummary,
    /// How the networks' inputs were made.
    pub preprocess: Preprocess,
    /// What broke the video in the middle.
    pub broken: Option<Error>,
    /// Time in which a picture was being decoded or preprocessed.
    pub decode_ms: f64,
    /// Time in which flow was being computed.
    pub flow_ms: f64,
}

/// Where the frames go.
enum Sink {
    /// A short clip per stream, held until its length is known.
    Held(Vec<Clip>),
    /// A clip of known length, computed as its frames come.
    Long(Box<LongClip>),
    /// Windows.
    Timeline(Box<Timeline>),
}

/// Classifies a video.
pub fn watch(part: &Part, options: &Options<'_>, classifier: &mut Classifier, talk: Talk) -> Result<Watched> {
    let mut clip = ClipArgs { ..*options.clip };
    if options.timeline.is_some() {
        // A timeline is about the whole video.
        clip.frames = clip.frames.or(Some(Frames::All));
    }
    let streams = options.streams;
    let feed_options = input::feed_options(streams, &clip, options.flow, classifier)?;
    let size = feed_options.input_size;
    let held =
        || Sink::Held(streams.iter().map(|stream| Clip::empty(size, size, stream.channels())).collect());
    let mut sink = match options.timeline {
        Some(windows) => Sink::Timeline(Box::new(Timeline::new(classifier, streams, windows)?)),
        None if feed_options.most <= DEFAULT_FRAMES => held(),
        None => {
            // Padding depends on the length, so a clip in tiles needs to know it beforehand.
            let spinner = talk.bar("counting frames", 0, Unit::Frames);
            let frames = count_frames(part.open()?, streams, feed_options)?;
            drop(spinner);
            match input::clip_frames(frames, &clip) > frames || frames <= DEFAULT_FRAMES {
                true => held(),
                false => Sink::Long(Box::new(LongClip::new(classifier, streams, frames, Arrival::InStep)?)),
            }
        }
    };
    let feed = Feed::new(part.open()?, streams, feed_options)?;
    let flow = streams.contains(&Stream::Flow);
    let flow = flow.then(|| FlowInputs::new(feed_options, classifier.device())).transpose()?;
    let ahead = match &sink {
        // Decoding runs ahead of flow to the clip's end: then the length is known, and the networks can start.
        Sink::Held(_) => {
            let most = AHEAD_BYTES / feed.picture_bytes().max(1);
            (feed_options.most.min(most) / CHUNK + 1).max(AHEAD)
        }
        _ => AHEAD,
    };
    let bar = talk.bar("watching", expected_frames(&feed, &clip), Unit::Frames);
    let progress = |frames: usize| bar.set_position(frames as u64);
    let done = stages::run(feed, flow, ahead, &progress, |event| match event {
        Event::Frames(stream, frames) => sink.take(classifier, stream, frames),
        Event::Length(frames) => sink.begin(classifier, streams, frames, &clip),
    });
    drop(bar);
    let Done { mut feed, decode_ms, flow_ms } = done.map_err(|error| input::about(part, error))?;
    let (result, segments, video) = match sink {
        Sink::Held(clips) => {
            let (clips, video) = input::complete(part, clips, &feed, &clip, talk)?;
            let mut progress = talk.work(classifier.device());
            let clips: Vec<&Clip> = clips.iter().collect();
            (pollster::block_on(classifier.classify(&clips, &mut progress))?, Vec::new(), video)
        }
        Sink::Long(long) => (long.finish(classifier)?, Vec::new(), VideoSummary::new(&feed, feed.frames())),
        Sink::Timeline(timeline) => {
            let (segments, mean) = pollster::block_on(timeline.finish(classifier, &mut |_| ()))?;
            (mean, segments, VideoSummary::new(&feed, feed.frames()))
        }
    };
    let preprocess = feed.pictures().describe();
    let broken = feed.broken();
    Ok(Watched { result, segments, video, preprocess, broken, decode_ms, flow_ms })
}

impl Sink {
    /// Frames of a stream, in one or more pieces.
    fn take(&mut self, classifier: &mut Classifier, stream: Stream, frames: Vec<Vec<f32>>) -> Result<()> {
        match self {
            Sink::Held(clips) => {
                let mut clips = clips.iter_mut().filter(|clip| clip.stream() == Some(stream));
                clips.try_for_each(|clip| frames.iter().try_for_each(|frame| clip.push_frame(frame)))
            }
            Sink::Long(long) => on_pool(&classifier.device().clone(), || {
                frames.into_iter().try_for_each(|frame| {
                    pollster::block_on(long.push(classifier, stream, frame, &mut |_, _| ()))
                })
            }),
            Sink::Timeline(timeline) => on_pool(&classifier.device().clone(), || {
                frames.into_iter().try_for_each(|frame| {
                    pollster::block_on(timeline.push(classifier, stream, &frame, &mut |_| ()))
                })
            }),
        }
    }

    /// The length of a held clip is known: the networks begin while flow is still being computed. There is nothing to
    /// wait for without flow, and a clip to be looped starts again when it is complete.
    fn begin(
        &mut self,
        classifier: &mut Classifier,
        streams: &[Stream],
        frames: usize,
        clip: &ClipArgs,
    ) -> Result<()> {
        let looped = frames == 0 || input::clip_frames(frames, clip) > frames;
        let Sink::Held(held) = self else { return Ok(()) };
        if looped || !streams.contains(&Stream::Flow) {
            return Ok(());
        }
        let held = std::mem::take(held);
        *self = Sink::Long(Box::new(LongClip::new(classifier, streams, frames, Arrival::FlowLast)?));
        let mut clips = held.into_iter().filter_map(|clip| Some((clip.stream()?, clip.data)));
        clips.try_for_each(|(stream, frames)| self.take(classifier, stream, vec![frames]))
    }
}

/// For the progress bar: how many frames will come, 0 where nobody knows.
fn expected_frames(feed: &input::VideoFeed, clip: &ClipArgs) -> u64 {
    let info = feed.info();
    let all = match (clip.fps, info.duration_seconds) {
        (video::Rate::Fps(fps), Some(seconds)) => (seconds * fps) as u64,
        _ => info.frames.unwrap_or(0),
    };
    match clip.frames {
        Some(Frames::All) => all,
        Some(Frames::First(frames)) => all.min(frames as u64),
        None => all.min(DEFAULT_FRAMES as u64),
    }
}
