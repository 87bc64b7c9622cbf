//! 3x3x3 convolution by Winograd's F(4x4, 3x3): tiles of output are transformed, multiplied and transformed back while
//! they are in the cache. The opening convolution (`stem`) shares what happens after the multiplication.

use std::ops::Range;

use rayon::prelude::*;

use super::gemm::{Matrix, Product, SharedRows, multiply};
use super::memory::Scratch;
use super::{Source, vectorised};
use crate::backend::winograd::{PATCH, POINTS, TILE, input_transform, output_transform};
use crate::network::Shape;
use crate::plan::Window;

/// Rows of the matrix products that a thread works on at a time: enough to read the weights, which do not fit the
/// second-level cache, seldom; few enough for the transformed tiles to stay in the third.
const ROWS: usize = 96;
/// Channels that are transformed at a time.
const LANES: usize = 8;

/// A convolution and where it writes.
pub(super) struct Conv<'a> {
    /// Transformed weights `[36, 3 * C, channels]`, for the stem `[36, 7 * 4 * C, channels]`.
    pub kernel: &'a [f32],
    /// `[channels]`
    pub bias: &'a [f32],
    /// Whether negative outputs become zero.
    pub relu: bool,
    /// Padding before time, height and width.
    pub window: Window,
    /// The output buffer.
    pub output: SharedRows<'a>,
    /// First channel that is written.
    pub offset: usize,
}

/// The part of the output that one thread computes at a time.
pub(super) struct Item {
    pub clip: usize,
    pub times: Range<usize>,
    /// Tiles of a frame, row by row.
    pub tiles: Range<usize>,
    /// Output channels.
    pub columns: Range<usize>,
}

/// Convolution with zero padding, bias and optional ReLU.
///
/// # Shapes
/// - `input` `[N, T, H, W, C]` with `from` as shape and its own channel stride
/// - output `[N, To, H, W, ..]` with `to` as positions
pub(super) fn conv3d(input: Source<'_>, from: Shape, to: Shape, conv: &Conv<'_>, scratch: &Scratch) {
    let channels = conv.bias.len();
    let items = items(to, TILE, channels, rayon::current_num_threads());
    items.par_iter().for_each(|item| {
        let (tiles, times) = (item.tiles.len(), item.times.len());
        let frame = tiles * from.c;
        let (input_plane, rows, columns) = ((times + 2) * frame, times * tiles, item.columns.len());
        let output_plane = rows * columns;
        scratch.with(POINTS * (input_plane + output_plane), |memory| {
            let (transformed, products) = memory.split_at_mut(POINTS * input_plane);
            transform_inputs(input, from, to, conv.window, item, transformed);
            for point in 0..POINTS {
                let plane = &transformed[point * input_plane..][..input_plane];
                for kt in 0..3 {
                    let lhs = Matrix { data: &plane[kt * frame..], stride: from.c };
                    let kernel = &conv.kernel[(point * 3 + kt) * from.c * channels + item.columns.start..];
                    let rhs = Matrix { data: kernel, stride: channels };
                    let data = &mut products[point * output_plane..][..output_plane];
                    multiply(
                        lhs,
                        rhs,
                        [rows, columns, from.c],
                        Product { data, stride: columns, add: kt > 0 },
                    );
                }
            }
            transform_outputs::<TILE>(products, to, conv, item);
        });
    });
}

/// Cuts the output into items of about [`ROWS`] rows, and of fewer channels where there would be too few items for all
/// threads. Tiles have `tile` rows and columns.
pub(super) fn items(to: Shape, tile: usize, channels: usize, threads: usize) -> Vec<Item> {
    let tiles = to.h.div_ceil(tile) * to.w.div_ceil(tile);
    // All time steps where that is possible: the first and the last need two more frames of transformed input.
    let rows = (to.n * to.t * tiles).div_ceil(2 * threads).clamp(16, ROWS);
    let times = to.t.div_ceil(to.t.div_ceil(rows));
    let count = (rows / times).clamp(1, tiles);
    let even = |length: usize, size: usize| length.div_ceil(length.div_ceil(size));
    let count = even(tiles, count);
    let blocks = to.n * to.t.div_ceil(times) * tiles.div_ceil(count);
    let width = channels.div_ceil(threads.div_ceil(blocks)).next_multiple_of(4 * LANES);
    let pieces =
        |length: usize, size: usize| (0..length).step_by(size).map(move |i| i..(i + size).min(length));
    let mut items = Vec::new();
    for clip in 0..to.n {
        for times in pieces(to.t, times) {
            for tiles in pieces(tiles, count) {
                for columns in pieces(channels, width) {
                    items.push(Item { clip, times: times.clone(), tiles: tiles.clone(), columns });
                }
            }
        }
    }
    items
}

