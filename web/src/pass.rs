//! One stream's way through a video, as its frames come.
//!
//! Each stream goes through the video by itself: decoding twice costs little beside the networks, the colours' result is there
//! before the first flow is computed, and memory does not grow with the video.

use std::rc::Rc;

use i3d::backend::{Device, Progress};
use i3d::classifier::{Classification, Classifier, Segment, Timeline, Windows};
use i3d::feed::{CHUNK, FeedOptions, FlowInputs, Pictures};
use i3d::flow::{BOUND, Flow, Gray, wheel};
use i3d::network::Stream;
use i3d::preprocess::Preprocess;
use i3d::video::{Clock, Frame, Rate, Sampled, Sampler};
use i3d::{Error, Result};
use web_time::Instant;

use crate::types::PassOptions;

/// Sampled frames per second.
pub const FPS: f64 = 25.0;

/// A small picture of what the network sees.
pub struct Seen {
    /// The sampled frame.
    pub frame: usize,
    /// Height and width in pixels.
    pub size: usize,
    /// `[size, size, 4]`
    pub rgba: Vec<u8>,
}

/// A stream's result for the whole video.
pub struct Watched {
    /// The mean over the windows.
    pub result: Classification,
    /// The windows.
    pub segments: Vec<Segment>,
    /// Sampled frames that the network saw.
    pub frames: usize,
    /// Time of the first frame on the container's clock.
    pub start_seconds: f64,
    /// How its inputs were made.
    pub preprocess: Preprocess,
    /// See [`Pictures::planes_crc32c`].
    pub planes_crc32c: String,
    /// Time in which flow was being computed.
    pub flow_ms: f64,
}

/// A pass that is under way.
pub struct Pass {
    stream: Stream,
    options: PassOptions,
    size: usize,
    /// A token stands for each frame.
    sampler: Sampler<Rc<()>>,
    pictures: Pictures,
    flow: Option<FlowInputs>,
    /// Pictures whose flow is computed together.
    grays: Vec<Gray>,
    /// How many those are: a GPU wants many at a time, on the CPU progress should not have to wait.
    portion: usize,
    timeline: Timeline,
    /// The last picture where both streams run: there is no flow to it, so it may be one too many.
    held: Option<Vec<f32>>,
    taken: usize,
    frames: usize,
    previews: Vec<Seen>,
    flow_ms: f64,
}

impl Pass {
    /// A pass for a stream whose network is loaded.
    ///
    /// # Errors
    /// Windows that cannot be, streams without a network, windows beyond the device's limits.
    pub fn new(classifier: &Classifier, stream: Stream, options: PassOptions) -> Result<Pass> {
        let PassOptions { window, step, .. } = options;
        let timeline = Timeline::new(classifier, &[stream], Windows { window, step })?.one_by_one();
        let size = classifier.network(stream).map_or(0, |network| network.input_size);
        let feed = FeedOptions::new(size);
        let flow =
            (stream == Stream::Flow).then(|| FlowInputs::new(feed, classifier.device())).transpose()?;
        Ok(Pass {
            stream,
            options,
            size,
            sampler: Sampler::new(Rate::Fps(FPS), Clock::new(options.fps, options.states_durations))?,
            pictures: Pictures::new(&[stream], feed)?,
            flow,
            grays: Vec::new(),
            portion: if matches!(classifier.device(), Device::Cpu { .. }) { 1 } else { CHUNK },
            timeline,
            held: None,
            taken: 0,
            frames: 0,
            previews: Vec::new(),
            flow_ms: 0.0,
        })
    }

    /// Hears of a frame's time, and says how often the frame before is shown: most videos have frames that nobody needs to copy.
    /// Nothing where this frame is to be left out, because it is not later than the one before, which stands on.
    pub fn offer(&mut self, seconds: f64) -> Option<usize> {
        let token = Rc::new(());
        let mine = Rc::downgrade(&token);
        let sampled = self.sampler.push(seconds, token);
        // The sampler lets go of what it leaves out.
        (mine.strong_count() > 0).then(|| sampled.map_or(0, |sampled| sampled.times))
    }

