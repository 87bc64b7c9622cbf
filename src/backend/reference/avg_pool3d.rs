//! Twin of `shaders/avg_pool3d.wgsl`.

use super::{index, positions, taps};
use crate::backend::params::PoolParams;

/// Average pool over full windows: no padding, so every output divides by the whole window.
///
/// # Shapes
/// `input` `[N, T, H, W, 4 * window[3]]`, `output` `[N, To, Ho, Wo, 4 * window[3]]`
pub fn avg_pool3d(p: &PoolParams, input: &[f32], output: &mut [f32]) {
    let channels = 4 * p.window[3] as usize;
    let size = f64::from(p.window[0] * p.window[1] * p.window[2]);
    for at in positions(p.output) {
        for c in 0..channels {
            let values = taps(p.input, p.window, p.stride, p.pad, at)
                .map(|(_, position)| f64::from(input[index(p.input, position) * channels + c]));
            output[index(p.output, at) * channels + c] = (values.sum::<f64>() / size) as f32;
        }
    }
}
