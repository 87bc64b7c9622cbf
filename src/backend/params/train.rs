//! The parameters of the kernels that only training has.

use bytemuck::{Pod, Zeroable};

use super::ConvParams;
use crate::network::BATCH_NORM_EPSILON;

/// Parameters of `norm_moments.wgsl`, `norm_output.wgsl`, `norm_sums.wgsl` and `norm_grad.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable, PartialEq)]
pub struct NormParams {
    /// Rows, and in groups of four: channels, channels of the output as they are stored, first of them that is the unit's.
    pub shape: [u32; 4],
    /// 1 where the statistics are those of the rows, 0 where they are fixed; first work group of this dispatch; the rest is
    /// unused.
    pub mode: [u32; 4],
    /// What is added to variances; the rest is unused.
    pub factors: [f32; 4],
}

/// Parameters of `sum_parts.wgsl` and `dropout.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable, PartialEq, Eq)]
pub struct PartsParams {
    /// Parts, values of each in groups of four, first work group of this dispatch; the last is unused.
    pub shape: [u32; 4],
}

impl NormParams {
    /// Batch norm behind a convolution, with the statistics of its values or fixed ones.
    pub fn new(conv: &ConvParams, batch: bool) -> NormParams {
        let [_, channels, stored, first] = conv.channels;
        NormParams {
            shape: [conv.positions() as u32, channels, stored, first],
            mode: [u32::from(batch), 0, 0, 0],
            factors: [BATCH_NORM_EPSILON, 0.0, 0.0, 0.0],
        }
    }
}

impl PartsParams {
    /// `parts` of `values` values.
    pub fn new(parts: usize, values: usize) -> PartsParams {
        PartsParams { shape: [parts as u32, (values / 4) as u32, 0, 0] }
    }
}

impl ConvParams {
    /// Lines of the output: rows of positions, over clips, time and height.
    pub fn lines(&self) -> usize {
        self.output[..3].iter().map(|&n| n as usize).product()
    }

    /// Parts of the sum that is the gradient of the weights.
    pub fn parts(&self) -> usize {
        self.lines().div_ceil(self.source[3] as usize)
    }

    /// Values of the gradient of the weights, as they are stored.
    pub fn weights(&self) -> usize {
        let taps: u32 = self.kernel[..3].iter().product();
        (taps * self.kernel[3] * 4 * self.source[2]) as usize
    }
}
