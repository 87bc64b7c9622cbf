//! Twin of `shaders/gemm.wgsl` and `shaders/gemm_uniform.wgsl`.

use super::max_pool3d;
use crate::backend::params::GemmParams;

/// Matrix products: for every point and range, rows of the input times weights, summed over taps and input channels, plus
/// bias, and ReLU where asked for. `add` says whether the sums are added to what the output holds. Where there is a window,
/// rows are maxima over it.
///
/// # Shapes
/// - `input` `[points, rows + taps * rows[3], 4 * input[0]]`, or `[N, image, 4 * input[0]]` where there is a window
/// - `weight` per range, from its first on, `[points, taps, 4 * channels[1], 4 * place[3]]`
/// - `bias` per range, from its first on, `[4 * channels[2]]`
/// - `output` `[points, rows, 4 * output[0]]`, `other` `[rows, 4 * output[1]]`
pub fn gemm(
    p: &GemmParams,
    add: bool,
    input: &[f32],
    weight: &[f32],
    bias: &[f32],
    [output, other]: [&mut [f32]; 2],
) {
    let mut pooled = vec![0.0; 0];
    let input = if p.window[0] == 0 {
        input
    } else {
        pooled.resize(4 * (p.rows[0] * p.input[0]) as usize, 0.0);
        max_pool3d(&p.pool(), input, &mut pooled);
        &pooled
    };
    let [rows, _, taps, tap_rows] = p.rows.map(|v| v as usize);
    let [in_stride, in_point, ranges, points] = p.input.map(|v| v as usize);
    for range in 0..ranges {
        let [first_in, depth, columns, first_weight] = p.channels[range].map(|v| 4 * v as usize);
        let [to_other, first_out, first_bias, weights] = p.place[range].map(|v| 4 * v as usize);
        for (point, row, column) in (0..points)
            .flat_map(|point| (0..rows).map(move |row| (point, row)))
            .flat_map(|(point, row)| (0..columns).map(move |column| (point, row, column)))
        {
            let mut sum = f64::from(bias[first_bias + column]);
            for tap in 0..taps {
                let from = 4 * (point * in_point + (row + tap * tap_rows) * in_stride) + first_in;
                let at = first_weight + (point * taps + tap) * depth * weights + column;
                for k in 0..depth {
                    sum += f64::from(input[from + k]) * f64::from(weight[at + k * weights]);
                }
            }
            let value = if to_other > 0 {
                &mut other[4 * row * p.output[1] as usize + first_out + column]
            } else {
                &mut output
                    [4 * (point * p.output[2] as usize + row * p.output[0] as usize) + first_out + column]
            };
            if add {
                sum += f64::from(*value);
            }
            *value = if p.output[3] == 1 { sum.max(0.0) as f32 } else { sum as f32 };
        }
    }
}
