//! Choosing where to run.

use std::sync::Arc;

use super::cpu::CpuModel;
use super::gpu::{Adapter, AdapterKind, DeviceStore, Gpu, GpuModel, GpuRun, WEBGPU, adapters};
use super::{Output, Progress, RunOptions};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::plan::Plan;
use crate::weights::Weights;

/// Which device somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DeviceRequest {
    /// A discrete GPU, else an integrated one, else the CPU. Software adapters are slower than the CPU backend, so they
    /// run only when asked for by name.
    #[default]
    Auto,
    /// The CPU backend.
    Cpu,
    /// Any hardware GPU, or an error.
    Gpu,
    /// The first adapter whose name, driver or backend contains the text.
    Named(String),
}

impl std::str::FromStr for DeviceRequest {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "auto" => DeviceRequest::Auto,
            "cpu" => DeviceRequest::Cpu,
            "gpu" => DeviceRequest::Gpu,
            _ => DeviceRequest::Named(text.to_string()),
        })
    }
}

/// What a device calls itself; part of every result.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DeviceInfo {
    /// `cpu`, `vulkan`, `metal`, `dx12` or `webgpu`.
    pub backend: String,
    /// Name of the adapter, or architecture and threads of the CPU.
    pub name: String,
    /// Driver and version; empty for the CPU.
    pub driver: String,
}

impl std::fmt::Display for DeviceInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.driver.as_str() {
            "" => write!(f, "{} ({})", self.name, self.backend),
            driver => write!(f, "{} ({}, {driver})", self.name, self.backend),
        }
    }
}

/// An open device.
#[derive(Clone)]
pub enum Device {
    /// The CPU backend with so many threads; 0 means one per core.
    Cpu {
        /// Threads.
        threads: usize,
    },
    /// A GPU, or a program that plays one.
    Gpu(Arc<Gpu>),
}

impl Device {
    /// Opens what was asked for; `threads` is for the CPU backend, 0 means one per core.
    ///
    /// # Errors
    /// [`Error::NoDevice`] with the list of what was found.
    pub async fn open(request: &DeviceRequest, threads: usize) -> Result<Device> {
        Device::open_with(request, threads, None).await
    }

    /// The same, with what `store` remembers of a GPU.
    ///
    /// # Errors
    /// [`Error::NoDevice`] with the list of what was found.
    #[cfg_attr(
        target_arch = "wasm32",
        expect(clippy::arc_with_non_send_sync, reason = "a browser's device stays on its thread")
    )]
    pub async fn open_with(
        request: &DeviceRequest,
        threads: usize,
        store: Option<Arc<dyn DeviceStore>>,
    ) -> Result<Device> {
        let cpu = Device::Cpu { threads };
        if *request == DeviceRequest::Cpu {
            return Ok(cpu);
        }
        let found = adapters().await;
        let chosen = match request {
            DeviceRequest::Named(text) => found.iter().find(|a| a.matches(text)),
            // Software and unknown adapters do not count as a GPU: the CPU backend is faster. A browser names the software
            // ones and never says what the others are.
            _ => found.iter().find(|a| match a.kind {
                AdapterKind::Discrete | AdapterKind::Integrated | AdapterKind::Virtual => true,
                AdapterKind::Other => a.backend == WEBGPU,
                AdapterKind::Software => false,
            }),
        };
        match (chosen, request) {
            (Some(adapter), _) => Ok(Device::Gpu(Arc::new(Gpu::open_with(adapter, store).await?))),
            (None, DeviceRequest::Named(text)) => {
                Err(nothing(&format!("no adapter is called {text:?}"), &found))
            }
            (None, DeviceRequest::Gpu) => Err(nothing("there is no hardware GPU here", &found)),
            (None, _) => Ok(cpu),
        }
    }

    /// The same device with work in smaller pieces, for one that was lost under large ones; the CPU has none.
    #[must_use]
    #[cfg_attr(
        target_arch = "wasm32",
        expect(clippy::arc_with_non_send_sync, reason = "a browser's device stays on its thread")
    )]
    pub fn cautious(self) -> Device {
        match self {
            Device::Gpu(gpu) => Device::Gpu(Arc::new(gpu.cautious())),
            cpu => cpu,
        }
    }

    /// What the device calls itself.
    pub fn info(&self) -> DeviceInfo {
        match self {
            Device::Cpu { threads } => {
                let threads = if *threads == 0 { rayon::current_num_threads() } else { *threads };
                let s = if threads == 1 { "" } else { "s" };
                let name = format!("{}, {threads} thread{s}", std::env::consts::ARCH);
                DeviceInfo { backend: "cpu".into(), name, driver: String::new() }
            }
            Device::Gpu(gpu) => gpu.adapter.info(),
        }
    }

    /// Whether a clip should run in one piece: it fits the device and does not take more than a gigabyte.
    pub fn holds(&self, plan: &Plan) -> bool {
        const MOST_BYTES: u64 = 1 << 30;
        self.check(plan).is_ok() && plan.activation_bytes() <= MOST_BYTES
    }

    /// Fails with a sentence where the plan is larger than the device allows; the CPU has no limits.
    pub fn check(&self, plan: &Plan) -> Result<()> {
        match self {
            Device::Cpu { .. } => Ok(()),
            Device::Gpu(gpu) => plan.check(&gpu.adapter.limits),
        }
    }
}

