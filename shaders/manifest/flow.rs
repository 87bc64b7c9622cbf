//! The kernels of optical flow.

use super::{FLOW_PARAMS, Kernel, Twin, caller};
use crate::backend::{gpu, reference};

/// Bilinear resizing of frames and flow between the levels of the pyramid.
pub const FLOW_RESIZE: Kernel = Kernel {
    name: "flow_resize",
    file: "flow_resize.wgsl",
    source: include_str!("../flow_resize.wgsl"),
    params: FLOW_PARAMS,
    reads: &[("input", "[N, Hs, Ws]")],
    windows: &[],
    writes: &[("output", "[N, H, W]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuFlow::flows),
    twin: Twin::Flow1(reference::flow_resize),
};

/// Central differences of frames.
pub const FLOW_GRADIENT: Kernel = Kernel {
    name: "flow_gradient",
    file: "flow_gradient.wgsl",
    source: include_str!("../flow_gradient.wgsl"),
    params: FLOW_PARAMS,
    reads: &[("input", "[N, H, W]")],
    windows: &[],
    writes: &[("output", "[2, N, H, W]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuFlow::flows),
    twin: Twin::Flow1(reference::flow_gradient),
};

/// The second frame of each pair, and its gradient, at the displaced positions.
pub const FLOW_WARP: Kernel = Kernel {
    name: "flow_warp",
    file: "flow_warp.wgsl",
    source: include_str!("../flow_warp.wgsl"),
    params: FLOW_PARAMS,
    reads: &[
        ("frames", "[N + 1, H, W]"),
        ("gradient", "[2, N + 1, H, W]"),
        ("state", "[6, N, H, W], [N, H, W/64]"),
    ],
    windows: &[],
    writes: &[("data", "[4, N, H, W]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuFlow::flows),
    twin: Twin::Flow3(reference::flow_warp),
};

/// 5x5 median of the flow.
pub const FLOW_MEDIAN: Kernel = Kernel {
    name: "flow_median",
    file: "flow_median.wgsl",
    source: include_str!("../flow_median.wgsl"),
    params: FLOW_PARAMS,
    reads: &[("state", "[6, N, H, W], [N, H, W/64]"), ("stopped", "[N]")],
    windows: &[],
    writes: &[("output", "[2, N, H, W]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuFlow::flows),
    twin: Twin::Flow2(reference::flow_median),
};

/// The flow's half of an iteration of TV-L1; it changes `u` in place.
pub const FLOW_STEP: Kernel = Kernel {
    name: "flow_step",
    file: "flow_step.wgsl",
    source: include_str!("../flow_step.wgsl"),
    params: FLOW_PARAMS,
    reads: &[("data", "[4, N, H, W]"), ("stopped", "[N]")],
    windows: &[],
    writes: &[("state", "[6, N, H, W], [N, H, W/64]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuFlow::flows),
    twin: Twin::Flow2(reference::flow_step),
};

/// The dual field's half of an iteration of TV-L1; it changes `p` in place.
pub const FLOW_DUAL: Kernel = Kernel {
    name: "flow_dual",
    file: "flow_dual.wgsl",
    source: include_str!("../flow_dual.wgsl"),
    params: FLOW_PARAMS,
    reads: &[("stopped", "[N]")],
    windows: &[],
    writes: &[("state", "[6, N, H, W], [N, H, W/64]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuFlow::flows),
    twin: Twin::Flow1(reference::flow_dual),
};

/// Marks the frame pairs whose iteration is done.
pub const FLOW_STOP: Kernel = Kernel {
    name: "flow_stop",
    file: "flow_stop.wgsl",
    source: include_str!("../flow_stop.wgsl"),
    params: FLOW_PARAMS,
    reads: &[("state", "[6, N, H, W], [N, H, W/64]")],
    windows: &[],
    writes: &[("stopped", "[N]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuFlow::flows),
    twin: Twin::Flow1(reference::flow_stop),
};
