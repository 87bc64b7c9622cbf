//! Direct convolution as matrix multiplication on blocks of output positions that fit the cache.

use rayon::prelude::*;

use super::gemm::{Matrix, Product, SharedRows, multiply};
use super::memory::Scratch;
use super::pool::max_line;
use super::{Source, vectorised};
use crate::network::Shape;
use crate::plan::Window;

/// Floats of gathered input per block: 384 KiB leave room for weights in a second-level cache of 512 KiB.
const BLOCK_FLOATS: usize = 96 << 10;

/// Output channels: their weights, and where they are written.
pub(super) struct Part<'a> {
    /// `[taps * C, channels]`
    pub kernel: &'a [f32],
    /// `[channels]`
    pub bias: &'a [f32],
    /// Whether negative outputs become zero.
    pub relu: bool,
    /// The output buffer.
    pub output: SharedRows<'a>,
    /// First channel that is written.
    pub offset: usize,
}

/// What the rows of the left matrix are.
pub(super) enum Rows {
    /// The taps of a convolution.
    Taps(Window),
    /// The values of a max pool that no buffer holds, for a 1x1x1 convolution.
    Pooled(Window),
}

/// Blocks for inference: four for every thread, so that none waits long for the others.
pub(super) fn blocks_for_threads() -> usize {
    4 * rayon::current_num_threads()
}

/// Blocks for training. The `gemm` crate adds up a row in an order that depends on how many rows it gets, so results are the
/// same on any number of threads only if the blocks are.
pub(super) const FIXED_BLOCKS: usize = 32;

