//! Optical flow: where every pixel of a frame is in the next frame, by TV-L1.
//!
//! The method of Zach, Pock and Bischof (2007) as OpenCV's CPU class `DualTVL1OpticalFlow` computes it, because flow
//! networks of the I3D family were trained on the flow of that family: grey frames of 0 to 255, a pyramid of bilinear
//! levels, per level a few warps, per warp a fixed-point iteration that stops when it hardly changes anything.
//! [`Schedule`] has the order of all that, once, for every backend.

mod clip;
mod engine;
mod frames;
mod image;
mod median;
mod schedule;
mod solver;
mod sweep;
mod warp;
pub mod wheel;

pub use clip::{BOUND, FlowPreprocess, FlowStatistics, Quantize, flow_clip};
pub use engine::FlowEngine;
pub use frames::{Flow, Gray};
pub use schedule::{BLOCK, Schedule, Step};

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::preprocess::Size;
use image::Plane;

/// The parameters of TV-L1, with OpenCV's names where it has clear ones.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Tvl1 {
    /// Time step of the dual field.
    pub tau: f64,
    /// Weight of the data term: larger follows the pictures more closely, smaller gives smoother flow.
    pub lambda: f64,
    /// How tightly the two copies of the flow (one for the data, one for smoothness) are bound together.
    pub theta: f64,
    /// Most levels of the pyramid, the full size included.
    pub scales: usize,
    /// Size of a level as a share of the next finer one.
    pub scale_step: f64,
    /// Warps of the second frame per level.
    pub warps: usize,
    /// Root mean square change of the flow per iteration, in pixels, at which a warp's iteration stops.
    pub epsilon: f64,
    /// Iterations between two median filters.
    pub inner: usize,
    /// Rounds of median filter and inner iterations per warp.
    pub outer: usize,
    /// Window of the median filter: 5, or 1 for none.
    pub median: usize,
}

/// A choice of parameters by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// OpenCV's defaults: what flow networks expect.
    #[default]
    Reference,
    /// Fewer warps and iterations: approximate.
    Fast,
}

impl Tvl1 {
    /// The defaults of OpenCV's CPU class (opencv_contrib, `modules/optflow/include/opencv2/optflow.hpp`,
    /// `DualTVL1OpticalFlow::create`).
    pub const REFERENCE: Tvl1 = Tvl1 {
        tau: 0.25,
        lambda: 0.15,
        theta: 0.3,
        scales: 5,
        scale_step: 0.8,
        warps: 5,
        epsilon: 0.01,
        inner: 30,
        outer: 10,
        median: 5,
    };

    /// Two warps of at most forty iterations. Approximate: on three pairs of real frames (short side 224 or 256) its
    /// end points lie 0.06, 0.09 and 0.03 px (mean) from those of [`Tvl1::REFERENCE`], in about half the time.
    pub const FAST: Tvl1 = Tvl1 { warps: 2, inner: 20, outer: 2, ..Tvl1::REFERENCE };

    /// The parameters of a preset.
    pub const fn preset(preset: Preset) -> Tvl1 {
        match preset {
            Preset::Reference => Tvl1::REFERENCE,
            Preset::Fast => Tvl1::FAST,
        }
    }

    /// Fails with a sentence where a parameter makes no sense.
    pub fn validate(&self) -> Result<()> {
        let positive = |name: &str, value: f64| match value > 0.0 && value.is_finite() {
            true => Ok(()),
            false => Err(Error::Usage(format!("{name} of TV-L1 is {value}: give a number above 0"))),
        };
        positive("tau", self.tau)?;
        positive("lambda", self.lambda)?;
        positive("theta", self.theta)?;
        let counts =
            [("scales", self.scales), ("warps", self.warps), ("inner", self.inner), ("outer", self.outer)];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(Error::Usage(format!("{name} of TV-L1 is 0: give at least 1")));
        }
        if !(0.1..1.0).contains(&self.scale_step) {
            let found = self.scale_step;
            return Err(Error::Usage(format!("the scale step of TV-L1 is {found}: give 0.1 to below 1")));
        }
        if self.epsilon.is_nan() || self.epsilon < 0.0 {
            return Err(Error::Usage(format!("epsilon of TV-L1 is {}: give 0 or more", self.epsilon)));
        }
        if !matches!(self.median, 1 | 5) {
            return Err(Error::Usage(format!("the median window of TV-L1 is {}: give 5 or 1", self.median)));
        }
        Ok(())
    }
}

impl Default for Tvl1 {
    fn default() -> Self {
        Tvl1::REFERENCE
    }
}

/// The flow from `first` to `second`, on the CPU, with all threads of the current rayon pool.
///
/// # Shapes
/// Both frames `[H, W]`; returns `[H, W, 2]`.
///
/// # Errors
/// Frames of different sizes, and parameters out of range.
pub fn flow_from_pair(first: &Gray, second: &Gray, parameters: &Tvl1) -> Result<Flow> {
    let schedule = Schedule::for_frames([first, second], parameters)?;
    let (first, second) = (pyramid(&schedule, first), pyramid(&schedule, second));
    Ok(solver::solve(&schedule, &first, &second, rayon::current_num_threads()))
}

/// The flow from every frame to the next, on the CPU; pairs run in parallel, and each frame's pyramid is made once.
///
/// # Shapes
/// T frames `[H, W]`; returns T - 1 flows `[H, W, 2]`.
///
/// # Errors
/// Fewer than two frames, frames of different sizes, and parameters out of range.
pub fn flows_from_frames(frames: &[Gray], parameters: &Tvl1) -> Result<Vec<Flow>> {
    let schedule = Schedule::for_frames(frames, parameters)?;
    let threads = rayon::current_num_threads();
    // A few pairs per thread at a time, so that the pyramids of a long video need not all be there at once.
    let portion = 4 * threads;
    let mut flows = Vec::with_capacity(frames.len() - 1);
    let mut last = None;
    for first in (0..frames.len() - 1).step_by(portion) {
        let end = (first + portion).min(frames.len() - 1);
        let from = if last.is_some() { first + 1 } else { first };
        let mut pyramids: Vec<Vec<Plane>> = last.take().into_iter().collect();
        pyramids.par_extend(frames[from..=end].par_iter().map(|frame| pyramid(&schedule, frame)));
        let pairs = end - first;
        let bands = threads.div_ceil(pairs);
        flows.par_extend(
            pyramids
                .par_windows(2)
                .with_max_len(1)
                .map(|pair| solver::solve(&schedule, &pair[0], &pair[1], bands)),
        );
        last = pyramids.pop();
    }
    Ok(flows)
}

/// A frame at every level, its own size first.
fn pyramid(schedule: &Schedule, frame: &Gray) -> Vec<Plane> {
    let Size { width, height } = frame.size();
    let mut levels = vec![Plane { size: Size { width, height }, data: frame.data().to_vec() }];
    for &size in &schedule.levels()[1..] {
        let next = levels[levels.len() - 1].resized(size, [schedule.image_step() as f32; 2], 1.0);
        levels.push(next);
    }
    levels
}
