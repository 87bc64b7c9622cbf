//! Results as text, as JSON, and in [`segments`] as rows and subtitles.

pub mod segments;

use std::fmt::Write;

use serde::Serialize;

use crate::backend::DeviceInfo;
use crate::classifier::{Classification, Classifier, ModelSource, Prediction, Segment};
use crate::error::Error;
use crate::feed::Feed;
use crate::network::Stream;
use crate::plan::Precision;
use crate::preprocess::Preprocess;
use crate::video::{FrameSource, PixelAspect};

/// What the JSON says about one input.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Entry {
    /// It was classified.
    Classified(Box<Report>),
    /// It was not.
    Failed(FailedReport),
}

impl Entry {
    /// The report, where there is one.
    pub fn classified(&self) -> Option<&Report> {
        match self {
            Entry::Classified(report) => Some(report),
            Entry::Failed(_) => None,
        }
    }
}

/// The JSON object of one input.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The input as it was given.
    pub input: String,
    version: &'static str,
    device: DeviceInfo,
    /// How the networks' weights and activations were stored.
    precision: Precision,
    model: ModelReport,
    preprocess: Option<Preprocess>,
    video: Option<VideoSummary>,
    streams: Streams,
    fused: Option<Logits>,
    /// The most probable classes, best first.
    pub top: Vec<Top>,
    /// What happens when, if that was asked for.
    pub segments: Vec<SegmentReport>,
    timings: Timings,
    /// What broke the video in the middle, if anything did.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

/// The JSON object of an input that failed.
#[derive(Debug, Serialize)]
pub struct FailedReport {
    /// The input as it was given.
    pub input: String,
    /// Why there is no result.
    pub error: Failure,
}

/// An error as data.
#[derive(Debug, Serialize)]
pub struct Failure {
    code: &'static str,
    message: String,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Failure {
        Failure { code: error.code(), message: error.to_string() }
    }
}

#[derive(Debug, Serialize)]
struct ModelReport {
    name: String,
    rgb: Option<ModelSource>,
    flow: Option<ModelSource>,
}

#[derive(Debug, Serialize)]
struct Streams {
    #[serde(skip_serializing_if = "Option::is_none")]
    rgb: Option<Logits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<Logits>,
}

#[derive(Debug, Serialize)]
struct Logits {
    logits: Vec<f32>,
    /// Euclidean norm of the logits.
    norm: f64,
}

impl Logits {
    fn new(logits: &[f32]) -> Logits {
        let norm = logits.iter().map(|&l| f64::from(l).powi(2)).sum::<f64>().sqrt();
        Logits { logits: logits.to_vec(), norm }
    }
}

/// One class of the ranking.
#[derive(Debug, Serialize)]
pub struct Top {
    /// Index of the class.
    pub index: usize,
    /// Its name.
    pub label: String,
    /// Its probability.
    pub probability: f32,
    /// Its (fused) logit.
    pub logit: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    rgb_logit: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_logit: Option<f32>,
}

/// One window of the timeline.
#[derive(Debug, Serialize)]
pub struct SegmentReport {
    /// Where it begins, on the container's clock.
    pub start_seconds: f64,
    /// Where it ends.
    pub end_seconds: f64,
    /// Its most probable classes, best first.
    pub top: Vec<Top>,
}

/// Milliseconds per stage. The stages of a video overlap, so they sum up to more than the total: each has the time in which
/// it was busy, and that includes the time in which it waited for a core that another stage had. Time in which a stage had
/// nothing to do does not count.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Timings {
    /// Decoding and preprocessing, or reading the array.
    pub decode_ms: f64,
    /// Optical flow.
    pub flow_ms: f64,
    /// The RGB network.
    pub rgb_ms: f64,
    /// The flow network.
    pub flow_network_ms: f64,
    /// From the first to the result.
    pub total_ms: f64,
}

/// What a result says about the video behind it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VideoSummary {
    /// Frames in the file, where it says so; else those that were decoded.
    pub frames: u64,
    /// Average frames per second, where known.
    pub fps: Option<f64>,
    /// Width in pixels, before rotation.
    pub width: usize,
    /// Height in pixels, before rotation.
    pub height: usize,
    /// Clockwise degrees that bring the picture upright.
    pub rotation: u32,
    /// Whether left and right of the planes change places before the turn.
    pub mirrored: bool,
    /// The shape of a pixel, as the container has it.
    pub pixel_aspect: PixelAspect,
    /// Length, where known.
    pub duration_seconds: Option<f64>,
    /// Time of the first frame on the container's clock, which is the player's: it begins when the first of all streams does.
    pub start_seconds: f64,
    /// Frames taken at the sampling rate.
    pub sampled_frames: usize,
    /// Frames of the clip that the network saw.
    pub clip_frames: usize,
    /// Whether the video was repeated to fill the clip.
    pub looped: bool,
    /// CRC-32C over the planes of the sampled frames and how often each is shown: two results with the same number saw the
    /// same pictures, whichever decoder made them.
    pub planes_crc32c: String,
}

