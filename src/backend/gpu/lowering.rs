//! A plan to dispatches: arenas, parameters and bind groups, made once and replayed for every clip.

#[cfg(not(target_arch = "wasm32"))]
use rayon::prelude::*;

use super::Gpu;
use super::head;
use super::launch::{Binding, Cut, Launch, cut};
use super::manifest;
use super::numbers::encode;
use super::pacer::dispatch_quantum;
use super::product::{Product, RANGES, Range};
use super::variants::{Products, Variants};
use super::weights::{Algorithm, DeviceWeights, Piece};
use super::winograd::{self, Pool, Scratch};
use crate::backend::params::Params;
use crate::error::Result;
use crate::network::Network;
use crate::plan::{ALIGNMENT, Buffer, BufferId, Group, Kernel as Operation, Plan, Precision, Step};

/// One kernel launch.
pub(super) struct Dispatch {
    pub pipeline: wgpu::ComputePipeline,
    pub bind_group: wgpu::BindGroup,
    /// Offsets of its parameters in the uniform buffer, and of its windows.
    pub offsets: Vec<u32>,
    /// Work groups.
    pub groups: [u32; 3],
    /// Work in multiply-accumulates, for pacing.
    pub work: u64,
    /// Index of the plan's step after which it runs, the last of its group.
    pub step: usize,
}

/// A plan on a device, ready to run any number of times.
pub(super) struct Lowered {
    pub arenas: Vec<wgpu::Buffer>,
    pub dispatches: Vec<Dispatch>,
    /// Bytes of all buffers that were made for it.
    pub bytes: u64,
}

/// Creates the arenas and records every dispatch of `plan`.
pub(super) fn lower(
    gpu: &Gpu,
    plan: &Plan,
    weights: &DeviceWeights,
    observed: &[BufferId],
) -> Result<Lowered> {
    plan.check(&gpu.adapter.limits)?;
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
    let create = |label, size, usage| {
        gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: false,
        })
    };
    let (launches, scratch) = launches(plan, weights, &gpu.variants, observed);
    gpu.compile_all(launches.iter().map(|launch| launch.wanted(plan)))?;
    let buffers = Buffers {
        arenas: plan.arenas().into_iter().map(|size| create("arena", size, usage)).collect(),
        points: create("points", scratch.points.max(16), usage),
        products: create("products", scratch.products.max(16), usage),
        spare: create("spare", 16, usage),
    };

    // Long launches are cut along x into dispatches of at most a quantum of work, each with its own parameters.
    let quantum = dispatch_quantum(gpu.adapter.is_hardware());
    let mut uniforms: Vec<u8> = Vec::new();
    let mut cuts = Vec::new();
    for (index, launch) in launches.iter().enumerate() {
        for Cut { first, groups, work } in cut(launch.groups(), launch.work, quantum) {
            cuts.push((index, uniforms.len() as u32, groups, work));
            uniforms.extend(launch.params.bytes(first));
            uniforms.resize(uniforms.len().next_multiple_of(ALIGNMENT as usize), 0);
        }
    }
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let params = create("params", uniforms.len() as u64, usage);
    gpu.queue.write_buffer(&params, 0, &uniforms);

    let mut groups: Vec<(wgpu::ComputePipeline, wgpu::BindGroup)> = Vec::new();
    for (index, launch) in launches.iter().enumerate() {
        // The launches of a product differ in their windows only, which are offsets.
        let same = |before: &&Launch| {
            before.kernel.name == launch.kernel.name
                && before.constants == launch.constants
                && before.bindings == launch.bindings
        };
        if index > 0 && launches.get(index - 1).filter(same).is_some() {
            groups.push(groups[index - 1].clone());
            continue;
        }
        let pipeline = gpu.pipeline(launch.kernel, launch.constants, launch.precision(plan))?;
        let first = part(&params, 0, launch.kernel.params.size as u64);
        let bound = launch.bindings.iter().map(|binding| buffers.resource(plan, weights, binding));
        let entries: Vec<_> = std::iter::once(first)
            .chain(bound)
            .enumerate()
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding: binding as u32, resource })
            .collect();
        let bind_group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&plan.steps[launch.step].name),
            layout: &pipeline.layout,
            entries: &entries,
        });
        groups.push((pipeline.pipeline.clone(), bind_group));
    }
    let dispatches = cuts.into_iter().map(|(index, params_offset, groups_xyz, work)| {
        let (pipeline, bind_group) = groups[index].clone();
        let windows = launches[index].windows.iter().map(|&offset| offset as u32);
        let offsets = std::iter::once(params_offset).chain(windows).collect();
        Dispatch { pipeline, bind_group, offsets, groups: groups_xyz, work, step: launches[index].step }
    });
    let others = [&params, &buffers.points, &buffers.products, &buffers.spare];
    let bytes = buffers.arenas.iter().chain(others).map(wgpu::Buffer::size).sum();
    Ok(Lowered { dispatches: dispatches.collect(), arenas: buffers.arenas, bytes })
}

