//! Winograd's convolution as launches: the input transform once for all units that read a tensor, their products, and
//! one output transform, which may end with a max pool.

use super::launch::{Binding, Launch};
use super::manifest;
use super::product::{Product, Range};
use super::variants::{LARGEST_CHUNK, Variants};
use super::weights::DeviceWeights;
use crate::backend::params::{Params, WinoParams, nthw, pad};
use crate::backend::winograd::{POINTS, TILE};
use crate::network::Unit;
use crate::plan::{BufferId, Kernel as Operation, Plan, Step, Window};

/// Additions and multiplications of the transforms per tile and channel, in units of a multiply-accumulate. They run at
/// the speed of memory, so they weigh more than their number.
const TRANSFORM: usize = 300;

/// Whether Winograd's way needs less work than the direct way for an output of that height and width, and a frame of it
/// fits a chunk.
pub(super) fn pays(unit: &Unit, [height, width]: [usize; 2]) -> bool {
    if unit.kernel != [3; 3] || unit.stride != [1; 3] {
        return false;
    }
    let tiles = height.div_ceil(TILE) * width.div_ceil(TILE);
    let (ci, co) = (unit.in_channels, unit.out_channels);
    let direct = 27 * height * width * ci * co;
    let winograd = tiles * (3 * POINTS * ci * co + TRANSFORM * (ci + co));
    winograd < direct && frame_bytes(tiles, 3 * ci.max(co)) <= LARGEST_CHUNK
}

fn frame_bytes(tiles: usize, channels: usize) -> usize {
    4 * POINTS * tiles * channels
}

/// Bytes of the two buffers that a layer's chunks need: transformed inputs and products.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scratch {
    pub points: u64,
    pub products: u64,
}

impl Scratch {
    /// What serves both.
    pub fn max(self, other: Scratch) -> Scratch {
        Scratch { points: self.points.max(other.points), products: self.products.max(other.products) }
    }
}

/// A max pool behind a convolution, as `wino_pool.wgsl` computes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pool {
    /// Index of its step.
    pub step: usize,
    /// Tiles that one invocation walks along.
    pub walk: usize,
}

/// Whether `wino_pool.wgsl` computes the max pool `step`: windows must begin where tiles do.
pub(super) fn pools(plan: &Plan, step: &Step) -> bool {
    let frames = |id: BufferId| plan.buffers[id].shape.t;
    matches!(step.kernel, Operation::MaxPool(window)
        if window.size == [1, 3, 3] && window.stride == [1, 2, 2] && window.pad_before == [0; 3])
        && frames(step.input) == frames(step.output)
}

/// The launches of 3x3x3 convolutions side by side, with stride 1: one, or a [`crate::plan::Group::Branches`]. Where the
/// outputs are pooled, nothing else is stored of them.
pub(super) fn launches(
    plan: &Plan,
    steps: std::ops::Range<usize>,
    pool: Option<Pool>,
    weights: &DeviceWeights,
    variants: &Variants,
) -> (Vec<Launch>, Scratch) {
    let mut launches = Vec::new();
    let mut scratch = Scratch::default();
    let last = pool.map_or(steps.end - 1, |pool| pool.step);
    let convs: Vec<(&Step, usize, Window, bool)> = plan.steps[steps]
        .iter()
        .filter_map(|step| match step.kernel {
            Operation::Conv { unit, window, relu } => Some((step, unit, window, relu)),
            _ => None,
        })
        .collect();
    let Some(&(first, first_unit, window, relu)) = convs.first() else { return (launches, scratch) };
    let (input, output) = (&plan.buffers[first.input], &plan.buffers[first.output]);
    let fours = |channels: usize| channels.div_ceil(4);
    let ci: usize = convs.iter().map(|(step, ..)| fours(step.input_channels)).sum();
    let co: usize = convs.iter().map(|(step, ..)| fours(step.channels)).sum();
    let tiles = [output.shape.h.div_ceil(TILE), output.shape.w.div_ceil(TILE)];
    let per_frame = tiles[0] * tiles[1];

    // A chunk's products need two more frames of transformed inputs.
    let length = output.shape.t + 2;
    let frames = output.shape.n * length - 2;
    let fitting = |channels: usize| (variants.chunk_mib << 20) / frame_bytes(per_frame, 4 * channels);
    let chunk = fitting(co).min(fitting(ci).saturating_sub(2)).clamp(1, frames);
    // Chunks of one size, so that the last does not remain almost empty.
    let chunk = frames.div_ceil(frames.div_ceil(chunk));
    scratch.points = frame_bytes(per_frame, 4 * ci * (chunk + 2)) as u64;
    scratch.products = frame_bytes(per_frame, 4 * co * chunk) as u64;

    for start in (0..frames).step_by(chunk) {
        let count = chunk.min(frames - start);
        let transform = |image, count: usize, pad, channels| WinoParams {
            image,
            tiles: [tiles[0] as u32, tiles[1] as u32, start as u32, count as u32],
            frames: [length as u32, 0, u32::from(relu), (weights.units[first_unit].bias / 16) as u32],
            pad,
            channels,
            pool: [0; 4],
        };
        let channels = [fours(input.stored_channels()), fours(first.input_offset), ci, 0].map(|c| c as u32);
        let points = transform(nthw(input), count + 2, pad(window), channels);
        launches.push(Launch {
            kernel: &manifest::WINO_IN,
            constants: manifest::WINO_IN.variants[0],
            bindings: vec![Binding::Activation(first.input), Binding::Points],
            windows: Vec::new(),
            work: transform_work(&points),
            params: Params::Wino(points),
            step: last,
        });
        let (mut from, mut to) = (0, 0);
        let ranges = convs.iter().map(|&(step, unit, ..)| {
            let range = Range { unit, input: from, depth: fours(step.input_channels), output: 0, first: to };
            from += fours(step.input_channels);
            to += fours(step.channels);
            range
        });
        let product = Product {
            rows: count * per_frame,
            taps: 3,
            tap_rows: per_frame,
            points: POINTS,
            input: Binding::Points,
            strides: [ci, (count + 2) * per_frame * ci],
            ranges: ranges.collect(),
            outputs: vec![(Binding::Products, co)],
            output_point: count * per_frame * co,
            bias: false,
            relu: false,
            pool: None,
            step: last,
        };
        launches.extend(product.launches(weights, variants.products));
        let channels =
            [fours(output.stored_channels()), fours(first.channel_offset), co, 0].map(|c| c as u32);
        let mut outputs = transform(nthw(output), count, [0; 4], channels);
        let (kernel, written) = match pool {
            Some(pool) => {
                let written = plan.steps[pool.step].output;
                let [_, _, height, width] = nthw(&plan.buffers[written]);
                outputs.pool = [height, width, pool.walk.min(tiles[1]) as u32, 0];
                (&manifest::WINO_POOL, written)
            }
            None => (&manifest::WINO_OUT, first.output),
        };
        launches.push(Launch {
            kernel,
            constants: kernel.variants[0],
            bindings: vec![Binding::Products, Binding::Biases, Binding::Activation(written)],
            windows: Vec::new(),
            work: transform_work(&outputs),
            params: Params::Wino(outputs),
            step: last,
        });
    }
    (launches, scratch)
}

fn transform_work(p: &WinoParams) -> u64 {
    (4 * p.fours() * TRANSFORM) as u64
}