impl VideoSummary {
    /// What a feed knows after its last frame; the networks saw `clip_frames`.
    pub fn new(feed: &Feed<impl FrameSource>, clip_frames: usize) -> VideoSummary {
        let info = feed.info();
        VideoSummary {
            frames: info.frames.unwrap_or(feed.decoded()),
            fps: info.fps,
            width: info.width,
            height: info.height,
            rotation: info.rotation,
            mirrored: info.mirrored,
            pixel_aspect: info.pixel_aspect,
            duration_seconds: info.duration_seconds,
            start_seconds: feed.start_seconds(),
            sampled_frames: feed.frames(),
            clip_frames,
            looped: clip_frames > feed.frames(),
            planes_crc32c: feed.pictures().planes_crc32c(),
        }
    }
}

/// What a report is made of, beside the classification.
pub struct Parts<'a> {
    /// The input as it was given.
    pub input: &'a str,
    /// What the user called the model.
    pub model: &'a str,
    /// The classifier that did it.
    pub classifier: &'a Classifier,
    /// How the clip was made.
    pub preprocess: Option<Preprocess>,
    /// About the video.
    pub video: Option<VideoSummary>,
    /// Times.
    pub timings: Timings,
    /// What broke the video.
    pub broken: Option<&'a Error>,
    /// How many classes to show.
    pub top_k: usize,
    /// Windows of the timeline.
    pub segments: &'a [Segment],
    /// Sampled frames per second, which turn frames of segments into seconds.
    pub fps: f64,
}

impl Report {
    /// Puts a result together.
    pub fn new(result: &Classification, parts: Parts<'_>) -> Report {
        let stream = |s| result.stream(s).map(|r| Logits::new(&r.logits));
        // A model is part of the result only where its stream ran.
        let source = |s| result.stream(s).and_then(|_| parts.classifier.source(s).cloned());
        let start = parts.video.as_ref().map_or(0.0, |video| video.start_seconds);
        let seconds = |frame: usize| start + frame as f64 / parts.fps;
        let segment = |s: &Segment| SegmentReport {
            start_seconds: seconds(s.frames.start),
            end_seconds: seconds(s.frames.end),
            top: top(&s.classification, parts.top_k),
        };
        Report {
            input: parts.input.to_string(),
            version: env!("CARGO_PKG_VERSION"),
            device: parts.classifier.device().info(),
            precision: parts.classifier.options().precision,
            model: ModelReport {
                name: parts.model.to_string(),
                rgb: source(Stream::Rgb),
                flow: source(Stream::Flow),
            },
            preprocess: parts.preprocess,
            video: parts.video,
            streams: Streams { rgb: stream(Stream::Rgb), flow: stream(Stream::Flow) },
            fused: (result.streams.len() == 2).then(|| Logits::new(&result.logits)),
            top: top(result, parts.top_k),
            segments: parts.segments.iter().map(segment).collect(),
            timings: parts.timings,
            error: parts.broken.map(Failure::from),
        }
    }

    /// The result as a table to read.
    pub fn text(&self) -> String {
        let mut text = self.input.clone();
        if let Some(video) = &self.video {
            let frames = video.clip_frames;
            let _ = write!(text, "  ({frames} frames, {:.1} s)", self.timings.total_ms / 1e3);
        }
        let both = self.fused.is_some();
        for segment in &self.segments {
            let best = segment.top.first();
            let _ = write!(text, "\n  {:>8.2} - {:>7.2} s", segment.start_seconds, segment.end_seconds);
            if let Some(top) = best {
                let _ = write!(text, "  {:>9}  {}", probability(top.probability), top.label);
            }
        }
        text += "\n  probability     logit";
        text += if both { "       rgb      flow  label\n" } else { "  label\n" };
        for top in &self.top {
            let _ = write!(text, "  {:>11} {:>9.3}", probability(top.probability), top.logit);
            if let (true, Some(rgb), Some(flow)) = (both, top.rgb_logit, top.flow_logit) {
                let _ = write!(text, " {rgb:>9.3} {flow:>9.3}");
            }
            let _ = writeln!(text, "  {}", top.label);
        }
        text
    }
}

/// The ranking of a result.
fn top(result: &Classification, k: usize) -> Vec<Top> {
    let logit = |s, index: usize| result.stream(s).map(|r| r.logits[index]);
    let row = |p: Prediction<'_>| Top {
        index: p.index,
        label: p.label.to_string(),
        probability: p.probability,
        logit: p.logit,
        rgb_logit: logit(Stream::Rgb, p.index),
        flow_logit: logit(Stream::Flow, p.index),
    };
    result.top(k).into_iter().map(row).collect()
}

/// Small probabilities keep their digits.
fn probability(p: f32) -> String {
    if p >= 1e-3 { format!("{p:.4}") } else { format!("{p:.2e}") }
}