/// Compiles what clips of the network need, whatever their length, before the first comes.
pub(super) fn prepare(
    gpu: &Gpu,
    network: &Network,
    weights: &DeviceWeights,
    precision: Precision,
) -> Result<()> {
    let plan = Plan::new(network, 1, network.min_frames())?.with_precision(precision);
    let (launches, _) = launches(&plan, weights, &gpu.variants, &[]);
    gpu.compile_all(launches.iter().map(|launch| launch.wanted(&plan)))
}

/// Every launch of `plan`, in order, and how much memory Winograd's layers share.
pub(super) fn launches(
    plan: &Plan,
    weights: &DeviceWeights,
    variants: &Variants,
    observed: &[BufferId],
) -> (Vec<Launch>, Scratch) {
    let products = variants.products(plan.precision);
    let mut all = Vec::new();
    let mut scratch = Scratch::default();
    for group in plan.groups(observed) {
        let steps = group.steps();
        let runs = |algorithm| {
            plan.steps[steps.clone()].iter().all(|step| algorithm_of(step, weights) == Some(algorithm))
        };
        match group {
            Group::Branches(range) if range.len() <= RANGES && runs(Algorithm::Winograd) => {
                let (launches, needed) = winograd::launches(plan, range, None, weights, variants);
                all.extend(launches);
                scratch = scratch.max(needed);
            }
            Group::Siblings(range)
                if range.len() <= RANGES
                    && runs(Algorithm::Pointwise)
                    && outputs(plan, range.clone()).len() <= 2 =>
            {
                all.extend(pointwise(plan, range, None, weights, products));
            }
            Group::ConvPool(first)
                if algorithm_of(&plan.steps[first], weights) == Some(Algorithm::Winograd)
                    && winograd::pools(plan, &plan.steps[first + 1]) =>
            {
                let pool = Pool { step: first + 1, walk: variants.walk };
                let (launches, needed) =
                    winograd::launches(plan, first..first + 1, Some(pool), weights, variants);
                all.extend(launches);
                scratch = scratch.max(needed);
            }
            Group::Head(range) if head::fits(plan, range.clone()) => {
                all.extend(head::launch(plan, range, weights, variants));
            }
            Group::PoolConv(first) if pools(plan, first, weights, products) => {
                all.extend(pointwise(plan, first + 1..first + 2, Some(first), weights, products));
            }
            _ => {
                for index in steps {
                    match algorithm_of(&plan.steps[index], weights) {
                        Some(Algorithm::Winograd) => {
                            let (launches, needed) =
                                winograd::launches(plan, index..index + 1, None, weights, variants);
                            all.extend(launches);
                            scratch = scratch.max(needed);
                        }
                        Some(Algorithm::Pointwise) => {
                            all.extend(pointwise(plan, index..index + 1, None, weights, products));
                        }
                        Some(Algorithm::Stem) if products == Products::Uniform => {
                            all.extend(stem(plan, index, weights));
                        }
                        Some(Algorithm::Lstm) => {
                            let (launches, needed) = lstm(plan, index, weights);
                            all.extend(launches);
                            scratch = scratch.max(needed);
                        }
                        _ => all.push(single(plan, index, weights, variants)),
                    }
                }
            }
        }
    }
    (all, scratch)
}

