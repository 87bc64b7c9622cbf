//! Winograd's minimal filtering F(4x4, 3x3) over height and width: what every backend shares.
//!
//! A tile of 4x4 outputs is computed from a patch of 6x6 inputs with 36 multiplications per channel pair instead of 144.
//! The temporal taps of a 3x3x3 convolution are not transformed: they lengthen the sum of the 36 matrix products, so the
//! transformed input is only 2.25 times as large as the input. The interpolation points 0, ±√½, ±√2 and infinity keep
//! the rounding error of 32-bit floats below 1e-6 of the outputs (Barabasz et al., "Error Analysis and Improving the
//! Accuracy of Winograd Convolution for Deep Neural Networks", 2018, is about that choice).

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

use rayon::prelude::*;

/// Outputs of a tile along one axis.
pub const TILE: usize = 4;
/// Outputs of a tile of the opening 7x7x7 convolution along one axis: F(3x3, 4x4) has the same points.
pub const STEM_TILE: usize = 3;
/// Inputs of a tile along one axis.
pub const PATCH: usize = 6;
/// Products of a tile per pair of channels, and so the number of matrix products.
pub const POINTS: usize = PATCH * PATCH;

/// Finite interpolation points.
const ROOTS: [f64; 5] = [
    0.0,
    std::f64::consts::FRAC_1_SQRT_2,
    -std::f64::consts::FRAC_1_SQRT_2,
    std::f64::consts::SQRT_2,
    -std::f64::consts::SQRT_2,
];
/// The product of each point's differences from the other points.
const NORMS: [f64; 5] = [1.0, -1.5, -1.5, 6.0, 6.0];

/// The 1-D transform of a patch of inputs, `B^T d`, on `L` independent lanes.
#[inline(always)]
pub(crate) fn input_transform<const L: usize>(d: [[f32; L]; PATCH]) -> [[f32; L]; PATCH] {
    let mut v = [[0.0; L]; PATCH];
    for l in 0..L {
        let [d0, d1, d2, d3, d4, d5] = d.map(|row| row[l]);
        let (even, odd) = (d4 - 2.0 * d2, FRAC_1_SQRT_2 * d3 - SQRT_2 * d1);
        let (even2, odd2) = (d4 - 0.5 * d2, SQRT_2 * d3 - FRAC_1_SQRT_2 * d1);
        v[0][l] = d0 - 2.5 * d2 + d4;
        v[1][l] = even + odd;
        v[2][l] = even - odd;
        v[3][l] = even2 + odd2;
        v[4][l] = even2 - odd2;
        v[5][l] = d1 - 2.5 * d3 + d5;
    }
    v
}

/// The 1-D transform of products to `M` outputs, `A^T m`, on `L` independent lanes; `M` is [`TILE`] or [`STEM_TILE`].
#[inline(always)]
pub(crate) fn output_transform<const M: usize, const L: usize>(m: [[f32; L]; PATCH]) -> [[f32; L]; M] {
    let mut y = [[0.0; L]; M];
    for l in 0..L {
        let [m0, m1, m2, m3, m4, m5] = m.map(|row| row[l]);
        let (sum, difference, sum2, difference2) = (m1 + m2, m1 - m2, m3 + m4, m3 - m4);
        y[0][l] = m0 + sum + sum2;
        y[1][l] = FRAC_1_SQRT_2 * difference + SQRT_2 * difference2;
        y[2][l] = 0.5 * sum + 2.0 * sum2;
        if M == TILE {
            y[3][l] = 0.5 * FRAC_1_SQRT_2 * difference + 2.0 * SQRT_2 * difference2;
        }
        // The point at infinity belongs to the last output.
        y[M - 1][l] += m5;
    }
    y
}

/// `G`, the transform of `taps` taps along one axis, row by row.
fn taps_transform(taps: usize) -> [Vec<f64>; PATCH] {
    std::array::from_fn(|row| match ROOTS.get(row) {
        Some(root) => (0..taps).map(|power| root.powi(power as i32) / NORMS[row]).collect(),
        None => (0..taps).map(|power| f64::from(u8::from(power + 1 == taps))).collect(),
    })
}

/// The weights of a 3x3x3 convolution, `G g G^T` over height and width, computed in parallel.
///
/// # Shapes
/// `kernel` `[3, 3, 3, Ci, Co]`; result `[36, 3, Ci, Co]`: points, temporal taps
pub fn transform_weights(kernel: &[f32], in_channels: usize, out_channels: usize) -> Vec<f32> {
    let plane = in_channels * out_channels;
    transform(kernel, 3, 3, plane)
}

