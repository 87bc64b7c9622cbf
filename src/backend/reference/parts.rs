//! Twins of `shaders/sum_parts.wgsl` and `shaders/dropout.wgsl`.

use crate::backend::params::PartsParams;

/// Sums of parts.
///
/// # Shapes
/// `parts` `[parts, values]`, `sum` `[values]`
pub fn sum_parts(_: &PartsParams, parts: &[f32], sum: &mut [f32]) {
    let values = sum.len();
    for (at, sum) in sum.iter_mut().enumerate() {
        *sum = parts.iter().skip(at).step_by(values).map(|&part| f64::from(part)).sum::<f64>() as f32;
    }
}

/// Products of values and factors.
///
/// # Shapes
/// `factors` and `values` `[values]`
pub fn dropout(_: &PartsParams, factors: &[f32], values: &mut [f32]) {
    values.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
}
