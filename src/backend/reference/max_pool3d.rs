//! Twin of `shaders/max_pool3d.wgsl`.

use super::{Real, index, positions, taps};
use crate::backend::params::PoolParams;

/// Max pool; taps in the padding are skipped, which equals padding with minus infinity.
///
/// # Shapes
/// `input` `[N, T, H, W, 4 * window[3]]`, `output` `[N, To, Ho, Wo, 4 * window[3]]`
pub fn max_pool3d<T: Real>(p: &PoolParams, input: &[T], output: &mut [T]) {
    let channels = 4 * p.window[3] as usize;
    for at in positions(p.output) {
        for c in 0..channels {
            let values = taps(p.input, p.window, p.stride, p.pad, at)
                .map(|(_, position)| input[index(p.input, position) * channels + c].get());
            output[index(p.output, at) * channels + c] = T::of(values.fold(f64::NEG_INFINITY, f64::max));
        }
    }
}

/// Gradient of the loss with respect to the input of [`max_pool3d`], added to `input_grad`. Of equal values the first in
/// the order of the taps has won, and takes it all.
///
/// # Shapes
/// `input` and `input_grad` as `input` there, `output_grad` as `output`.
pub fn max_pool3d_grad<T: Real>(p: &PoolParams, input: &[T], output_grad: &[T], input_grad: &mut [T]) {
    let channels = 4 * p.window[3] as usize;
    for at in positions(p.output) {
        for c in 0..channels {
            let mut best: Option<(f64, usize)> = None;
            for (_, position) in taps(p.input, p.window, p.stride, p.pad, at) {
                let place = index(p.input, position) * channels + c;
                let value = input[place].get();
                if best.is_none_or(|(most, _)| value > most) {
                    best = Some((value, place));
                }
            }
            if let Some((_, place)) = best {
                let grad = output_grad[index(p.output, at) * channels + c].get();
                input_grad[place] = T::of(input_grad[place].get() + grad);
            }
        }
    }
}
