//! Shaders to pipelines, as the manifest describes them.

use super::manifest::{self, Kernel};

/// A compiled kernel variant.
pub struct Pipeline {
    /// The compute pipeline; its entry point is `main`.
    pub pipeline: wgpu::ComputePipeline,
    /// Binding 0 is the uniform parameters with a dynamic offset, then what is read, then what is written.
    pub layout: wgpu::BindGroupLayout,
}

/// Every kernel variant of the manifest, compiled: kernel name, values of its overrides, pipeline.
pub(super) struct Kernels(Vec<(&'static str, manifest::Variant, Pipeline)>);

impl Kernels {
    pub(super) fn compile(device: &wgpu::Device) -> Kernels {
        let mut pipelines = Vec::new();
        for kernel in manifest::ALL {
            for &constants in kernel.variants {
                pipelines.push((
                    kernel.name,
                    constants,
                    Pipeline::compile(device, kernel, kernel.source, constants),
                ));
            }
        }
        Kernels(pipelines)
    }

    pub(super) fn get(&self, kernel: &Kernel, constants: &[(&str, f64)]) -> Option<&Pipeline> {
        let found = self.0.iter().find(|(name, set, _)| *name == kernel.name && *set == constants);
        found.map(|(_, _, pipeline)| pipeline)
    }
}

impl Pipeline {
    /// Compiles `source`, which is the kernel's own text or, in tests of the tests, a broken copy of it.
    pub fn compile(
        device: &wgpu::Device,
        kernel: &Kernel,
        source: &str,
        constants: &[(&str, f64)],
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
            compilation_options: wgpu::PipelineCompilationOptions { constants, ..Default::default() },
            cache: None,
        });
        Pipeline { pipeline, layout }
    }
}
