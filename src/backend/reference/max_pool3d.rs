//! Twin of `shaders/max_pool3d.wgsl` and its gradient, also with the winners in between as a GPU has them.

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

/// Twin of `shaders/max_pool3d_winners.wgsl`: [`max_pool3d`], and of every value the number of the tap that it came from.
///
/// # Shapes
/// `input` and `output` as there, `winners` as `output`.
pub fn max_pool3d_winners(p: &PoolParams, input: &[f32], [output, winners]: [&mut [f32]; 2]) {
    max_pool3d(p, input, output);
    let channels = 4 * p.window[3] as usize;
    for at in positions(p.output) {
        for c in 0..channels {
            let place = index(p.output, at) * channels + c;
            let won = taps(p.input, p.window, p.stride, p.pad, at)
                .find(|(_, position)| input[index(p.input, *position) * channels + c] == output[place]);
            winners[place] = won.map_or(f32::NAN, |(tap, _)| number(p, tap));
        }
    }
}

/// Twin of `shaders/max_pool3d_grad.wgsl`: [`max_pool3d_grad`] where the winners are known.
///
/// # Shapes
/// `winners` and `output_grad` as `output` there, `input_grad` as `input`.
pub fn max_pool3d_winners_grad(p: &PoolParams, winners: &[f32], output_grad: &[f32], input_grad: &mut [f32]) {
    let channels = 4 * p.window[3] as usize;
    let mut sums: Vec<f64> = input_grad.iter().map(|&value| f64::from(value)).collect();
    for at in positions(p.output) {
        for (tap, position) in taps(p.input, p.window, p.stride, p.pad, at) {
            for c in 0..channels {
                let place = index(p.output, at) * channels + c;
                if winners[place] == number(p, tap) {
                    sums[index(p.input, position) * channels + c] += f64::from(output_grad[place]);
                }
            }
        }
    }
    input_grad.iter_mut().zip(sums).for_each(|(value, sum)| *value = sum as f32);
}

/// The number of a tap `[t, y, x]` among those of its window.
fn number(p: &PoolParams, [t, y, x]: [usize; 3]) -> f32 {
    let [_, height, width, _] = p.window.map(|n| n as usize);
    ((t * height + y) * width + x) as f32
}
