//! The one table of kernels: shader, bindings, parameters, variants, caller and twin.
//!
//! It sits beside the WGSL, so that a renamed shader, twin or caller is a compile error here. `tests/shaders.rs`
//! walks this folder and this table and accepts no difference between them.

#[path = "manifest/flow.rs"]
mod flow;
#[path = "manifest/lstm.rs"]
mod lstm;
#[path = "manifest/train.rs"]
mod train;

pub use flow::{FLOW_DUAL, FLOW_GRADIENT, FLOW_MEDIAN, FLOW_RESIZE, FLOW_STEP, FLOW_STOP, FLOW_WARP};
pub use lstm::{LINEAR, LSTM, LSTM_GRAD};
pub use train::{
    AVG_POOL3D_GRAD, CONV3D_BIAS_GRAD, CONV3D_INPUT_GRAD, CONV3D_WEIGHT_GRAD, DROPOUT, MAX_POOL3D_GRAD,
    MAX_POOL3D_WINNERS, NORM_GRAD, NORM_MOMENTS, NORM_OUTPUT, NORM_SUMS, SUM_PARTS, TIME_MEAN_GRAD,
};

use crate::backend::params::{
    ConvParams, FlowParams, GemmParams, HeadParams, LstmParams, MeanParams, NormParams, PartsParams,
    PoolParams, WinoParams,
};
use crate::backend::{gpu, reference};
use crate::plan::Precision;

/// Values of a shader's `override` constants.
pub type Variant = &'static [(&'static str, f64)];

/// A WGSL kernel and everything that belongs to it.
#[derive(Debug)]
pub struct Kernel {
    /// Name, the same as the shader's file stem and the twin's name unless said otherwise.
    pub name: &'static str,
    /// File in `shaders/`.
    pub file: &'static str,
    /// The WGSL text.
    pub source: &'static str,
    /// Binding 0: layout of the Rust struct that `struct Params` must match.
    pub params: Layout,
    /// Bindings from 1: what is read, with shapes.
    pub reads: &'static [(&'static str, &'static str)],
    /// Those of the reads that are windows of uniform memory, moved by dynamic offsets, with their size in bytes.
    pub windows: &'static [(&'static str, u64)],
    /// The last bindings: what is written, with shapes.
    pub writes: &'static [(&'static str, &'static str)],
    /// The bindings whose numbers are stored as the network's are, in the shader of type `Stored`; all others have 32 bits.
    pub stored: &'static [&'static str],
    /// Values of `override` constants, one set per pipeline.
    pub variants: &'static [Variant],
    /// The function that dispatches it.
    pub caller: &'static str,
    /// The plain function that says what it must compute.
    pub twin: Twin,
}

impl Kernel {
    /// How its tensors can be stored.
    pub fn precisions(&self) -> &'static [Precision] {
        if self.stored.is_empty() { &[Precision::F32] } else { &[Precision::F32, Precision::F16] }
    }

    /// The shader for tensors stored as `precision` says: where there are any, `shaders/stored/` says what `Stored` is, and
    /// those that call `relu` get it from `shaders/shared/`. What is added begins no line before the text's own, so that the
    /// numbers of lines in messages stay right.
    pub fn wgsl(&self, precision: Precision) -> String {
        let (first, last) = match precision {
            _ if self.stored.is_empty() => ("", ""),
            Precision::F32 => ("", include_str!("stored/f32.wgsl")),
            Precision::F16 => ("enable f16; ", include_str!("stored/f16.wgsl")),
        };
        let relu = if self.source.contains("relu(") { include_str!("shared/relu.wgsl") } else { "" };
        format!("{first}{}{relu}{last}", self.source)
    }

    /// The size of the window through which `name` is read, if it is.
    pub fn window(&self, name: &str) -> Option<u64> {
        self.windows.iter().find(|(window, _)| *window == name).map(|(_, size)| *size)
    }
}

