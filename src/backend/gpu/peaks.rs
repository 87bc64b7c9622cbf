//! Peaks of an adapter: a chain of multiply-adds in registers, and a copy.

use super::Gpu;
use crate::backend::profile::{Peaks, peak_rate};
use crate::error::Result;

/// Work groups of either kernel, enough for every lane of a large GPU.
const GROUPS: u32 = 16_384;
/// Lanes of a work group.
const LANES: u64 = 64;
/// Multiply-adds of one invocation in one round.
const ROUND: u64 = 64;
/// Rounds of the smallest amount of work.
const ROUNDS: u32 = 8;
/// The most bytes to copy, more than caches hold.
const COPY_BYTES: u64 = 256 << 20;
/// The bytes of a `vec4<f32>`.
const VEC4: u64 = 16;

impl Gpu {
    /// Measures the adapter's peaks.
    pub(in crate::backend) async fn peaks(&self) -> Result<Peaks> {
        let limits = &self.adapter.limits;
        let bytes = COPY_BYTES.min(limits.max_binding_bytes).min(limits.max_buffer_bytes) / VEC4 * VEC4;
        let (from, to) = (self.buffer(bytes), self.buffer(bytes));
        // Towards a fixed point far from zero.
        self.queue.write_buffer(&from, 0, bytemuck::cast_slice(&[0.5f32, 1.0, 0.0, 0.0]));
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("peaks"),
            source: wgpu::ShaderSource::Wgsl(include_str!("peaks.wgsl").into()),
        });
        let [multiply_add, copy] = ["multiply_add", "copy"].map(|entry_point| {
            self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry_point),
                layout: None,
                module: &module,
                entry_point: Some(entry_point),
                compilation_options: Default::default(),
                cache: None,
            })
        });
        let macs_per_second = peak_rate(async |amount| {
            // A longer loop while one dispatch is short, then more dispatches: none may outlast a driver's patience.
            let (rounds, times) = (ROUNDS << amount.ilog2().min(7), amount.div_ceil(128));
            self.time(&multiply_add, &from, &to, [0, rounds], times).await?;
            Ok((u64::from(GROUPS) * LANES * ROUND * u64::from(rounds)) as f64 * times as f64)
        })
        .await?;
        let bytes_per_second = peak_rate(async |amount| {
            self.time(&copy, &from, &to, [(bytes / VEC4) as u32, 0], amount).await?;
            Ok((2 * bytes) as f64 * amount as f64)
        })
        .await?;
        Ok(Peaks { macs_per_second, bytes_per_second })
    }

    fn buffer(&self, size: u64) -> wgpu::Buffer {
        self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("peaks"),
            size,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    }

    /// Dispatches `pipeline` so many times and waits for the end.
    async fn time(
        &self,
        pipeline: &wgpu::ComputePipeline,
        from: &wgpu::Buffer,
        to: &wgpu::Buffer,
        size: [u32; 2],
        times: usize,
    ) -> Result<()> {
        let params = self.buffer(VEC4);
        self.queue.write_buffer(&params, 0, bytemuck::cast_slice(&[size[0], size[1], 0, 0]));
        let buffers = [&params, from, to];
        let entries: Vec<_> = (0u32..)
            .zip(buffers)
            .map(|(binding, b)| wgpu::BindGroupEntry { binding, resource: b.as_entire_binding() })
            .collect();
        let bind_group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("peaks"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &bind_group, &[]);
        for _ in 0..times {
            pass.dispatch_workgroups(GROUPS, 1, 1);
        }
        drop(pass);
        self.finish(encoder).await
    }
}

#[cfg(test)]
mod tests {
    use naga::valid::{Capabilities, ValidationFlags, Validator};

    #[test]
    fn the_shader_is_valid_where_the_weakest_device_is() {
        let module = naga::front::wgsl::parse_str(include_str!("peaks.wgsl")).expect("WGSL");
        let info = Validator::new(ValidationFlags::all(), Capabilities::default()).validate(&module);
        assert!(info.is_ok(), "{info:?}");
    }
}
