//! The parameters of every kernel, as WGSL, the twins and the lowering see them.
//!
//! Field for field the `struct Params` of the shader of the same name; `tests/shaders.rs` compares the layouts.

use bytemuck::{Pod, Zeroable};

mod flow;
mod gemm;
mod lstm;
mod train;

pub use flow::FlowParams;
pub use gemm::{GemmParams, WinoParams};
pub use lstm::LstmParams;
pub use train::{NormParams, PartsParams};

use crate::plan::{Buffer, Kernel, Plan, Step, Window};

/// Parameters of `conv3d.wgsl`, `stem.wgsl` and `stem_uniform.wgsl`, and of a convolution's gradients.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable, PartialEq, Eq)]
pub struct ConvParams {
    /// Input `[N, T, H, W]`.
    pub input: [u32; 4],
    /// Output `[N, T, H, W]`.
    pub output: [u32; 4],
    /// Kernel `[kT, kH, kW]`, and the rows of weights per tap: the input's channels for the stem, the stored channels read
    /// (the surplus rows are zero) elsewhere.
    pub kernel: [u32; 4],
    /// Stride `[T, H, W]`, and 1 for ReLU, 0 for none.
    pub stride: [u32; 4],
    /// Padding before `[T, H, W]` (signed), and the first work group of this dispatch (long steps are cut into several).
    pub pad: [u32; 4],
    /// In groups of four channels: stored input channels, output channels written, stored channels of the output
    /// buffer, first of them that is written.
    pub channels: [u32; 4],
    /// In groups of four channels: first input channel read, input channels read, weights per row. 1 for `stem_uniform.wgsl`
    /// to add to what the output holds; for `conv3d_weight_grad.wgsl` lines of the output that make a part.
    pub source: [u32; 4],
}

/// Parameters of `max_pool3d.wgsl`, `max_pool3d_winners.wgsl` and `avg_pool3d.wgsl`, and of their gradients.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable, PartialEq, Eq)]
pub struct PoolParams {
    /// Input `[N, T, H, W]`.
    pub input: [u32; 4],
    /// Output `[N, T, H, W]`.
    pub output: [u32; 4],
    /// Window `[T, H, W]`, and stored channels in groups of four.
    pub window: [u32; 4],
    /// Stride `[T, H, W]`, and outputs of a row that one invocation of `max_pool3d.wgsl` walks along: 1 where the window has
    /// more than three columns, and for `avg_pool3d.wgsl`.
    pub stride: [u32; 4],
    /// Padding before `[T, H, W]` (signed), and the first work group of this dispatch.
    pub pad: [u32; 4],
}

/// Parameters of `time_mean.wgsl` and `time_mean_grad.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable, PartialEq, Eq)]
pub struct MeanParams {
    /// Clips, time steps, stored channels of the output in groups of four, the first time step that counts. Streams that stand
    /// side by side are as many more time steps: in memory it is the same.
    pub shape: [u32; 4],
}

/// Parameters of `head.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable, PartialEq, Eq)]
pub struct HeadParams {
    /// `[N, T, H, W]` of what is pooled.
    pub input: [u32; 4],
    /// Frames of a window; in groups of four: channels, classes. 1 for the mean over time.
    pub head: [u32; 4],
    /// First work group of this dispatch; the rest is unused.
    pub first: [u32; 4],
}

/// `[N, T, H, W]` of a buffer.
pub(super) fn nthw(buffer: &Buffer) -> [u32; 4] {
    let s = buffer.shape;
    [s.n as u32, s.t as u32, s.h as u32, s.w as u32]
}

/// The padding before each axis; a negative number is stored as its two's complement, as `vec3<i32>(u32)` reads it.
pub(super) fn pad(window: Window) -> [u32; 4] {
    let [t, h, w] = window.pad_before.map(|p| p as i32 as u32);
    [t, h, w, 0]
}

fn four([a, b, c]: [usize; 3], d: usize) -> [u32; 4] {
    [a as u32, b as u32, c as u32, d as u32]
}

/// Whether `stem.wgsl` runs a convolution of this kernel, stride and input channels: the one that opens the network,
/// on 2 or 3 channels.
pub fn is_stem(kernel: [usize; 3], stride: [usize; 3], in_channels: usize) -> bool {
    matches!(in_channels, 2 | 3) && kernel == [7; 3] && stride == [2; 3]
}

impl ConvParams {
    /// The parameters of a convolution step, starting at work group 0.
    pub fn new(plan: &Plan, step: &Step, window: Window, relu: bool) -> ConvParams {
        let (input, output) = (&plan.buffers[step.input], &plan.buffers[step.output]);
        let rows = if is_stem(window.size, window.stride, input.shape.c) {
            input.shape.c
        } else {
            step.input_channels.next_multiple_of(4)
        };
        ConvParams {
            input: nthw(input),
            output: nthw(output),
            kernel: four(window.size, rows),
            stride: four(window.stride, usize::from(relu)),
            pad: pad(window),
            channels: [
                (input.stored_channels() / 4) as u32,
                step.channels.div_ceil(4) as u32,
                (output.stored_channels() / 4) as u32,
                (step.channel_offset / 4) as u32,
            ],
            source: [
                (step.input_offset / 4) as u32,
                step.input_channels.div_ceil(4) as u32,
                step.channels.div_ceil(4) as u32,
                0,
            ],
        }
    }