/// Name, size and field offsets of a parameter struct.
#[derive(Debug)]
pub struct Layout {
    /// The Rust type.
    pub name: &'static str,
    /// Bytes.
    pub size: usize,
    /// Field names with their offsets in bytes.
    pub fields: &'static [(&'static str, usize)],
}

/// Signature of a convolution's twin: parameters, input, weight, bias, output.
pub type ConvTwin = fn(&ConvParams, &[f32], &[f32], &[f32], &mut [f32]);

/// Signature of a twin of optical flow with three inputs: parameters, inputs, output.
pub type FlowTwin = fn(&FlowParams, &[f32], &[f32], &[f32], &mut [f32]);

/// Signature of a matrix product's twin: parameters, whether to add to the outputs, input, weight, bias, both outputs.
pub type GemmTwin = fn(&GemmParams, bool, &[f32], &[f32], &[f32], [&mut [f32]; 2]);

/// Signature of the head's twin: parameters, input, weight, bias, features, logits per step, logits.
pub type HeadTwin = fn(&HeadParams, &[f32], &[f32], &[f32], [&mut [f32]; 3]);

/// Signature of an LSTM's twin: parameters, input, weights, trace, output.
pub type LstmTwin = fn(&LstmParams, &[f32], &[f32], &mut [f32], &mut [f32]);

/// Signature of the twin of its gradient: parameters, weights, output's gradient, trace, gradients of both kinds of gates and of
/// the bias.
pub type LstmGradTwin = fn(&LstmParams, &[f32], &[f32], &mut [f32], [&mut [f32]; 3]);

/// Signature of a twin of batch norm: parameters, everything that is read in the order of the bindings, output.
pub type NormTwin = fn(&NormParams, &[&[f32]], &mut [f32]);

/// Signature of the twin of a max pool with winners: parameters, input, output, winners.
pub type WinnersTwin = fn(&PoolParams, &[f32], [&mut [f32]; 2]);

/// A twin, by its signature.
#[derive(Debug, Clone, Copy)]
pub enum Twin {
    /// Parameters, input, weight, bias, output.
    Conv(ConvTwin),
    /// Parameters, input, output.
    Pool(fn(&PoolParams, &[f32], &mut [f32])),
    /// Parameters, whether to add to the outputs (the override `ADD`), input, weight, bias, both outputs.
    Gemm(GemmTwin),
    /// Parameters, input, output.
    WinoIn(fn(&WinoParams, &[f32], &mut [f32])),
    /// Parameters, input, bias, output.
    WinoOut(fn(&WinoParams, &[f32], &[f32], &mut [f32])),
    /// Parameters, input, weight, bias, the three outputs.
    Head(HeadTwin),
    /// Parameters, input, output.
    Mean(fn(&MeanParams, &[f32], &mut [f32])),
    /// Parameters, input, output.
    Flow1(fn(&FlowParams, &[f32], &mut [f32])),
    /// Parameters, two inputs, output.
    Flow2(fn(&FlowParams, &[f32], &[f32], &mut [f32])),
    /// Parameters, three inputs, output.
    Flow3(FlowTwin),
    /// Parameters, output's gradient, bias' gradient.
    Bias(fn(&ConvParams, &[f32], &mut [f32])),
    /// Parameters, two inputs, gradient.
    ConvGrad(fn(&ConvParams, &[f32], &[f32], &mut [f32])),
    /// Parameters, everything that is read, output.
    Norm(NormTwin),
    /// Parameters, input, output.
    Parts(fn(&PartsParams, &[f32], &mut [f32])),
    /// Parameters, input, weights, trace, output.
    Lstm(LstmTwin),
    /// Parameters, weights, output's gradient, trace, the three gradients.
    LstmGrad(LstmGradTwin),
    /// Parameters, input, output and winners.
    Winners(WinnersTwin),
    /// Parameters, winners, output's gradient, input's gradient.
    PoolGrad(fn(&PoolParams, &[f32], &[f32], &mut [f32])),
}