/// Convolution with zero padding, bias and optional ReLU, of one input into one or more outputs; the work is shared out in
/// `blocks` or more, as long as these are large enough to be worth it.
///
/// # Shapes
/// - `input` `[N, T, H, W, C]` with `from` as shape and its own channel stride
/// - outputs `[N, To, Ho, Wo, ..]` with `to` as positions
pub(super) fn conv3d(
    input: Source<'_>,
    from: Shape,
    rows: &Rows,
    to: Shape,
    parts: &[Part<'_>],
    blocks: usize,
    scratch: &Scratch,
) {
    let window = match rows {
        Rows::Taps(window) => *window,
        Rows::Pooled(_) => Window { size: [1; 3], stride: [1; 3], pad_before: [0; 3], pad_after: [0; 3] },
    };
    let depth = window.taps() * from.c;
    let as_it_is = rows_as_they_are(from, window, to);
    // Blocks small enough for the cache, and enough of them.
    let positions = to.positions();
    let share = positions.div_ceil(blocks).max(48);
    let mut block = (BLOCK_FLOATS / depth).clamp(48, 512).min(share);
    if matches!(rows, Rows::Pooled(_)) {
        block = block.next_multiple_of(to.w);
    }
    let memory = match (rows, as_it_is) {
        (Rows::Taps(_), Some(_)) => 0,
        (Rows::Taps(_), None) => block * depth,
        // The pooled rows, and one row of columns before they are pooled.
        (Rows::Pooled(_), _) => block * input.stride + from.w * input.stride,
    };
    (0..positions.div_ceil(block)).into_par_iter().for_each(|index| {
        let first = index * block;
        let count = block.min(positions - first);
        scratch.with(memory, |gathered| {
            let lhs = match (rows, as_it_is) {
                (Rows::Taps(_), Some(later)) => {
                    Matrix { data: &input.data[(first + later) * input.stride..], stride: input.stride }
                }
                (Rows::Taps(window), None) => {
                    gather(input, from, *window, to, first, &mut gathered[..count * depth]);
                    Matrix { data: gathered, stride: depth }
                }
                (Rows::Pooled(window), _) => {
                    let (pooled, column) = gathered.split_at_mut(block * input.stride);
                    for (row, out) in
                        pooled[..count * input.stride].chunks_exact_mut(to.w * input.stride).enumerate()
                    {
                        max_line(input, from, *window, to, first / to.w + row, column, out);
                    }
                    Matrix { data: pooled, stride: input.stride }
                }
            };
            for part in parts {
                let channels = part.bias.len();
                let stride = part.output.stride();
                // SAFETY: blocks have no position in common, and parts write different buffers.
                let out = unsafe { part.output.rows(first, count, part.offset, channels) };
                let rhs = Matrix { data: part.kernel, stride: channels };
                multiply(lhs, rhs, [count, channels, depth], Product { data: out, stride, add: false });
                for row in out.chunks_mut(stride) {
                    finish(&mut row[..channels], part.bias, part.relu);
                }
            }
        });
    });
}

/// Whether the taps of every output position are a row of the input, as they are for a 1x1x1 convolution; gives how many
/// rows further on the first one is.
pub(super) fn rows_as_they_are(from: Shape, window: Window, to: Shape) -> Option<usize> {
    let aligned = from.thw() == to.thw() || from.n == 1;
    let alone = window.taps() == 1 && window.stride == [1; 3] && window.pad_before[0] <= 0 && aligned;
    // Negative padding leaves out frames.
    alone.then(|| (-window.pad_before[0]).max(0) as usize * from.h * from.w)
}

/// Adds the bias and clamps.
fn finish(row: &mut [f32], bias: &[f32], relu: bool) {
    for (value, b) in row.iter_mut().zip(bias) {
        *value += b;
        if relu {
            *value = value.max(0.0);
        }
    }
}

/// The most rows of taps that a kernel has: those of a fully connected layer over the largest picture, of 4096 pixels halved
/// five times.
const TAP_ROWS: usize = 128;

/// Copies the taps of output positions from `first` on, zeros in the padding.
///
/// # Shapes
/// `values` `[positions, kT * kH * kW * C]`
pub(super) fn gather(
    input: Source<'_>,
    from: Shape,
    window: Window,
    to: Shape,
    first: usize,
    values: &mut [f32],
) {
    let depth = window.taps() * from.c;
    let end = first + values.len() / depth;
    let mut position = first;
    // Positions of one row of the output at a time: they look at the same rows of the input.
    while position < end {
        let (column, line) = (position % to.w, position / to.w);
        let count = (to.w - column).min(end - position);
        let lines = lines(from, window, to, line);
        let lines = &lines[..window.size[0] * window.size[1]];
        let rows = &mut values[(position - first) * depth..][..count * depth];
        vectorised(
            #[inline(always)]
            || {
                for (x, taps) in (column..).zip(rows.chunks_exact_mut(depth)) {
                    let x = (x * window.stride[2]) as isize - window.pad_before[2];
                    gather_taps(input, from, lines, x, taps);
                }
            },
        );
        position += count;
    }
}

/// For every tap of time and height, at which position the row of the input begins that a row of outputs, `line`, sees through
/// it; none in the padding.
fn lines(from: Shape, window: Window, to: Shape, line: usize) -> [Option<usize>; TAP_ROWS] {
    let (y, rest) = (line % to.h, line / to.h);
    let (t, n) = (rest % to.t, rest / to.t);
    let start = |axis: usize, at: usize| (at * window.stride[axis]) as isize - window.pad_before[axis];
    let inside = |at: isize, length: usize| usize::try_from(at).ok().filter(|&at| at < length);
    let mut lines = [None; TAP_ROWS];
    for (tap, line) in lines.iter_mut().enumerate().take(window.size[0] * window.size[1]) {
        let t = inside(start(0, t) + (tap / window.size[1]) as isize, from.t);
        let y = inside(start(1, y) + (tap % window.size[1]) as isize, from.h);
        *line = t.zip(y).map(|(t, y)| ((n * from.t + t) * from.h + y) * from.w);
    }
    lines
}

/// Copies the taps of one output position, `[kT * kH, kW, C]`, from column `x` of the input on.
#[inline(always)]
fn gather_taps(input: Source<'_>, from: Shape, lines: &[Option<usize>], x: isize, taps: &mut [f32]) {
    let width = taps.len() / lines.len();
    let kw = width / from.c;
    // Taps of a kernel row that lie inside the input: [left, right).
    let left = (-x).clamp(0, kw as isize) as usize;
    let right = (from.w as isize - x).clamp(left as isize, kw as isize) as usize;
    let whole = right - left == kw;
    for (row, line) in taps.chunks_exact_mut(width).zip(lines) {
        let Some(line) = line.filter(|_| left < right) else {
            row.fill(0.0);
            continue;
        };
        let first = line + (x + left as isize) as usize;
        if whole && input.stride == from.c {
            copy(row, &input.data[first * from.c..][..width]);
            continue;
        }
        row[..left * from.c].fill(0.0);
        row[right * from.c..].fill(0.0);
        for (i, pixel) in row[left * from.c..right * from.c].chunks_exact_mut(from.c).enumerate() {
            copy(pixel, &input.data[(first + i) * input.stride..][..from.c]);
        }
    }
}

/// Copies a row of taps. Where it is a few values long, and known when this is compiled, that costs less than calling
/// `memcpy`: the stem's rows (7 taps of 3 or 2 channels), and those of narrow networks.
#[inline(always)]
fn copy(to: &mut [f32], from: &[f32]) {
    fn fixed<const N: usize>(to: &mut [f32], from: &[f32]) -> Option<()> {
        *to.first_chunk_mut::<N>()? = *from.first_chunk::<N>()?;
        Some(())
    }
    match to.len() {
        2 => fixed::<2>(to, from),
        3 => fixed::<3>(to, from),
        4 => fixed::<4>(to, from),
        8 => fixed::<8>(to, from),
        12 => fixed::<12>(to, from),
        14 => fixed::<14>(to, from),
        16 => fixed::<16>(to, from),
        21 => fixed::<21>(to, from),
        24 => fixed::<24>(to, from),
        36 => fixed::<36>(to, from),
        48 => fixed::<48>(to, from),
        _ => None,
    }
    .unwrap_or_else(|| to.copy_from_slice(from));
}
