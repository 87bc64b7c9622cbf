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

/// The 1-D transform of products to outputs, `A^T m`, on `L` independent lanes.
#[inline(always)]
pub(crate) fn output_transform<const L: usize>(m: [[f32; L]; PATCH]) -> [[f32; L]; TILE] {
    let mut y = [[0.0; L]; TILE];
    for l in 0..L {
        let [m0, m1, m2, m3, m4, m5] = m.map(|row| row[l]);
        let (sum, difference, sum2, difference2) = (m1 + m2, m1 - m2, m3 + m4, m3 - m4);
        y[0][l] = m0 + sum + sum2;
        y[1][l] = FRAC_1_SQRT_2 * difference + SQRT_2 * difference2;
        y[2][l] = 0.5 * sum + 2.0 * sum2;
        y[3][l] = 0.5 * FRAC_1_SQRT_2 * difference + 2.0 * SQRT_2 * difference2 + m5;
    }
    y
}

/// `G`, the transform of three taps along one axis.
fn taps_transform() -> [[f64; 3]; PATCH] {
    let mut g = [[0.0; 3]; PATCH];
    for (row, (root, norm)) in g.iter_mut().zip(ROOTS.iter().zip(NORMS)) {
        for (power, value) in row.iter_mut().enumerate() {
            *value = root.powi(power as i32) / norm;
        }
    }
    g[PATCH - 1][2] = 1.0;
    g
}

/// The weights of a 3x3x3 convolution, `G g G^T` over height and width, computed in parallel.
///
/// # Shapes
/// `kernel` `[3, 3, 3, Ci, Co]`; result `[36, 3, Ci, Co]`: points, temporal taps
pub fn transform_weights(kernel: &[f32], in_channels: usize, out_channels: usize) -> Vec<f32> {
    let g = taps_transform();
    // The factor of every tap in every point.
    let factors: Vec<[f32; 9]> = (0..POINTS)
        .map(|point| {
            std::array::from_fn(|tap| (g[point / PATCH][tap / 3] * g[point % PATCH][tap % 3]) as f32)
        })
        .collect();
    let plane = in_channels * out_channels;
    let mut transformed = vec![0.0; POINTS * 3 * plane];
    transformed.par_chunks_mut(plane).enumerate().for_each(|(index, out)| {
        let (point, kt) = (index / 3, index % 3);
        for (tap, &factor) in factors[point].iter().enumerate().filter(|(_, factor)| **factor != 0.0) {
            let taps = &kernel[(kt * 9 + tap) * plane..][..plane];
            for (sum, value) in out.iter_mut().zip(taps) {
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
            let rows = output_transform(products);
            for y in 0..TILE {
                let row: [[f32; 1]; PATCH] = std::array::from_fn(|j| [rows[y][j]]);
                let got = output_transform(row);
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