/// Layout of a parameter struct, field for field.
macro_rules! layout {
    ($type:ident { $($field:ident),* }) => {
        Layout {
            name: stringify!($type),
            size: size_of::<$type>(),
            fields: &[$((stringify!($field), std::mem::offset_of!($type, $field))),*],
        }
    };
}

/// The path of a function as text, checked by the compiler.
macro_rules! caller {
    ($($path:tt)*) => {{
        let _ = $($path)*;
        stringify!($($path)*)
    }};
}
use caller;

const CONV_PARAMS: Layout = layout!(ConvParams { input, output, kernel, stride, pad, channels, source });
const POOL_PARAMS: Layout = layout!(PoolParams { input, output, window, stride, pad });
const GEMM_PARAMS: Layout =
    layout!(GemmParams { rows, input, output, channels, place, image, pooled, window, stride, pad });
const WINO_PARAMS: Layout = layout!(WinoParams { image, tiles, frames, pad, channels, pool });
const HEAD_PARAMS: Layout = layout!(HeadParams { input, head, first });
const MEAN_PARAMS: Layout = layout!(MeanParams { shape });
const FLOW_PARAMS: Layout = layout!(FlowParams { size, source, factors });
const NORM_PARAMS: Layout = layout!(NormParams { shape, mode, factors });
const LSTM_PARAMS: Layout = layout!(LstmParams { shape, step, factors });
const PARTS_PARAMS: Layout = layout!(PartsParams { shape });

/// The opening 7x7x7 convolution with stride 2, for 2 or 3 channels. Its twin is that of any convolution.
pub const STEM: Kernel = Kernel {
    name: "stem",
    file: "stem.wgsl",
    source: include_str!("stem.wgsl"),
    params: CONV_PARAMS,
    reads: &[("input", "[N, T, H, W, 4]"), ("weight", "[7, 7, 7, C, Co]"), ("bias", "[Co]")],
    windows: &[],
    writes: &[("output", "[N, To, Ho, Wo, Co]")],
    stored: &["input", "weight", "output"],
    variants: &[&[("CHANNELS", 2.0)], &[("CHANNELS", 3.0)]],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::Conv(reference::conv3d),
};

/// The opening convolution on software adapters, some taps in time at once. Its twin is that of any convolution.
pub const STEM_UNIFORM: Kernel = Kernel {
    name: "stem_uniform",
    file: "stem_uniform.wgsl",
    source: include_str!("stem_uniform.wgsl"),
    params: CONV_PARAMS,
    reads: &[("input", "[N, T, H, W, 4]"), ("weight", "[taps, 7, 7, C, 32]"), ("bias", "[32]")],
    windows: &[("weight", 1 << 16), ("bias", 1 << 8)],
    writes: &[("output", "[N, To, Ho, Wo, Co]")],
    stored: &[],
    variants: &[&[("CHANNELS", 2.0)], &[("CHANNELS", 3.0)]],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::Conv(reference::conv3d),
};

/// Convolution of any kernel, stride and padding, with bias, ReLU and channel offset.
pub const CONV3D: Kernel = Kernel {
    name: "conv3d",
    file: "conv3d.wgsl",
    source: include_str!("conv3d.wgsl"),
    params: CONV_PARAMS,
    reads: &[("input", "[N, T, H, W, Ci]"), ("weight", "[kT, kH, kW, Ci, Co]"), ("bias", "[Co]")],
    windows: &[],
    writes: &[("output", "[N, To, Ho, Wo, Co]")],
    stored: &["input", "weight", "output"],
    variants: &[&[]],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::Conv(reference::conv3d),
};

/// A variant of `gemm.wgsl`: rows and columns of a tile, channels of a step, rows and columns of an invocation, pooling.
macro_rules! tile {
    ($rows:literal, $columns:literal, $depth:literal, $tall:literal, $wide:literal, $pool:literal) => {
        &[
            ("ROWS", $rows),
            ("COLUMNS", $columns),
            ("DEPTH", $depth),
            ("TALL", $tall),
            ("WIDE", $wide),
            ("POOL", $pool),
        ]
    };
}

