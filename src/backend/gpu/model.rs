//! A network with its weights on a device, and the run itself.

mod profile;

use std::collections::VecDeque;
use std::sync::Arc;

use web_time::Instant;

use super::Gpu;
use super::lowering::{self, Lowered};
use super::numbers::beyond;
use super::pacer::Pacer;
use super::weights::DeviceWeights;
use crate::backend::device::no_f16;
use crate::backend::{Device, Observed, Output, Progress, RunOptions};
use crate::error::{Error, Result};
use crate::network::I3d;
use crate::plan::{BufferId, Plan, Precision};
use crate::weights::Weights;

/// Submissions that may be under way at once: one runs, one waits, so that the device never idles.
const IN_FLIGHT: usize = 2;

/// Plans that stay lowered: a long clip alternates between two, the tiles before and behind its cut.
const READY: usize = 2;

/// A network with its weights, ready to run on a GPU.
pub struct GpuModel {
    gpu: Arc<Gpu>,
    network: I3d,
    precision: Precision,
    weights: DeviceWeights,
    pacer: Pacer,
    /// The last plans that ran, newest last, so that clips of one length, or the tiles of a long one, are lowered once.
    ready: Vec<Ready>,
}

/// A plan, what of it is observed, and its dispatches.
struct Ready {
    plan: Plan,
    observed: Vec<BufferId>,
    lowered: Lowered,
}

impl GpuModel {
    /// Uploads the weights.
    ///
    /// # Errors
    /// 16-bit storage where the adapter has no such numbers, and what the driver says.
    pub fn new(gpu: Arc<Gpu>, weights: &Weights, options: &RunOptions) -> Result<GpuModel> {
        let (network, precision) = (weights.network, options.precision);
        if precision == Precision::F16 && !gpu.adapter.shader_f16 {
            return Err(no_f16(&Device::Gpu(gpu).info()));
        }
        let pacer = Pacer::new(gpu.adapter.is_hardware());
        let weights = DeviceWeights::new(&gpu, weights, options)?;
        gpu.check()?;
        Ok(GpuModel { gpu, network, precision, weights, pacer, ready: Vec::new() })
    }

    /// The network.
    pub fn network(&self) -> &I3d {
        &self.network
    }

    /// Kernel launches of a run that hands out `observe`, before long ones are cut for a slow device.
    ///
    /// # Errors
    /// Unknown endpoints.
    pub fn launches(&self, plan: &Plan, observe: &[&str]) -> Result<usize> {
        let observed = Observed::new(plan, observe)?.ids();
        let products = self.gpu.variants.products(self.precision);
        Ok(lowering::launches(plan, &self.weights, products, &observed).0.len())
    }

