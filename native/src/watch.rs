//! A video through decoding, optical flow and the networks, the three overlapped in time.

use std::sync::mpsc::sync_channel;
use std::time::Instant;

use i3d::classifier::{Classification, Classifier, LongClip, Segment, Timeline, Windows};
use i3d::clip::Clip;
use i3d::feed::{Feed, FeedFrame, count_frames};
use i3d::network::Stream;
use i3d::preprocess::Preprocess;
use i3d::video;
use i3d::{Error, Result};

use crate::args::{ClipArgs, Frames};
use crate::input::{self, DEFAULT_FRAMES, FlowChoice, Part, VideoSummary};
use crate::talk::{Talk, Unit};

/// Chunks of frames that may wait for the networks.
const AHEAD: usize = 2;

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
    /// Time spent on decoding and preprocessing, and on flow; both overlap with the networks.
    pub decode_ms: f64,
    /// Time spent on flow.
    pub flow_ms: f64,
}

/// Where the frames go.
enum Sink {
    /// A clip short enough to be held.
    Clips(Vec<Clip>),
    /// A long clip in tiles.
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
    let feed_options = input::feed_options(options.streams, &clip, options.flow, classifier)?;
    let size = feed_options.input_size;
    let clips = || options.streams.iter().map(|stream| Clip::empty(size, size, stream.channels())).collect();
    let mut sink = match options.timeline {
        Some(windows) => Sink::Timeline(Box::new(Timeline::new(classifier, options.streams, windows)?)),
        None if feed_options.most <= DEFAULT_FRAMES => Sink::Clips(clips()),
        None => {
            // Padding depends on the length, so a clip in tiles needs to know it beforehand.
            let spinner = talk.bar("counting frames", 0, Unit::Frames);
            let frames = count_frames(video::open(&part.path)?, options.streams, feed_options)?;
            drop(spinner);
            let short = matches!(clip.frames, Some(Frames::First(wanted)) if frames < wanted);
            match short || frames <= DEFAULT_FRAMES {
                true => Sink::Clips(clips()),
                false => Sink::Long(Box::new(LongClip::new(classifier, options.streams, frames)?)),
            }
        }
    };
    let mut feed = Feed::new(video::open(&part.path)?, options.streams, feed_options, classifier.device())?;

    let bar = talk.bar("watching", expected_frames(&feed, &clip), Unit::Frames);
    let (sender, receiver) = sync_channel::<Result<Vec<FeedFrame>>>(AHEAD);
    let (feed, decode_ms) = std::thread::scope(|scope| {
        let producer = scope.spawn(move || {
            let mut busy = 0.0;
            loop {
                let start = Instant::now();
                let chunk = pollster::block_on(feed.next_chunk());
                busy += start.elapsed().as_secs_f64() * 1e3;
                let last = !matches!(&chunk, Ok(frames) if !frames.is_empty());
                // The receiver is gone when the networks have failed.
                if sender.send(chunk).is_err() || last {
                    return (feed, busy);
                }
            }
        });
        let mut seen = 0;
        for chunk in receiver {
            for frame in chunk.map_err(|error| input::about(part, error))? {
                take(&mut sink, classifier, &frame)?;
                seen += 1;
                bar.set_position(seen);
            }
        }
        producer
            .join()
            .map_err(|_| Error::video(part.name(), "the decoder failed; this is a fault of the program"))
    })?;
    drop(bar);
    let mut feed = feed;
    let flow_ms = feed.flow_time().as_secs_f64() * 1e3;
    let (result, segments, video) = match sink {
        Sink::Clips(clips) => {
            let (clips, video) = input::complete(part, clips, &feed, &clip, talk)?;
            let mut progress = talk.work(classifier.device());
            let clips: Vec<&Clip> = clips.iter().collect();
            (pollster::block_on(classifier.classify(&clips, &mut progress))?, Vec::new(), video)
        }
        Sink::Long(long) => (long.finish(classifier)?, Vec::new(), VideoSummary::new(&feed, feed.given())),
        Sink::Timeline(timeline) => {
            let (segments, mean) = pollster::block_on(timeline.finish(classifier))?;
            (mean, segments, VideoSummary::new(&feed, feed.given()))
        }
    };
    let preprocess = feed.describe();
    let broken = feed.broken();
    Ok(Watched { result, segments, video, preprocess, broken, decode_ms: decode_ms - flow_ms, flow_ms })
}

fn take(sink: &mut Sink, classifier: &mut Classifier, frame: &FeedFrame) -> Result<()> {
    match sink {
        Sink::Clips(clips) => {
            clips.iter_mut().zip(&frame.inputs).try_for_each(|(clip, input)| clip.push_frame(input))
        }
        Sink::Long(long) => pollster::block_on(long.push(classifier, &frame.slices(), &mut |_, _| ())),
        Sink::Timeline(timeline) => pollster::block_on(timeline.push(classifier, &frame.slices())).map(drop),
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
