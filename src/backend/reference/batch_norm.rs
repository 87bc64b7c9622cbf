//! Batch norm with offset and without scale, and ReLU, as units are trained; inference folds it into the convolution.

use super::Real;
use crate::network::BATCH_NORM_EPSILON;

/// Mean and variance over all rows, of every column.
///
/// # Shapes
/// `values` `[rows, channels]`; returns two of `[channels]`, the variance being that of all there are (divided by rows).
pub fn moments<T: Real>(values: &[T], channels: usize) -> (Vec<T>, Vec<T>) {
    let rows = (values.len() / channels) as f64;
    let column = |c: usize| values.iter().skip(c).step_by(channels).map(|value| value.get());
    let mean = |c: usize| column(c).sum::<f64>() / rows;
    let variance = |c: usize| column(c).map(|value| (value - mean(c)).powi(2)).sum::<f64>() / rows;
    let of = |f: &dyn Fn(usize) -> f64| (0..channels).map(|c| T::of(f(c))).collect();
    (of(&mean), of(&variance))
}

/// `max(0, (x - mean) / sqrt(variance + eps) + beta)`.
///
/// # Shapes
/// `values` and `output` `[rows, channels]`, the others `[channels]`
pub fn batch_norm<T: Real>(values: &[T], mean: &[T], variance: &[T], beta: &[T], output: &mut [T]) {
    let channels = mean.len();
    for (at, out) in output.iter_mut().enumerate() {
        let c = at % channels;
        let normal = (values[at].get() - mean[c].get()) * inverse(variance[c].get());
        *out = T::of((normal + beta[c].get()).max(0.0));
    }
}

/// Gradients of the loss with respect to the values and beta of [`batch_norm`], the latter added. `batch` says whether mean
/// and variance are those of the values, and so depend on them, or fixed numbers.
///
/// # Shapes
/// As there.
pub fn batch_norm_grad<T: Real>(
    values: &[T],
    (mean, variance): (&[T], &[T]),
    beta: &[T],
    batch: bool,
    output_grad: &[T],
    values_grad: &mut [T],
    beta_grad: &mut [T],
) {
    let channels = mean.len();
    let rows = values.len() / channels;
    for c in 0..channels {
        let (mean, inverse) = (mean[c].get(), inverse(variance[c].get()));
        let normal = |row: usize| (values[row * channels + c].get() - mean) * inverse;
        let grad = |row: usize| {
            let passed = normal(row) + beta[c].get() > 0.0;
            if passed { output_grad[row * channels + c].get() } else { 0.0 }
        };
        let sum: f64 = (0..rows).map(grad).sum();
        let product: f64 = (0..rows).map(|row| grad(row) * normal(row)).sum();
        beta_grad[c] = T::of(beta_grad[c].get() + sum);
        for row in 0..rows {
            let through = if batch { (sum + normal(row) * product) / rows as f64 } else { 0.0 };
            values_grad[row * channels + c] = T::of(inverse * (grad(row) - through));
        }
    }
}

/// One over the deviation.
pub(super) fn inverse(variance: f64) -> f64 {
    1.0 / (variance + f64::from(BATCH_NORM_EPSILON)).sqrt()
}
