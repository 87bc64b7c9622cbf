//! Kernel launches before they have bind groups: kernel, parameters, what is bound, how many work groups.

use std::ops::Range;

use super::device::Wanted;
use super::flow;
use super::manifest::{self, Kernel, Variant};
use crate::backend::params::Params;
use crate::plan::{BufferId, Plan, Precision};

/// Output positions that one work group of `conv3d.wgsl` computes: 64 lanes, 4 each.
const CONV_POSITIONS: usize = 256;
/// Channels that one work group of a convolution computes.
const CONV_CHANNELS: usize = 16;
/// Rows that one work group of `gemm_uniform.wgsl` computes: 16 lanes, 4 each.
const UNIFORM_ROWS: usize = 64;
/// Channels in fours that one work group of `linear.wgsl` computes of a row.
const LINEAR_COLUMNS: usize = 16;
/// Lanes of every other kernel's work group, but for those that compute four channels of all positions.
const LANES: usize = 64;

/// Most work groups on one axis of a dispatch that every WebGPU device accepts.
const MAX_GROUPS: usize = 65_535;

/// What a binding shows a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Binding {
    /// A buffer of the plan.
    Activation(BufferId),
    /// Bytes of one of the buffers of weights.
    Weights(usize, Range<u64>),
    /// All biases.
    Biases,
    /// Bytes of them.
    Bias(Range<u64>),
    /// That many bytes of one of the buffers of weights, at the dynamic offset that the launch gives.
    WeightWindow(usize, u64),
    /// That many bytes of the biases, likewise.
    BiasWindow(u64),
    /// Winograd's transformed input.
    Points,
    /// Winograd's products.
    Products,
    /// A few bytes, where a kernel has an output that a launch does not use.
    Spare,
}

/// A launch before its bind group exists.
pub(super) struct Launch {
    pub kernel: &'static Kernel,
    pub constants: Variant,
    pub params: Params,
    /// What follows the parameters.
    pub bindings: Vec<Binding>,
    /// Dynamic offsets of its windows.
    pub windows: Vec<u64>,
    /// Work in multiply-accumulates, for pacing.
    pub work: u64,
    /// Index of the plan's last step that it belongs to.
    pub step: usize,
}

impl Launch {
    /// How the tensors that it reads and writes are stored: as the first of the plan's buffers among them. What has 32 bits
    /// all the same is so in the shader.
    pub fn precision(&self, plan: &Plan) -> Precision {
        let activation = self.bindings.iter().find_map(|binding| match binding {
            Binding::Activation(id) => Some(plan.buffers[*id].precision),
            _ => None,
        });
        activation.unwrap_or_default()
    }

    /// What has to be compiled for it.
    pub fn wanted(&self, plan: &Plan) -> Wanted {
        (self.kernel, self.constants, self.precision(plan))
    }

    /// Work groups for all of it.
    pub fn groups(&self) -> [usize; 3] {
        work_groups(self.kernel, self.constants, &self.params)
    }
}

/// A dispatch of a launch.
pub(super) struct Cut {
    /// First work group in x.
    pub first: u32,
    /// Work groups.
    pub groups: [u32; 3],
    /// Its share of the work.
    pub work: u64,
}

/// Cuts a launch along x into dispatches of at most `quantum` of its work, each with parameters of its own.
pub(super) fn cut([x, y, z]: [usize; 3], work: u64, quantum: u64) -> impl Iterator<Item = Cut> {
    let per_dispatch = (x as u64 * quantum / work.max(1)).clamp(1, MAX_GROUPS as u64) as usize;
    (0..x).step_by(per_dispatch).map(move |first| {
        let count = per_dispatch.min(x - first);
        let groups = [count as u32, y as u32, z as u32];
        Cut { first: first as u32, groups, work: work * count as u64 / x as u64 }
    })
}

