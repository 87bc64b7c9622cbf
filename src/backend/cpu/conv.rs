//! Convolution as matrix multiplication on blocks of output positions that fit the cache.

use rayon::prelude::*;

use super::Source;
use crate::network::Shape;
use crate::plan::Window;

/// Floats of gathered input per block: 1 MiB, the second-level cache of one current core.
const BLOCK_FLOATS: usize = 256 << 10;

/// Where a convolution writes.
#[derive(Clone, Copy)]
pub(super) struct Target {
    /// Shape of the whole output buffer; its channel count is not used.
    pub shape: Shape,
    /// Channels from one position to the next.
    pub stride: usize,
    /// First channel that is written.
    pub offset: usize,
    /// Number of channels that are written.
    pub channels: usize,
}

/// Convolution with zero padding, bias and optional ReLU.
///
/// # Shapes
/// - `input` `[N, T, H, W, C]` with `from` as shape and its own channel stride
/// - `kernel` `[kT, kH, kW, C, Co]`, `bias` `[Co]`
/// - `output` `[N, To, Ho, Wo, target.stride]`, of which `target.channels` from `target.offset` are written
#[expect(clippy::too_many_arguments, reason = "the operands of a convolution")]
pub(super) fn conv3d(
    input: Source<'_>,
    from: Shape,
    window: Window,
    kernel: &[f32],
    bias: &[f32],
    relu: bool,
    target: Target,
    output: &mut [f32],
) {
    let depth = window.taps() * from.c;
    // A 1x1x1 convolution needs no gathering: its rows are the input's, possibly from a later frame on.
    let later = (-window.pad_before[0]) as usize * from.h * from.w;
    let aligned = from.thw() == target.shape.thw() || from.n == 1;
    let pointwise = window.taps() == 1 && window.stride == [1; 3] && aligned;
    // Blocks small enough for the cache, and enough of them to keep every thread busy.
    let positions = target.shape.positions();
    let share = positions.div_ceil(4 * rayon::current_num_threads());
    let rows = (BLOCK_FLOATS / depth).clamp(48, 1024).min(share.max(48));
    output.par_chunks_mut(rows * target.stride).enumerate().for_each_init(
        Vec::new,
        |gathered, (block, out)| {
            let first = block * rows;
            let count = out.len() / target.stride;
            let (lhs, lhs_stride) = if pointwise {
                (&input.data[(first + later) * input.stride..], input.stride)
            } else {
                gathered.resize(rows * depth, 0.0);
                for (row, values) in gathered.chunks_exact_mut(depth).take(count).enumerate() {
                    gather(input, from, window, target.shape, first + row, values);
                }
                (&gathered[..], depth)
            };
            let out = &mut out[target.offset..];
            multiply(lhs, lhs_stride, kernel, [count, target.channels, depth], out, target.stride);
            for row in out.chunks_mut(target.stride) {
                for (value, b) in row.iter_mut().zip(bias) {
                    *value += b;
                    if relu {
                        *value = value.max(0.0);
                    }
                }
            }
        },
    );
}

/// `output[m, n] = lhs[m, k] x rhs[k, n]` on the calling thread.
///
/// # Shapes
/// `lhs` `m` rows of `k` values `lhs_stride` apart, `rhs` `[k, n]`, `output` `m` rows of `n` values `output_stride` apart.
fn multiply(
    lhs: &[f32],
    lhs_stride: usize,
    rhs: &[f32],
    [m, n, k]: [usize; 3],
    output: &mut [f32],
    output_stride: usize,
) {
    assert!(lhs.len() >= (m - 1) * lhs_stride + k && rhs.len() >= k * n);
    assert!(output.len() >= (m - 1) * output_stride + n);
    // SAFETY: the assertions above keep every index `row * stride + column` inside its slice, and `output` is
    // borrowed mutably, so it overlaps neither operand.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            output.as_mut_ptr(),
            1,
            output_stride as isize,
            false,
            lhs.as_ptr(),
            1,
            lhs_stride as isize,
            rhs.as_ptr(),
            1,
            n as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Copies the taps of one output position, `[kT, kH, kW, C]`, zeros in the padding.
fn gather(input: Source<'_>, from: Shape, window: Window, to: Shape, position: usize, values: &mut [f32]) {
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
