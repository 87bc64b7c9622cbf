//! Twin of `shaders/conv3d.wgsl`, `shaders/stem.wgsl` and `shaders/stem_uniform.wgsl`.

use super::{index, positions, taps};
use crate::backend::params::ConvParams;

/// Convolution with zero padding, bias and optional ReLU, written at a channel offset, or, if `source[3]` is 1,
/// added to what is there.
///
/// # Shapes
/// - `input` `[N, T, H, W, 4 * channels[0]]`; the `kernel[3]` channels from `4 * source[0]` are read
/// - `weight` `[kT, kH, kW, kernel[3], 4 * source[2]]`
/// - `bias` `[4 * channels[1]]`
/// - `output` `[N, To, Ho, Wo, 4 * channels[2]]`, of which channels from `4 * channels[3]` are written
pub fn conv3d(p: &ConvParams, input: &[f32], weight: &[f32], bias: &[f32], output: &mut [f32]) {
    let [in_channels, out_channels, out_stride, out_offset] = p.channels.map(|c| 4 * c as usize);
    let [_, kh, kw, weight_rows] = p.kernel.map(|k| k as usize);
    let row_weights = 4 * p.source[2] as usize;
    for at in positions(p.output) {
        for co in 0..out_channels {
            let mut sum = f64::from(bias[co]);
            for ([t, y, x], position) in taps(p.input, p.kernel, p.stride, p.pad, at) {
                let row = ((t * kh + y) * kw + x) * weight_rows;
                let base = index(p.input, position) * in_channels + 4 * p.source[0] as usize;
                for ci in 0..weight_rows {
                    sum += f64::from(input[base + ci]) * f64::from(weight[(row + ci) * row_weights + co]);
                }
            }
            let relu = p.stride[3] == 1;
            let value = &mut output[index(p.output, at) * out_stride + out_offset + co];
            if p.source[3] == 1 {
                sum += f64::from(*value);
            }
            *value = if relu { sum.max(0.0) as f32 } else { sum as f32 };
        }
    }
}
