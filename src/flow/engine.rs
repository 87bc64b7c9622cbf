//! Flow on whichever device runs the networks.

use crate::backend::Device;
use crate::backend::cpu::thread_pool;
use crate::backend::gpu::GpuFlow;
use crate::error::Result;

use super::{Flow, Gray, Tvl1, flows_from_frames};

/// TV-L1 on a device.
pub enum FlowEngine {
    /// On the CPU.
    Cpu {
        /// Parameters of TV-L1.
        parameters: Tvl1,
        /// Threads of its own, or none for those of the current rayon pool.
        pool: Option<rayon::ThreadPool>,
    },
    /// On a GPU.
    Gpu(Box<GpuFlow>),
}

impl FlowEngine {
    /// TV-L1 with these parameters on `device`.
    ///
    /// # Errors
    /// Parameters out of range.
    pub fn new(device: &Device, parameters: &Tvl1) -> Result<FlowEngine> {
        parameters.validate()?;
        Ok(match device {
            Device::Cpu { threads } => {
                FlowEngine::Cpu { parameters: *parameters, pool: thread_pool(*threads)? }
            }
            Device::Gpu(gpu) => FlowEngine::Gpu(Box::new(GpuFlow::new(gpu.clone(), parameters)?)),
        })
    }

    /// The flow from every frame to the next.
    ///
    /// # Shapes
    /// T frames `[H, W]`; returns T - 1 flows `[H, W, 2]`.
    ///
    /// # Errors
    /// Fewer than two frames, frames of different sizes, and what the device reports.
    pub async fn flows(&mut self, frames: &[Gray]) -> Result<Vec<Flow>> {
        match self {
            FlowEngine::Cpu { parameters, pool: Some(pool) } => {
                pool.install(|| flows_from_frames(frames, parameters))
            }
            FlowEngine::Cpu { parameters, pool: None } => flows_from_frames(frames, parameters),
            FlowEngine::Gpu(gpu) => gpu.flows(frames).await,
        }
    }
}
