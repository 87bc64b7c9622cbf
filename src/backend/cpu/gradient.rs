//! The way back through convolutions, pools and the mean over time.

use rayon::prelude::*;

use super::conv::{FIXED_BLOCKS, Part, Rows, conv3d, gather, rows_as_they_are};
use super::gemm::{Matrix, Product, SharedRows, multiply_transposed};
use super::memory::Scratch;
use super::{Source, pool, vectorised};
use crate::backend::params::MeanParams;
use crate::network::Shape;
use crate::plan::Window;

/// Parts of the sum over positions that makes a weight's gradient. Fixed, so that the sum does not depend on the number
/// of threads.
const PARTS: usize = 8;
/// Positions that make a part worth its memory.
const LEAST: usize = 64;
/// Floats of gathered input at a time.
const BLOCK_FLOATS: usize = 96 << 10;

/// A convolution as its gradients see it.
pub(super) struct Conv {
    /// `[N, T, H, W, C]`, the channels that are read.
    pub from: Shape,
    /// `[N, To, Ho, Wo, ..]`
    pub to: Shape,
    pub window: Window,
    /// Output channels.
    pub channels: usize,
}

impl Conv {
    /// Adds the gradient of the weights.
    ///
    /// # Shapes
    /// `grad` `[N, To, Ho, Wo, channels]`, `kernel_grad` `[kT, kH, kW, C, channels]`
    pub fn weights(&self, input: Source<'_>, grad: &[f32], kernel_grad: &mut [f32], scratch: &Scratch) {
        let Conv { from, to, window, channels } = *self;
        let (depth, positions) = (window.taps() * from.c, to.positions());
        // A part is a whole kernel, so a few positions make few of them.
        let share = positions.div_ceil(PARTS.min(positions.div_ceil(LEAST)));
        let block = (BLOCK_FLOATS / depth).clamp(16, 512).min(share);
        let as_it_is = rows_as_they_are(from, window, to);
        let parts: Vec<Vec<f32>> = (0..positions.div_ceil(share))
            .into_par_iter()
            .map(|part| {
                let mut sum = vec![0.0; kernel_grad.len()];
                let end = ((part + 1) * share).min(positions);
                for first in (part * share..end).step_by(block) {
                    let count = block.min(end - first);
                    let rhs = Matrix { data: &grad[first * channels..], stride: channels };
                    let output = Product { data: &mut sum, stride: channels, add: true };
                    let size = [depth, channels, count];
                    if let Some(later) = as_it_is {
                        let rows = &input.data[(first + later) * input.stride..];
                        multiply_transposed(Matrix { data: rows, stride: input.stride }, rhs, size, output);
                        continue;
                    }
                    scratch.with(block * depth, |gathered| {
                        gather(input, from, window, to, first, &mut gathered[..count * depth]);
                        multiply_transposed(Matrix { data: gathered, stride: depth }, rhs, size, output);
                    });
                }
                sum
            })
            .collect();
        let chunk = kernel_grad.len().div_ceil(PARTS);
        kernel_grad.par_chunks_mut(chunk).enumerate().for_each(|(index, to)| {
            for part in &parts {
                to.iter_mut().zip(&part[index * chunk..]).for_each(|(sum, value)| *sum += value);
            }
        });
    }

    /// Adds the gradient of the input: with stride 1 it is a convolution of the gradient with the kernel turned around.
    ///
    /// # Shapes
    /// `kernel` `[kT, kH, kW, C, channels]`, `grad` `[N, To, Ho, Wo, channels]`; into the channels from `first` on of
    /// `input_grad` `[N, T, H, W, stride]`.
    pub fn input(
        &self,
        kernel: &[f32],
        grad: &[f32],
        (input_grad, stride, first): (&mut [f32], usize, usize),
        scratch: &Scratch,
    ) {
        let Conv { from, to, window, channels } = *self;
        let taps = window.taps();
        let mut turned = vec![0.0; kernel.len()];
        turned.par_chunks_mut(channels * from.c).enumerate().for_each(|(tap, turned)| {
            let tap = &kernel[(taps - 1 - tap) * from.c * channels..][..from.c * channels];
            for (at, value) in turned.iter_mut().enumerate() {
                *value = tap[at % from.c * channels + at / from.c];
            }
        });
        let mut back = window;
        for axis in 0..3 {
            back.pad_before[axis] = window.size[axis] as isize - 1 - window.pad_before[axis];
        }
        let mut sum = vec![0.0; from.positions() * from.c];
        let none = vec![0.0; from.c];
        let output = SharedRows::new(&mut sum, from.c);
        let part = Part { kernel: &turned, bias: &none, relu: false, output, offset: 0 };
        let source = Source { data: grad, stride: channels };
        let (to, rows) = (to.with_channels(channels), Rows::Taps(back));
        conv3d(source, to, &rows, from, &[part], FIXED_BLOCKS, scratch);
        input_grad.par_chunks_mut(stride).zip(sum.par_chunks(from.c)).for_each(|(to, from)| {
            to[first..].iter_mut().zip(from).for_each(|(to, from)| *to += from);
        });
    }
}

