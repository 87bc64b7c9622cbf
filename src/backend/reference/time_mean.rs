//! Twin of `shaders/time_mean.wgsl`.

use crate::backend::params::MeanParams;

/// Mean over time.
///
/// # Shapes
/// `input` `[N, T, 4 * shape[2]]`, `output` `[N, 4 * shape[2]]`
pub fn time_mean(p: &MeanParams, input: &[f32], output: &mut [f32]) {
    let [n, steps, groups, _] = p.shape.map(|v| v as usize);
    let channels = 4 * groups;
    for (clip, out) in output.chunks_exact_mut(channels).take(n).enumerate() {
        for (c, value) in out.iter_mut().enumerate() {
            let sum: f64 = (0..steps).map(|t| f64::from(input[(clip * steps + t) * channels + c])).sum();
            *value = (sum / steps as f64) as f32;
        }
    }
}