    /// Time of the first frame on the container's clock.
    pub fn start_seconds(&self) -> f64 {
        self.sampler.first_seconds().unwrap_or(0.0)
    }

    /// How often the last frame is shown.
    pub fn last(&mut self) -> usize {
        self.sampler.finish().map_or(0, |sampled| sampled.times)
    }

    /// The windows so far.
    pub fn segments(&self) -> &[Segment] {
        self.timeline.segments()
    }

    /// Frames that were handed to the network or wait for the rest of their window.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// The previews since the last call.
    pub fn previews(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.previews)
    }

    /// Takes a frame that is shown so many times.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn push(
        &mut self,
        classifier: &mut Classifier,
        frame: Frame,
        times: usize,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let picture = self.pictures.picture(&Sampled { frame, times })?;
        for _ in 0..times {
            self.taken += 1;
            match &picture.gray {
                Some(gray) => {
                    self.grays.push(gray.clone());
                    if self.grays.len() >= self.portion {
                        self.push_flow(classifier, progress).await?;
                    }
                }
                None if self.options.both_streams => {
                    if let Some(before) = self.held.replace(picture.rgb.clone()) {
                        self.input(classifier, &before, progress).await?;
                    }
                }
                None => self.input(classifier, &picture.rgb, progress).await?,
            }
        }
        Ok(())
    }

    /// The result.
    ///
    /// # Errors
    /// Videos without a frame, flow of a single frame, and what the device reports.
    pub async fn finish(
        mut self,
        classifier: &mut Classifier,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Watched> {
        if self.taken == 0 {
            return Err(Error::video("video", "no frame could be decoded; save or download the file again"));
        }
        if self.taken == 1 && (self.flow.is_some() || self.options.both_streams) {
            let problem =
                "the video has a single frame, and optical flow needs two; choose the RGB stream alone";
            return Err(Error::video("video", problem));
        }
        self.push_flow(classifier, progress).await?;
        let start_seconds = self.start_seconds();
        let (result, segments) = {
            let (segments, result) = self.timeline.finish(classifier, progress).await?;
            (result, segments)
        };
        Ok(Watched {
            result,
            segments,
            frames: self.frames,
            start_seconds,
            preprocess: self.pictures.describe(),
            planes_crc32c: self.pictures.planes_crc32c(),
            flow_ms: self.flow_ms,
        })
    }

    /// The flow between the pictures that wait.
    async fn push_flow(
        &mut self,
        classifier: &mut Classifier,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let Some(flow) = &mut self.flow else { return Ok(()) };
        let start = Instant::now();
        let inputs = flow.push(self.grays.drain(..)).await?;
        self.flow_ms += start.elapsed().as_secs_f64() * 1e3;
        for input in inputs {
            self.input(classifier, &input, progress).await?;
        }
        Ok(())
    }

    /// The next frame of the network's input.
    async fn input(
        &mut self,
        classifier: &mut Classifier,
        values: &[f32],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let every = self.options.preview_every;
        if every > 0 && self.frames.is_multiple_of(every) {
            let (frame, size) = (self.frames, self.size);
            self.previews.push(Seen { frame, size, rgba: preview(self.stream, size, values) });
        }
        self.frames += 1;
        self.timeline.push(classifier, self.stream, values, progress).await
    }
}

/// A frame of the network's input to look at: colours as they are, flow by the colour wheel.
///
/// # Shapes
/// `values` `[size, size, 3]` or `[size, size, 2]`; returns `[size, size, 4]`.
fn preview(stream: Stream, size: usize, values: &[f32]) -> Vec<u8> {
    let rgb: Vec<u8> = match stream {
        Stream::Rgb => values.iter().map(|v| ((v + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8).collect(),
        Stream::Flow => {
            let data = values.iter().map(|v| v * BOUND).collect();
            wheel::picture(&Flow { width: size, height: size, data })
        }
    };
    rgb.as_chunks::<3>().0.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect()
}
