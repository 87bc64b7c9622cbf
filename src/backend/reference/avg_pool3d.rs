//! Twin of `shaders/avg_pool3d.wgsl`.

use super::{Real, index, positions, taps};
use crate::backend::params::PoolParams;

/// Average pool over full windows: no padding, so every output divides by the whole window.
///
/// # Shapes
/// `input` `[N, T, H, W, 4 * window[3]]`, `output` `[N, To, Ho, Wo, 4 * window[3]]`
pub fn avg_pool3d<T: Real>(p: &PoolParams, input: &[T], output: &mut [T]) {
    let channels = 4 * p.window[3] as usize;
    let size = f64::from(p.window[0] * p.window[1] * p.window[2]);
    for at in positions(p.output) {
        for c in 0..channels {
            let values = taps(p.input, p.window, p.stride, p.pad, at)
                .map(|(_, position)| input[index(p.input, position) * channels + c].get());
            output[index(p.output, at) * channels + c] = T::of(values.sum::<f64>() / size);
        }
    }
}

/// Gradient of the loss with respect to the input of [`avg_pool3d`], added to `input_grad`.
///
/// # Shapes
/// `output_grad` as `output` there, `input_grad` as `input`.
pub fn avg_pool3d_grad<T: Real>(p: &PoolParams, output_grad: &[T], input_grad: &mut [T]) {
    let channels = 4 * p.window[3] as usize;
    let size = f64::from(p.window[0] * p.window[1] * p.window[2]);
    for at in positions(p.output) {
        for (_, position) in taps(p.input, p.window, p.stride, p.pad, at) {
            for c in 0..channels {
                let grad = output_grad[index(p.output, at) * channels + c].get() / size;
                let value = &mut input_grad[index(p.input, position) * channels + c];
                *value = T::of(value.get() + grad);
            }
        }
    }
}