/// The weights of the opening 7x7x7 convolution with stride 2, for F(3x3, 4x4) on the input's four phases: as every
/// second pixel is one channel of a quarter-size picture, stride 2 becomes stride 1 and 7 taps become 4.
///
/// # Shapes
/// `kernel` `[7, 7, 7, Ci, Co]`, `pad` the padding before height and width; result `[36, 7, 4 * Ci, Co]`: points,
/// temporal taps, phases (row, column) with their channels
pub fn transform_stem(kernel: &[f32], in_channels: usize, out_channels: usize, pad: [isize; 2]) -> Vec<f32> {
    let plane = in_channels * out_channels;
    let mut phases = vec![0.0; 7 * 16 * 4 * plane];
    for (index, out) in phases.chunks_exact_mut(plane).enumerate() {
        // [kt, tap row, tap column, phase row, phase column]
        let (px, py, x, y, kt) = (index % 2, index / 2 % 2, index / 4 % 4, index / 16 % 4, index / 64);
        let tap = |tap: usize, phase: usize, pad: isize| (2 * tap + phase).checked_sub(pad as usize % 2);
        if let (Some(ky @ 0..7), Some(kx @ 0..7)) = (tap(y, py, pad[0]), tap(x, px, pad[1])) {
            out.copy_from_slice(&kernel[((kt * 7 + ky) * 7 + kx) * plane..][..plane]);
        }
    }
    transform(&phases, 7, 4, 4 * plane)
}

/// `[times, taps, taps, plane]` to `[36, times, plane]`.
fn transform(kernel: &[f32], times: usize, taps: usize, plane: usize) -> Vec<f32> {
    let g = taps_transform(taps);
    // The factor of every tap in every point.
    let factor =
        |point: usize, tap: usize| (g[point / PATCH][tap / taps] * g[point % PATCH][tap % taps]) as f32;
    let mut transformed = vec![0.0; POINTS * times * plane];
    transformed.par_chunks_mut(plane).enumerate().for_each(|(index, out)| {
        let (point, kt) = (index / times, index % times);
        for tap in (0..taps * taps).filter(|&tap| factor(point, tap) != 0.0) {
            let (factor, values) = (factor(point, tap), &kernel[(kt * taps * taps + tap) * plane..][..plane]);
            for (sum, value) in out.iter_mut().zip(values) {
                *sum += factor * value;
            }
        }
    });
    transformed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One tile against the convolution that it stands for, in one dimension and in two.
    #[test]
    fn a_tile_is_the_convolution_of_its_patch() {
        let value = |i: usize| ((i * 37 + 11) % 23) as f32 / 11.0 - 1.0;
        let patch: [[f32; PATCH]; PATCH] =
            std::array::from_fn(|y| std::array::from_fn(|x| value(y * PATCH + x)));
        let taps: Vec<f32> = (0..27).map(|i| value(100 + i)).collect();
        let weights = transform_weights(&taps, 1, 1);
        let columns = input_transform(patch);
        // Rows of the transposed patch are its columns.
        let transpose = |m: [[f32; PATCH]; PATCH]| -> [[f32; PATCH]; PATCH] {
            std::array::from_fn(|i| std::array::from_fn(|j| m[j][i]))
        };
        let input = transpose(input_transform(transpose(columns)));
        for kt in 0..3 {
            let products: [[f32; PATCH]; PATCH] = std::array::from_fn(|i| {
                std::array::from_fn(|j| input[i][j] * weights[(i * PATCH + j) * 3 + kt])
            });
            let rows: [[f32; PATCH]; TILE] = output_transform(products);
            for y in 0..TILE {
                let row: [[f32; 1]; PATCH] = std::array::from_fn(|j| [rows[y][j]]);
                let got: [[f32; 1]; TILE] = output_transform(row);
                for x in 0..TILE {
                    let want: f64 = (0..9)
                        .map(|tap| f64::from(patch[y + tap / 3][x + tap % 3]) * f64::from(taps[kt * 9 + tap]))
                        .sum();
                    assert!((f64::from(got[x][0]) - want).abs() < 1e-5, "{y},{x}: {} {want}", got[x][0]);
                }
            }
        }
    }
}
