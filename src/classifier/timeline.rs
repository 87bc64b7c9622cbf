//! Windows over a video that arrives frame by frame: what happens when.

use std::ops::Range;

use super::{Classification, Classifier, StreamResult};
use crate::backend::{Activation, Head, Output, Progress, Run};
use crate::error::{Error, Result};
use crate::network::{FEATURES, LOGITS_PER_STEP, MIN_FRAMES, Shape, Stream};
use crate::plan::Plan;
use crate::queue::Queue;

/// Memory that the windows of one run may take together; it bounds the batch.
const BATCH_BYTES: u64 = 512 << 20;

/// Most windows per run.
const MOST_WINDOWS: usize = 8;

/// Length and distance of windows in frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Frames per window.
    pub window: usize,
    /// Frames from one window's start to the next one's.
    pub step: usize,
}

impl Windows {
    /// Fails with a sentence where no result would come of them.
    pub fn validate(self) -> Result<()> {
        if self.window < MIN_FRAMES {
            let found = self.window;
            return Err(Error::Usage(format!(
                "--window {found} is too short; the network needs {MIN_FRAMES} frames"
            )));
        }
        if self.step == 0 || self.step > self.window {
            let (step, window) = (self.step, self.window);
            return Err(Error::Usage(format!("--step {step} is out of range; give 1 to {window} frames")));
        }
        Ok(())
    }

    /// The windows of a video of `frames` frames: one every `step`, and where frames are left over at the end, one more
    /// that ends with the last frame. A video shorter than a window is one window.
    pub fn of(self, frames: usize) -> Vec<Range<usize>> {
        if frames <= self.window {
            return std::iter::once(0..frames).filter(|w| !w.is_empty()).collect();
        }
        let mut windows: Vec<Range<usize>> =
            (0..=frames - self.window).step_by(self.step).map(|start| start..start + self.window).collect();
        if windows.last().is_some_and(|last| last.end < frames) {
            windows.push(frames - self.window..frames);
        }
        windows
    }
}

/// One window and what happens in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Sampled frames.
    pub frames: Range<usize>,
    /// The result.
    pub classification: Classification,
}

/// One stream's frames that some window still needs, and its logits so far.
struct Lane {
    stream: Stream,
    queue: Queue,
    per_window: Vec<f32>,
    features: Vec<f32>,
    /// Time that the caller waited for the network.
    seconds: f64,
}

/// Windows that were begun together.
struct Batch {
    windows: Vec<Range<usize>>,
    /// One per lane, and the seconds that it took to begin it.
    runs: Vec<(Run, f64)>,
}

/// A timeline in the making. Memory does not grow with the video but for the results.
pub struct Timeline {
    windows: Windows,
    /// Windows per run of the network.
    batch: usize,
    lanes: Vec<Lane>,
    /// Start of the next window.
    next: usize,
    /// The last windows that were begun.
    under_way: Option<Batch>,
    segments: Vec<Segment>,
}

impl Timeline {
    /// A timeline of `streams`, which the classifier must have.
    ///
    /// # Errors
    /// Windows that cannot be, streams without a network, windows beyond the device's limits.
    pub fn new(classifier: &Classifier, streams: &[Stream], windows: Windows) -> Result<Timeline> {
        windows.validate()?;
        let precision = classifier.options.precision;
        let (mut lanes, mut batch) = (Vec::new(), MOST_WINDOWS);
        for &stream in streams {
            let network = classifier.required(stream)?;
            let plan =
                |n: usize| Plan::new(network, n, windows.window).map(|plan| plan.with_precision(precision));
            let fits = |&n: &usize| {
                plan(n).is_ok_and(|plan| {
                    classifier.device().check(&plan).is_ok() && plan.activation_bytes() <= BATCH_BYTES
                })
            };
            classifier.device().check(&plan(1)?)?;
            batch = (2..=batch).rev().find(fits).unwrap_or(1);
            let values = network.input_size * network.input_size * network.in_channels;
            lanes.push(Lane {
                stream,
                queue: Queue::new(values),
                per_window: Vec::new(),
                features: Vec::new(),
                seconds: 0.0,
            });
        }
        Ok(Timeline { windows, batch, lanes, next: 0, under_way: None, segments: Vec::new() })
    }

