//! A plan to dispatches: arenas, parameters and bind groups, made once and replayed for every clip.

use super::Gpu;
use super::flow;
use super::manifest::{self, Kernel};
use super::model::DeviceWeights;
use super::pacer::dispatch_quantum;
use crate::backend::params::{Params, is_stem};
use crate::error::Result;
use crate::plan::{ALIGNMENT, Buffer, INPUT, Kernel as Operation, Plan, Step};

/// Output positions that one work group of `conv3d.wgsl` computes: 64 lanes, 4 each.
const CONV_POSITIONS: usize = 256;
/// Channels that one work group of a convolution computes.
const CONV_CHANNELS: usize = 16;
/// Lanes of every other kernel's work group.
const LANES: usize = 64;
/// Most work groups on one axis of a dispatch that every WebGPU device accepts.
const MAX_GROUPS: usize = 65_535;

/// One kernel launch.
pub(super) struct Dispatch {
    pub pipeline: wgpu::ComputePipeline,
    pub bind_group: wgpu::BindGroup,
    /// Offset of its parameters in the uniform buffer.
    pub params_offset: u32,
    /// Work groups in x and y.
    pub groups: [u32; 2],
    /// Work in multiply-accumulates, for pacing.
    pub work: u64,
    /// Index of the plan's step that it belongs to.
    pub step: usize,
}

/// A plan on a device, ready to run any number of times.
pub(super) struct Lowered {
    pub arenas: Vec<wgpu::Buffer>,
    pub dispatches: Vec<Dispatch>,
}

/// A launch before its bind group exists.
struct Launch {
    kernel: &'static Kernel,
    constants: manifest::Variant,
    params: Params,
    /// Work groups in x and y for the whole step.
    groups: [usize; 2],
    /// Work of the whole step.
    work: u64,
}

/// Creates the arenas and records every dispatch of `plan`.
pub(super) fn lower(gpu: &Gpu, plan: &Plan, weights: &DeviceWeights) -> Result<Lowered> {
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
    let arenas: Vec<wgpu::Buffer> =
        plan.arenas().into_iter().map(|size| create("arena", size, usage)).collect();

    // Long steps are cut along x into dispatches of at most a quantum of work, each with its own parameters.
    let quantum = dispatch_quantum(gpu.adapter.is_hardware());
    let mut uniforms: Vec<u8> = Vec::new();
    let mut cuts = Vec::new();
    let launches: Vec<Launch> = plan.steps.iter().map(|step| launch(plan, step)).collect();
    for (index, launch) in launches.iter().enumerate() {
        let [x, y] = launch.groups;
        let per_dispatch = (x as u64 * quantum / launch.work.max(1)).clamp(1, MAX_GROUPS as u64) as usize;
        for first in (0..x).step_by(per_dispatch) {
            let count = per_dispatch.min(x - first);
            let work = launch.work * count as u64 / x as u64;
            cuts.push((index, uniforms.len() as u32, [count as u32, y as u32], work));
            uniforms.extend(launch.params.bytes(first as u32));
            uniforms.resize(uniforms.len().next_multiple_of(ALIGNMENT as usize), 0);
        }
    }
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let params = create("params", uniforms.len() as u64, usage);
    gpu.queue.write_buffer(&params, 0, &uniforms);

    let mut groups = Vec::new();
    for (step, launch) in plan.steps.iter().zip(&launches) {
        let pipeline = gpu.pipeline(launch.kernel, launch.constants)?;
        let (input, output) = (&plan.buffers[step.input], &plan.buffers[step.output]);
        let mut bindings =
            vec![whole(&params, 0, launch.kernel.params.size as u64), activation(&arenas, input)];
        if let Operation::Conv { unit, .. } = step.kernel {
            let unit = &weights.units[unit];
            bindings.push(whole(&weights.buffer, unit.kernel.start, unit.kernel.end - unit.kernel.start));
            bindings.push(whole(&weights.buffer, unit.bias.start, unit.bias.end - unit.bias.start));
        }
        bindings.push(activation(&arenas, output));
        let entries: Vec<_> = bindings
            .into_iter()
            .enumerate()
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding: binding as u32, resource })
            .collect();
        let bind_group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&step.name),
            layout: &pipeline.layout,
            entries: &entries,
        });
        groups.push((pipeline.pipeline.clone(), bind_group));
    }
    let dispatches = cuts.into_iter().map(|(step, params_offset, groups_xy, work)| {
        let (pipeline, bind_group) = groups[step].clone();
        Dispatch { pipeline, bind_group, params_offset, groups: groups_xy, work, step }
    });
    Ok(Lowered { arenas, dispatches: dispatches.collect() })
}

