//! Adapters and devices: what there is, and opening one with the limits that it has.

use std::sync::{Arc, Mutex, PoisonError};

#[cfg(not(target_arch = "wasm32"))]
use rayon::prelude::*;

use super::kernel::{Kernels, Pipeline};
use super::manifest;
use super::store::{DeviceStore, Kept};
use super::variants::{Class, Variants};
use crate::backend::DeviceInfo;
use crate::error::{Error, Result};
use crate::plan::{DeviceLimits, Precision};

/// The backend's name in a browser.
pub const WEBGPU: &str = "webgpu";

/// What kind of machine an adapter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AdapterKind {
    /// A graphics card.
    Discrete,
    /// A GPU that shares the memory of the CPU.
    Integrated,
    /// A GPU handed through to a virtual machine.
    Virtual,
    /// A program that plays GPU on the CPU (lavapipe, SwiftShader, WARP).
    Software,
    /// The driver does not say.
    Other,
}

/// An adapter that wgpu found.
#[derive(Clone)]
pub struct Adapter {
    /// `vulkan`, `metal`, `dx12` or `webgpu`.
    pub backend: String,
    /// The adapter's name, for example `llvmpipe (LLVM 15.0.6, 256 bits)`.
    pub name: String,
    /// Driver name and version.
    pub driver: String,
    /// PCI number of its maker, 0 where the driver does not say.
    pub vendor: u32,
    /// What kind of machine it is.
    pub kind: AdapterKind,
    /// How much one buffer and one binding hold.
    pub limits: DeviceLimits,
    /// Whether shaders can read and write 16-bit floats.
    pub shader_f16: bool,
    handle: wgpu::Adapter,
}

impl Adapter {
    fn new(handle: wgpu::Adapter) -> Adapter {
        let info = handle.get_info();
        let limits = handle.limits();
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
            wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
            wgpu::DeviceType::Cpu => AdapterKind::Software,
            wgpu::DeviceType::Other => AdapterKind::Other,
        };
        let backend = match info.backend {
            wgpu::Backend::BrowserWebGpu => WEBGPU.to_string(),
            other => other.to_string().to_lowercase(),
        };
        // Browsers need not say what it is.
        let name = if info.name.is_empty() { format!("{backend} adapter") } else { info.name };
        Adapter {
            backend,
            name,
            vendor: info.vendor,
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
            kind,
            limits: DeviceLimits {
                max_binding_bytes: limits.max_storage_buffer_binding_size,
                max_buffer_bytes: limits.max_buffer_size,
            },
            shader_f16: handle.features().contains(wgpu::Features::SHADER_F16),
            handle,
        }
    }

    /// Whether `text` occurs in the name, the driver or the backend; case does not matter.
    pub fn matches(&self, text: &str) -> bool {
        let all = format!("{} {} {}", self.name, self.driver, self.backend).to_lowercase();
        all.contains(&text.to_lowercase())
    }

    /// What results call it.
    pub fn info(&self) -> DeviceInfo {
        let Adapter { backend, name, driver, .. } = self.clone();
        DeviceInfo { backend, name, driver }
    }

    /// Whether the adapter is real hardware, as far as the driver says.
    pub fn is_hardware(&self) -> bool {
        self.kind != AdapterKind::Software
    }
}

impl std::fmt::Display for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.info().fmt(f)
    }
}

