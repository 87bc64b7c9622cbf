//! A video as the networks see it, frame by frame: decoded, sampled and preprocessed, in bounded memory.

use std::time::Duration;

use web_time::Instant;

use crate::backend::Device;
use crate::clip::Clip;
use crate::error::{Error, Result};
use crate::flow::{FlowEngine, FlowPreprocess, Gray, Quantize, Tvl1, flow_clip};
use crate::network::Stream;
use crate::preprocess::{Preprocess, RgbPreprocess};
use crate::video::{Color, FrameSource, Pixels, Rate, Samples, VideoInfo};

/// Frames that are made at a time.
const CHUNK: usize = 16;

/// Which frames of a video to take, and how.
#[derive(Debug, Clone, Copy)]
pub struct FeedOptions {
    /// Sampling rate.
    pub rate: Rate,
    /// Height and width of the networks' input in pixels.
    pub input_size: usize,
    /// Most frames to give.
    pub most: usize,
    /// How optical flow is computed.
    pub tvl1: Tvl1,
    /// How flow is rounded.
    pub quantize: Quantize,
}

impl FeedOptions {
    /// All frames at 25 per second, for networks with inputs of `input_size` pixels; flow as OpenCV computes it.
    pub fn new(input_size: usize) -> FeedOptions {
        let (tvl1, quantize) = (Tvl1::REFERENCE, Quantize::None);
        FeedOptions { rate: Rate::I3D, input_size, most: usize::MAX, tvl1, quantize }
    }
}

