//! The one table of kernels: shader, bindings, parameters, variants, caller and twin.
//!
//! It sits beside the WGSL, so that a renamed shader, twin or caller is a compile error here. `tests/shaders.rs`
//! walks this folder and this table and accepts no difference between them.

use crate::backend::params::{ConvParams, MeanParams, PoolParams};
use crate::backend::{gpu, reference};

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
    /// The last binding: what is written, with its shape.
    pub writes: (&'static str, &'static str),
    /// Values of `override` constants, one set per pipeline.
    pub variants: &'static [Variant],
    /// The function that dispatches it.
    pub caller: &'static str,
    /// The plain function that says what it must compute.
    pub twin: Twin,
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

/// A twin, by its signature.
#[derive(Debug, Clone, Copy)]
pub enum Twin {
    /// Parameters, input, weight, bias, output.
    Conv(ConvTwin),
    /// Parameters, input, output.
    Pool(fn(&PoolParams, &[f32], &mut [f32])),
    /// Parameters, input, output.
    Mean(fn(&MeanParams, &[f32], &mut [f32])),
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

const CONV_PARAMS: Layout = layout!(ConvParams { input, output, kernel, stride, pad, channels });
const POOL_PARAMS: Layout = layout!(PoolParams { input, output, window, stride, pad });
const MEAN_PARAMS: Layout = layout!(MeanParams { shape });

/// The opening 7x7x7 convolution with stride 2, for 2 or 3 channels. Its twin is that of any convolution.
pub const STEM: Kernel = Kernel {
    name: "stem",
    file: "stem.wgsl",
    source: include_str!("stem.wgsl"),
    params: CONV_PARAMS,
    reads: &[("input", "[N, T, H, W, 4]"), ("weight", "[7, 7, 7, C, Co]"), ("bias", "[Co]")],
    writes: ("output", "[N, To, Ho, Wo, Co]"),
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
    writes: ("output", "[N, To, Ho, Wo, Co]"),
    variants: &[&[]],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::Conv(reference::conv3d),
};

/// Max pool in which padding never wins.
pub const MAX_POOL3D: Kernel = Kernel {
    name: "max_pool3d",
    file: "max_pool3d.wgsl",
    source: include_str!("max_pool3d.wgsl"),
    params: POOL_PARAMS,
    reads: &[("input", "[N, T, H, W, C]")],
    writes: ("output", "[N, To, Ho, Wo, C]"),
    variants: &[&[]],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::Pool(reference::max_pool3d),
};

/// Average pool over full windows.
pub const AVG_POOL3D: Kernel = Kernel {
    name: "avg_pool3d",
    file: "avg_pool3d.wgsl",
    source: include_str!("avg_pool3d.wgsl"),
    params: POOL_PARAMS,
    reads: &[("input", "[N, T, H, W, C]")],
    writes: ("output", "[N, To, Ho, Wo, C]"),
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
    writes: ("output", "[N, C]"),
    variants: &[&[]],
    caller: caller!(gpu::lowering::lower),
    twin: Twin::Mean(reference::time_mean),
};

/// Every kernel, in the order in which the network meets them.
pub const ALL: &[&Kernel] = &[&STEM, &MAX_POOL3D, &CONV3D, &AVG_POOL3D, &TIME_MEAN];