fn algorithm_of(step: &Step, weights: &DeviceWeights) -> Option<Algorithm> {
    match step.kernel {
        Operation::Conv { unit, .. } | Operation::Lstm { unit } => Some(weights.units[unit].algorithm),
        _ => None,
    }
}

/// Whether the pool `first` and the convolution behind it run as one: its product can pool, for the same positions, and
/// they bind different arenas.
fn pools(plan: &Plan, first: usize, weights: &DeviceWeights, products: Products) -> bool {
    let (pool, conv) = (&plan.steps[first], &plan.steps[first + 1]);
    let (from, to) = (&plan.buffers[pool.input], &plan.buffers[conv.output]);
    matches!(products, Products::Tiled(_))
        && algorithm_of(conv, weights) == Some(Algorithm::Pointwise)
        && plan.buffers[pool.output].shape.thw() == to.shape.thw()
        && from.arena != to.arena
}

/// The buffers that the steps write, each once, in order.
fn outputs(plan: &Plan, steps: std::ops::Range<usize>) -> Vec<BufferId> {
    let mut outputs: Vec<BufferId> = plan.steps[steps].iter().map(|step| step.output).collect();
    outputs.dedup();
    outputs
}

/// 1x1x1 convolutions of one tensor, which the step `pool` pools first.
fn pointwise(
    plan: &Plan,
    steps: std::ops::Range<usize>,
    pool: Option<usize>,
    weights: &DeviceWeights,
    products: Products,
) -> Vec<Launch> {
    let outputs = outputs(plan, steps.clone());
    let fours = |id: BufferId| plan.buffers[id].stored_channels() / 4;
    let first = &plan.steps[steps.start];
    let (from, to) = (plan.buffers[first.input].shape, plan.buffers[first.output].shape);
    let Operation::Conv { window, relu, .. } = first.kernel else { return Vec::new() };
    // A part of a clip may have more time steps of the input than it wants of the output: then clip by clip.
    let clips = if from.t == to.t { 1 } else { to.n };
    let mut launches = Vec::new();
    for clip in 0..clips {
        let frame = from.h * from.w;
        let skipped = (clip * from.t).saturating_add_signed(-window.pad_before[0]) * frame;
        let ranges = plan.steps[steps.clone()].iter().filter_map(|step| {
            let Operation::Conv { unit, .. } = step.kernel else { return None };
            Some(Range {
                unit,
                input: skipped * fours(step.input) + step.input_offset / 4,
                depth: step.input_channels.div_ceil(4),
                output: outputs.iter().position(|&id| id == step.output).unwrap_or(0),
                first: clip * to.t * frame * fours(step.output) + step.channel_offset / 4,
            })
        });
        let product = Product {
            rows: to.positions() / clips,
            taps: 1,
            tap_rows: 0,
            points: 1,
            input: Binding::Activation(pool.map_or(first.input, |pool| plan.steps[pool].input)),
            strides: [fours(first.input), 0],
            pool: pool.and_then(|pool| match Params::new(plan, &plan.steps[pool]) {
                Params::Pool(params) => Some(params),
                _ => None,
            }),
            outputs: outputs.iter().map(|&id| (Binding::Activation(id), fours(id))).collect(),
            output_point: 0,
            bias: true,
            relu,
            ranges: ranges.collect(),
            step: steps.end - 1,
        };
        launches.extend(product.launches(weights, products));
    }
    launches
}