/// Work groups in x, y and z that a variant of `kernel` needs to compute everything that `params` describe.
pub fn work_groups(kernel: &Kernel, constants: &[(&str, f64)], params: &Params) -> [usize; 3] {
    let product = |values: &[u32]| values.iter().map(|&v| v as usize).product::<usize>();
    let constant =
        |name| constants.iter().find(|(known, _)| *known == name).map_or(1, |(_, value)| *value as usize);
    match params {
        Params::Conv(p) if kernel.name == manifest::CONV3D_INPUT_GRAD.name => {
            let channels = 4 * p.source[1] as usize;
            [product(&p.input).div_ceil(CONV_POSITIONS), channels.div_ceil(CONV_CHANNELS), 1]
        }
        Params::Conv(p) if kernel.name == manifest::CONV3D_WEIGHT_GRAD.name => {
            let eights = product(&[p.channels[1].div_ceil(2), p.source[1].div_ceil(2)]);
            [(p.parts() * product(&p.kernel[..3]) * eights).div_ceil(LANES), 1, 1]
        }
        Params::Conv(p) if kernel.name == manifest::LINEAR.name => {
            [(p.channels[1] as usize).div_ceil(LINEAR_COLUMNS), p.positions(), 1]
        }
        Params::Conv(p) if kernel.name == manifest::CONV3D_BIAS_GRAD.name => [p.channels[1] as usize, 1, 1],
        Params::Conv(p) => {
            let fours = product(&p.output[..3]) * (p.output[3] as usize).div_ceil(4);
            let y = (4 * p.channels[1] as usize).div_ceil(CONV_CHANNELS);
            match kernel.name {
                name if name == manifest::STEM.name => [fours.div_ceil(LANES), y, 1],
                name if name == manifest::STEM_UNIFORM.name => [fours.div_ceil(LANES), 1, 1],
                _ => [product(&p.output).div_ceil(CONV_POSITIONS), y, 1],
            }
        }
        Params::Gemm(p) if kernel.name == manifest::GEMM_UNIFORM.name => {
            [(p.rows[0] as usize).div_ceil(UNIFORM_ROWS), 1, 1]
        }
        Params::Gemm(p) => {
            let ranges = &p.channels[..p.input[2] as usize];
            let blocks = ranges.iter().map(|range| (range[2] as usize).div_ceil(constant("COLUMNS")));
            [(p.rows[0] as usize).div_ceil(constant("ROWS")), blocks.sum(), p.input[3] as usize]
        }
        Params::Wino(p) if kernel.name == manifest::WINO_POOL.name => [p.walks().div_ceil(LANES), 1, 1],
        Params::Wino(p) => [p.fours().div_ceil(LANES), 1, 1],
        Params::Pool(p)
            if [manifest::MAX_POOL3D_GRAD.name, manifest::AVG_POOL3D_GRAD.name].contains(&kernel.name) =>
        {
            [(product(&p.input) * p.window[3] as usize).div_ceil(LANES), 1, 1]
        }
        Params::Pool(p) => [p.walks().div_ceil(LANES), 1, 1],
        Params::Flow(p) => flow::work_groups(kernel, p),
        Params::Head(p) => [(p.head[2] as usize).div_ceil(constant("CLASSES")), p.input[0] as usize, 1],
        Params::Norm(p) if [manifest::NORM_MOMENTS.name, manifest::NORM_SUMS.name].contains(&kernel.name) => {
            [p.shape[1] as usize, 1, 1]
        }
        Params::Norm(p) => [product(&p.shape[..2]).div_ceil(LANES), 1, 1],
        Params::Lstm(p) => [(p.shape[3] as usize).div_ceil(LANES), 1, 1],
        Params::Parts(p) => [(p.shape[1] as usize).div_ceil(LANES), 1, 1],
        Params::Mean(p) if kernel.name == manifest::TIME_MEAN_GRAD.name => {
            [product(&p.shape[..3]).div_ceil(LANES), 1, 1]
        }
        Params::Mean(p) => [(p.shape[0] as usize * p.shape[2] as usize).div_ceil(LANES), 1, 1],
    }
}
