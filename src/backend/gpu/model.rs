//! A network with its weights on a device, and the run itself.

mod profile;

use std::sync::Arc;

use super::lowering::{self, Lowered};
use super::numbers::beyond;
use super::under_way::{Settled, UnderWay};
use super::weights::DeviceWeights;
use super::{Adapter, Gpu};
use crate::backend::device::no_f16;
use crate::backend::{Device, Observed, Output, Progress, RunOptions};
use crate::error::{Error, Result};
use crate::network::{Network, System};
use crate::plan::{Buffer, BufferId, INPUT, Plan, Precision};
use crate::weights::Weights;

/// Plans that stay lowered: a long clip alternates between two, the tiles before and behind its cut.
const READY: usize = 2;

/// A network with its weights, ready to run on a GPU.
pub struct GpuModel {
    gpu: Arc<Gpu>,
    network: Network,
    precision: Precision,
    weights: DeviceWeights,
    /// The last plans that ran, newest last, so that clips of one length, or the tiles of a long one, are lowered once.
    ready: Vec<Ready>,
    /// Submissions of this run and of runs before.
    under_way: UnderWay,
    /// Runs so far.
    runs: u64,
}

/// A run that was handed to the device; see [`GpuModel::finish`].
pub struct GpuRun {
    number: u64,
    share: Share,
    copies: Vec<ReadBack>,
}

/// How much of a run is done, in the units of its dispatches.
struct Share {
    total_macs: u64,
    total_work: u64,
    done: u64,
}

/// An observed buffer, on its way to the host.
struct ReadBack {
    buffer: Buffer,
    staging: wgpu::Buffer,
    /// The submission that copies it.
    after: wgpu::SubmissionIndex,
}

/// A plan, what of it is observed, and its dispatches.
struct Ready {
    plan: Plan,
    observed: Vec<BufferId>,
    lowered: Lowered,
}

impl GpuModel {
    /// Uploads the weights and compiles the kernels.
    ///
    /// # Errors
    /// 16-bit storage where the adapter has no such numbers, and what the driver says.
    pub fn new(gpu: Arc<Gpu>, weights: &Weights, options: &RunOptions) -> Result<GpuModel> {
        let (network, precision) = (weights.network, options.precision);
        if precision == Precision::F16 && !gpu.adapter.shader_f16 {
            return Err(no_f16(&Device::Gpu(gpu).info()));
        }
        if precision == Precision::F16 && network.system != System::I3d {
            let problem = format!("--precision f16 is for I3D, and this is a {}; use f32", network.system);
            return Err(Error::Usage(problem));
        }
        let under_way = UnderWay::new(&gpu);
        let weights = DeviceWeights::new(&gpu, weights, options)?;
        lowering::prepare(&gpu, &network, &weights, precision)?;
        Ok(GpuModel { gpu, network, precision, weights, ready: Vec::new(), under_way, runs: 0 })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The adapter that it runs on.
    pub(super) fn adapter(&self) -> &Adapter {
        &self.gpu.adapter
    }

    /// Kernel launches of a run that hands out `observe`, before long ones are cut for a slow device.
    ///
    /// # Errors
    /// Unknown endpoints.
    pub fn launches(&self, plan: &Plan, observe: &[&str]) -> Result<usize> {
        let observed = Observed::new(plan, observe)?.ids();
        Ok(lowering::launches(plan, &self.weights, &self.gpu.variants, &observed).0.len())
    }

    /// Hands `plan` on `input` to the device. While it runs, the next clip can be prepared and begun: the queue keeps both in
    /// order, also where they share memory.
    ///
    /// # Shapes
    /// `input` `[N, T, H, W, C]` of the plan's first buffer.
    ///
    /// # Errors
    /// Plans for another precision, and those of [`Model::run`](crate::backend::Model::run).
    pub async fn begin(
        &mut self,
        plan: &Plan,
        input: &[f32],
        observe: &[&str],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<GpuRun> {
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
        let buffer = &plan.buffers[INPUT];
        let memory = &ready.lowered.arenas[buffer.arena];
        lowering::upload(&self.gpu, buffer, (memory, buffer.offset), input);
        let run = self.submit(plan, &ready.lowered, &observed, progress).await;
        self.ready.push(ready);
        run
    }

    /// Runs `plan` on `input`.
    ///
    /// # Shapes
    /// `input` `[N, T, H, W, C]` of the plan's first buffer.
    pub async fn run(
        &mut self,
        plan: &Plan,
        input: &[f32],
        observe: &[&str],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Output> {
        let run = self.begin(plan, input, observe, progress).await?;
        self.finish(run, progress).await
    }

    /// Waits for a run and reads what was observed. Runs are finished in the order in which they were begun.
    pub async fn finish(&mut self, run: GpuRun, progress: &mut dyn FnMut(Progress)) -> Result<Output> {
        let GpuRun { number, mut share, copies } = run;
        while self.under_way.oldest().is_some_and(|next| next <= number) {
            self.settle(number, &mut share, progress).await?;
        }
        let mut output = Output::default();
        for ReadBack { buffer, staging, after } in copies {
            let values = self.gpu.decode(&staging, buffer.precision, Some(after)).await?;
            output.insert(&buffer, &values);
        }
        Ok(output)
    }

    /// Submits all dispatches in portions of the pacer's size; waits where too many are under way.
    async fn submit(
        &mut self,
        plan: &Plan,
        lowered: &Lowered,
        observed: &Observed,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<GpuRun> {
        self.runs += 1;
        let number = self.runs;
        let mut copies = Vec::new();
        let total_work = lowered.dispatches.iter().map(|d| d.work).sum::<u64>().max(1);
        let mut share = Share { total_macs: plan.macs(), total_work, done: 0 };
        let mut next = 0;
        while next < lowered.dispatches.len() {
            if self.under_way.is_full() {
                self.settle(number, &mut share, progress).await?;
                continue;
            }
            let mut copied = Vec::new();
            let (encoder, work) = self.encode(plan, lowered, observed, &mut next, &mut copied);
            let after = self.under_way.hand_over(&self.gpu, encoder, number, work);
            copies.extend(copied.into_iter().map(|(id, staging)| ReadBack {
                buffer: plan.buffers[id].clone(),
                staging,
                after: after.clone(),
            }));
        }
        Ok(GpuRun { number, share, copies })
    }

    /// Waits for the oldest submission; `progress` hears of it if it belongs to the run `number`.
    async fn settle(
        &mut self,
        number: u64,
        share: &mut Share,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let Some(Settled { run, work }) = self.under_way.settle(&self.gpu).await? else {
            return Ok(());
        };
        if run == number {
            share.done += work;
            let done = share.done as f64 / share.total_work as f64;
            let total_macs = share.total_macs;
            progress(Progress { done_macs: (done * total_macs as f64) as u64, total_macs });
        }
        Ok(())
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
        let budget = self.under_way.budget();
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