/// The stem on software adapters: some channels and some taps in time at once.
fn stem(plan: &Plan, index: usize, weights: &DeviceWeights) -> Vec<Launch> {
    let step = &plan.steps[index];
    let (Operation::Conv { unit, window, .. }, Params::Conv(whole)) = (step.kernel, Params::new(plan, step))
    else {
        return Vec::new();
    };
    let unit = &weights.units[unit];
    let kernel = &manifest::STEM_UNIFORM;
    let size = |name| kernel.window(name).unwrap_or(0);
    let launch = |piece: &Piece| {
        let mut p = whole;
        let (begins, ends) = (piece.taps.start == 0, piece.taps.end == window.size[0]);
        p.kernel[0] = piece.taps.len() as u32;
        p.stride[3] = if ends { whole.stride[3] } else { 0 };
        p.pad[0] = (window.pad_before[0] - piece.taps.start as isize) as i32 as u32;
        p.channels[1] = piece.columns.len() as u32;
        p.channels[3] += piece.columns.start as u32;
        p.source[2..].copy_from_slice(&[piece.wide as u32, u32::from(!begins)]);
        let work = 4 * p.positions() * piece.taps.len() * piece.rows.len() * piece.columns.len();
        Launch {
            kernel,
            constants: kernel.variants[plan.buffers[step.input].shape.c - 2],
            params: Params::Conv(p),
            bindings: vec![
                Binding::Activation(step.input),
                Binding::WeightWindow(unit.buffer, size("weight")),
                Binding::BiasWindow(size("bias")),
                Binding::Activation(step.output),
            ],
            // Zeros stand before the first unit's bias.
            windows: vec![piece.offset, if begins { unit.bias + piece.bias } else { 0 }],
            work: work as u64,
            step: index,
        }
    };
    unit.pieces.iter().map(launch).collect()
}

/// Whether what the step reads and writes has 32 bits.
fn in_f32(plan: &Plan, step: &Step) -> bool {
    [step.input, step.output].iter().all(|&id| plan.buffers[id].precision == Precision::F32)
}

/// Long short-term memory, a launch per time step, whose trace lies where Winograd's points do.
fn lstm(plan: &Plan, index: usize, weights: &DeviceWeights) -> (Vec<Launch>, Scratch) {
    let step = &plan.steps[index];
    let (Operation::Lstm { unit }, Params::Lstm(whole)) = (step.kernel, Params::new(plan, step)) else {
        return (Vec::new(), Scratch::default());
    };
    let unit = &weights.units[unit];
    let launch = |t: usize| Launch {
        kernel: &manifest::LSTM,
        constants: manifest::LSTM.variants[0],
        params: Params::Lstm(whole.at(t)),
        bindings: vec![
            Binding::Activation(step.input),
            Binding::Weights(unit.buffer, unit.bytes.clone()),
            Binding::Points,
            Binding::Activation(step.output),
        ],
        windows: Vec::new(),
        work: whole.macs() as u64,
        step: index,
    };
    let [_, steps, ..] = whole.sizes();
    let scratch = Scratch { points: 4 * whole.trace() as u64, ..Scratch::default() };
    ((0..steps).map(launch).collect(), scratch)
}

/// A step that a kernel computes by itself.
fn single(plan: &Plan, index: usize, weights: &DeviceWeights, variants: &Variants) -> Launch {
    let step = &plan.steps[index];
    let params = match (step.kernel, Params::new(plan, step)) {
        (Operation::MaxPool(_), Params::Pool(pool)) => Params::Pool(pool.walking(variants.pool_walk)),
        (_, params) => params,
    };
    let mut bindings = vec![Binding::Activation(step.input)];
    let (kernel, constants, work) = match step.kernel {
        Operation::Conv { unit, .. } => {
            let unit = &weights.units[unit];
            bindings.push(Binding::Weights(unit.buffer, unit.bytes.clone()));
            bindings.push(Binding::Bias(unit.bias..unit.bias + 16 * unit.columns as u64));
            match unit.algorithm {
                Algorithm::Stem => {
                    let channels = plan.buffers[step.input].shape.c;
                    (&manifest::STEM, manifest::STEM.variants[channels - 2], step.macs)
                }
                _ if plan.is_linear(step) && in_f32(plan, step) => {
                    (&manifest::LINEAR, manifest::LINEAR.variants[0], step.macs)
                }
                _ => (&manifest::CONV3D, manifest::CONV3D.variants[0], step.macs),
            }
        }
        // Kernels without multiplications are paced by what they read.
        Operation::MaxPool(_) => (&manifest::MAX_POOL3D, manifest::MAX_POOL3D.variants[0], reads(plan, step)),
        Operation::AvgPool(_) => (&manifest::AVG_POOL3D, manifest::AVG_POOL3D.variants[0], reads(plan, step)),
        Operation::Lstm { .. } | Operation::TimeMean(_) => {
            (&manifest::TIME_MEAN, manifest::TIME_MEAN.variants[0], reads(plan, step))
        }
    };
    bindings.push(Binding::Activation(step.output));
    Launch { kernel, constants, params, bindings, windows: Vec::new(), work, step: index }
}