fn nothing(problem: &str, found: &[Adapter]) -> Error {
    let list = match found {
        [] => "no adapter at all was found".to_string(),
        some => format!("found {}", some.iter().map(Adapter::to_string).collect::<Vec<_>>().join("; ")),
    };
    Error::NoDevice { problem: format!("{problem}; {list}; try --device cpu, or see `i3d devices`") }
}

/// The error of a `device` that cannot store 16-bit floats.
pub(super) fn no_f16(device: &DeviceInfo) -> Error {
    let problem = format!(
        "--precision f16 needs a GPU whose shaders have 16-bit floats, and {device} has none; use --precision f32, or name \
         another --device (`i3d devices` says which have f16)"
    );
    Error::NoDevice { problem }
}

/// A network with its weights on a device.
pub enum Model {
    /// On the CPU.
    Cpu(CpuModel),
    /// On a GPU.
    Gpu(Box<GpuModel>),
}

impl Model {
    /// Brings `weights` to `device`.
    pub fn new(device: &Device, weights: Weights, options: &RunOptions) -> Result<Model> {
        Ok(match device {
            Device::Cpu { threads } => Model::Cpu(CpuModel::new(weights, *threads, options)?),
            Device::Gpu(gpu) => Model::Gpu(Box::new(GpuModel::new(gpu.clone(), &weights, options)?)),
        })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        match self {
            Model::Cpu(model) => model.network(),
            Model::Gpu(model) => model.network(),
        }
    }

    /// Runs `plan` on `input` and gives the values of the endpoints named in `observe`.
    ///
    /// # Shapes
    /// `input` `[N, T, H, W, C]` of the plan's first buffer.
    ///
    /// # Errors
    /// Inputs of another size, unknown endpoints, plans beyond the device's limits, and what the device reports.
    pub async fn run(
        &mut self,
        plan: &Plan,
        input: &[f32],
        observe: &[&str],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Output> {
        let run = self.begin(plan, input, observe, progress).await?;
        self.finish(run, progress).await
    }

    /// Begins what [`Model::run`] does. A GPU computes while the host goes on, so that the next clip can be prepared and
    /// begun; the CPU backend has the result when this returns.
    ///
    /// # Errors
    /// As [`Model::run`].
    pub async fn begin(
        &mut self,
        plan: &Plan,
        input: &[f32],
        observe: &[&str],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Run> {
        let wanted = plan.buffers[crate::plan::INPUT].shape;
        if input.len() != wanted.len() {
            let found = input.len();
            return Err(Error::clip(
                "clip",
                format!("{found} values were given where {wanted} needs {}", wanted.len()),
            ));
        }
        Ok(Run(match self {
            Model::Cpu(model) => State::Done(model.run(plan, input, observe, progress)?),
            Model::Gpu(model) => State::UnderWay(model.begin(plan, input, observe, progress).await?),
        }))
    }

    /// The result of a run that this model began. Runs are finished in the order in which they were begun.
    ///
    /// # Errors
    /// What the device reports, and runs that another model began.
    pub async fn finish(&mut self, run: Run, progress: &mut dyn FnMut(Progress)) -> Result<Output> {
        match (self, run.0) {
            (Model::Gpu(model), State::UnderWay(run)) => model.finish(run, progress).await,
            (_, State::Done(output)) => Ok(output),
            (Model::Cpu(_), State::UnderWay(_)) => {
                Err(Error::device("CPU", "the run was begun on a GPU; this is a mistake in i3d"))
            }
        }
    }
}

/// A run that has begun; see [`Model::begin`].
pub struct Run(State);

impl Run {
    /// Whether the result is there already, as it always is of the CPU backend.
    pub fn is_done(&self) -> bool {
        matches!(self.0, State::Done(_))
    }
}

enum State {
    Done(Output),
    UnderWay(GpuRun),
}
