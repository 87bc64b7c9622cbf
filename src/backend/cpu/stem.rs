//! The opening 7x7x7 convolution with stride 2 by Winograd's F(3x3, 4x4) on the four phases of the input: a third of
//! the multiplications of the direct form.

use rayon::prelude::*;

use super::gemm::{Matrix, Product, multiply};
use super::memory::Scratch;
use super::winograd::{Conv, Item, items, transform_outputs};
use super::{Source, vectorised};
use crate::backend::winograd::{PATCH, POINTS, STEM_TILE, input_transform};
use crate::network::Shape;

/// Pixels of the input that a patch spans on one axis: its phases lie two apart.
const SPAN: usize = 2 * PATCH;

/// Convolution of an input of 2 or 3 channels with zero padding, bias and optional ReLU.
///
/// # Shapes
/// As [`winograd::conv3d`](super::winograd::conv3d).
pub(super) fn conv3d(input: Source<'_>, from: Shape, to: Shape, conv: &Conv<'_>, scratch: &Scratch) {
    match from.c {
        2 => run::<2, 8>(input, from, to, conv, scratch),
        _ => run::<3, 12>(input, from, to, conv, scratch),
    }
}

/// The same for `C` channels in four phases, `L` values.
fn run<const C: usize, const L: usize>(
    input: Source<'_>,
    from: Shape,
    to: Shape,
    conv: &Conv<'_>,
    scratch: &Scratch,
) {
    let channels = conv.bias.len();
    let depth = conv.window.size[0] * L;
    let step = conv.window.stride[0];
    items(to, STEM_TILE, channels, rayon::current_num_threads()).par_iter().for_each(|item| {
        let (tiles, times, columns) = (item.tiles.len(), item.times.len(), item.columns.len());
        // Frames that the item's outputs look at. Those of one tile are neighbours in memory, so that the temporal taps
        // of an output are one row of the product, and the rows overlap.
        let frames = (times - 1) * step + conv.window.size[0];
        let (tile_values, plane, out_plane) = (frames * L, tiles * frames * L, tiles * times * columns);
        scratch.with(POINTS * (plane + out_plane), |memory| {
            let (transformed, products) = memory.split_at_mut(POINTS * plane);
            transform_inputs::<C, L>(input, from, to, conv, item, frames, transformed);
            for point in 0..POINTS {
                let rhs = Matrix {
                    data: &conv.kernel[point * depth * channels + item.columns.start..],
                    stride: channels,
                };
                for tile in 0..tiles {
                    let lhs =
                        Matrix { data: &transformed[point * plane + tile * tile_values..], stride: step * L };
                    // `[times, tiles, columns]`, as the transform of the outputs reads them.
                    let data =
                        &mut products[point * out_plane + tile * columns..][..out_plane - tile * columns];
                    let product = Product { data, stride: tiles * columns, add: false };
                    multiply(lhs, rhs, [times, columns, depth], product);
                }
            }
            transform_outputs::<STEM_TILE>(products, to, conv, item);
        });
    });
}

/// Transforms the patches of the item's tiles.
///
/// # Shapes
/// `transformed` `[36, tiles, frames, phases, C]`
fn transform_inputs<const C: usize, const L: usize>(
    input: Source<'_>,
    from: Shape,
    to: Shape,
    conv: &Conv<'_>,
    item: &Item,
    frames: usize,
    transformed: &mut [f32],
) {
    vectorised(
        #[inline(always)]
        || {
            let plane = transformed.len() / POINTS;
            let across = to.w.div_ceil(STEM_TILE);
            let [pad_t, pad_y, pad_x] = conv.window.pad_before;
            // The first phase of an axis begins at an even pixel, before the padding where that is odd.
            let first = |index: usize, pad: isize| (2 * STEM_TILE * index) as isize - (pad + pad % 2);
            let start = (item.times.start * conv.window.stride[0]) as isize - pad_t;
            let mut at = 0;
            for tile in item.tiles.clone() {
                let (y, x) = (first(tile / across, pad_y), first(tile % across, pad_x));
                for frame in 0..frames {
                    let t = start + frame as isize;
                    let mut pixels = [[[0.0; C]; SPAN]; SPAN];
                    if t >= 0 && t < from.t as isize {
                        let frame = (item.clip * from.t + t as usize) * from.h;
                        read(input, from, frame, y, x, &mut pixels);
                    }
                    patch::<C, L>(&pixels, transformed, plane, at);
                    at += L;
                }
            }
        },
    );
}

/// Reads the pixels from row `y` and column `x` on; those outside the picture stay as they are.
#[inline(always)]
fn read<const C: usize>(
    input: Source<'_>,
    from: Shape,
    frame: usize,
    y: isize,
    x: isize,
    pixels: &mut [[[f32; C]; SPAN]; SPAN],
) {
    let (left, right) = ((-x).clamp(0, SPAN as isize), (from.w as isize - x).clamp(0, SPAN as isize));
    for (row, pixels) in pixels.iter_mut().enumerate() {
        let y = y + row as isize;
        if y < 0 || y >= from.h as isize || left >= right {
            continue;
        }
        let line = (frame + y as usize) * from.w;
        let values = &input.data[(line + (x + left) as usize) * input.stride..];
        let inside = &mut pixels[left as usize..right as usize];
        if input.stride == C {
            inside.as_flattened_mut().iter_mut().zip(values).for_each(|(pixel, value)| *pixel = *value);
        } else {
            for (pixel, values) in inside.iter_mut().zip(values.chunks(input.stride)) {
                pixel.copy_from_slice(&values[..C]);
            }
        }
    }
}

/// Transforms the phases of one patch.
#[inline(always)]
fn patch<const C: usize, const L: usize>(
    pixels: &[[[f32; C]; SPAN]; SPAN],
    transformed: &mut [f32],
    plane: usize,
    at: usize,
) {
    let mut rows = [[[0.0; L]; PATCH]; PATCH];
    for x in 0..PATCH {
        let column: [[f32; L]; PATCH] = std::array::from_fn(|y| {
            std::array::from_fn(|lane| pixels[2 * y + lane / (2 * C)][2 * x + lane / C % 2][lane % C])
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
