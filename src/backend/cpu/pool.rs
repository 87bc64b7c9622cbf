//! Pools and the mean over time, one output position at a time with channels in the inner loop.

use rayon::prelude::*;

use super::Source;
use crate::network::Shape;
use crate::plan::Window;

/// Max pool; taps in the padding are skipped.
///
/// # Shapes
/// `input` `[N, T, H, W, C]` (shape `from`), `output` `[N, To, Ho, Wo, C]` (shape `to`), channels stored in fours
pub(super) fn max_pool3d(input: Source<'_>, from: Shape, window: Window, to: Shape, output: &mut [f32]) {
    windows(input, from, window, to, output, |out, taps| {
        out.fill(f32::NEG_INFINITY);
        for tap in taps {
            for (best, value) in out.iter_mut().zip(tap) {
                *best = if *value > *best { *value } else { *best };
            }
        }
    });
}

/// Average pool over full windows.
///
/// # Shapes
/// As [`max_pool3d`].
pub(super) fn avg_pool3d(input: Source<'_>, from: Shape, window: Window, to: Shape, output: &mut [f32]) {
    let size = window.taps() as f32;
    windows(input, from, window, to, output, |out, taps| {
        out.fill(0.0);
        for tap in taps {
            for (sum, value) in out.iter_mut().zip(tap) {
                *sum += value;
            }
        }
        for sum in out {
            *sum /= size;
        }
    });
}

/// Mean over time.
///
/// # Shapes
/// `input` `[N, T, 1, 1, C]` (shape `from`), `output` `[N, 1, 1, 1, C]`, channels stored in fours
pub(super) fn time_mean(input: Source<'_>, from: Shape, output: &mut [f32]) {
    let clip = from.t * input.stride;
    for (out, steps) in output.chunks_exact_mut(input.stride).zip(input.data.chunks_exact(clip)) {
        out.fill(0.0);
        for step in steps.chunks_exact(input.stride) {
            for (sum, value) in out.iter_mut().zip(step) {
                *sum += value;
            }
        }
        for sum in out {
            *sum /= from.t as f32;
        }
    }
}

/// Calls `reduce` for every output position with the taps of its window that lie inside the input.
fn windows(
    input: Source<'_>,
    from: Shape,
    window: Window,
    to: Shape,
    output: &mut [f32],
    reduce: impl Fn(&mut [f32], &mut dyn Iterator<Item = &[f32]>) + Sync,
) {
    let stride = input.stride;
    output.par_chunks_mut(to.w * stride).enumerate().for_each(|(line, row)| {
        let (y, rest) = (line % to.h, line / to.h);
        let (t, n) = (rest % to.t, rest / to.t);
        let [ts, ys] = [(0, t, from.t), (1, y, from.h)].map(|(axis, at, n)| inside(window, axis, at, n));
        for (x, out) in row.chunks_exact_mut(stride).enumerate() {
            let xs = inside(window, 2, x, from.w);
            let mut taps =
                ts.clone().flat_map(|it| ys.clone().map(move |iy| (it, iy))).flat_map(|(it, iy)| {
                    let first = ((n * from.t + it) * from.h + iy) * from.w + xs.start;
                    input.data[first * stride..][..xs.len() * stride].chunks_exact(stride)
                });
            reduce(out, &mut taps);
        }
    });
}

/// The input positions of a window on one axis, padding left out.
fn inside(window: Window, axis: usize, at: usize, length: usize) -> std::ops::Range<usize> {
    let start = (at * window.stride[axis]) as isize - window.pad_before[axis];
    let end = start + window.size[axis] as isize;
    start.max(0) as usize..(end.max(0) as usize).min(length)
}