/// Transforms the patches of the item's tiles.
///
/// # Shapes
/// `transformed` `[36, times + 2, tiles, C]`
fn transform_inputs(
    input: Source<'_>,
    from: Shape,
    to: Shape,
    window: Window,
    item: &Item,
    transformed: &mut [f32],
) {
    vectorised(
        #[inline(always)]
        || {
            let plane = transformed.len() / POINTS;
            let across = to.w.div_ceil(TILE);
            let mut position = 0;
            for frame in 0..item.times.len() + 2 {
                let t = (item.times.start + frame) as isize - window.pad_before[0];
                for tile in item.tiles.clone() {
                    let at = position * from.c;
                    position += 1;
                    if t < 0 || t >= from.t as isize {
                        for point in 0..POINTS {
                            transformed[point * plane + at..][..from.c].fill(0.0);
                        }
                        continue;
                    }
                    let first = |index: usize, axis: usize| (index * TILE) as isize - window.pad_before[axis];
                    let (y, x) = (first(tile / across, 1), first(tile % across, 2));
                    let frame = (item.clip * from.t + t as usize) * from.h;
                    // Index of every pixel of the patch, `None` in the padding.
                    let pixels: [Option<usize>; POINTS] = std::array::from_fn(|i| {
                        let (y, x) = (y + (i / PATCH) as isize, x + (i % PATCH) as isize);
                        let inside = y >= 0 && y < from.h as isize && x >= 0 && x < from.w as isize;
                        inside.then(|| ((frame + y as usize) * from.w + x as usize) * input.stride)
                    });
                    let mut c = 0;
                    while c + LANES <= from.c {
                        patch::<LANES>(input.data, &pixels, c, transformed, plane, at + c);
                        c += LANES;
                    }
                    while c < from.c {
                        patch::<4>(input.data, &pixels, c, transformed, plane, at + c);
                        c += 4;
                    }
                }
            }
        },
    );
}

/// Transforms `L` channels of one patch.
#[inline(always)]
fn patch<const L: usize>(
    data: &[f32],
    pixels: &[Option<usize>; POINTS],
    channel: usize,
    transformed: &mut [f32],
    plane: usize,
    at: usize,
) {
    let mut rows = [[[0.0; L]; PATCH]; PATCH];
    for x in 0..PATCH {
        let column: [[f32; L]; PATCH] = std::array::from_fn(|y| match pixels[y * PATCH + x] {
            Some(pixel) => load(&data[pixel + channel..]),
            None => [0.0; L],
        });
        for (row, value) in rows.iter_mut().zip(input_transform(column)) {
            row[x] = value;
        }
    }
    for (y, row) in rows.into_iter().enumerate() {
        for (x, value) in input_transform(row).into_iter().enumerate() {
            transformed[(y * PATCH + x) * plane + at..][..L].copy_from_slice(&value);
        }
    }
}

#[inline(always)]
fn load<const L: usize>(values: &[f32]) -> [f32; L] {
    let mut lanes = [0.0; L];
    lanes.copy_from_slice(&values[..L]);
    lanes
}

/// Transforms the products back and writes what lies inside the output.
///
/// # Shapes
/// `products` `[36, times, tiles, columns]`
pub(super) fn transform_outputs<const M: usize>(products: &[f32], to: Shape, conv: &Conv<'_>, item: &Item) {
    vectorised(
        #[inline(always)]
        || {
            let plane = products.len() / POINTS;
            let across = to.w.div_ceil(M);
            let columns = item.columns.len();
            let mut at = 0;
            for t in item.times.clone() {
                for tile in item.tiles.clone() {
                    let (y, x) = (tile / across * M, tile % across * M);
                    let first = ((item.clip * to.t + t) * to.h + y) * to.w + x;
                    let size = (M.min(to.h - y), M.min(to.w - x));
                    let mut c = 0;
                    while c + LANES <= columns {
                        tile_out::<M, LANES>(
                            products,
                            plane,
                            at + c,
                            conv,
                            item.columns.start + c,
                            first,
                            to.w,
                            size,
                        );
                        c += LANES;
                    }
                    while c < columns {
                        tile_out::<M, 4>(
                            products,
                            plane,
                            at + c,
                            conv,
                            item.columns.start + c,
                            first,
                            to.w,
                            size,
                        );
                        c += 4;
                    }
                    at += columns;
                }
            }
        },
    );
}

/// Transforms `L` channels of one tile and writes `size` rows and columns of it, from position `first` on.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "where the tile comes from and where it goes")]
fn tile_out<const M: usize, const L: usize>(
    products: &[f32],
    plane: usize,
    at: usize,
    conv: &Conv<'_>,
    channel: usize,
    first: usize,
    width: usize,
    size: (usize, usize),
) {
    let mut rows = [[[0.0; L]; PATCH]; M];
    for x in 0..PATCH {
        let column: [[f32; L]; PATCH] =
            std::array::from_fn(|y| load(&products[(y * PATCH + x) * plane + at..]));
        for (row, value) in rows.iter_mut().zip(output_transform::<M, L>(column)) {
            row[x] = value;
        }
    }
    let bias: [f32; L] = load(&conv.bias[channel..]);
    let least = if conv.relu { 0.0 } else { f32::NEG_INFINITY };
    for (y, row) in rows.into_iter().enumerate().take(size.0) {
        for (x, value) in output_transform::<M, L>(row).into_iter().enumerate().take(size.1) {
            // SAFETY: every position and channel belongs to one tile of one item.
            let out = unsafe { conv.output.rows(first + y * width + x, 1, conv.offset + channel, L) };
            for ((out, value), bias) in out.iter_mut().zip(value).zip(bias) {
                *out = (value + bias).max(least);
            }
        }
    }
}
