//! The kernels that only the paper's other systems have.

use super::{CONV_PARAMS, Kernel, LSTM_PARAMS, Twin, caller};
use crate::backend::{gpu, reference};

/// A fully connected layer. Its twin is that of any convolution.
pub const LINEAR: Kernel = Kernel {
    name: "linear",
    file: "linear.wgsl",
    source: include_str!("../linear.wgsl"),
    params: CONV_PARAMS,
    reads: &[("input", "[N, T, H, W, Ci]"), ("weight", "[H, W, Ci, Co]"), ("bias", "[Co]")],
    windows: &[],
    writes: &[("output", "[N, T, Co]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::Conv(reference::conv3d),
};

/// One time step of long short-term memory; it reads what the steps before left in its outputs.
pub const LSTM: Kernel = Kernel {
    name: "lstm",
    file: "lstm.wgsl",
    source: include_str!("../lstm.wgsl"),
    params: LSTM_PARAMS,
    reads: &[("input", "[N, T, C]"), ("weight", "[C + H, H, 4], [H, 4], [2, steps, 9 H]")],
    windows: &[],
    writes: &[("trace", "[T, N, H, 16], [T, H, 28]"), ("output", "[N, T, H]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::Lstm(reference::lstm),
};

/// The same on the way back; it reads what the steps behind left in its outputs.
pub const LSTM_GRAD: Kernel = Kernel {
    name: "lstm_grad",
    file: "lstm_grad.wgsl",
    source: include_str!("../lstm_grad.wgsl"),
    params: LSTM_PARAMS,
    reads: &[("weight", "[C + H, H, 4], [H, 4], [2, steps, 9 H]"), ("output_grad", "[N, T, H]")],
    windows: &[],
    writes: &[
        ("trace", "[T, N, H, 16], [T, H, 28]"),
        ("input_gates", "[N, T, H, 4]"),
        ("state_gates", "[N, T, H, 4]"),
        ("bias_grad", "[H, 4]"),
    ],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::GpuTape::backward),
    twin: Twin::LstmGrad(reference::lstm_grad),
};