    /// Runs `plan` on `input`.
    ///
    /// # Shapes
    /// `input` `[N, T, H, W, C]` of the plan's first buffer.
    ///
    /// # Errors
    /// Plans for another precision, and those of [`Model::run`](crate::backend::Model::run).
    pub async fn run(
        &mut self,
        plan: &Plan,
        input: &[f32],
        observe: &[&str],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Output> {
        plan.require(self.precision)?;
        if let Some(value) = beyond(input, self.precision) {
            let problem =
                format!("it holds {value}, f16 at most 65504; scale the clip, or use --precision f32");
            return Err(Error::clip("clip", problem));
        }
        let observed = Observed::new(plan, observe)?;
        // What is observed decides what may be fused.
        let ids = observed.ids();
        let ready = match self.ready.iter().position(|ready| ready.plan == *plan && ready.observed == ids) {
            Some(index) => self.ready.remove(index),
            None => {
                // Another set of arenas is allocated only when there is room for it.
                if self.ready.len() == READY {
                    self.ready.remove(0);
                }
                let lowered = lowering::lower(&self.gpu, plan, &self.weights, &ids)?;
                Ready { plan: plan.clone(), observed: ids, lowered }
            }
        };
        lowering::upload(&self.gpu, plan, &ready.lowered, input);
        let copies = self.submit(plan, &ready.lowered, &observed, progress).await?;
        let mut output = Output::default();
        for (id, staging) in copies {
            let buffer = &plan.buffers[id];
            output.insert(buffer, &self.gpu.decode(&staging, buffer.precision).await?);
        }
        self.ready.push(ready);
        Ok(output)
    }

    /// Submits all dispatches in portions of the pacer's size; gives the staging buffers of what was observed.
    async fn submit(
        &mut self,
        plan: &Plan,
        lowered: &Lowered,
        observed: &Observed,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<(BufferId, wgpu::Buffer)>> {
        let gpu = self.gpu.clone();
        let (total_macs, total_work) =
            (plan.macs(), lowered.dispatches.iter().map(|d| d.work).sum::<u64>().max(1));
        let mut copies = Vec::new();
        let mut under_way = VecDeque::new();
        let (mut next, mut done, mut last_end) = (0, 0, Instant::now());
        while next < lowered.dispatches.len() || !under_way.is_empty() {
            if next < lowered.dispatches.len() && under_way.len() < IN_FLIGHT {
                let (encoder, work) = self.encode(plan, lowered, observed, &mut next, &mut copies);
                gpu.queue.submit([encoder.finish()]);
                let (sender, receiver) = futures_channel::oneshot::channel();
                gpu.queue.on_submitted_work_done(move || {
                    // Nobody waits any more after an error.
                    let _ = sender.send(());
                });
                under_way.push_back((work, Instant::now(), receiver));
                continue;
            }
            if let Some((work, submitted, receiver)) = under_way.pop_front() {
                gpu.wait(receiver).await?;
                let end = Instant::now();
                self.pacer.finished(work, end - submitted.max(last_end));
                last_end = end;
                done += work;
                let share = done as f64 / total_work as f64;
                progress(Progress { done_macs: (share * total_macs as f64) as u64, total_macs });
            }
        }
        Ok(copies)
    }

    /// Encodes dispatches from `next` on, as many as the pacer allows.
    fn encode(
        &self,
        plan: &Plan,
        lowered: &Lowered,
        observed: &Observed,
        next: &mut usize,
        copies: &mut Vec<(BufferId, wgpu::Buffer)>,
    ) -> (wgpu::CommandEncoder, u64) {
        let device = &self.gpu.device;
        let mut encoder = device.create_command_encoder(&Default::default());
        let budget = self.pacer.budget();
        let mut work = 0;
        // Dropping a pass ends it; its lifetime is not tied to the encoder, which records copies between passes.
        let mut pass = Some(encoder.begin_compute_pass(&Default::default()).forget_lifetime());
        while let Some(dispatch) = lowered.dispatches.get(*next) {
            if work > 0 && work + dispatch.work > budget {
                break;
            }
            if let Some(pass) = &mut pass {
                pass.set_pipeline(&dispatch.pipeline);
                pass.set_bind_group(0, &dispatch.bind_group, &dispatch.offsets);
                let [x, y, z] = dispatch.groups;
                pass.dispatch_workgroups(x, y, z);
            }
            work += dispatch.work;
            *next += 1;
            let step_done = lowered.dispatches.get(*next).is_none_or(|d| d.step != dispatch.step);
            if !step_done {
                continue;
            }
            // The steps of a group complete together; a dispatch bears the number of the last.
            let before = lowered.dispatches[..*next].iter().rev().find(|d| d.step != dispatch.step);
            for id in observed.between(before.map_or(0, |d| d.step + 1)..dispatch.step + 1) {
                drop(pass.take());
                let buffer = &plan.buffers[id];
                let staging = device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some(&buffer.name),
                    size: buffer.stored_bytes(),
                    usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                });
                let arena = &lowered.arenas[buffer.arena];
                encoder.copy_buffer_to_buffer(arena, buffer.offset, &staging, 0, buffer.stored_bytes());
                copies.push((id, staging));
                pass = Some(encoder.begin_compute_pass(&Default::default()).forget_lifetime());
            }
        }
        drop(pass);
        (encoder, work)
    }
}
