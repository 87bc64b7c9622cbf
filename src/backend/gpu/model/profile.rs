//! The launches of a plan one at a time, with a clock.

use std::time::Duration;

use web_time::Instant;

use super::{Gpu, GpuModel};
use crate::backend::Observed;
use crate::error::Result;
use crate::plan::Plan;

impl GpuModel {
    /// Bytes of weights, activations, scratch memory and parameters on the GPU.
    pub fn memory_bytes(&self) -> u64 {
        let weights: u64 = self.weights.buffers.iter().map(wgpu::Buffer::size).sum();
        weights + self.weights.biases.size() + self.ready.iter().map(|ready| ready.lowered.bytes).sum::<u64>()
    }

    /// Runs `plan` launch by launch and gives the time of each step. Where several steps run as one, it is that of the last
    /// of them. Where the plan did not run last, it first runs as always.
    ///
    /// # Shapes
    /// `input` `[N, T, H, W, C]` of the plan's first buffer; result `[steps]`.
    pub async fn profile(&mut self, plan: &Plan, input: &[f32], observe: &[&str]) -> Result<Vec<Duration>> {
        let observed = Observed::new(plan, observe)?.ids();
        // A run warms up, fills the buffers, and leaves its plan as the last of those that are ready.
        if self.ready.last().is_none_or(|ready| ready.plan != *plan || ready.observed != observed) {
            self.run(plan, input, observe, &mut |_| ()).await?;
        }
        let gpu = self.gpu.clone();
        let clock = Clock::new(&gpu, plan.steps.len());
        let (mut steps, mut waited) = (Vec::new(), Vec::new());
        let dispatches = self.ready.last().map_or(&[][..], |ready| &ready.lowered.dispatches);
        for (index, launch) in dispatches.chunk_by(|a, b| a.step == b.step).enumerate() {
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let timestamp_writes = clock.as_ref().map(|clock| clock.writes(index as u32));
            let mut pass =
                encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
            for dispatch in launch {
                let [x, y, z] = dispatch.groups;
                pass.set_pipeline(&dispatch.pipeline);
                pass.set_bind_group(0, &dispatch.bind_group, &dispatch.offsets);
                pass.dispatch_workgroups(x, y, z);
            }
            drop(pass);
            let start = Instant::now();
            gpu.finish(encoder).await?;
            waited.push(start.elapsed());
            steps.extend(launch.first().map(|dispatch| dispatch.step));
        }
        let times = match clock {
            Some(clock) => clock.read(&gpu).await?,
            None => waited,
        };
        let mut all = vec![Duration::ZERO; plan.steps.len()];
        steps.into_iter().zip(times).for_each(|(step, time)| all[step] = time);
        Ok(all)
    }
}

/// Timestamps at the beginning and the end of every launch.
struct Clock {
    queries: wgpu::QuerySet,
    launches: u32,
}

impl Clock {
    /// None where the adapter has no clock.
    fn new(gpu: &Gpu, launches: usize) -> Option<Clock> {
        let launches = launches as u32;
        let fits = 2 * launches <= wgpu::QUERY_SET_MAX_QUERIES;
        (fits && gpu.has_clock()).then(|| Clock {
            queries: gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("launches"),
                ty: wgpu::QueryType::Timestamp,
                count: 2 * launches,
            }),
            launches,
        })
    }

    fn writes(&self, launch: u32) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(2 * launch),
            end_of_pass_write_index: Some(2 * launch + 1),
        }
    }

    async fn read(&self, gpu: &Gpu) -> Result<Vec<Duration>> {
        let size = 16 * u64::from(self.launches);
        let create = |usage| {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps"),
                size,
                usage,
                mapped_at_creation: false,
            })
        };
        let resolved = create(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
        let staging = create(wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ);
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.resolve_query_set(&self.queries, 0..2 * self.launches, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &staging, 0, size);
        gpu.queue.submit([encoder.finish()]);
        let ticks: Vec<u64> = gpu.read(&staging, None).await?;
        let nanoseconds = f64::from(gpu.queue.get_timestamp_period());
        let time = |pair: &[u64]| {
            Duration::from_nanos((pair[1].saturating_sub(pair[0]) as f64 * nanoseconds) as u64)
        };
        Ok(ticks.chunks_exact(2).map(time).collect())
    }
}