/// Every adapter on this machine, discrete GPUs first, software last.
pub async fn adapters() -> Vec<Adapter> {
    // Vulkan, Metal, DX12 and the browser; OpenGL has no storage buffers worth the name. WGPU_BACKEND narrows it.
    let backends = wgpu::Backends::from_env().unwrap_or(wgpu::Backends::PRIMARY);
    let descriptor = wgpu::InstanceDescriptor {
        backends,
        flags: wgpu::InstanceFlags::empty().with_env(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    };
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters: Vec<Adapter> =
        instance.enumerate_adapters(backends).await.into_iter().map(Adapter::new).collect();
    adapters.sort_by_key(|a| match a.kind {
        AdapterKind::Discrete => 0,
        AdapterKind::Integrated => 1,
        AdapterKind::Virtual => 2,
        AdapterKind::Other => 3,
        AdapterKind::Software => 4,
    });
    adapters
}

/// What the driver reported outside of any call: the first message stays.
#[derive(Default)]
struct Fault(Mutex<Option<String>>);

impl Fault {
    fn set(&self, message: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(message);
    }
}

/// An open device with the kernels compiled so far.
pub struct Gpu {
    /// The adapter behind it.
    pub adapter: Adapter,
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    kernels: Arc<Kernels>,
    /// Which variants of the kernels run on it.
    pub variants: Variants,
    /// Whether submissions are kept especially short; see [`Gpu::cautious`].
    pub(super) cautious: bool,
    fault: Arc<Fault>,
}

/// A kernel, values of its overrides, and how its tensors are stored.
pub(super) type Wanted = (&'static manifest::Kernel, manifest::Variant, Precision);

impl Gpu {
    /// Opens `adapter` with the variants of the table.
    ///
    /// # Errors
    /// [`Error::NoDevice`] where the driver refuses.
    pub async fn open(adapter: &Adapter) -> Result<Gpu> {
        Gpu::open_with(adapter, None).await
    }

    /// Opens `adapter` with the variants and compiled pipelines that `store` has of it.
    ///
    /// # Errors
    /// [`Error::NoDevice`] where the driver refuses.
    pub async fn open_with(adapter: &Adapter, store: Option<Arc<dyn DeviceStore>>) -> Result<Gpu> {
        // The defaults, which every browser has, but for the two limits that long clips run into.
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: adapter.limits.max_binding_bytes,
            max_buffer_size: adapter.limits.max_buffer_bytes,
            ..wgpu::Limits::defaults()
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("i3d"),
            // A clock for `i3d bench`, pipelines that can be kept, and 16-bit floats, where there are such.
            required_features: adapter.handle.features()
                & (wgpu::Features::TIMESTAMP_QUERY
                    | wgpu::Features::PIPELINE_CACHE
                    | wgpu::Features::SHADER_F16),
            required_limits: limits,
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (device, queue) = adapter.handle.request_device(&descriptor).await.map_err(|e| {
            Error::NoDevice { problem: format!("{adapter} cannot be opened: {e}; try --device cpu") }
        })?;
        let fault = Arc::new(Fault::default());
        let (lost, uncaptured) = (fault.clone(), fault.clone());
        device.set_device_lost_callback(move |reason, message| {
            // Dropping the device is no loss.
            if reason != wgpu::DeviceLostReason::Destroyed {
                lost.set(format!("the device was lost: {message}"));
            }
        });
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| uncaptured.set(error.to_string())));
        let kept = store.as_ref().and_then(|store| store.variants(adapter)).filter(Variants::exist);
        let variants = kept.unwrap_or_else(|| Variants::of(Class::of(adapter)));
        let kernels = Arc::new(Kernels::new(Kept::open(&device, adapter, store)));
        let gpu = Gpu { adapter: adapter.clone(), variants, cautious: false, device, queue, kernels, fault };
        gpu.check()?;
        Ok(gpu)
    }

    /// The same device with other variants.
    #[must_use]
    pub fn with_variants(&self, variants: Variants) -> Gpu {
        let Gpu { adapter, cautious, device, queue, kernels, fault, .. } = self;
        Gpu {
            variants,
            cautious: *cautious,
            adapter: adapter.clone(),
            device: device.clone(),
            queue: queue.clone(),
            kernels: kernels.clone(),
            fault: fault.clone(),
        }
    }

    /// The same device with small portions of Winograd's and short submissions: for GPUs that were lost, because they were busy
    /// for too long or out of memory.
    #[must_use]
    pub fn cautious(&self) -> Gpu {
        Gpu { cautious: true, ..self.with_variants(self.variants.small()) }
    }

    /// Whether launches can be timed by the GPU's own clock.
    pub fn has_clock(&self) -> bool {
        self.device.features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// The compiled form of a kernel, with `constants` for its overrides, for tensors stored as `precision` says; compiled
    /// now if nobody asked for it before.
    ///
    /// # Errors
    /// Variants and precisions that are not in the manifest, and what the driver says of the kernel.
    pub fn pipeline(
        &self,
        kernel: &manifest::Kernel,
        constants: manifest::Variant,
        precision: Precision,
    ) -> Result<Arc<Pipeline>> {
        if !kernel.variants.contains(&constants) || !kernel.precisions().contains(&precision) {
            let problem = format!("kernel {} has no variant {constants:?} for {precision}", kernel.name);
            return Err(Error::device(&self.adapter, problem));
        }
        let pipeline = self.kernels.get(&self.device, kernel, constants, precision);
        self.check()?;
        Ok(pipeline)
    }

    /// Compiles kernels that will be needed, as many at a time as there are threads.
    ///
    /// # Errors
    /// As [`Gpu::pipeline`].
    pub(super) fn compile_all(&self, wanted: impl Iterator<Item = Wanted>) -> Result<()> {
        let mut kernels: Vec<Wanted> = Vec::new();
        for (kernel, constants, precision) in wanted {
            let same =
                |known: &Wanted| (known.0.name, known.1, known.2) == (kernel.name, constants, precision);
            if !kernels.iter().any(same) {
                kernels.push((kernel, constants, precision));
            }
        }
        let compile =
            |(kernel, constants, precision): Wanted| self.pipeline(kernel, constants, precision).map(drop);
        #[cfg(not(target_arch = "wasm32"))]
        return kernels.into_par_iter().try_for_each(compile);
        // A browser's device stays on its thread, and compiles behind the scenes.
        #[cfg(target_arch = "wasm32")]
        kernels.into_iter().try_for_each(compile)
    }

    /// Fails if the driver has reported an error since the device was opened.
    pub fn check(&self) -> Result<()> {
        match self.fault.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(message) => {
                let first =
                    message.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ");
                Err(Error::device(&self.adapter, format!("{first}; try --device cpu")))
            }
            None => Ok(()),
        }
    }
}
