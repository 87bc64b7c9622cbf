//! Twins of `shaders/norm_moments.wgsl`, `norm_output.wgsl`, `norm_sums.wgsl` and `norm_grad.wgsl`: batch norm with ReLU in
//! the steps in which a GPU takes it, on the unit's channels of a wider output. `batch_norm.rs` has it in one piece.
//!
//! Each takes what its kernel binds for reading, in that order.

use super::batch_norm::{inverse, moments};
use crate::backend::params::NormParams;

/// Where the values of `p` lie: in tensors of the unit's channels, and in its output.
fn places(p: &NormParams) -> impl Iterator<Item = (usize, usize, usize)> {
    let [rows, channels, stored, first] = p.shape.map(|n| n as usize);
    let channels = 4 * channels;
    (0..rows * channels).map(move |i| (i, i / channels * 4 * stored + 4 * first + i % channels, i % channels))
}

/// `(value - mean) / sqrt(variance + eps)` of value `i`, channel `c`, and what it was divided by.
fn normal(p: &NormParams, values: &[f32], statistics: &[f32], i: usize, c: usize) -> (f64, f64) {
    let (mean, variance) = statistics.split_at(4 * p.shape[1] as usize);
    let inverse = inverse(f64::from(variance[c]));
    ((f64::from(values[i]) - f64::from(mean[c])) * inverse, inverse)
}

/// Mean and variance of every channel.
///
/// # Shapes
/// `values` `[rows, channels]` to `[2, channels]`
pub fn norm_moments(p: &NormParams, reads: &[&[f32]], output: &mut [f32]) {
    let channels = 4 * p.shape[1] as usize;
    let (mean, variance) = moments(reads[0], channels);
    output[..channels].copy_from_slice(&mean);
    output[channels..].copy_from_slice(&variance);
}

/// `max(0, (x - mean) / sqrt(variance + eps) + offset)`.
///
/// # Shapes
/// `values` `[rows, channels]`, mean and variance `[2, channels]`, `offset` `[channels]` to `[rows, stored]`
pub fn norm_output(p: &NormParams, reads: &[&[f32]], output: &mut [f32]) {
    for (i, at, c) in places(p) {
        let (normal, _) = normal(p, reads[0], reads[1], i, c);
        output[at] = (normal + f64::from(reads[2][c])).max(0.0) as f32;
    }
}

/// Sums over rows of the gradient that ReLU lets pass, and of its product with the normalised values.
///
/// # Shapes
/// `values` `[rows, channels]`, mean and variance `[2, channels]`, output and its gradient `[rows, stored]` to `[2, channels]`
pub fn norm_sums(p: &NormParams, reads: &[&[f32]], output: &mut [f32]) {
    let channels = 4 * p.shape[1] as usize;
    let mut sums = vec![0.0; 2 * channels];
    for (i, at, c) in places(p) {
        let (normal, _) = normal(p, reads[0], reads[1], i, c);
        let grad = if reads[2][at] > 0.0 { f64::from(reads[3][at]) } else { 0.0 };
        sums[c] += grad;
        sums[channels + c] += grad * normal;
    }
    output.iter_mut().zip(sums).for_each(|(output, sum)| *output = sum as f32);
}

/// Gradient of the loss with respect to the values.
///
/// # Shapes
/// What [`norm_sums`] reads, and what it gives, to `[rows, channels]`
pub fn norm_grad(p: &NormParams, reads: &[&[f32]], output: &mut [f32]) {
    let channels = 4 * p.shape[1] as usize;
    let rows = f64::from(p.shape[0]);
    for (i, at, c) in places(p) {
        let (normal, inverse) = normal(p, reads[0], reads[1], i, c);
        let grad = if reads[2][at] > 0.0 { f64::from(reads[3][at]) } else { 0.0 };
        let sum = |which: usize| f64::from(reads[4][which * channels + c]);
        let through = if p.mode[0] == 1 { (sum(0) + normal * sum(1)) / rows } else { 0.0 };
        output[i] = (inverse * (grad - through)) as f32;
    }
}
