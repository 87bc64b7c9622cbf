//! Twin of `shaders/conv3d.wgsl`, `shaders/stem.wgsl` and `shaders/stem_uniform.wgsl`.

use super::{Real, index, positions, taps};
use crate::backend::params::ConvParams;

/// Convolution with zero padding, bias and optional ReLU, written at a channel offset, or, if `source[3]` is 1,
/// added to what is there.
///
/// # Shapes
/// - `input` `[N, T, H, W, 4 * channels[0]]`; the `kernel[3]` channels from `4 * source[0]` are read
/// - `weight` `[kT, kH, kW, kernel[3], 4 * source[2]]`
/// - `bias` `[4 * channels[1]]`
/// - `output` `[N, To, Ho, Wo, 4 * channels[2]]`, of which channels from `4 * channels[3]` are written
pub fn conv3d<T: Real>(p: &ConvParams, input: &[T], weight: &[T], bias: &[T], output: &mut [T]) {
    let [in_channels, out_channels, out_stride, out_offset] = p.channels.map(|c| 4 * c as usize);
    let [_, kh, kw, weight_rows] = p.kernel.map(|k| k as usize);
    let row_weights = 4 * p.source[2] as usize;
    for at in positions(p.output) {
        for co in 0..out_channels {
            let mut sum = bias[co].get();
            for ([t, y, x], position) in taps(p.input, p.kernel, p.stride, p.pad, at) {
                let row = ((t * kh + y) * kw + x) * weight_rows;
                let base = index(p.input, position) * in_channels + 4 * p.source[0] as usize;
                for ci in 0..weight_rows {
                    sum += input[base + ci].get() * weight[(row + ci) * row_weights + co].get();
                }
            }
            let relu = p.stride[3] == 1;
            let value = &mut output[index(p.output, at) * out_stride + out_offset + co];
            if p.source[3] == 1 {
                sum += value.get();
            }
            *value = T::of(if relu { sum.max(0.0) } else { sum });
        }
    }
}

/// Gradient of the loss with respect to the input of [`conv3d`] without ReLU, added to `input_grad`.
///
/// # Shapes
/// `output_grad` as `output`, `weight` as there, `input_grad` as `input`.
pub fn conv3d_input_grad<T: Real>(p: &ConvParams, output_grad: &[T], weight: &[T], input_grad: &mut [T]) {
    let mut sums: Vec<f64> = input_grad.iter().map(|value| value.get()).collect();
    for_each_product(p, |input, weight_at, output| {
        sums[input] += output_grad[output].get() * weight[weight_at].get();
    });
    input_grad.iter_mut().zip(sums).for_each(|(value, sum)| *value = T::of(sum));
}

/// Gradients of the loss with respect to weight and bias of [`conv3d`] without ReLU, added to `weight_grad` and
/// `bias_grad`.
///
/// # Shapes
/// `input` as there, `output_grad` as `output`, `weight_grad` as `weight`, `bias_grad` as `bias`.
pub fn conv3d_weight_grad<T: Real>(
    p: &ConvParams,
    input: &[T],
    output_grad: &[T],
    weight_grad: &mut [T],
    bias_grad: &mut [T],
) {
    let mut sums: Vec<f64> = weight_grad.iter().map(|value| value.get()).collect();
    for_each_product(p, |input_at, weight, output| {
        sums[weight] += input[input_at].get() * output_grad[output].get();
    });
    weight_grad.iter_mut().zip(sums).for_each(|(value, sum)| *value = T::of(sum));
    let [_, _, out_stride, out_offset] = p.channels.map(|c| 4 * c as usize);
    for (co, value) in bias_grad.iter_mut().enumerate() {
        let grads = output_grad.chunks_exact(out_stride).map(|row| row[out_offset + co].get());
        *value = T::of(value.get() + grads.sum::<f64>());
    }
}

/// Twin of `shaders/conv3d_bias_grad.wgsl`: the second result of [`conv3d_weight_grad`].
///
/// # Shapes
/// As there.
pub fn conv3d_bias_grad(p: &ConvParams, output_grad: &[f32], bias_grad: &mut [f32]) {
    // Without rows of weights there are no products.
    let alone = ConvParams { kernel: [1, 1, 1, 0], ..*p };
    bias_grad.fill(0.0);
    conv3d_weight_grad(&alone, &[], output_grad, &mut [], bias_grad);
}

/// Twin of `shaders/conv3d_weight_grad.wgsl`: the first result of [`conv3d_weight_grad`] for every `source[3]` lines of the
/// output by themselves.
///
/// # Shapes
/// `parts` `[parts, kT, kH, kW, kernel[3], 4 * source[2]]`, the rest as there.
pub fn conv3d_weight_parts(p: &ConvParams, input: &[f32], output_grad: &[f32], parts: &mut [f32]) {
    let part = (p.source[3] * p.output[3] * 4 * p.channels[2]) as usize;
    let mut bias_grad = vec![0.0; 4 * p.channels[1] as usize];
    for (index, sum) in parts.chunks_exact_mut(p.weights()).enumerate() {
        let mut own = vec![0.0; output_grad.len()];
        let lines = index * part..((index + 1) * part).min(own.len());
        own[lines.clone()].copy_from_slice(&output_grad[lines]);
        sum.fill(0.0);
        conv3d_weight_grad(p, input, &own, sum, &mut bias_grad);
    }
}

/// Calls `product` with the indices of input, weight and output of every multiplication of [`conv3d`].
fn for_each_product(p: &ConvParams, mut product: impl FnMut(usize, usize, usize)) {
    let [in_channels, out_channels, out_stride, out_offset] = p.channels.map(|c| 4 * c as usize);
    let [_, kh, kw, weight_rows] = p.kernel.map(|k| k as usize);
    let row_weights = 4 * p.source[2] as usize;
    for at in positions(p.output) {
        let output = index(p.output, at) * out_stride + out_offset;
        for ([t, y, x], position) in taps(p.input, p.kernel, p.stride, p.pad, at) {
            let row = ((t * kh + y) * kw + x) * weight_rows;
            let base = index(p.input, position) * in_channels + 4 * p.source[0] as usize;
            for ci in 0..weight_rows {
                for co in 0..out_channels {
                    product(base + ci, (row + ci) * row_weights + co, output + co);
                }
            }
        }
    }
}