/// Values that a pool or mean reads, windows counted as often as they overlap.
fn reads(plan: &Plan, step: &Step) -> u64 {
    let per_value = match step.kernel {
        Operation::MaxPool(window) | Operation::AvgPool(window) => window.taps(),
        _ => plan.buffers[step.input].shape.t,
    };
    (plan.buffers[step.output].shape.len() * per_value) as u64
}

/// What bindings refer to, besides the weights.
struct Buffers {
    arenas: Vec<wgpu::Buffer>,
    points: wgpu::Buffer,
    products: wgpu::Buffer,
    spare: wgpu::Buffer,
}

impl Buffers {
    fn resource<'a>(
        &'a self,
        plan: &Plan,
        weights: &'a DeviceWeights,
        binding: &Binding,
    ) -> wgpu::BindingResource<'a> {
        match binding {
            Binding::Activation(id) => {
                let buffer = &plan.buffers[*id];
                part(&self.arenas[buffer.arena], buffer.offset, buffer.stored_bytes())
            }
            Binding::Weights(index, bytes) => {
                part(&weights.buffers[*index], bytes.start, bytes.end - bytes.start)
            }
            Binding::Bias(bytes) => part(&weights.biases, bytes.start, bytes.end - bytes.start),
            Binding::WeightWindow(index, size) => part(&weights.buffers[*index], 0, *size),
            Binding::BiasWindow(size) => part(&weights.biases, 0, *size),
            Binding::Biases => weights.biases.as_entire_binding(),
            Binding::Points => self.points.as_entire_binding(),
            Binding::Products => self.products.as_entire_binding(),
            Binding::Spare => self.spare.as_entire_binding(),
        }
    }
}

fn part(buffer: &wgpu::Buffer, offset: u64, size: u64) -> wgpu::BindingResource<'_> {
    wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size: wgpu::BufferSize::new(size) })
}

/// Writes a clip into memory from byte `first` on as `buffer` stores it, channels padded to four.
///
/// # Shapes
/// `input` `[N, T, H, W, C]`
pub(super) fn upload(gpu: &Gpu, buffer: &Buffer, (memory, first): (&wgpu::Buffer, u64), input: &[f32]) {
    let (c, stride) = (buffer.shape.c, buffer.stored_channels());
    let frame = buffer.shape.h * buffer.shape.w;
    // Frame by frame, so that the padded copy stays small, and as many at a time as there are threads: for a fast device the
    // copies would take longer than all the rest.
    let write = |padded: &mut Vec<f32>, (index, pixels): (usize, &[f32])| {
        for (to, from) in padded.chunks_exact_mut(stride).zip(pixels.chunks_exact(c)) {
            to[..c].copy_from_slice(from);
        }
        let stored = encode(padded, buffer.precision);
        gpu.queue.write_buffer(memory, first + (index * stored.len()) as u64, &stored);
    };
    let padded = || vec![0f32; frame * stride];
    #[cfg(not(target_arch = "wasm32"))]
    input.par_chunks_exact(frame * c).enumerate().for_each_init(padded, write);
    // A browser's device stays on its thread.
    #[cfg(target_arch = "wasm32")]
    {
        let mut padded = padded();
        input.chunks_exact(frame * c).enumerate().for_each(|frame| write(&mut padded, frame));
    }
}
