//! The GPU backend: the plan as WGSL kernels through wgpu.

mod device;
mod flow;
mod head;
mod kernel;
mod launch;
mod lowering;
#[path = "../../../shaders/manifest.rs"]
pub mod manifest;
mod model;
mod numbers;
mod pacer;
mod peaks;
mod probe;
mod product;
mod store;
mod submission;
mod tape;
mod tune;
mod under_way;
mod variants;
mod weights;
mod winograd;

pub use device::{Adapter, AdapterKind, Gpu, WEBGPU, adapters};
pub use flow::GpuFlow;
pub use kernel::Pipeline;
pub use launch::work_groups;
pub use model::{GpuModel, GpuRun};
pub use store::DeviceStore;
pub use tape::GpuTape;
pub use tune::{Case, Reference, Trial, Verdict, tune};
pub use variants::{Class, Products, Variants};
