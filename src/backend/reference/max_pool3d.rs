//! Twin of `shaders/max_pool3d.wgsl`.

use super::{index, positions, taps};
use crate::backend::params::PoolParams;

/// Max pool; taps in the padding are skipped, which equals padding with minus infinity.
///
/// # Shapes
/// `input` `[N, T, H, W, 4 * window[3]]`, `output` `[N, To, Ho, Wo, 4 * window[3]]`
pub fn max_pool3d(p: &PoolParams, input: &[f32], output: &mut [f32]) {
    let channels = 4 * p.window[3] as usize;
    for at in positions(p.output) {
        for c in 0..channels {
            let values = taps(p.input, p.window, p.stride, p.pad, at)
                .map(|(_, position)| input[index(p.input, position) * channels + c]);
            output[index(p.output, at) * channels + c] = values.fold(f32::NEG_INFINITY, f32::max);
        }
    }
}
