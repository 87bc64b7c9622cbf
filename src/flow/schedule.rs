//! The one schedule of TV-L1: which levels there are, and in which order they are warped, filtered and iterated.
//!
//! It is data; the CPU version, the twins and the GPU version all walk the same list, so they cannot differ in order.

use super::{Gray, Tvl1};
use crate::error::{Error, Result};
use crate::preprocess::Size;

/// Iterations between two looks at the error. OpenCV looks after every one; an iteration too many only brings the
/// flow nearer to its fixed point, and the blocks are what makes iterations cheap: they run with several rows in
/// flight on the CPU and without a round trip on a GPU.
pub const BLOCK: usize = 2;

/// A level with a side shorter than this is not used (OpenCV's `calc`).
const SHORTEST_SIDE: usize = 16;

/// One step for one frame pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Go to this level (an index into [`Schedule::levels`]): bring the flow of the coarser level to its size and
    /// multiply it by [`Schedule::flow_scale`], or begin with zero; set the dual field to zero.
    Level(usize),
    /// Warp the second frame by the flow, and forget that the iteration had stopped.
    Warp,
    /// Median filter the flow, unless the iteration has stopped.
    Median,
    /// Iterate so many times, unless the iteration has stopped; then look at the error of the last iteration: at
    /// [`Schedule::stop_error`] or below, the iteration stops until the next warp.
    Iterate(usize),
}

/// The steps of TV-L1 for frames of one size.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    parameters: Tvl1,
    levels: Vec<Size>,
}

impl Schedule {
    /// The schedule for frames of `size`. A level has the sides of the finer one times the scale step, rounded to
    /// the nearest pixel, halves to even.
    pub fn new(parameters: &Tvl1, size: Size) -> Schedule {
        let mut levels = vec![size];
        while let (true, Some(&finer)) = (levels.len() < parameters.scales, levels.last()) {
            let side = |length: usize| (length as f64 * parameters.scale_step).round_ties_even() as usize;
            let level = Size { width: side(finer.width), height: side(finer.height) };
            if level.width.min(level.height) < SHORTEST_SIDE {
                break;
            }
            levels.push(level);
        }
        Schedule { parameters: *parameters, levels }
    }

    /// The schedule for a sequence of frames.
    ///
    /// # Errors
    /// Fewer than two frames, frames of different sizes, and parameters out of range.
    pub fn for_frames<'a>(frames: impl IntoIterator<Item = &'a Gray>, parameters: &Tvl1) -> Result<Schedule> {
        parameters.validate()?;
        let mut sizes = frames.into_iter().map(Gray::size).enumerate();
        let Some((_, first)) = sizes.next() else {
            return Err(Error::clip("optical flow", "there are no frames; give at least two"));
        };
        let mut count = 1;
        for (index, size) in sizes {
            if size != first {
                let problem = format!(
                    "frame {} is {}x{} where the first frame is {}x{}; resize all frames to one size",
                    index + 1,
                    size.width,
                    size.height,
                    first.width,
                    first.height
                );
                return Err(Error::clip("optical flow", problem));
            }
            count += 1;
        }
        if count < 2 {
            return Err(Error::clip("optical flow", "there is one frame; give at least two"));
        }
        Ok(Schedule::new(parameters, first))
    }

    /// The parameters.
    pub fn parameters(&self) -> &Tvl1 {
        &self.parameters
    }

    /// The sizes of the levels, the frames' own size first.
    pub fn levels(&self) -> &[Size] {
        &self.levels
    }

    /// Source pixels per pixel of the next coarser level, along both axes.
    pub fn image_step(&self) -> f64 {
        1.0 / self.parameters.scale_step
    }

    /// Factor of the flow from one level to the next finer one. OpenCV takes the scale step, not the ratio of the
    /// rounded sizes.
    pub fn flow_scale(&self) -> f32 {
        (1.0 / self.parameters.scale_step) as f32
    }

    /// The summed squared change of the flow, in pixels, below which a level's iteration stops.
    pub fn stop_error(&self, level: Size) -> f64 {
        self.parameters.epsilon * self.parameters.epsilon * (level.width * level.height) as f64
    }

    /// All steps, coarsest level first.
    pub fn steps(&self) -> Vec<Step> {
        let Tvl1 { warps, inner, outer, median, .. } = self.parameters;
        let mut warp = vec![Step::Warp];
        for _ in 0..outer {
            if median > 1 {
                warp.push(Step::Median);
            }
            let blocks = (0..inner).step_by(BLOCK).map(|first| Step::Iterate(BLOCK.min(inner - first)));
            warp.extend(blocks);
        }
        let mut steps = Vec::new();
        for level in (0..self.levels.len()).rev() {
            steps.push(Step::Level(level));
            steps.extend(std::iter::repeat_n(&warp, warps).flatten());
        }
        steps
    }
}
