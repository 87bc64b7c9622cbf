//! TV-L1 on a GPU: many frame pairs at a time walk the schedule together, each stopping on its own.
//!
//! A pair that has stopped is marked in a buffer that every kernel looks at, so its part of a dispatch costs next to
//! nothing. On hardware the host reads the marks once per round of inner iterations, and goes on to the next warp when
//! all pairs have stopped.

mod buffers;

use std::sync::Arc;

use web_time::Instant;

use super::Gpu;
use super::manifest::{self, Kernel};
use super::pacer::Pacer;
use crate::backend::params::FlowParams;
use crate::error::{Error, Result};
use crate::flow::{BLOCK, Flow, Gray, Schedule, Step, Tvl1};
use buffers::{Buffers, Launch};

/// Columns that one work group computes.
const LANES: usize = 64;
/// Most work groups on one axis of a dispatch that every WebGPU device accepts.
const MAX_GROUPS: usize = 65_535;
/// Most frame pairs at a time on software adapters, where company gains nothing, and on hardware, where this many fill a
/// large GPU.
const MOST_PAIRS: [usize; 2] = [4, 32];
/// Most pixels of all pairs together, so that a round of iterations (about 90 bytes of traffic per pixel and iteration)
/// does not keep a small GPU busy for seconds.
const MOST_PIXELS: usize = 4 << 20;

/// Iterations after which the host looks whether all pairs of a software adapter have stopped. Looking costs those
/// nothing, while every work group does, even one whose pair has stopped.
const SOFTWARE_LOOK: usize = 3 * BLOCK;

/// TV-L1 on a GPU with one set of parameters.
pub struct GpuFlow {
    gpu: Arc<Gpu>,
    parameters: Tvl1,
    pacer: Pacer,
    /// Those of the last portion, so that frames of one size are set up once.
    ready: Option<Buffers>,
}

/// Work groups in x, y and z that `kernel` needs to compute everything that `p` describes.
pub(super) fn work_groups(kernel: &Kernel, p: &FlowParams) -> [usize; 3] {
    let [width, height, count, _] = p.size.map(|v| v as usize);
    match kernel.name == manifest::FLOW_STOP.name {
        true => [count, 1, 1],
        false => [width.div_ceil(LANES), height * count, 1],
    }
}

impl GpuFlow {
    /// Makes ready; nothing is allocated before the first frames come.
    ///
    /// # Errors
    /// Parameters out of range.
    pub fn new(gpu: Arc<Gpu>, parameters: &Tvl1) -> Result<GpuFlow> {
        parameters.validate()?;
        let pacer = Pacer::new(gpu.adapter.is_hardware(), gpu.cautious);
        Ok(GpuFlow { gpu, parameters: *parameters, pacer, ready: None })
    }

    /// The flow from every frame to the next.
    ///
    /// # Shapes
    /// T frames `[H, W]`; returns T - 1 flows `[H, W, 2]`.
    ///
    /// # Errors
    /// Fewer than two frames, frames of different sizes, frames too large for the device, and what the device reports.
    pub async fn flows(&mut self, frames: &[Gray]) -> Result<Vec<Flow>> {
        let schedule = Schedule::for_frames(frames, &self.parameters)?;
        let portion = self.portion(&schedule)?;
        let mut flows = Vec::with_capacity(frames.len() - 1);
        for first in (0..frames.len() - 1).step_by(portion) {
            let end = (first + portion).min(frames.len() - 1);
            flows.extend(self.portion_of_flows(&schedule, &frames[first..=end]).await?);
        }
        Ok(flows)
    }

    /// How many pairs run at a time.
    fn portion(&self, schedule: &Schedule) -> Result<usize> {
        let one = FlowParams::new(schedule, 0, 1);
        let limits = &self.gpu.adapter.limits;
        let bytes = limits.max_binding_bytes.min(limits.max_buffer_bytes);
        let height = one.size[1] as usize;
        // The flow of a pair is resized as two planes; frames are one more than pairs, in their own buffer.
        let most = (bytes / (4 * one.state_len() as u64)) as usize;
        let pairs = MOST_PAIRS[usize::from(self.gpu.adapter.is_hardware())];
        let pairs = pairs.min((MOST_PIXELS / one.planes(1)).max(1));
        let most = most.min(MAX_GROUPS / (2 * height)).min(pairs);
        if most == 0 {
            let problem = format!(
                "optical flow of {}x{height} pixels does not fit into one buffer of {}; use smaller frames or --device cpu",
                one.size[0], self.gpu.adapter
            );
            return Err(Error::Limits(problem));
        }
        Ok(most)
    }

