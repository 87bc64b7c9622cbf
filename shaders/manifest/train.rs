//! The kernels of training, which run beside `conv3d` and `time_mean`: forwards what keeps or computes more than inference
//! does, and then all of the way back. Tensors have 32 bits.

use super::{CONV_PARAMS, Kernel, MEAN_PARAMS, NORM_PARAMS, PARTS_PARAMS, POOL_PARAMS, Twin, caller};
use crate::backend::{gpu, reference};

/// Mean and variance of every channel of a batch.
pub const NORM_MOMENTS: Kernel = Kernel {
    name: "norm_moments",
    file: "norm_moments.wgsl",
    source: include_str!("../norm_moments.wgsl"),
    params: NORM_PARAMS,
    reads: &[("values", "[rows, C]")],
    windows: &[],
    writes: &[("moments", "[2, C]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuTape::forward),
    twin: Twin::Norm(reference::norm_moments),
};

/// Batch norm with given statistics, offset and ReLU.
pub const NORM_OUTPUT: Kernel = Kernel {
    name: "norm_output",
    file: "norm_output.wgsl",
    source: include_str!("../norm_output.wgsl"),
    params: NORM_PARAMS,
    reads: &[("values", "[rows, C]"), ("moments", "[2, C]"), ("offset", "[C]")],
    windows: &[],
    writes: &[("output", "[rows, stored]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuTape::forward),
    twin: Twin::Norm(reference::norm_output),
};

/// Max pool that also writes which tap of its window every value came from.
pub const MAX_POOL3D_WINNERS: Kernel = Kernel {
    name: "max_pool3d_winners",
    file: "max_pool3d_winners.wgsl",
    source: include_str!("../max_pool3d_winners.wgsl"),
    params: POOL_PARAMS,
    reads: &[("input", "[N, T, H, W, C]")],
    windows: &[],
    writes: &[("output", "[N, To, Ho, Wo, C]"), ("winners", "[N, To, Ho, Wo, C]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuTape::forward),
    twin: Twin::Winners(reference::max_pool3d_winners),
};

/// Products with the factors of dropout; it changes the values in place.
pub const DROPOUT: Kernel = Kernel {
    name: "dropout",
    file: "dropout.wgsl",
    source: include_str!("../dropout.wgsl"),
    params: PARTS_PARAMS,
    reads: &[("factors", "[C]")],
    windows: &[],
    writes: &[("values", "[C]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuTape::forward),
    twin: Twin::Parts(reference::dropout),
};

/// Gradient of the input of a mean over time, added.
pub const TIME_MEAN_GRAD: Kernel = Kernel {
    name: "time_mean_grad",
    file: "time_mean_grad.wgsl",
    source: include_str!("../time_mean_grad.wgsl"),
    params: MEAN_PARAMS,
    reads: &[("output_grad", "[N, C]")],
    windows: &[],
    writes: &[("input_grad", "[N, T, C]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuTape::backward),
    twin: Twin::Mean(reference::time_mean_grad),
};

/// Gradient of an average pool's input, added.
pub const AVG_POOL3D_GRAD: Kernel = Kernel {
    name: "avg_pool3d_grad",
    file: "avg_pool3d_grad.wgsl",
    source: include_str!("../avg_pool3d_grad.wgsl"),
    params: POOL_PARAMS,
    reads: &[("output_grad", "[N, To, Ho, Wo, C]")],
    windows: &[],
    writes: &[("input_grad", "[N, T, H, W, C]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuTape::backward),
    twin: Twin::Pool(reference::avg_pool3d_grad),
};

/// Gradient of a max pool's input, added.
pub const MAX_POOL3D_GRAD: Kernel = Kernel {
    name: "max_pool3d_grad",
    file: "max_pool3d_grad.wgsl",
    source: include_str!("../max_pool3d_grad.wgsl"),
    params: POOL_PARAMS,
    reads: &[("winners", "[N, To, Ho, Wo, C]"), ("output_grad", "[N, To, Ho, Wo, C]")],
    windows: &[],
    writes: &[("input_grad", "[N, T, H, W, C]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuTape::backward),
    twin: Twin::PoolGrad(reference::max_pool3d_winners_grad),
};

/// What the way back through batch norm and ReLU has to know of all rows.
pub const NORM_SUMS: Kernel = Kernel {
    name: "norm_sums",
    file: "norm_sums.wgsl",
    source: include_str!("../norm_sums.wgsl"),
    params: NORM_PARAMS,
    reads: &[
        ("values", "[rows, C]"),
        ("moments", "[2, C]"),
        ("output", "[rows, stored]"),
        ("output_grad", "[rows, stored]"),
    ],
    windows: &[],
    writes: &[("sums", "[2, C]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuTape::backward),
    twin: Twin::Norm(reference::norm_sums),
};

/// The way back through batch norm and ReLU.
pub const NORM_GRAD: Kernel = Kernel {
    name: "norm_grad",
    file: "norm_grad.wgsl",
    source: include_str!("../norm_grad.wgsl"),
    params: NORM_PARAMS,
    reads: &[
        ("values", "[rows, C]"),
        ("moments", "[2, C]"),
        ("output", "[rows, stored]"),
        ("output_grad", "[rows, stored]"),
        ("sums", "[2, C]"),
    ],
    windows: &[],
    writes: &[("values_grad", "[rows, C]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuTape::backward),
    twin: Twin::Norm(reference::norm_grad),
};

/// Gradient of a convolution's bias.
pub const CONV3D_BIAS_GRAD: Kernel = Kernel {
    name: "conv3d_bias_grad",
    file: "conv3d_bias_grad.wgsl",
    source: include_str!("../conv3d_bias_grad.wgsl"),
    params: CONV_PARAMS,
    reads: &[("output_grad", "[N, To, Ho, Wo, Co]")],
    windows: &[],
    writes: &[("bias_grad", "[Co]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuTape::backward),
    twin: Twin::Bias(reference::conv3d_bias_grad),
};

/// Gradient of a convolution's weights, in parts that are still to be added.
pub const CONV3D_WEIGHT_GRAD: Kernel = Kernel {
    name: "conv3d_weight_grad",
    file: "conv3d_weight_grad.wgsl",
    source: include_str!("../conv3d_weight_grad.wgsl"),
    params: CONV_PARAMS,
    reads: &[("input", "[N, T, H, W, Ci]"), ("output_grad", "[N, To, Ho, Wo, Co]")],
    windows: &[],
    writes: &[("parts", "[parts, kT, kH, kW, Ci, Co]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuTape::backward),
    twin: Twin::ConvGrad(reference::conv3d_weight_parts),
};

/// Sums of parts.
pub const SUM_PARTS: Kernel = Kernel {
    name: "sum_parts",
    file: "sum_parts.wgsl",
    source: include_str!("../sum_parts.wgsl"),
    params: PARTS_PARAMS,
    reads: &[("parts", "[parts, values]")],
    windows: &[],
    writes: &[("sum", "[values]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuTape::backward),
    twin: Twin::Parts(reference::sum_parts),
};

/// Gradient of a convolution's input, added.
pub const CONV3D_INPUT_GRAD: Kernel = Kernel {
    name: "conv3d_input_grad",
    file: "conv3d_input_grad.wgsl",
    source: include_str!("../conv3d_input_grad.wgsl"),
    params: CONV_PARAMS,
    reads: &[("output_grad", "[N, To, Ho, Wo, Co]"), ("weight", "[kT, kH, kW, Ci, Co]")],
    windows: &[],
    writes: &[("input_grad", "[N, T, H, W, Ci]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuTape::backward),
    twin: Twin::ConvGrad(reference::conv3d_input_grad),
};
