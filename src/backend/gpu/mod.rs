//! The GPU backend: the plan as WGSL kernels through wgpu.

mod device;
mod flow;
mod kernel;
mod lowering;
#[path = "../../../shaders/manifest.rs"]
pub mod manifest;
mod model;
mod pacer;
mod peaks;
mod probe;

pub use device::{Adapter, AdapterKind, Gpu, adapters};
pub use flow::GpuFlow;
pub use kernel::Pipeline;
pub use lowering::work_groups;
pub use model::GpuModel;
