//! A network with its weights on a device, and the run itself.

mod profile;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use web_time::Instant;

use super::Gpu;
use super::lowering::{self, Lowered};
use super::pacer::Pacer;
use crate::backend::params::is_stem;
use crate::backend::{Observed, Output, Progress};
use crate::error::Result;
use crate::network::I3d;
use crate::plan::{ALIGNMENT, BufferId, Plan};
use crate::weights::Weights;

/// Submissions that may be under way at once: one runs, one waits, so that the device never idles.
const IN_FLIGHT: usize = 2;

/// Plans that stay lowered: a long clip alternates between two, the tiles before and behind its cut.
const READY: usize = 2;

/// Byte ranges of one unit's parameters in the weight buffer.
pub(super) struct UnitRange {
    pub kernel: Range<u64>,
    pub bias: Range<u64>,
}

/// All weights in one device buffer.
pub(super) struct DeviceWeights {
    pub(super) buffer: wgpu::Buffer,
    pub(super) units: Vec<UnitRange>,
}

/// A network with its weights, ready to run on a GPU.
pub struct GpuModel {
    gpu: Arc<Gpu>,
    network: I3d,
    weights: DeviceWeights,
    pacer: Pacer,
    /// The last plans that ran, newest last, so that clips of one length, or the tiles of a long one, are lowered once.
    ready: Vec<(Plan, Lowered)>,
}

impl GpuModel {
    /// Uploads the weights.
    pub fn new(gpu: Arc<Gpu>, weights: &Weights) -> Result<GpuModel> {
        let network = weights.network;
        let pacer = Pacer::new(gpu.adapter.is_hardware());
        let weights = upload(&gpu, weights);
        gpu.check()?;
        Ok(GpuModel { gpu, network, weights, pacer, ready: Vec::new() })
    }

    /// The network.
    pub fn network(&self) -> &I3d {
        &self.network
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
        let observed = Observed::new(plan, observe)?;
        let (plan, lowered) = match self.ready.iter().position(|(ready, _)| ready == plan) {
            Some(index) => self.ready.remove(index),
            None => {
                // Another set of arenas is allocated only when there is room for it.
                if self.ready.len() == READY {
                    self.ready.remove(0);
                }
                (plan.clone(), lowering::lower(&self.gpu, plan, &self.weights)?)
            }
        };
        lowering::upload(&self.gpu, &plan, &lowered, input);
        let copies = self.submit(&plan, &lowered, &observed, progress).await?;
        let mut output = Output::default();
        for (id, staging) in copies {
            output.insert(&plan.buffers[id], &self.gpu.read(&staging).await?);
        }
        self.ready.push((plan, lowered));
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
                pass.set_bind_group(0, &dispatch.bind_group, &[dispatch.params_offset]);
                pass.dispatch_workgroups(dispatch.groups[0], dispatch.groups[1], 1);
            }
            work += dispatch.work;
            *next += 1;
            let step_done = lowered.dispatches.get(*next).is_none_or(|d| d.step != dispatch.step);
            for id in observed.after(dispatch.step).filter(|_| step_done) {
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

/// Writes all units into one buffer as the kernels read them: rows padded to the stored input channels (except for
/// the stem, which skips the channel that does not exist), columns to fours.
fn upload(gpu: &Gpu, weights: &Weights) -> DeviceWeights {
    let mut units = Vec::new();
    let mut end = 0;
    let mut place = |floats: usize| {
        let start = end;
        end = (start + 4 * floats as u64).next_multiple_of(ALIGNMENT);
        start..start + 4 * floats as u64
    };
    let mut packed = Vec::new();
    for (unit, values) in weights.network.units().iter().zip(&weights.units) {
        let columns = unit.out_channels.next_multiple_of(4);
        let rows = if is_stem(unit.kernel, unit.stride, unit.in_channels) {
            unit.in_channels
        } else {
            unit.in_channels.next_multiple_of(4)
        };
        let kernel = pad(&values.kernel, unit.in_channels, unit.out_channels, rows, columns);
        let bias = pad(&values.bias, 1, unit.out_channels, 1, columns);
        units.push(UnitRange { kernel: place(kernel.len()), bias: place(bias.len()) });
        packed.push((kernel, bias));
    }
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("weights"),
        size: end,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    for (range, (kernel, bias)) in units.iter().zip(&packed) {
        gpu.queue.write_buffer(&buffer, range.kernel.start, bytemuck::cast_slice(kernel));
        gpu.queue.write_buffer(&buffer, range.bias.start, bytemuck::cast_slice(bias));
    }
    DeviceWeights { buffer, units }
}

/// `[taps, rows, columns]` to `[taps, to_rows, to_columns]`, filled with zeros.
fn pad(values: &[f32], rows: usize, columns: usize, to_rows: usize, to_columns: usize) -> Vec<f32> {
    let taps = values.len() / (rows * columns);
    let mut padded = vec![0.0; taps * to_rows * to_columns];
    for (from, to) in values.chunks_exact(rows * columns).zip(padded.chunks_exact_mut(to_rows * to_columns)) {
        for (from, to) in from.chunks_exact(columns).zip(to.chunks_exact_mut(to_columns)) {
            to[..columns].copy_from_slice(from);
        }
    }
    padded
}