/// The tiles of `gemm.wgsl`, first without, then with a pool before it.
pub const GEMM_TILES: [[Variant; 5]; 2] = [
    [
        tile!(32.0, 8.0, 2.0, 1.0, 1.0, 0.0),
        tile!(64.0, 16.0, 4.0, 1.0, 1.0, 0.0),
        tile!(64.0, 16.0, 4.0, 1.0, 2.0, 0.0),
        tile!(64.0, 16.0, 4.0, 2.0, 2.0, 0.0),
        tile!(32.0, 16.0, 4.0, 1.0, 2.0, 0.0),
    ],
    [
        tile!(32.0, 8.0, 2.0, 1.0, 1.0, 1.0),
        tile!(64.0, 16.0, 4.0, 1.0, 1.0, 1.0),
        tile!(64.0, 16.0, 4.0, 1.0, 2.0, 1.0),
        tile!(64.0, 16.0, 4.0, 2.0, 2.0, 1.0),
        tile!(32.0, 16.0, 4.0, 1.0, 2.0, 1.0),
    ],
];

/// Matrix products on graphics cards: 1x1x1 convolutions of one input side by side, and the products of Winograd's.
pub const GEMM: Kernel = Kernel {
    name: "gemm",
    file: "gemm.wgsl",
    source: include_str!("gemm.wgsl"),
    params: GEMM_PARAMS,
    reads: &[("input", "[points, rows, Ci]"), ("weight", "[points, taps, Ci, Co]"), ("bias", "[Co]")],
    windows: &[],
    writes: &[("output", "[points, rows, Co]"), ("other", "[rows, Co]")],
    stored: &["input", "weight", "output", "other"],
    variants: GEMM_TILES.as_flattened(),
    caller: caller!(gpu::lowering::lower),
    twin: Twin::Gemm(reference::gemm),
};

/// The same for software adapters. Its twin is that of `gemm`.
pub const GEMM_UNIFORM: Kernel = Kernel {
    name: "gemm_uniform",
    file: "gemm_uniform.wgsl",
    source: include_str!("gemm_uniform.wgsl"),
    params: GEMM_PARAMS,
    reads: &[("input", "[rows, Ci]"), ("weight", "[taps, Ci, Co]"), ("bias", "[Co]")],
    windows: &[("weight", 1 << 16), ("bias", 1 << 8)],
    writes: &[("output", "[rows, Co]")],
    stored: &[],
    variants: &[
        &[("COLUMNS", 8.0), ("ADD", 0.0)],
        &[("COLUMNS", 8.0), ("ADD", 1.0)],
        &[("COLUMNS", 16.0), ("ADD", 0.0)],
        &[("COLUMNS", 16.0), ("ADD", 1.0)],
    ],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::Gemm(reference::gemm),
};

