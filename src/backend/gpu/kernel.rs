//! Shaders to pipelines, as the manifest describes them.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::manifest::{Kernel, Variant};
use super::store::Kept;
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

/// A kernel variant, and its pipeline once it is compiled.
struct Slot {
    kernel: &'static str,
    constants: Variant,
    precision: Precision,
    pipeline: Arc<OnceLock<Arc<Pipeline>>>,
}

/// The kernel variants that somebody asked for. An adapter uses a few of the manifest's, and compiling one takes a
/// driver up to seconds.
#[derive(Default)]
pub(super) struct Kernels {
    slots: Mutex<Vec<Slot>>,
    /// What the driver compiled in earlier processes.
    kept: Option<Kept>,
}

impl Kernels {
    /// No variant yet, but perhaps what the driver compiled before.
    pub fn new(kept: Option<Kept>) -> Kernels {
        Kernels { kept, ..Kernels::default() }
    }

    /// The compiled variant. Several threads may compile different ones at a time; who asks for one that is being
    /// compiled waits for it.
    pub fn get(
        &self,
        device: &wgpu::Device,
        kernel: &Kernel,
        constants: Variant,
        precision: Precision,
    ) -> Arc<Pipeline> {
        let slot = self.slot(kernel.name, constants, precision);
        let compile = || {
            let cache = self.kept.as_ref().map(|kept| &kept.cache);
            let source = kernel.wgsl(precision);
            Arc::new(Pipeline::compile(device, kernel, &source, constants, precision, cache))
        };
        slot.get_or_init(compile).clone()
    }

    fn slot(
        &self,
        kernel: &'static str,
        constants: Variant,
        precision: Precision,
    ) -> Arc<OnceLock<Arc<Pipeline>>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let found = slots
            .iter()
            .find(|slot| slot.kernel == kernel && slot.constants == constants && slot.precision == precision);
        if let Some(slot) = found {
            return slot.pipeline.clone();
        }
        let pipeline = Arc::default();
        slots.push(Slot { kernel, constants, precision, pipeline: Arc::clone(&pipeline) });
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
        cache: Option<&wgpu::PipelineCache>,
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
            cache,
        });
        Pipeline { pipeline, layout, precision }
    }
}
