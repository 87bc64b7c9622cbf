//! Twins of `shaders/wino_in.wgsl`, `shaders/wino_out.wgsl` and `shaders/wino_pool.wgsl`: the transforms as products with
//! their matrices.

use super::{index, max_pool3d, positions};
use crate::backend::params::{PoolParams, WinoParams};
use crate::backend::winograd::{PATCH, POINTS, TILE};

const S: f64 = std::f64::consts::SQRT_2;

/// `B^T`, inputs of a patch to points, along one axis.
const INPUT: [[f64; PATCH]; PATCH] = [
    [1.0, 0.0, -2.5, 0.0, 1.0, 0.0],
    [0.0, -S, -2.0, S / 2.0, 1.0, 0.0],
    [0.0, S, -2.0, -S / 2.0, 1.0, 0.0],
    [0.0, -S / 2.0, -0.5, S, 1.0, 0.0],
    [0.0, S / 2.0, -0.5, -S, 1.0, 0.0],
    [0.0, 1.0, 0.0, -2.5, 0.0, 1.0],
];

/// `A^T`, points to outputs of a tile, along one axis.
const OUTPUT: [[f64; PATCH]; TILE] = [
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
    [0.0, S / 2.0, -S / 2.0, S, -S, 0.0],
    [0.0, 0.5, 0.5, 2.0, 2.0, 0.0],
    [0.0, S / 4.0, -S / 4.0, 2.0 * S, -2.0 * S, 1.0],
];

/// The clip and frame of every frame of the chunk, its rows and columns of tiles, and the channels: `[clip, frame, y, x,
/// channel]`, in the order of a point's values.
fn places(p: &WinoParams) -> impl Iterator<Item = [usize; 5]> {
    let [rows, columns, first, count] = p.tiles.map(|v| v as usize);
    let (length, channels) = (p.frames[0] as usize, 4 * p.channels[2] as usize);
    (0..count * rows * columns * channels).map(move |i| {
        let (tile, c) = (i / channels, i % channels);
        let frame = first + tile / (rows * columns);
        [frame / length, frame % length, TILE * (tile / columns % rows), TILE * (tile % columns), c]
    })
}

/// Patches to points; positions outside the clip are zero.
///
/// # Shapes
/// `input` `[N, T, H, W, 4 * channels[0]]`, `output` `[36, frames, tiles, 4 * channels[2]]`
pub fn wino_in(p: &WinoParams, input: &[f32], output: &mut [f32]) {
    let [clips, frames, height, width] = p.image.map(|v| v as usize);
    let [pad_t, pad_y, pad_x, _] = p.pad.map(|v| v as i32 as isize);
    let point = 4 * p.fours();
    for (i, [n, t, y, x, c]) in places(p).enumerate() {
        let value = |row: usize, column: usize| {
            let inside =
                |at: usize, pad: isize, size: usize| at.checked_add_signed(-pad).filter(|&at| at < size);
            let at =
                (inside(t, pad_t, frames), inside(y + row, pad_y, height), inside(x + column, pad_x, width));
            let (Some(t), Some(y), Some(x), true) = (at.0, at.1, at.2, n < clips) else { return 0.0 };
            let position = ((n * frames + t) * height + y) * width + x;
            f64::from(input[4 * (position * p.channels[0] as usize + p.channels[1] as usize) + c])
        };
        for index in 0..POINTS {
            let (u, v) = (&INPUT[index / PATCH], &INPUT[index % PATCH]);
            let terms = (0..POINTS).map(|at| u[at / PATCH] * v[at % PATCH] * value(at / PATCH, at % PATCH));
            output[index * point + i] = terms.sum::<f64>() as f32;
        }
    }
}

/// Points to tiles, plus bias, and ReLU where asked for; frames between clips are skipped.
///
/// # Shapes
/// `input` `[36, frames, tiles, 4 * channels[2]]`, `bias` `[4 * channels[2]]` from `4 * frames[3]` on, `output`
/// `[N, T, H, W, 4 * channels[0]]`
pub fn wino_out(p: &WinoParams, input: &[f32], bias: &[f32], output: &mut [f32]) {
    let [clips, frames, height, width] = p.image.map(|v| v as usize);
    let point = 4 * p.fours();
    for (i, [n, t, y, x, c]) in places(p).enumerate() {
        for (row, column) in (0..TILE * TILE).map(|at| (at / TILE, at % TILE)) {
            let (u, v) = (&OUTPUT[row], &OUTPUT[column]);
            let terms =
                (0..POINTS).map(|at| u[at / PATCH] * v[at % PATCH] * f64::from(input[at * point + i]));
            let sum = terms.sum::<f64>() + f64::from(bias[4 * p.frames[3] as usize + c]);
            if n < clips && t < frames && y + row < height && x + column < width {
                let position = ((n * frames + t) * height + y + row) * width + x + column;
                let at = 4 * (position * p.channels[0] as usize + p.channels[1] as usize) + c;
                output[at] = if p.frames[2] == 1 { sum.max(0.0) as f32 } else { sum as f32 };
            }
        }
    }
}

/// [`wino_out`], and of its outputs the maxima over windows of 1x3x3 with stride 1x2x2, without padding before; beyond the
/// image there is nothing to win.
///
/// # Shapes
/// `input` `[36, frames, tiles, 4 * channels[2]]`, `bias` `[4 * channels[2]]` from `4 * frames[3]` on, `output`
/// `[N, T, pool[0], pool[1], 4 * channels[0]]`
pub fn wino_pool(p: &WinoParams, input: &[f32], bias: &[f32], output: &mut [f32]) {
    let [clips, frames, height, width] = p.image;
    let [stored, first, channels, _] = p.channels;
    let pool = PoolParams {
        input: p.image,
        output: [clips, frames, p.pool[0], p.pool[1]],
        window: [1, 3, 3, channels],
        stride: [1, 2, 2, 1],
        pad: [0; 4],
    };
    let [stored, first, count] = [stored, first, channels].map(|fours| 4 * fours as usize);
    let tensor = |[n, t, h, w]: [u32; 4]| vec![0.0; (n * t * h * w) as usize * count];
    let (mut outputs, mut pooled) = (tensor([clips, frames, height, width]), tensor(pool.output));
    wino_out(&WinoParams { channels: [channels, 0, channels, 0], ..*p }, input, bias, &mut outputs);
    max_pool3d(&pool, &outputs, &mut pooled);
    let [.., begin, length] = p.tiles.map(|v| v as usize);
    let chunk = |[n, t, ..]: &[usize; 4]| (begin..begin + length).contains(&(n * p.frames[0] as usize + t));
    for position in positions(pool.output).filter(chunk).map(|at| index(pool.output, at)) {
        output[position * stored + first..][..count].copy_from_slice(&pooled[position * count..][..count]);
    }
}
