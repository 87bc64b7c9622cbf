//! Launches with bind groups, made once for a kind of pass and replayed.

use super::super::Gpu;
use super::super::launch::{Cut, cut, work_groups};
use super::super::lowering::Dispatch;
use super::super::pacer::dispatch_quantum;
use super::super::under_way::UnderWay;
use super::launches::{self, Launch};
use super::memory::Memory;
use crate::backend::Pass;
use crate::error::Result;
use crate::network::Unit;
use crate::plan::{ALIGNMENT, Plan, Precision};

/// The dispatches of a pass.
pub(super) struct Recorded {
    frozen: bool,
    dropout: bool,
    pub forward: Vec<Dispatch>,
    pub backward: Vec<Dispatch>,
}

impl Recorded {
    /// Records `plan` for passes as `pass`.
    pub fn new(gpu: &Gpu, plan: &Plan, units: &[Unit], memory: &Memory, pass: Pass) -> Result<Recorded> {
        Ok(Recorded {
            frozen: pass.frozen,
            dropout: pass.dropout.is_some(),
            forward: record(gpu, &launches::forward(plan, units, memory, pass))?,
            backward: record(gpu, &launches::backward(plan, units, memory, pass))?,
        })
    }

    /// Whether its dispatches are those of `pass`.
    pub fn serves(&self, pass: Pass) -> bool {
        (self.frozen, self.dropout) == (pass.frozen, pass.dropout.is_some())
    }
}

/// Dispatches of at most a quantum of work, each with parameters of its own.
fn record(gpu: &Gpu, launches: &[Launch<'_>]) -> Result<Vec<Dispatch>> {
    gpu.compile_all(
        launches.iter().map(|launch| (launch.kernel, launch.kernel.variants[0], Precision::F32)),
    )?;
    let quantum = dispatch_quantum(gpu.adapter.is_hardware());
    let mut uniforms: Vec<u8> = Vec::new();
    let mut cuts = Vec::new();
    for launch in launches {
        let groups = work_groups(launch.kernel, launch.kernel.variants[0], &launch.params);
        for Cut { first, groups, work } in cut(groups, launch.work, quantum) {
            cuts.push((launch, uniforms.len() as u32, groups, work));
            uniforms.extend(launch.params.bytes(first));
            uniforms.resize(uniforms.len().next_multiple_of(ALIGNMENT as usize), 0);
        }
    }
    let params = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("params"),
        size: uniforms.len() as u64,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    gpu.queue.write_buffer(&params, 0, &uniforms);
    let dispatch = |(launch, offset, groups, work): (&Launch<'_>, u32, [u32; 3], u64)| {
        let pipeline = gpu.pipeline(launch.kernel, launch.kernel.variants[0], Precision::F32)?;
        let first = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &params,
            offset: 0,
            size: wgpu::BufferSize::new(launch.kernel.params.size as u64),
        });
        let bound = launch.buffers.iter().map(|buffer| buffer.as_entire_binding());
        let entries: Vec<_> = std::iter::once(first)
            .chain(bound)
            .enumerate()
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding: binding as u32, resource })
            .collect();
        let bind_group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(launch.kernel.name),
            layout: &pipeline.layout,
            entries: &entries,
        });
        let (pipeline, offsets) = (pipeline.pipeline.clone(), vec![offset]);
        Ok(Dispatch { pipeline, bind_group, offsets, groups, work, step: launch.step })
    };
    cuts.into_iter().map(dispatch).collect()
}

/// Runs dispatches in portions of the pacer's size, and waits for them.
pub(super) async fn run(gpu: &Gpu, under_way: &mut UnderWay, dispatches: &[Dispatch]) -> Result<()> {
    let mut rest = dispatches;
    while !rest.is_empty() {
        if under_way.is_full() {
            under_way.settle(gpu).await?;
        }
        let (mut count, mut work) = (0, 0);
        while let Some(dispatch) =
            rest.get(count).filter(|d| count == 0 || work + d.work <= under_way.budget())
        {
            (count, work) = (count + 1, work + dispatch.work);
        }
        let (now, later) = rest.split_at(count);
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for dispatch in now {
            let [x, y, z] = dispatch.groups;
            pass.set_pipeline(&dispatch.pipeline);
            pass.set_bind_group(0, &dispatch.bind_group, &dispatch.offsets);
            pass.dispatch_workgroups(x, y, z);
        }
        drop(pass);
        under_way.hand_over(gpu, encoder, 0, work);
        rest = later;
    }
    while under_way.settle(gpu).await?.is_some() {}
    gpu.check()
}
