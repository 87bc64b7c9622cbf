//! Clips too long for one plan: tiles of time with halo, the same logits, memory that does not grow with the clip.
//!
//! The network is cut at one endpoint. Before it, tiles of frames are computed with the frames around them that they
//! depend on; its output waits in a queue until the next tile of logits can be computed behind it. The cut lies where
//! activations have become small and the halo is still short: 19 frames before it, 20 of its own time steps behind.

use crate::error::{Error, Result};
use crate::network::{FEATURES, I3d, LOGITS_PER_STEP, Shape};
use crate::plan::{DeviceLimits, Part, Plan, TimeRange};

use super::{Activation, Device, Model, Progress};

/// The endpoint at which the network is cut.
const CUT: &str = "MaxPool3d_4a_3x3";
const FRONT: Part = Part { from: None, to: CUT };
const BACK: Part = Part { from: Some(CUT), to: LOGITS_PER_STEP };

/// A length of clip in whose middle a tile touches neither end.
const ENDLESS: usize = 4096;
/// A time step in that middle, of the cut and of the logits.
const MIDDLE: usize = 200;

/// Time steps per tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiling {
    /// Time steps of the cut endpoint, four frames each.
    pub front: usize,
    /// Time steps of the logits, eight frames each.
    pub back: usize,
}

impl Tiling {
    /// Where nothing limits them: 128 frames before the cut, 256 behind, for less than half a gigabyte at full size.
    pub const DEFAULT: Tiling = Tiling { front: 32, back: 32 };

    /// The largest tiles up to the default that `device` can hold.
    ///
    /// # Errors
    /// Devices that cannot hold the smallest tile.
    pub fn for_device(network: &I3d, device: &Device) -> Result<Tiling> {
        let Device::Gpu(gpu) = device else { return Ok(Tiling::DEFAULT) };
        Tiling::within(network, &gpu.adapter.limits)
    }

    /// The largest tiles up to the default within `limits`.
    pub fn within(network: &I3d, limits: &DeviceLimits) -> Result<Tiling> {
        let largest = |part: Part, most: usize| {
            let middle = Plan::part(network, 1, ENDLESS, part, MIDDLE..MIDDLE + 1).map(|(plan, _)| plan);
            let smallest = middle.and_then(|plan| plan.check(limits).map(|()| 1));
            let fits = |&steps: &usize| {
                Plan::part(network, 1, ENDLESS, part, MIDDLE..MIDDLE + steps)
                    .is_ok_and(|(plan, _)| plan.check(limits).is_ok())
            };
            smallest.map(|one| (2..=most).rev().find(fits).unwrap_or(one))
        };
        Ok(Tiling {
            front: largest(FRONT, Tiling::DEFAULT.front)?,
            back: largest(BACK, Tiling::DEFAULT.back)?,
        })
    }
}

/// What the head computes for a long clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Features per time step, `[1, T', 1, 1, 1024]`.
    pub features: Activation,
    /// Logits per time step, `[1, T', 1, 1, classes]`.
    pub per_step: Activation,
}

/// Runs the network on a clip of `frames` frames that `next_frame` hands out one by one, `[H, W, C]` each, appended to
/// the vector that it is given.
///
/// # Errors
/// Clips below nine frames, what `next_frame` fails with, and what the device reports.
pub async fn run_tiled(
    model: &mut Model,
    frames: usize,
    tiling: Tiling,
    next_frame: &mut dyn FnMut(&mut Vec<f32>) -> Result<()>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Head> {
    let network = *model.network();
    let whole = Plan::new(&network, 1, frames)?;
    let total_macs = whole.macs();
    let length = |name: &str| whole.find(name).map(|(id, _)| whole.buffers[id].shape);
    let (cut, steps) = (length(CUT)?, length(LOGITS_PER_STEP)?);
    let frame_values = network.input_size * network.input_size * network.in_channels;
    let mut clip = Queue::new(frame_values);
    let mut middle = Queue::new(cut.h * cut.w * cut.c);
    let mut head = Collected::default();
    let mut pulled = 0;
    while head.steps < steps.t {
        let wanted = head.steps..(head.steps + tiling.back).min(steps.t);
        let (plan, needs) = Plan::part(&network, 1, frames, BACK, wanted.clone())?;
        middle.forget_before(needs.start);
        while middle.end() < needs.end {
            let wanted = middle.end()..(middle.end() + tiling.front).min(cut.t);
            let (plan, needs) = Plan::part(&network, 1, frames, FRONT, wanted.clone())?;
            clip.forget_before(needs.start);
            while pulled < needs.end {
                next_frame(&mut clip.values)?;
                pulled += 1;
            }
            let output = model.run(&plan, clip.get(needs), &[CUT], &mut |_| ()).await?;
            let tile = output.get(CUT).ok_or_else(|| missing(CUT))?;
            middle.values.extend_from_slice(&tile.data);
            let share = wanted.end as f64 / cut.t as f64;
            progress(Progress { done_macs: (share * total_macs as f64) as u64, total_macs });
        }
        let output = model.run(&plan, middle.get(needs), &[FEATURES, LOGITS_PER_STEP], &mut |_| ()).await?;
        head.features.extend_from_slice(&output.get(FEATURES).ok_or_else(|| missing(FEATURES))?.data);
        head.per_step
            .extend_from_slice(&output.get(LOGITS_PER_STEP).ok_or_else(|| missing(LOGITS_PER_STEP))?.data);
        head.steps = wanted.end;
    }
    let activation = |data: Vec<f32>| {
        let shape = Shape::new(1, steps.t, 1, 1, data.len() / steps.t);
        Activation { shape, data }
    };
    Ok(Head { features: activation(head.features), per_step: activation(head.per_step) })
}

fn missing(name: &str) -> Error {
    Error::device("tiles", format!("{name} was not computed"))
}

#[derive(Default)]
struct Collected {
    steps: usize,
    features: Vec<f32>,
    per_step: Vec<f32>,
}

/// Consecutive time steps of a long tensor; those before a moving start are forgotten.
struct Queue {
    /// Values per time step.
    stride: usize,
    start: usize,
    values: Vec<f32>,
}

impl Queue {
    fn new(stride: usize) -> Queue {
        Queue { stride, start: 0, values: Vec::new() }
    }

    fn end(&self) -> usize {
        self.start + self.values.len() / self.stride
    }

    fn forget_before(&mut self, step: usize) {
        let gone = step.clamp(self.start, self.end()) - self.start;
        self.values.drain(..gone * self.stride);
        self.start += gone;
    }

    fn get(&self, steps: TimeRange) -> &[f32] {
        &self.values[(steps.start - self.start) * self.stride..(steps.end - self.start) * self.stride]
    }
}