    /// Takes the next frame of a stream and classifies the windows that it completes. One stream may be ahead of the other.
    /// `progress` hears of each run by itself.
    ///
    /// # Shapes
    /// `frame` `[H, W, C]`.
    pub async fn push(
        &mut self,
        classifier: &mut Classifier,
        stream: Stream,
        frame: &[f32],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.stream == stream) else {
            return Ok(());
        };
        lane.queue.values.extend_from_slice(frame);
        let Windows { window, step } = self.windows;
        if self.frames() == self.next + (self.batch - 1) * step + window {
            let ready =
                (0..self.batch).map(|i| self.next + i * step..self.next + i * step + window).collect();
            self.classify(classifier, ready, progress).await?;
        }
        Ok(())
    }

    /// One window per run: the first results come as early as they can, and memory is least.
    #[must_use]
    pub fn one_by_one(self) -> Timeline {
        Timeline { batch: 1, ..self }
    }

    /// The windows that are classified so far, in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Frames so far that every stream has.
    fn frames(&self) -> usize {
        self.lanes.iter().map(|lane| lane.queue.end()).min().unwrap_or(0)
    }

    /// Begins the next windows, and finishes those before: two batches are under way at once, so that a GPU never waits
    /// for the host.
    async fn classify(
        &mut self,
        classifier: &mut Classifier,
        windows: Vec<Range<usize>>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let mut runs = Vec::new();
        // All are equally long but for the only one of a short video. What is too short for the network is repeated from its
        // start.
        let shortest = windows.iter().map(Range::len).min().unwrap_or(0);
        let length = if shortest < MIN_FRAMES { self.windows.window } else { shortest };
        for lane in &mut self.lanes {
            let mut input = Vec::new();
            for frames in &windows {
                let clip = lane.queue.get(frames.clone());
                input.extend(clip.iter().cycle().take(length * lane.queue.stride()));
            }
            let start = web_time::Instant::now();
            let run = classifier.begin_batch(lane.stream, windows.len(), length, &input, progress).await?;
            runs.push((run, start.elapsed().as_secs_f64()));
        }
        self.next = windows.last().map_or(self.next, |last| last.start + self.windows.step);
        for lane in &mut self.lanes {
            // The last window may reach back to one window before the end.
            let end = lane.queue.end();
            lane.queue.forget_before(self.next.min(end.saturating_sub(self.windows.window)));
        }
        let waits = runs.iter().any(|(run, _)| !run.is_done());
        let batch = Batch { windows, runs };
        let finished = if waits { self.under_way.replace(batch) } else { Some(batch) };
        match finished {
            Some(finished) => self.finish_batch(classifier, finished, progress).await,
            None => Ok(()),
        }
    }

    async fn finish_batch(
        &mut self,
        classifier: &mut Classifier,
        batch: Batch,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let Batch { windows, runs } = batch;
        let mut results: Vec<Vec<StreamResult>> = windows.iter().map(|_| Vec::new()).collect();
        for (lane, (run, beginning)) in self.lanes.iter_mut().zip(runs) {
            let start = web_time::Instant::now();
            let output = classifier.model(lane.stream)?.finish(run, progress).await?;
            let seconds = beginning + start.elapsed().as_secs_f64();
            lane.seconds += seconds;
            for (index, results) in results.iter_mut().enumerate() {
                let head = Head {
                    features: clip_of(&output, FEATURES, index)?,
                    per_step: clip_of(&output, LOGITS_PER_STEP, index)?,
                };
                let share = seconds / windows.len() as f64;
                let result = StreamResult::new(lane.stream, head, share, classifier)?;
                lane.per_window.extend_from_slice(&result.logits);
                lane.features.extend(mean_over_time(&result.features));
                results.push(result);
            }
        }
        for (frames, streams) in windows.into_iter().zip(results) {
            let classification = Classification::new(streams, classifier.fusion, &classifier.labels)?;
            self.segments.push(Segment { frames, classification });
        }
        Ok(())
    }

    /// Classifies what is left and gives all segments, and the mean over them: logits and features per window stand
    /// where a single clip has time steps.
    ///
    /// # Errors
    /// Videos without a frame.
    pub async fn finish(
        mut self,
        classifier: &mut Classifier,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Vec<Segment>, Classification)> {
        let frames = self.frames();
        let begun = self.under_way.as_ref().and_then(|batch| batch.windows.last());
        let done = begun.map_or(0, |window| window.end);
        let left: Vec<Range<usize>> = self
            .windows
            .of(frames)
            .into_iter()
            .filter(|w| w.end > done && w.start + self.windows.step > self.next)
            .collect();
        for some in left.chunks(self.batch) {
            self.classify(classifier, some.to_vec(), progress).await?;
        }
        if let Some(last) = self.under_way.take() {
            self.finish_batch(classifier, last, progress).await?;
        }
        if self.segments.is_empty() {
            return Err(Error::clip("clip", "there is no frame to classify"));
        }
        let count = self.segments.len();
        let streams = self.lanes.into_iter().map(|lane| {
            let activation =
                |data: Vec<f32>| Activation { shape: Shape::new(1, count, 1, 1, data.len() / count), data };
            let head = Head { features: activation(lane.features), per_step: activation(lane.per_window) };
            StreamResult::new(lane.stream, head, lane.seconds, classifier)
        });
        let mean =
            Classification::new(streams.collect::<Result<_>>()?, classifier.fusion, &classifier.labels)?;
        Ok((self.segments, mean))
    }
}

/// One clip of a batch.
fn clip_of(output: &Output, name: &str, index: usize) -> Result<Activation> {
    let missing = || Error::device("windows", format!("{name} was not computed"));
    let all = output.get(name).ok_or_else(missing)?;
    let shape = Shape { n: 1, ..all.shape };
    Ok(Activation { shape, data: all.data[index * shape.len()..(index + 1) * shape.len()].to_vec() })
}

fn mean_over_time(features: &Activation) -> Vec<f32> {
    let Shape { t, c, .. } = features.shape;
    (0..c).map(|i| features.data.iter().skip(i).step_by(c).sum::<f32>() / t as f32).collect()
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "windows are ranges")]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_every_frame() {
        let windows = Windows { window: 64, step: 32 };
        assert_eq!(windows.of(0), []);
        assert_eq!(windows.of(20), [0..20]);
        assert_eq!(windows.of(64), [0..64]);
        assert_eq!(windows.of(65), [0..64, 1..65]);
        assert_eq!(windows.of(128), [0..64, 32..96, 64..128]);
        assert_eq!(windows.of(130), [0..64, 32..96, 64..128, 66..130]);
    }

    #[test]
    fn impossible_windows_are_refused() {
        for (window, step) in [(8, 4), (64, 0), (64, 65)] {
            assert!(Windows { window, step }.validate().is_err(), "{window} {step}");
        }
    }
}
