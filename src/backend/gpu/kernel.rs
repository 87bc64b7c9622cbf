//! Shaders to pipelines, as the manifest describes them.

use std::sync::{Arc, Mutex, PoisonError};

use super::manifest::{Kernel, Variant};
use crate::plan::Precision;

/// A compiled kernel variant.
pub struct Pipeline {
    /// The compute pipeline; its entry point is `main`.
    pub pipeline: wgpu::ComputePipeline,
    /// Binding 0 is the uniform parameters with a dynamic offset, then what is read, then what is written.
    pub layout: wgpu::BindGroupLayout,
    /// How its tensors are stored.
    pub precision: Precision,
}

/// What a pipeline is one of: kernel name, values of its overrides, how tensors are stored.
type Key = (&'static str, Variant, Precision);

/// The kernel variants that somebody asked for, compiled. An adapter uses a few of the manifest's, and compiling one takes
/// a driver up to seconds.
#[derive(Default)]
pub(super) struct Kernels(Mutex<Vec<(Key, Arc<Pipeline>)>>);

impl Kernels {
    pub(super) fn get(
        &self,
        device: &wgpu::Device,
        kernel: &Kernel,
        constants: Variant,
        precision: Precision,
    ) -> Arc<Pipeline> {
        let key = (kernel.name, constants, precision);
        let mut compiled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pipeline)) = compiled.iter().find(|(known, _)| *known == key) {
            return pipeline.clone();
        }
        let source = kernel.wgsl(precision);
        let pipeline = Arc::new(Pipeline::compile(device, kernel, &source, constants, precision));
        compiled.push((key, pipeline.clone()));
        pipeline
    }
}

impl Pipeline {
    /// Compiles `source`, which is what [`Kernel::wgsl`] gives or, in tests of the tests, a broken copy of it.
    pub fn compile(
        device: &wgpu::Device,
        kernel: &Kernel,
        source: &str,
        constants: &[(&str, f64)],
        precision: Precision,
    ) -> Pipeline {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(kernel.name),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        // Uniform memory, the parameters and windows, is moved by dynamic offsets.
        let uniform = wgpu::BufferBindingType::Uniform;
        let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
        let reads = kernel.reads.iter().map(|(name, _)| match kernel.window(name) {
            Some(_) => uniform,
            None => storage(true),
        });
        let types = std::iter::once(uniform).chain(reads).chain(kernel.writes.iter().map(|_| storage(false)));
        let entries: Vec<_> = types
            .enumerate()
            .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                binding: binding as u32,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty,
                    has_dynamic_offset: ty == uniform,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(kernel.name),
            entries: &entries,
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(kernel.name),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants,
                // Kernels write workgroup memory before they read it. Browsers zero it all the same.
                zero_initialize_workgroup_memory: cfg!(target_arch = "wasm32"),
            },
            cache: None,
        });
        Pipeline { pipeline, layout, precision }
    }
}
