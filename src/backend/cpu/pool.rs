//! Pools and the mean over time: whole rows of the input first, then columns, channels in the inner loop.

use rayon::prelude::*;

use super::memory::Scratch;
use super::{Source, vectorised};
use crate::backend::params::MeanParams;
use crate::network::Shape;
use crate::plan::Window;

/// Max pool; taps in the padding are skipped.
///
/// # Shapes
/// `input` `[N, T, H, W, C]` (shape `from`), `output` `[N, To, Ho, Wo, C]` (shape `to`), channels stored in fours
pub(super) fn max_pool3d(
    input: Source<'_>,
    from: Shape,
    window: Window,
    to: Shape,
    scratch: &Scratch,
    output: &mut [f32],
) {
    output.par_chunks_mut(to.w * input.stride).enumerate().for_each(|(line, out)| {
        scratch.with(from.w * input.stride, |column| max_line(input, from, window, to, line, column, out));
    });
}

/// One row of a max pool's output, `line` counted over clips, time and height.
///
/// # Shapes
/// `column` memory for a row of the input `[W, stride]`, `out` `[Wo, stride]`
pub(super) fn max_line(
    input: Source<'_>,
    from: Shape,
    window: Window,
    to: Shape,
    line: usize,
    column: &mut [f32],
    out: &mut [f32],
) {
    let stride = input.stride;
    vectorised(
        #[inline(always)]
        || {
            // The maximum over time and height of every column, then over the columns of each window.
            column.fill(f32::NEG_INFINITY);
            for row in rows(from, window, to, line) {
                larger(column, &input.data[row * from.w * stride..][..from.w * stride]);
            }
            for (x, out) in out.chunks_exact_mut(stride).enumerate() {
                out.fill(f32::NEG_INFINITY);
                for ix in inside(window, 2, x, from.w) {
                    larger(out, &column[ix * stride..][..stride]);
                }
            }
        },
    );
}

#[inline(always)]
fn larger(best: &mut [f32], values: &[f32]) {
    for (best, value) in best.iter_mut().zip(values) {
        *best = if *value > *best { *value } else { *best };
    }
}

/// Average pool over full windows.
///
/// # Shapes
/// As [`max_pool3d`].
pub(super) fn avg_pool3d(input: Source<'_>, from: Shape, window: Window, to: Shape, output: &mut [f32]) {
    let (size, stride) = (window.taps() as f32, input.stride);
    output.par_chunks_mut(to.w * stride).enumerate().for_each(|(line, row)| {
        for (x, out) in row.chunks_exact_mut(stride).enumerate() {
            out.fill(0.0);
            for line in rows(from, window, to, line) {
                for ix in inside(window, 2, x, from.w) {
                    let tap = &input.data[(line * from.w + ix) * stride..][..stride];
                    out.iter_mut().zip(tap).for_each(|(sum, value)| *sum += value);
                }
            }
            out.iter_mut().for_each(|sum| *sum /= size);
        }
    });
}

/// Mean over time.
///
/// # Shapes
/// `input` `[N, T, C]`, `output` `[N, C]`, as the parameters say
pub(super) fn time_mean(p: &MeanParams, input: &[f32], output: &mut [f32]) {
    let [_, steps, channels, first] = p.shape.map(|v| v as usize);
    let (channels, counted) = (4 * channels, (steps - first) as f32);
    for (out, clip) in output.chunks_exact_mut(channels).zip(input.chunks_exact(steps * channels)) {
        out.fill(0.0);
        for step in clip.chunks_exact(channels).skip(first) {
            out.iter_mut().zip(step).for_each(|(sum, value)| *sum += value);
        }
        out.iter_mut().for_each(|sum| *sum /= counted);
    }
}

/// The rows of the input, counted over clips, time and height, that output row `line` looks at; padding left out.
fn rows(from: Shape, window: Window, to: Shape, line: usize) -> impl Iterator<Item = usize> {
    tap_rows(from, window, to, line).map(|(_, row)| row)
}

/// The same, and through which tap of time and height.
pub(super) fn tap_rows(
    from: Shape,
    window: Window,
    to: Shape,
    line: usize,
) -> impl Iterator<Item = ([usize; 2], usize)> {
    let (y, rest) = (line % to.h, line / to.h);
    let (t, n) = (rest % to.t, rest / to.t);
    let (ts, ys) = (inside(window, 0, t, from.t), inside(window, 1, y, from.h));
    let tap = move |axis: usize, at: usize, input: usize| {
        (input as isize + window.pad_before[axis]) as usize - at * window.stride[axis]
    };
    ts.flat_map(move |it| {
        ys.clone().map(move |iy| ([tap(0, t, it), tap(1, y, iy)], (n * from.t + it) * from.h + iy))
    })
}

/// The input positions of a window on one axis, padding left out.
pub(super) fn inside(window: Window, axis: usize, at: usize, length: usize) -> std::ops::Range<usize> {
    let start = (at * window.stride[axis]) as isize - window.pad_before[axis];
    let end = start + window.size[axis] as isize;
    start.max(0) as usize..(end.max(0) as usize).min(length)
}
