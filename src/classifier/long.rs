//! A video that arrives frame by frame, classified as one clip.

use super::{Classification, Classifier, StreamResult};
use crate::backend::{Progress, TiledRun, Tiling};
use crate::error::{Error, Result};
use crate::network::Stream;
use crate::plan::Plan;

/// One clip per stream in the making. Memory does not grow with the clip but for the results.
pub struct LongClip {
    lanes: Vec<Lane>,
}

struct Lane {
    stream: Stream,
    run: TiledRun,
    seconds: f64,
}

/// When the frames of a clip come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// All streams in step, at the pace of the slowest.
    InStep,
    /// Flow as it is computed, everything else at once.
    FlowLast,
}

impl LongClip {
    /// A clip of exactly `frames` frames for each of `streams`, which the classifier must have.
    ///
    /// # Errors
    /// Streams without a network, clips below nine frames, devices too small for a tile.
    pub fn new(
        classifier: &Classifier,
        streams: &[Stream],
        frames: usize,
        arrival: Arrival,
    ) -> Result<LongClip> {
        let lane = |&stream: &Stream| {
            let network = classifier.required(stream)?;
            let (device, precision) = (classifier.device(), classifier.options.precision);
            let plan = Plan::new(network, 1, frames)?.with_precision(precision);
            let fitting = || Tiling::for_device(network, device, precision);
            let tiling = match (arrival, stream) {
                (Arrival::InStep, _) => fitting()?,
                _ if !device.holds(&plan) => fitting()?,
                (Arrival::FlowLast, Stream::Flow) => Tiling::ahead(frames),
                (Arrival::FlowLast, Stream::Rgb) => Tiling::WHOLE,
            };
            log::info!("{stream}: {frames} frames in tiles of {}", 4 * tiling.front.min(frames.div_ceil(4)));
            Ok(Lane { stream, run: TiledRun::new(network, frames, tiling, precision)?, seconds: 0.0 })
        };
        Ok(LongClip { lanes: streams.iter().map(lane).collect::<Result<_>>()? })
    }

    /// Takes the next frames of a stream, one or more.
    ///
    /// # Shapes
    /// `frames` `[n, H, W, C]`.
    pub async fn push(
        &mut self,
        classifier: &mut Classifier,
        stream: Stream,
        frames: Vec<f32>,
        progress: &mut dyn FnMut(Stream, Progress),
    ) -> Result<()> {
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.stream == stream) {
            let start = web_time::Instant::now();
            let model = classifier.model(stream)?;
            lane.run.push(model, frames, &mut |p| progress(stream, p)).await?;
            lane.seconds += start.elapsed().as_secs_f64();
        }
        Ok(())
    }

    /// The result, once all frames have been pushed.
    ///
    /// # Errors
    /// Fewer frames than were announced.
    pub fn finish(self, classifier: &Classifier) -> Result<Classification> {
        let result =
            |lane: Lane| StreamResult::new(lane.stream, lane.run.finish()?, lane.seconds, classifier);
        let streams: Vec<StreamResult> = self.lanes.into_iter().map(result).collect::<Result<_>>()?;
        Classification::new(streams, classifier.fusion, &classifier.labels)
    }
}

impl Classifier {
    /// The network of a stream, or a sentence that says how to load it.
    pub(super) fn required(&self, stream: Stream) -> Result<&crate::network::Network> {
        self.network(stream).ok_or_else(|| missing(stream))
    }

    /// The model of a stream, or a sentence that says how to load it.
    pub(super) fn model(&mut self, stream: Stream) -> Result<&mut crate::backend::Model> {
        let network = self.networks.iter_mut().find(|n| n.stream == stream);
        network.map(|n| &mut n.model).ok_or_else(|| missing(stream))
    }
}

fn missing(stream: Stream) -> Error {
    Error::Usage(format!("no {stream} network is loaded; give --{stream} PATH"))
}
