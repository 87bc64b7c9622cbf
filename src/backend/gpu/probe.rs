//! One kernel on buffers of its own: what kernel tests and tuning look through.

use super::manifest::Kernel;
use super::numbers::encode;
use super::{Gpu, Pipeline};
use crate::error::Result;
use crate::plan::Precision;

impl Gpu {
    /// Runs `pipeline`, a compiled form of `kernel`, once and gives back its outputs.
    ///
    /// # Shapes
    /// `params` the bytes of `kernel.params`; `reads` one slice per entry of `kernel.reads`; `outputs` what
    /// the buffers of `kernel.writes` hold before; `groups` work groups in x, y and z.
    pub async fn probe(
        &self,
        kernel: &Kernel,
        pipeline: &Pipeline,
        params: &[u8],
        reads: &[&[f32]],
        outputs: &[&[f32]],
        groups: [usize; 3],
    ) -> Result<Vec<Vec<f32>>> {
        let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let stored = |name: &str| match kernel.stored.contains(&name) {
            true => pipeline.precision,
            false => Precision::F32,
        };
        let mut buffers = vec![self.filled(kernel.name, wgpu::BufferUsages::UNIFORM, params)];
        for ((name, _), data) in kernel.reads.iter().zip(reads) {
            let usage = if kernel.window(name).is_some() { wgpu::BufferUsages::UNIFORM } else { storage };
            buffers.push(self.filled(name, usage, &encode(data, stored(name))));
        }
        let writes = || kernel.writes.iter().zip(outputs);
        buffers.extend(
            writes().map(|((name, _), data)| self.filled(name, storage, &encode(data, stored(name)))),
        );
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
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline.pipeline);
        pass.set_bind_group(0, &bind_group, &vec![0; 1 + kernel.windows.len()]);
        let [x, y, z] = groups.map(|g| g as u32);
        pass.dispatch_workgroups(x, y, z);
        drop(pass);
        let mut copies = Vec::new();
        for (from, (name, _)) in buffers[1 + kernel.reads.len()..].iter().zip(kernel.writes) {
            let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("staging"),
                size: from.size(),
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            encoder.copy_buffer_to_buffer(from, 0, &staging, 0, staging.size());
            copies.push((staging, stored(name)));
        }
        self.queue.submit([encoder.finish()]);
        self.check()?;
        let mut read = Vec::new();
        for (staging, precision) in &copies {
            read.push(self.decode(staging, *precision, None).await?);
        }
        Ok(read)
    }

    /// Compiles `source`, the text of `kernel` for some precision or a changed copy of it.
    pub fn compile(
        &self,
        kernel: &Kernel,
        source: &str,
        constants: &[(&str, f64)],
        precision: Precision,
    ) -> Pipeline {
        Pipeline::compile(&self.device, kernel, source, constants, precision, None)
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
