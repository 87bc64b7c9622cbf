//! Direct convolution as matrix multiplication on blocks of output positions that fit the cache.

use rayon::prelude::*;

use super::Source;
use super::gemm::{Matrix, Product, SharedRows, multiply};
use super::memory::Scratch;
use super::pool::max_line;
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

/// Convolution with zero padding, bias and optional ReLU, of one input into one or more outputs.
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
    scratch: &Scratch,
) {
    let window = match rows {
        Rows::Taps(window) => *window,
        Rows::Pooled(_) => Window { size: [1; 3], stride: [1; 3], pad_before: [0; 3], pad_after: [0; 3] },
    };
    let depth = window.taps() * from.c;
    // A 1x1x1 convolution needs no gathering: its rows are the input's, possibly from a later frame on.
    let later = (-window.pad_before[0]) as usize * from.h * from.w;
    let aligned = from.thw() == to.thw() || from.n == 1;
    let pointwise = matches!(rows, Rows::Taps(_)) && window.taps() == 1 && window.stride == [1; 3] && aligned;
    // Blocks small enough for the cache, and enough of them to keep every thread busy.
    let positions = to.positions();
    let share = positions.div_ceil(4 * rayon::current_num_threads()).max(48);
    let mut block = (BLOCK_FLOATS / depth).clamp(48, 512).min(share);
    if matches!(rows, Rows::Pooled(_)) {
        block = block.next_multiple_of(to.w);
    }
    let memory = match rows {
        Rows::Taps(_) if pointwise => 0,
        Rows::Taps(_) => block * depth,
        // The pooled rows, and one row of columns before they are pooled.
        Rows::Pooled(_) => block * input.stride + from.w * input.stride,
    };
    (0..positions.div_ceil(block)).into_par_iter().for_each(|index| {
        let first = index * block;
        let count = block.min(positions - first);
        scratch.with(memory, |gathered| {
            let lhs = match rows {
                Rows::Taps(_) if pointwise => {
                    Matrix { data: &input.data[(first + later) * input.stride..], stride: input.stride }
                }
                Rows::Taps(window) => {
                    for (row, values) in gathered.chunks_exact_mut(depth).take(count).enumerate() {
                        gather(input, from, *window, to, first + row, values);
                    }
                    Matrix { data: gathered, stride: depth }
                }
                Rows::Pooled(window) => {
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

/// Adds the bias and clamps.
fn finish(row: &mut [f32], bias: &[f32], relu: bool) {
    for (value, b) in row.iter_mut().zip(bias) {
        *value += b;
        if relu {
            *value = value.max(0.0);
        }
    }
}

/// Copies the taps of one output position, `[kT, kH, kW, C]`, zeros in the padding.
pub(super) fn gather(
    input: Source<'_>,
    from: Shape,
    window: Window,
    to: Shape,
    position: usize,
    values: &mut [f32],
) {
    let (x, rest) = (position % to.w, position / to.w);
    let (y, rest) = (rest % to.h, rest / to.h);
    let (t, n) = (rest % to.t, rest / to.t);
    let start = |axis: usize, at: usize| (at * window.stride[axis]) as isize - window.pad_before[axis];
    let (t, y, x) = (start(0, t), start(1, y), start(2, x));
    let [_, kh, kw] = window.size;
    // Columns of the kernel row that lie inside the input: [left, right).
    let left = (-x).clamp(0, kw as isize) as usize;
    let right = (from.w as isize - x).clamp(left as isize, kw as isize) as usize;
    for (tap, row) in values.chunks_exact_mut(kw * from.c).enumerate() {
        let (it, iy) = (t + (tap / kh) as isize, y + (tap % kh) as isize);
        if it < 0 || it >= from.t as isize || iy < 0 || iy >= from.h as isize || left == right {
            row.fill(0.0);
            continue;
        }
        row[..left * from.c].fill(0.0);
        row[right * from.c..].fill(0.0);
        let line = (n * from.t + it as usize) * from.h + iy as usize;
        let first = line * from.w + (x + left as isize) as usize;
        let inner = &mut row[left * from.c..right * from.c];
        if input.stride == from.c {
            inner.copy_from_slice(&input.data[first * from.c..][..inner.len()]);
        } else {
            for (i, pixel) in inner.chunks_exact_mut(from.c).enumerate() {
                pixel.copy_from_slice(&input.data[(first + i) * input.stride..][..from.c]);
            }
        }
    }
}