/// The number of frames that a feed would give, found by decoding.
///
/// # Errors
/// Sources that break before the first frame. A later break ends the count.
pub fn count_frames(source: impl FrameSource, streams: &[Stream], options: FeedOptions) -> Result<usize> {
    let mut samples = Samples::new(source, options.rate)?;
    let flow = usize::from(streams.contains(&Stream::Flow));
    let mut count = 0usize;
    while count < options.most.saturating_add(flow) {
        match samples.next_sample() {
            Ok(Some(sample)) => count = count.saturating_add(sample.times),
            Ok(None) => break,
            Err(_) if count > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(count.saturating_sub(flow).min(options.most))
}

/// The inputs of the networks at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedFrame {
    /// One `[H, W, C]` per stream, in the order in which the streams were named.
    pub inputs: Vec<Vec<f32>>,
}

impl FeedFrame {
    /// The inputs as slices, as [`Timeline::push`](crate::classifier::Timeline::push) takes them.
    pub fn slices(&self) -> Vec<&[f32]> {
        self.inputs.iter().map(Vec::as_slice).collect()
    }
}

/// A video on its way to the networks.
///
/// The flow at a frame is that to the next frame. With the flow stream among the streams, the last frame of the video has
/// none and is not given.
pub struct Feed<S> {
    samples: Samples<S>,
    options: FeedOptions,
    preprocess: RgbPreprocess,
    streams: Vec<Stream>,
    color: Option<Color>,
    /// The last frame, which waits for the next one to know its flow.
    waiting: Option<Picture>,
    given: usize,
    engine: FlowEngine,
    flow_time: Duration,
    broken: Option<Error>,
}

/// A sampled frame, as far as the streams need it.
#[derive(Clone)]
struct Picture {
    rgb: Vec<f32>,
    gray: Option<Gray>,
}

impl<S: FrameSource> Feed<S> {
    /// The frames of `source` for `streams`; optical flow is computed on `device`.
    ///
    /// # Errors
    /// Rates, sizes and parameters of flow that cannot be.
    pub fn new(source: S, streams: &[Stream], options: FeedOptions, device: &Device) -> Result<Feed<S>> {
        let preprocess = RgbPreprocess::for_input(options.input_size);
        preprocess.validate()?;
        Ok(Feed {
            samples: Samples::new(source, options.rate)?,
            options,
            preprocess,
            streams: streams.to_vec(),
            color: None,
            waiting: None,
            given: 0,
            engine: FlowEngine::new(device, &options.tvl1)?,
            flow_time: Duration::ZERO,
            broken: None,
        })
    }

    fn has_flow(&self) -> bool {
        self.streams.contains(&Stream::Flow)
    }

    /// The next frames, none after the last. A source that breaks in the middle ends there: see [`Feed::broken`].
    ///
    /// # Errors
    /// Sources that break before the first frame, and flow of a video with a single frame.
    pub async fn next_chunk(&mut self) -> Result<Vec<FeedFrame>> {
        let wanted = CHUNK.min(self.options.most - self.given);
        // With flow, one picture more is needed than frames are given.
        let mut pictures: Vec<Picture> = self.waiting.take().into_iter().collect();
        let enough = wanted + usize::from(self.has_flow());
        if wanted == 0 {
            return Ok(Vec::new());
        }
        while pictures.len() < enough && self.broken.is_none() {
            let sample = match self.samples.next_sample() {
                Ok(Some(sample)) => sample,
                Ok(None) => break,
                Err(error) if self.given + pictures.len() > 0 => {
                    self.broken = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            };
            let planar = matches!(sample.frame.pixels, Pixels::I420 { .. });
            self.color = self.color.or(planar.then_some(sample.frame.color));
            let rgb = match self.streams.contains(&Stream::Rgb) {
                true => self.preprocess.rgb_from_frame(&sample.frame),
                false => Vec::new(),
            };
            let gray =
                self.has_flow().then(|| Gray::from_frame(&sample.frame, &self.preprocess)).transpose()?;
            // A slow video repeats its frames; whoever repeats absurdly often is cut off by what is wanted.
            let times = sample.times.min((self.options.most - self.given).saturating_add(1));
            pictures.extend(std::iter::repeat_n(Picture { rgb, gray }, times));
        }
        let chunk = self.assemble(pictures).await?;
        self.given += chunk.len();
        Ok(chunk)
    }

    /// Pictures to inputs; with flow, the last picture goes on waiting.
    async fn assemble(&mut self, mut pictures: Vec<Picture>) -> Result<Vec<FeedFrame>> {
        let mut flow = Vec::new();
        if self.has_flow() {
            let grays: Vec<Gray> = pictures.iter().filter_map(|p| p.gray.clone()).collect();
            self.waiting = pictures.pop();
            if pictures.is_empty() && self.given == 0 && self.waiting.is_some() {
                let problem = "the video has a single frame, and optical flow needs two; use --streams rgb";
                return Err(Error::video("video", problem));
            }
            if pictures.is_empty() {
                return Ok(Vec::new());
            }
            let start = Instant::now();
            let flows = self.engine.flows(&grays).await?;
            self.flow_time += start.elapsed();
            let clip = flow_clip(&flows, self.preprocess.crop, self.options.quantize)?;
            flow = clip.data.chunks_exact(clip.frame_len()).map(<[f32]>::to_vec).collect();
        } else if pictures.len() > self.options.most - self.given {
            pictures.truncate(self.options.most - self.given);
        }
        let mut flow = flow.into_iter();
        let frame = |picture: Picture| {
            let mut rgb = Some(picture.rgb);
            let mut input = |stream| match stream {
                Stream::Rgb => rgb.take().unwrap_or_default(),
                Stream::Flow => flow.next().unwrap_or_default(),
            };
            FeedFrame { inputs: self.streams.iter().map(|&stream| input(stream)).collect() }
        };
        let mut frames: Vec<FeedFrame> = pictures.into_iter().map(frame).collect();
        frames.truncate(self.options.most - self.given);
        Ok(frames)
    }

    /// Time spent on optical flow.
    pub fn flow_time(&self) -> Duration {
        self.flow_time
    }

    /// Everything that is left, one clip per stream, in the order in which the streams were named. `progress` hears of the
    /// frames so far.
    ///
    /// # Errors
    /// As [`Feed::next_chunk`].
    pub async fn clips(&mut self, progress: &mut dyn FnMut(usize)) -> Result<Vec<Clip>> {
        let size = self.options.input_size;
        let empty = |stream: &Stream| Clip::empty(size, size, stream.channels());
        let mut clips: Vec<Clip> = self.streams.iter().map(empty).collect();
        loop {
            let chunk = self.next_chunk().await?;
            if chunk.is_empty() {
                return Ok(clips);
            }
            for frame in &chunk {
                for (clip, input) in clips.iter_mut().zip(&frame.inputs) {
                    clip.push_frame(input)?;
                }
            }
            progress(self.given);
        }
    }

    /// What the container says.
    pub fn info(&self) -> &VideoInfo {
        self.samples.info()
    }

    /// Frames decoded so far.
    pub fn decoded(&self) -> u64 {
        self.samples.decoded()
    }

    /// Frames given so far.
    pub fn given(&self) -> usize {
        self.given
    }

    /// What broke the video in the middle, if anything did; the frames before the break were given.
    pub fn broken(&mut self) -> Option<Error> {
        self.broken.take()
    }

    /// Every parameter of the way from the video to the inputs.
    pub fn describe(&self) -> Preprocess {
        let FeedOptions { tvl1, quantize, .. } = self.options;
        let flow = self.has_flow().then(|| FlowPreprocess::new(tvl1, quantize));
        Preprocess { flow, ..self.preprocess.describe(self.options.rate, self.color) }
    }
}
