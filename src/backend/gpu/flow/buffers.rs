//! Device memory and bind groups of optical flow for one frame size and number of pairs.

use super::super::Gpu;
use super::super::manifest::{self, Kernel};
use super::work_groups;
use crate::backend::params::FlowParams;
use crate::error::Result;
use crate::flow::{Gray, Schedule};
use crate::plan::{ALIGNMENT, Precision};

/// One kernel launch.
pub(super) struct Launch {
    pub pipeline: wgpu::ComputePipeline,
    pub bind_group: wgpu::BindGroup,
    /// Offset of its parameters in the uniform buffer.
    pub params_offset: u32,
    /// Work groups.
    pub groups: [u32; 3],
    /// Work in rough operations, for pacing.
    pub work: u64,
}

/// The launches of a level.
pub(super) struct Level {
    /// Two buffers take turns from level to level, so that the finer one can be made from the coarser one.
    pub state: wgpu::Buffer,
    /// Bytes of u1 and u2 at the beginning of the state.
    pub flow_bytes: u64,
    /// None at the coarsest level.
    pub upsample: Option<Launch>,
    pub gradient: Launch,
    pub warp: Launch,
    pub median: Launch,
    pub step: Launch,
    /// The last iteration of a block, which also adds up the changes.
    pub last_step: Launch,
    pub dual: Launch,
    pub stop: Launch,
}

/// Everything that one portion of frame pairs needs on the device.
pub(super) struct Buffers {
    schedule: Schedule,
    pub pairs: usize,
    frames: wgpu::Buffer,
    pub pyramid: Vec<Launch>,
    pub levels: Vec<Level>,
    /// `[pairs]`, 1 for those that have stopped.
    pub stopped: wgpu::Buffer,
    /// Output of the median filter.
    pub filtered: wgpu::Buffer,
    /// For reading `stopped` back.
    pub marks: wgpu::Buffer,
    /// For reading the flow back.
    pub result: wgpu::Buffer,
}

/// Collects launches and their parameters.
struct Maker<'a> {
    gpu: &'a Gpu,
    params: wgpu::Buffer,
    uniforms: Vec<u8>,
}

impl Maker<'_> {
    /// `operations` per pixel, roughly.
    fn launch(
        &mut self,
        kernel: &'static Kernel,
        p: FlowParams,
        buffers: &[&wgpu::Buffer],
        operations: u64,
    ) -> Result<Launch> {
        let pipeline = self.gpu.pipeline(kernel, kernel.variants[0], Precision::F32)?;
        let params = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.params,
            offset: 0,
            size: wgpu::BufferSize::new(kernel.params.size as u64),
        });
        let resources = std::iter::once(params).chain(buffers.iter().map(|b| b.as_entire_binding()));
        let entries: Vec<_> = resources
            .enumerate()
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding: binding as u32, resource })
            .collect();
        let bind_group = self.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.name),
            layout: &pipeline.layout,
            entries: &entries,
        });
        let params_offset = self.uniforms.len() as u32;
        self.uniforms.extend(bytemuck::bytes_of(&p));
        self.uniforms.resize(self.uniforms.len().next_multiple_of(ALIGNMENT as usize), 0);
        let groups = work_groups(kernel, &p).map(|g| g as u32);
        let work = p.planes(1) as u64 * operations;
        Ok(Launch { pipeline: pipeline.pipeline.clone(), bind_group, params_offset, groups, work })
    }
}

impl Buffers {
    /// Allocates and records.
    pub fn new(gpu: &Gpu, schedule: &Schedule, pairs: usize) -> Result<Buffers> {
        let create = |label, values: usize, usage| {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: 4 * values as u64,
                usage,
                mapped_at_creation: false,
            })
        };
        let storage =
            wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        let read = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let (full, count) = (FlowParams::new(schedule, 0, pairs), schedule.levels().len());
        let images: Vec<wgpu::Buffer> = (0..count)
            .map(|level| create("frames", FlowParams::new(schedule, level, pairs + 1).planes(1), storage))
            .collect();
        let gradient = create("gradient", FlowParams::new(schedule, 0, pairs + 1).planes(2), storage);
        let states = [(); 2].map(|()| create("state", full.state_len(), storage));
        let data = create("data", full.planes(4), storage);
        let filtered = create("filtered", full.planes(2), storage);
        let stopped = create("stopped", pairs, storage);
        let slots = 9 * count * ALIGNMENT as usize / 4;
        let params = create("params", slots, wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST);

        let mut make = Maker { gpu, params, uniforms: Vec::new() };
        let mut pyramid = Vec::new();
        let mut levels = Vec::new();
        for level in 0..count {
            let p = FlowParams::new(schedule, level, pairs);
            let images_p = FlowParams::new(schedule, level, pairs + 1);
            if level > 0 {
                let p = FlowParams::downsample(schedule, level, pairs + 1);
                let from_to = [&images[level - 1], &images[level]];
                pyramid.push(make.launch(&manifest::FLOW_RESIZE, p, &from_to, 20)?);
            }
            let (state, coarser) = (&states[level % 2], &states[(level + 1) % 2]);
            let upsample = match level + 1 < count {
                true => {
                    let p = FlowParams::upsample(schedule, level, pairs);
                    Some(make.launch(&manifest::FLOW_RESIZE, p, &[coarser, state], 20)?)
                }
                false => None,
            };
            let image = &images[level];
            levels.push(Level {
                state: state.clone(),
                flow_bytes: 4 * p.planes(2) as u64,
                upsample,
                gradient: make.launch(&manifest::FLOW_GRADIENT, images_p, &[image, &gradient], 10)?,
                warp: make.launch(&manifest::FLOW_WARP, p, &[image, &gradient, state, &data], 200)?,
                median: make.launch(&manifest::FLOW_MEDIAN, p, &[state, &stopped, &filtered], 400)?,
                step: make.launch(&manifest::FLOW_STEP, p, &[&data, &stopped, state], 40)?,
                last_step: make.launch(
                    &manifest::FLOW_STEP,
                    p.with_sums(true),
                    &[&data, &stopped, state],
                    50,
                )?,
                dual: make.launch(&manifest::FLOW_DUAL, p, &[&stopped, state], 40)?,
                stop: make.launch(&manifest::FLOW_STOP, p, &[state, &stopped], 1)?,
            });
        }
        gpu.queue.write_buffer(&make.params, 0, &make.uniforms);
        let result = create("result", full.planes(2), read);
        let marks = create("marks", pairs, read);
        gpu.check()?;
        let frames = images[0].clone();
        Ok(Buffers {
            schedule: schedule.clone(),
            pairs,
            frames,
            pyramid,
            levels,
            stopped,
            filtered,
            marks,
            result,
        })
    }

    /// Whether these are for `pairs` pairs of that schedule.
    pub fn fits(&self, schedule: &Schedule, pairs: usize) -> bool {
        self.schedule == *schedule && self.pairs == pairs
    }

    /// Writes the frames.
    pub fn upload(&self, gpu: &Gpu, frames: &[Gray]) {
        let mut offset = 0;
        for frame in frames {
            gpu.queue.write_buffer(&self.frames, offset, bytemuck::cast_slice(frame.data()));
            offset += 4 * frame.data().len() as u64;
        }
    }
}