/// Winograd's transform of inputs to points.
pub const WINO_IN: Kernel = Kernel {
    name: "wino_in",
    file: "wino_in.wgsl",
    source: include_str!("wino_in.wgsl"),
    params: WINO_PARAMS,
    reads: &[("input", "[N, T, H, W, Ci]")],
    windows: &[],
    writes: &[("output", "[36, frames, tiles, Ci]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::WinoIn(reference::wino_in),
};

/// Winograd's transform of products to outputs, with bias, ReLU and channel offset.
pub const WINO_OUT: Kernel = Kernel {
    name: "wino_out",
    file: "wino_out.wgsl",
    source: include_str!("wino_out.wgsl"),
    params: WINO_PARAMS,
    reads: &[("input", "[36, frames, tiles, Co]"), ("bias", "[Co]")],
    windows: &[],
    writes: &[("output", "[N, T, H, W, Co]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::WinoOut(reference::wino_out),
};

/// The same with the max pool of 1x3x3 and stride 1x2x2 behind it.
pub const WINO_POOL: Kernel = Kernel {
    name: "wino_pool",
    file: "wino_pool.wgsl",
    source: include_str!("wino_pool.wgsl"),
    params: WINO_PARAMS,
    reads: &[("input", "[36, frames, tiles, Co]"), ("bias", "[Co]")],
    stored: &[],
    windows: &[],
    writes: &[("output", "[N, T, Ho, Wo, Co]")],
    variants: &[&[]],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::WinoOut(reference::wino_pool),
};

/// Max pool in which padding never wins.
pub const MAX_POOL3D: Kernel = Kernel {
    name: "max_pool3d",
    file: "max_pool3d.wgsl",
    source: include_str!("max_pool3d.wgsl"),
    params: POOL_PARAMS,
    reads: &[("input", "[N, T, H, W, C]")],
    windows: &[],
    writes: &[("output", "[N, To, Ho, Wo, C]")],
    stored: &["input", "output"],
    variants: &[&[]],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::Pool(reference::max_pool3d),
};

/// Average pool over whole frames, classifier and mean over time. First the variant for graphics cards, which are occupied
/// by many work groups, then that for software adapters, where each repeats the pooling for nothing.
pub const HEAD: Kernel = Kernel {
    name: "head",
    file: "head.wgsl",
    source: include_str!("head.wgsl"),
    params: HEAD_PARAMS,
    reads: &[("input", "[N, T, H, W, C]"), ("weight", "[C, classes]"), ("bias", "[classes]")],
    stored: &["input"],
    windows: &[],
    writes: &[("features", "[N, T', C]"), ("per_step", "[N, T', classes]"), ("logits", "[N, classes]")],
    variants: &[&[("CLASSES", 8.0)], &[("CLASSES", 64.0)]],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::Head(reference::head),
};

/// Average pool over full windows.
pub const AVG_POOL3D: Kernel = Kernel {
    name: "avg_pool3d",
    file: "avg_pool3d.wgsl",
    source: include_str!("avg_pool3d.wgsl"),
    params: POOL_PARAMS,
    reads: &[("input", "[N, T, H, W, C]")],
    windows: &[],
    writes: &[("output", "[N, To, Ho, Wo, C]")],
    stored: &["input"],
    variants: &[&[]],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::Pool(reference::avg_pool3d),
};

/// Mean over time of the logits.
pub const TIME_MEAN: Kernel = Kernel {
    name: "time_mean",
    file: "time_mean.wgsl",
    source: include_str!("time_mean.wgsl"),
    params: MEAN_PARAMS,
    reads: &[("input", "[N, T, C]")],
    windows: &[],
    writes: &[("output", "[N, C]")],
    stored: &[],
    variants: &[&[]],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::Mean(reference::time_mean),
};

/// Every kernel: the network's in the order in which it meets them, those of the other systems, of optical flow, and of training.
pub const ALL: &[&Kernel] = &[
    &STEM,
    &STEM_UNIFORM,
    &MAX_POOL3D,
    &CONV3D,
    &GEMM,
    &GEMM_UNIFORM,
    &WINO_IN,
    &WINO_OUT,
    &WINO_POOL,
    &HEAD,
    &AVG_POOL3D,
    &TIME_MEAN,
    &LINEAR,
    &LSTM,
    &LSTM_GRAD,
    &FLOW_RESIZE,
    &FLOW_GRADIENT,
    &FLOW_WARP,
    &FLOW_MEDIAN,
    &FLOW_STEP,
    &FLOW_DUAL,
    &FLOW_STOP,
    &NORM_MOMENTS,
    &NORM_OUTPUT,
    &MAX_POOL3D_WINNERS,
    &DROPOUT,
    &TIME_MEAN_GRAD,
    &AVG_POOL3D_GRAD,
    &MAX_POOL3D_GRAD,
    &NORM_SUMS,
    &NORM_GRAD,
    &CONV3D_BIAS_GRAD,
    &CONV3D_WEIGHT_GRAD,
    &SUM_PARTS,
    &CONV3D_INPUT_GRAD,
];