    /// Output positions over clips, time and space.
    pub fn positions(&self) -> usize {
        self.output.iter().map(|&n| n as usize).product()
    }
}

impl PoolParams {
    /// The parameters of a pooling step, starting at work group 0.
    pub fn new(plan: &Plan, step: &Step, window: Window) -> PoolParams {
        let (input, output) = (&plan.buffers[step.input], &plan.buffers[step.output]);
        PoolParams {
            input: nthw(input),
            output: nthw(output),
            window: four(window.size, input.stored_channels() / 4),
            stride: four(window.stride, 1),
            pad: pad(window),
        }
    }

    /// With walks along `outputs` outputs, or all of a row where it has fewer, if the window allows that.
    pub fn walking(mut self, outputs: usize) -> PoolParams {
        let most = if self.window[2] > 3 { 1 } else { self.output[3] };
        self.stride[3] = most.min(u32::try_from(outputs).unwrap_or(u32::MAX));
        self
    }

    /// Walks along rows of outputs, for four channels each.
    pub fn walks(&self) -> usize {
        let [n, t, height, width] = self.output;
        let walks = width.div_ceil(self.stride[3]);
        [n, t, height, walks, self.window[3]].iter().map(|&v| v as usize).product()
    }
}

impl MeanParams {
    /// The parameters of a mean over time.
    pub fn new(plan: &Plan, step: &Step) -> MeanParams {
        let (input, output) = (&plan.buffers[step.input], &plan.buffers[step.output]);
        let channels = output.stored_channels();
        let steps = input.shape.t * input.stored_channels() / channels;
        let first = match step.kernel {
            Kernel::TimeMean(first) => first,
            _ => 0,
        };
        MeanParams { shape: [input.shape.n as u32, steps as u32, (channels / 4) as u32, first as u32] }
    }
}

/// The parameters of any step as bytes-ready data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Params {
    /// A convolution.
    Conv(ConvParams),
    /// A max or average pool.
    Pool(PoolParams),
    /// A mean over time.
    Mean(MeanParams),
    /// The head of the network.
    Head(HeadParams),
    /// Matrix products.
    Gemm(GemmParams),
    /// A transform of Winograd's.
    Wino(WinoParams),
    /// A step of optical flow.
    Flow(FlowParams),
    /// Batch norm in training.
    Norm(NormParams),
    /// Parts of a sum.
    Parts(PartsParams),
    /// A time step of long short-term memory.
    Lstm(LstmParams),
}

impl Params {
    /// The parameters of `step`.
    pub fn new(plan: &Plan, step: &Step) -> Params {
        match step.kernel {
            Kernel::Conv { window, relu, .. } => Params::Conv(ConvParams::new(plan, step, window, relu)),
            Kernel::MaxPool(window) | Kernel::AvgPool(window) => {
                Params::Pool(PoolParams::new(plan, step, window))
            }
            Kernel::Lstm { .. } => Params::Lstm(LstmParams::new(plan, step, false)),
            Kernel::TimeMean(_) => Params::Mean(MeanParams::new(plan, step)),
        }
    }

    /// The uniform buffer's contents, with dispatch to begin at work group `first`.
    pub fn bytes(&self, first: u32) -> Vec<u8> {
        match *self {
            Params::Conv(mut p) => {
                p.pad[3] = first;
                bytemuck::bytes_of(&p).to_vec()
            }
            Params::Pool(mut p) => {
                p.pad[3] = first;
                bytemuck::bytes_of(&p).to_vec()
            }
            Params::Gemm(mut p) => {
                p.rows[1] = first;
                bytemuck::bytes_of(&p).to_vec()
            }
            Params::Wino(mut p) => {
                p.frames[1] = first;
                bytemuck::bytes_of(&p).to_vec()
            }
            Params::Head(mut p) => {
                p.first[0] = first;
                bytemuck::bytes_of(&p).to_vec()
            }
            Params::Norm(mut p) => {
                p.mode[1] = first;
                bytemuck::bytes_of(&p).to_vec()
            }
            Params::Parts(mut p) => {
                p.shape[2] = first;
                bytemuck::bytes_of(&p).to_vec()
            }
            Params::Lstm(mut p) => {
                p.step[3] = first;
                bytemuck::bytes_of(&p).to_vec()
            }
            Params::Mean(p) => bytemuck::bytes_of(&p).to_vec(),
            Params::Flow(p) => bytemuck::bytes_of(&p).to_vec(),
        }
    }
}
