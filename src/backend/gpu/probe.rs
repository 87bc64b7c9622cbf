//! One kernel on buffers of its own: what kernel tests and tuning look through.

use super::manifest::Kernel;
use super::{Gpu, Pipeline};
use crate::error::Result;

impl Gpu {
    /// Runs `pipeline`, a compiled form of `kernel`, once and gives back its output.
    ///
    /// # Shapes
    /// `params` the bytes of `kernel.params`; `reads` one slice per entry of `kernel.reads`; `output` what the
    /// output buffer holds before; `groups` work groups in x and y.
    pub async fn probe(
        &self,
        kernel: &Kernel,
        pipeline: &Pipeline,
        params: &[u8],
        reads: &[&[f32]],
        output: &[f32],
        groups: [usize; 2],
    ) -> Result<Vec<f32>> {
        let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let mut buffers = vec![self.filled(kernel.name, wgpu::BufferUsages::UNIFORM, params)];
        buffers.extend(reads.iter().map(|data| self.filled("read", storage, bytemuck::cast_slice(data))));
        buffers.push(self.filled("output", storage, bytemuck::cast_slice(output)));
        let entries: Vec<_> = buffers
            .iter()
            .enumerate()
            .map(|(i, b)| wgpu::BindGroupEntry { binding: i as u32, resource: b.as_entire_binding() })
            .collect();
        let bind_group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.name),
            layout: &pipeline.layout,
            entries: &entries,
        });
        let size = size_of_val(output) as u64;
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline.pipeline);
        pass.set_bind_group(0, &bind_group, &[0]);
        pass.dispatch_workgroups(groups[0] as u32, groups[1] as u32, 1);
        drop(pass);
        encoder.copy_buffer_to_buffer(&buffers[buffers.len() - 1], 0, &staging, 0, size);
        self.queue.submit([encoder.finish()]);
        self.check()?;
        self.read(&staging).await
    }

    /// Compiles `source`, the text of `kernel` or a changed copy of it.
    pub fn compile(&self, kernel: &Kernel, source: &str, constants: &[(&str, f64)]) -> Pipeline {
        Pipeline::compile(&self.device, kernel, source, constants)
    }

    fn filled(&self, label: &str, usage: wgpu::BufferUsages, data: &[u8]) -> wgpu::Buffer {
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: data.len() as u64,
            usage: usage | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.queue.write_buffer(&buffer, 0, data);
        buffer
    }
}
