//! Twin of `shaders/time_mean.wgsl`.

use super::Real;
use crate::backend::params::MeanParams;

/// Mean over time, of the steps from `shape[3]` on.
///
/// # Shapes
/// `input` `[N, T, 4 * shape[2]]`, `output` `[N, 4 * shape[2]]`
pub fn time_mean<T: Real>(p: &MeanParams, input: &[T], output: &mut [T]) {
    let [n, steps, groups, first] = p.shape.map(|v| v as usize);
    let channels = 4 * groups;
    for (clip, out) in output.chunks_exact_mut(channels).take(n).enumerate() {
        for (c, value) in out.iter_mut().enumerate() {
            let sum: f64 = (first..steps).map(|t| input[(clip * steps + t) * channels + c].get()).sum();
            *value = T::of(sum / (steps - first) as f64);
        }
    }
}

/// Gradient of the loss with respect to the input of [`time_mean`], added to `input_grad`.
///
/// # Shapes
/// `output_grad` as `output` there, `input_grad` as `input`.
pub fn time_mean_grad<T: Real>(p: &MeanParams, output_grad: &[T], input_grad: &mut [T]) {
    let [_, steps, groups, first] = p.shape.map(|v| v as usize);
    let channels = 4 * groups;
    for (at, value) in input_grad.iter_mut().enumerate() {
        let step = at / channels;
        if step % steps >= first {
            let grad = output_grad[step / steps * channels + at % channels].get() / (steps - first) as f64;
            *value = T::of(value.get() + grad);
        }
    }
}