    async fn portion_of_flows(&mut self, schedule: &Schedule, frames: &[Gray]) -> Result<Vec<Flow>> {
        let pairs = frames.len() - 1;
        let buffers = match self.ready.take() {
            Some(ready) if ready.fits(schedule, pairs) => ready,
            previous => {
                // Two sets at once would double the peak.
                drop(previous);
                Buffers::new(&self.gpu, schedule, pairs)?
            }
        };
        buffers.upload(&self.gpu, frames);
        let flows = self.run(schedule, &buffers).await?;
        self.ready = Some(buffers);
        Ok(flows)
    }

    async fn run(&mut self, schedule: &Schedule, buffers: &Buffers) -> Result<Vec<Flow>> {
        let gpu = self.gpu.clone();
        let mut recorder = Recorder::new(&gpu);
        for launch in &buffers.pyramid {
            recorder.launch(launch);
        }
        let round = schedule.parameters().inner;
        let look_after = if gpu.adapter.is_hardware() { round } else { SOFTWARE_LOOK.min(round) };
        let (mut level, mut iterations, mut stopped) = (0, 0, false);
        for step in schedule.steps() {
            match step {
                Step::Level(to) => {
                    level = to;
                    let at = &buffers.levels[level];
                    recorder.clear(&at.state);
                    for launch in at.upsample.iter().chain([&at.gradient]) {
                        recorder.launch(launch);
                    }
                }
                Step::Warp => {
                    recorder.launch(&buffers.levels[level].warp);
                    recorder.clear(&buffers.stopped);
                    (iterations, stopped) = (0, false);
                }
                Step::Median if !stopped => {
                    let at = &buffers.levels[level];
                    recorder.launch(&at.median);
                    recorder.copy(&buffers.filtered, &at.state, at.flow_bytes);
                }
                Step::Iterate(count) if !stopped => {
                    let at = &buffers.levels[level];
                    for i in 0..count {
                        recorder.launch(if i + 1 == count { &at.last_step } else { &at.step });
                        recorder.launch(&at.dual);
                    }
                    recorder.launch(&at.stop);
                    iterations += count;
                    if iterations % look_after == 0 || iterations % round == 0 {
                        stopped = self.all_stopped(&mut recorder, buffers).await?;
                    } else if recorder.work > self.pacer.budget() {
                        recorder.submit();
                    }
                }
                Step::Median | Step::Iterate(_) => {}
            }
        }
        let at = &buffers.levels[0];
        recorder.copy(&at.state, &buffers.result, at.flow_bytes);
        recorder.submit();
        let values: Vec<f32> = gpu.read(&buffers.result, None).await?;
        Ok(FlowParams::new(schedule, 0, buffers.pairs).flows(&values))
    }

    /// Submits what is recorded and looks whether every pair has stopped.
    async fn all_stopped(&mut self, recorder: &mut Recorder<'_>, buffers: &Buffers) -> Result<bool> {
        recorder.copy(&buffers.stopped, &buffers.marks, 4 * buffers.pairs as u64);
        recorder.submit();
        let marks: Vec<f32> = self.gpu.read(&buffers.marks, None).await?;
        let now = Instant::now();
        self.pacer.finished(recorder.submitted, now - recorder.since);
        (recorder.submitted, recorder.since) = (0, now);
        Ok(marks.iter().all(|&mark| mark != 0.0))
    }
}

/// Commands on their way to the queue.
struct Recorder<'a> {
    gpu: &'a Gpu,
    encoder: wgpu::CommandEncoder,
    pass: Option<wgpu::ComputePass<'static>>,
    /// Work recorded and not yet submitted.
    work: u64,
    /// Work submitted since `since`.
    submitted: u64,
    since: Instant,
}

impl<'a> Recorder<'a> {
    fn new(gpu: &'a Gpu) -> Recorder<'a> {
        let encoder = gpu.device.create_command_encoder(&Default::default());
        Recorder { gpu, encoder, pass: None, work: 0, submitted: 0, since: Instant::now() }
    }

    fn launch(&mut self, launch: &Launch) {
        let encoder = &mut self.encoder;
        let pass = self
            .pass
            .get_or_insert_with(|| encoder.begin_compute_pass(&Default::default()).forget_lifetime());
        pass.set_pipeline(&launch.pipeline);
        pass.set_bind_group(0, &launch.bind_group, &[launch.params_offset]);
        let [x, y, z] = launch.groups;
        pass.dispatch_workgroups(x, y, z);
        self.work += launch.work;
    }

    fn clear(&mut self, buffer: &wgpu::Buffer) {
        self.pass = None;
        self.encoder.clear_buffer(buffer, 0, None);
    }

    fn copy(&mut self, from: &wgpu::Buffer, to: &wgpu::Buffer, bytes: u64) {
        self.pass = None;
        self.encoder.copy_buffer_to_buffer(from, 0, to, 0, bytes);
    }

    fn submit(&mut self) {
        self.pass = None;
        let next = self.gpu.device.create_command_encoder(&Default::default());
        let full = std::mem::replace(&mut self.encoder, next);
        self.gpu.queue.submit([full.finish()]);
        self.submitted += self.work;
        self.work = 0;
    }
}