/// Which kernel runs a step, over how many work groups.
fn launch(plan: &Plan, step: &Step) -> Launch {
    let params = Params::new(plan, step);
    let (kernel, constants, work) = match step.kernel {
        Operation::Conv { window, .. } => {
            let channels = plan.buffers[step.input].shape.c;
            if is_stem(window.size, window.stride, channels) {
                (&manifest::STEM, manifest::STEM.variants[channels - 2], step.macs)
            } else {
                (&manifest::CONV3D, manifest::CONV3D.variants[0], step.macs)
            }
        }
        // Kernels without multiplications are paced by what they read.
        Operation::MaxPool(_) => (&manifest::MAX_POOL3D, manifest::MAX_POOL3D.variants[0], reads(plan, step)),
        Operation::AvgPool(_) => (&manifest::AVG_POOL3D, manifest::AVG_POOL3D.variants[0], reads(plan, step)),
        Operation::TimeMean => (&manifest::TIME_MEAN, manifest::TIME_MEAN.variants[0], reads(plan, step)),
    };
    Launch { kernel, constants, params, groups: work_groups(kernel, &params), work }
}

/// Values that a pool or mean reads, windows counted as often as they overlap.
fn reads(plan: &Plan, step: &Step) -> u64 {
    let per_value = match step.kernel {
        Operation::MaxPool(window) | Operation::AvgPool(window) => window.taps(),
        _ => plan.buffers[step.input].shape.t,
    };
    (plan.buffers[step.output].shape.len() * per_value) as u64
}

/// Work groups in x and y that `kernel` needs to compute everything that `params` describe.
pub fn work_groups(kernel: &Kernel, params: &Params) -> [usize; 2] {
    let product = |values: &[u32]| values.iter().map(|&v| v as usize).product::<usize>();
    match params {
        Params::Conv(p) => {
            let x = if kernel.name == manifest::STEM.name {
                (product(&p.output[..3]) * (p.output[3] as usize).div_ceil(4)).div_ceil(LANES)
            } else {
                product(&p.output).div_ceil(CONV_POSITIONS)
            };
            [x, (4 * p.channels[1] as usize).div_ceil(CONV_CHANNELS)]
        }
        Params::Pool(p) => [(product(&p.output) * p.window[3] as usize).div_ceil(LANES), 1],
        Params::Flow(p) => flow::work_groups(kernel, p),
        Params::Mean(p) => [(p.shape[0] as usize * p.shape[2] as usize).div_ceil(LANES), 1],
    }
}

/// The whole of a buffer of the plan in its arena.
fn activation<'a>(arenas: &'a [wgpu::Buffer], buffer: &Buffer) -> wgpu::BindingResource<'a> {
    whole(&arenas[buffer.arena], buffer.offset, buffer.stored_bytes())
}

fn whole(buffer: &wgpu::Buffer, offset: u64, size: u64) -> wgpu::BindingResource<'_> {
    wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size: wgpu::BufferSize::new(size) })
}

/// Writes a clip into the input buffer, channels padded to four.
///
/// # Shapes
/// `input` `[N, T, H, W, C]`
pub(super) fn upload(gpu: &Gpu, plan: &Plan, lowered: &Lowered, input: &[f32]) {
    let buffer = &plan.buffers[INPUT];
    let (c, stride) = (buffer.shape.c, buffer.stored_channels());
    let frame = buffer.shape.h * buffer.shape.w;
    let mut padded = vec![0f32; frame * stride];
    // Frame by frame, so that the padded copy stays small.
    for (index, pixels) in input.chunks_exact(frame * c).enumerate() {
        for (to, from) in padded.chunks_exact_mut(stride).zip(pixels.chunks_exact(c)) {
            to[..c].copy_from_slice(from);
        }
        let offset = buffer.offset + (index * padded.len() * 4) as u64;
        gpu.queue.write_buffer(&lowered.arenas[buffer.arena], offset, bytemuck::cast_slice(&padded));
    }
}