/// Which tap of its window every value of a max pool's output came from: of equal ones the first.
///
/// # Shapes
/// `input` `[N, T, H, W, C]` (shape `from`), `output` and `winners` `[N, To, Ho, Wo, C]` (shape `to`), channels in fours
pub(super) fn winners(
    input: Source<'_>,
    from: Shape,
    window: Window,
    to: Shape,
    output: &[f32],
    winners: &mut [u8],
) {
    let stride = input.stride;
    let [_, kh, kw] = window.size;
    winners.par_chunks_mut(to.w * stride).enumerate().for_each(|(line, winners)| {
        let output = &output[line * to.w * stride..];
        vectorised(
            #[inline(always)]
            || {
                winners.fill(u8::MAX);
                for (tap, row) in pool::tap_rows(from, window, to, line) {
                    let [kt, ky] = tap;
                    for (x, winners) in winners.chunks_exact_mut(stride).enumerate() {
                        let output = &output[x * stride..][..stride];
                        for ix in pool::inside(window, 2, x, from.w) {
                            let kx = (ix as isize + window.pad_before[2]) as usize - x * window.stride[2];
                            let tap = ((kt * kh + ky) * kw + kx) as u8;
                            let values = &input.data[(row * from.w + ix) * stride..][..stride];
                            for ((winner, value), most) in winners.iter_mut().zip(values).zip(output) {
                                // Taps come in ascending order, so that the least that holds the maximum wins.
                                let here = if value == most { tap } else { u8::MAX };
                                *winner = here.min(*winner);
                            }
                        }
                    }
                }
            },
        );
    });
}

/// Adds the gradient of a max pool's input: every value goes to the tap that won.
///
/// # Shapes
/// `output_grad` and `winners` `[N, To, Ho, Wo, C]`, `input_grad` `[N, T, H, W, C]`, channels stored in fours
pub(super) fn max_pool3d(
    output_grad: &[f32],
    winners: &[u8],
    (from, window, to): (Shape, Window, Shape),
    input_grad: &mut [f32],
) {
    let stride = from.c.next_multiple_of(4);
    let [_, kh, kw] = window.size;
    // Line by line of the input, so that no two threads add to one value.
    input_grad.par_chunks_mut(from.w * stride).enumerate().for_each(|(line, grad)| {
        let (iy, rest) = (line % from.h, line / from.h);
        let (it, n) = (rest % from.t, rest / from.t);
        vectorised(
            #[inline(always)]
            || {
                for (kt, t) in reading(window, 0, it, to.t) {
                    for (ky, y) in reading(window, 1, iy, to.h) {
                        let row = ((n * to.t + t) * to.h + y) * to.w;
                        for (ix, grad) in grad.chunks_exact_mut(stride).enumerate() {
                            for (kx, x) in reading(window, 2, ix, to.w) {
                                let tap = ((kt * kh + ky) * kw + kx) as u8;
                                let at = (row + x) * stride;
                                let (ahead, won) = (&output_grad[at..][..stride], &winners[at..][..stride]);
                                for ((grad, ahead), won) in grad.iter_mut().zip(ahead).zip(won) {
                                    // A mask instead of a branch, which would keep this from being vectorised.
                                    let mask = u32::from(*won == tap).wrapping_neg();
                                    *grad += f32::from_bits(ahead.to_bits() & mask);
                                }
                            }
                        }
                    }
                }
            },
        );
    });
}

/// The outputs along an axis that read input `at`: through which tap, and which.
fn reading(window: Window, axis: usize, at: usize, outputs: usize) -> impl Iterator<Item = (usize, usize)> {
    let (stride, padded) = (window.stride[axis], at as isize + window.pad_before[axis]);
    (0..window.size[axis]).filter_map(move |tap| {
        let start = usize::try_from(padded - tap as isize).ok()?;
        (start % stride == 0 && start / stride < outputs).then_some((tap, start / stride))
    })
}

/// Adds the gradient of an average pool's input.
///
/// # Shapes
/// `output_grad` `[N, To, Ho, Wo, C]`, `input_grad` `[N, T, H, W, C]`, channels stored in fours
pub(super) fn avg_pool3d(
    output_grad: &[f32],
    (from, window, to): (Shape, Window, Shape),
    input_grad: &mut [f32],
) {
    let (stride, size) = (from.c.next_multiple_of(4), window.taps() as f32);
    input_grad.par_chunks_mut(stride).enumerate().for_each(|(position, grad)| {
        let (ix, rest) = (position % from.w, position / from.w);
        let (iy, rest) = (rest % from.h, rest / from.h);
        let (it, n) = (rest % from.t, rest / from.t);
        for (_, t) in reading(window, 0, it, to.t) {
            for (_, y) in reading(window, 1, iy, to.h) {
                for (_, x) in reading(window, 2, ix, to.w) {
                    let at = (((n * to.t + t) * to.h + y) * to.w + x) * stride;
                    grad.iter_mut().zip(&output_grad[at..]).for_each(|(grad, ahead)| *grad += ahead / size);
                }
            }
        }
    });
}

/// Adds the gradient of the input of a mean over time.
///
/// # Shapes
/// `output_grad` `[N, C]`, `input_grad` `[N, T, C]`, as the parameters say
pub(super) fn time_mean(p: &MeanParams, output_grad: &[f32], input_grad: &mut [f32]) {
    let [_, steps, channels, first] = p.shape.map(|v| v as usize);
    let (channels, counted) = (4 * channels, (steps - first) as f32);
    for (row, grad) in
        input_grad.chunks_exact_mut(channels).enumerate().filter(|(row, _)| row % steps >= first)
    {
        let ahead = &output_grad[row / steps * channels..];
        grad.iter_mut().zip(ahead).for_each(|(grad, ahead)| *grad += ahead / counted);
    }
}
