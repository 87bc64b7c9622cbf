//! What runs a plan: WGSL kernels on a GPU, or the same steps on the CPU.

pub mod cpu;
mod device;
pub mod gpu;
pub mod params;
mod profile;
pub mod reference;
mod tape;
mod tiled;
pub mod winograd;

pub use device::{Device, DeviceInfo, DeviceRequest, Model, Run};
pub use profile::{LaunchTime, Peaks};
pub use tape::Tape;
pub use tiled::{Head, TiledRun, Tiling};

use std::collections::BTreeMap;

use crate::error::Result;
use crate::network::Shape;
use crate::plan::{Buffer, BufferId, Plan, Precision};
use crate::random::SplitMix64;

/// How a network is run, beside the device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Direct convolution only: Winograd's algorithm, which is faster, rounds a little more (about 1e-6 a layer).
    pub precise: bool,
    /// How weights and activations are stored. What is stored in 16 bits is convolved directly, as with `precise`, and
    /// only by GPUs that have such numbers ([`gpu::Adapter::shader_f16`]).
    pub precision: Precision,
}

impl RunOptions {
    /// Whether Winograd's algorithm may run.
    fn winograd(&self) -> bool {
        !self.precise && self.precision == Precision::F32
    }
}

/// How a network in training is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pass {
    /// Batch norm uses its moving averages, not the statistics of the batch.
    pub frozen: bool,
    /// Dropout of the features, with this seed.
    pub dropout: Option<u64>,
}

impl Pass {
    /// The share of features that dropout sets to zero; the rest grows by what makes up for it (DeepMind's recipe).
    pub const DROPOUT: f32 = 0.5;

    /// What dropout multiplies so many features by, which step `step` of the plan gives: nought, or what makes up for it. Empty
    /// without dropout.
    pub fn factors(&self, step: usize, features: usize) -> Vec<f32> {
        let Some(seed) = self.dropout else { return Vec::new() };
        let mut random = SplitMix64::with_path(seed, &[step as u64]);
        let kept = 1.0 / (1.0 - Pass::DROPOUT);
        let mut draw = || if random.symmetric() < 2.0 * Pass::DROPOUT - 1.0 { 0.0 } else { kept };
        (0..features).map(|_| draw()).collect()
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Multiply-accumulates that are done.
    pub done_macs: u64,
    /// Multiply-accumulates of the whole run.
    pub total_macs: u64,
}

/// A tensor that a run hands out, channels-last.
#[derive(Debug, Clone, PartialEq)]
pub struct Activation {
    /// Shape `[N, T, H, W, C]`.
    pub shape: Shape,
    /// Values in row-major order.
    pub data: Vec<f32>,
}

/// The values of the endpoints that were asked for, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Output {
    /// Endpoint name to values.
    pub endpoints: BTreeMap<String, Activation>,
}

impl Output {
    /// Takes `stored`, the buffer's values with channels padded to fours, and drops the padding.
    fn insert(&mut self, buffer: &Buffer, stored: &[f32]) {
        let (c, stride) = (buffer.shape.c, buffer.stored_channels());
        let data = if c == stride {
            stored.to_vec()
        } else {
            stored.chunks_exact(stride).flat_map(|position| &position[..c]).copied().collect()
        };
        self.endpoints.insert(buffer.name.clone(), Activation { shape: buffer.shape, data });
    }

    /// The values of an endpoint that was observed.
    pub fn get(&self, name: &str) -> Option<&Activation> {
        self.endpoints.get(name)
    }
}

/// Which buffers to read back, and after which step each is complete.
struct Observed(Vec<(usize, BufferId)>);

impl Observed {
    fn new(plan: &Plan, names: &[&str]) -> Result<Observed> {
        let find = |name: &&str| plan.find(name).map(|(id, step)| (step, id));
        names.iter().map(find).collect::<Result<_>>().map(Observed)
    }

    /// The buffers, sorted.
    fn ids(&self) -> Vec<BufferId> {
        let mut ids: Vec<BufferId> = self.0.iter().map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// Buffers that are complete after one of the steps of `range`.
    fn between(&self, range: std::ops::Range<usize>) -> impl Iterator<Item = BufferId> {
        self.0.iter().filter(move |(step, _)| range.contains(step)).map(|(_, id)| *id)
    }

    /// Buffers that are complete after step `index`.
    fn after(&self, index: usize) -> impl Iterator<Item = BufferId> {
        self.0.iter().filter(move |(step, _)| *step == index).map(|(_, id)| *id)
    }
}
