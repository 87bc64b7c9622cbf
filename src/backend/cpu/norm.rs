//! Batch norm in training, and ReLU: statistics, normalisation, and the way back.

use std::ops::Range;

use rayon::prelude::*;

use super::vectorised;
use crate::network::BATCH_NORM_EPSILON;
use crate::weights::Moments;

/// Rows of a part of a sum. Fixed, so that the sums do not depend on the number of threads.
const ROWS: usize = 512;

/// Sums over the rows of a part, `N` for every channel.
type Sums<const N: usize> = [Vec<f32>; N];

/// Runs `work` on every part of `rows` rows, with the processor's widest vectors; the results in the order of the parts.
fn parts<T: Send>(rows: usize, work: impl Fn(Range<usize>) -> T + Sync) -> Vec<T> {
    let part = |index: usize| index * ROWS..((index + 1) * ROWS).min(rows);
    let run = |index: usize| {
        vectorised(
            #[inline(always)]
            || work(part(index)),
        )
    };
    (0..rows.div_ceil(ROWS)).into_par_iter().map(run).collect()
}

/// Adds up parts in f64, in their order.
fn total<const N: usize>(parts: &[Sums<N>], channels: usize) -> [Vec<f64>; N] {
    std::array::from_fn(|which| {
        (0..channels).map(|c| parts.iter().map(|part| f64::from(part[which][c])).sum()).collect()
    })
}

/// Mean and variance of every channel.
///
/// # Shapes
/// `values` `[rows, channels]`
pub(super) fn moments(values: &[f32], channels: usize) -> Moments {
    let rows = values.len() / channels;
    // The deviations from the part's own mean, while the part is in the cache: they lose nothing where a mean is large
    // beside its deviation.
    let found = parts(
        rows,
        #[inline(always)]
        |part| {
            let values = &values[part.start * channels..part.end * channels];
            let (mut mean, mut squares) = (vec![0.0; channels], vec![0.0; channels]);
            for row in values.chunks_exact(channels) {
                mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
            mean.iter_mut().for_each(|sum| *sum /= part.len() as f32);
            for row in values.chunks_exact(channels) {
                for ((sum, value), mean) in squares.iter_mut().zip(row).zip(&mean) {
                    *sum += (value - mean) * (value - mean);
                }
            }
            (part.len() as f64, mean, squares)
        },
    );
    let of = |c: usize| {
        let mean = found.iter().map(|(count, mean, _)| count * f64::from(mean[c])).sum::<f64>() / rows as f64;
        let squares = found.iter().map(|(count, part, squares)| {
            f64::from(squares[c]) + count * (f64::from(part[c]) - mean).powi(2)
        });
        (mean as f32, (squares.sum::<f64>() / rows as f64) as f32)
    };
    let (mean, variance) = (0..channels).map(of).unzip();
    Moments { mean, variance }
}

/// Brings `values` `[rows, channels]` to `(x - mean) / sqrt(variance + eps)`; gives what they were multiplied by.
pub(super) fn normalise(values: &mut [f32], moments: &Moments) -> Vec<f32> {
    let inverse = |&variance: &f32| 1.0 / (variance + BATCH_NORM_EPSILON).sqrt();
    let inverses: Vec<f32> = moments.variance.iter().map(inverse).collect();
    let channels = inverses.len();
    values.par_chunks_mut(ROWS * channels).for_each(|rows| {
        vectorised(
            #[inline(always)]
            || {
                for row in rows.chunks_exact_mut(channels) {
                    for ((value, mean), inverse) in row.iter_mut().zip(&moments.mean).zip(&inverses) {
                        *value = (*value - mean) * inverse;
                    }
                }
            },
        );
    });
    inverses
}

/// Adds `offset`, clamps where there is ReLU, and writes into the channels from `first` on of `output` `[rows, stride]`.
pub(super) fn finish(
    values: &[f32],
    offset: &[f32],
    relu: bool,
    (output, stride, first): (&mut [f32], usize, usize),
) {
    let channels = offset.len();
    output.par_chunks_mut(ROWS * stride).zip(values.par_chunks(ROWS * channels)).for_each(|(to, from)| {
        vectorised(
            #[inline(always)]
            || {
                for (to, from) in to.chunks_exact_mut(stride).zip(from.chunks_exact(channels)) {
                    for ((to, from), offset) in to[first..][..channels].iter_mut().zip(from).zip(offset) {
                        let value = from + offset;
                        // What is no number stays so, to be seen in the loss.
                        *to = if relu && value < 0.0 { 0.0 } else { value };
                    }
                }
            },
        );
    });
}

/// The gradient of a unit without batch norm: copies that of the output to `values_grad` and adds its sum to `offset_grad`.
pub(super) fn classifier_grad(
    (output_grad, stride, first): (&[f32], usize, usize),
    values_grad: &mut [f32],
    offset_grad: &mut [f32],
) {
    let channels = offset_grad.len();
    for (to, from) in values_grad.chunks_exact_mut(channels).zip(output_grad.chunks_exact(stride)) {
        to.copy_from_slice(&from[first..][..channels]);
        offset_grad.iter_mut().zip(&*to).for_each(|(sum, grad)| *sum += grad);
    }
}

/// The gradient of a unit with batch norm and ReLU: that of the convolution's values takes the place of the normalised
/// values in `normal`, and that of beta is added to `offset_grad`.
///
/// # Shapes
/// `output_grad` and `values`, the unit's output, `[rows, stride]`, the unit's channels from `first` on; `inverse` and
/// `offset_grad` `[channels]`, `normal` `[rows, channels]`.
pub(super) fn norm_grad(
    (output_grad, stride, first): (&[f32], usize, usize),
    values: &[f32],
    batch: bool,
    inverse: &[f32],
    normal: &mut [f32],
    offset_grad: &mut [f32],
) {
    let channels = inverse.len();
    let rows = normal.len() / channels;
    // Where the unit's channels of a row of the output and of its gradient are.
    let own = |row: usize| row * stride + first..row * stride + first + channels;
    let normals: &[f32] = normal;
    let sums = parts(
        rows,
        #[inline(always)]
        |part| {
            let (mut sum, mut product) = (vec![0.0; channels], vec![0.0; channels]);
            for (at, normal) in part.clone().zip(normals[part.start * channels..].chunks_exact(channels)) {
                let (ahead, value) = (&output_grad[own(at)], &values[own(at)]);
                for c in 0..channels {
                    let grad = passed(ahead[c], value[c]);
                    sum[c] += grad;
                    product[c] += grad * normal[c];
                }
            }
            [sum, product]
        },
    );
    let [sum, product] = total(&sums, channels);
    offset_grad.iter_mut().zip(&sum).for_each(|(offset, sum)| *offset += *sum as f32);
    // A batch's own mean and variance move with its values; fixed ones do not.
    let mean = |sums: Vec<f64>| -> Vec<f32> {
        sums.iter().map(|sum| if batch { (sum / rows as f64) as f32 } else { 0.0 }).collect()
    };
    let (sum, product) = (mean(sum), mean(product));
    normal.par_chunks_mut(ROWS * channels).enumerate().for_each(|(part, normal)| {
        vectorised(
            #[inline(always)]
            || {
                for (at, normal) in (part * ROWS..).zip(normal.chunks_exact_mut(channels)) {
                    let (ahead, value) = (&output_grad[own(at)], &values[own(at)]);
                    for c in 0..channels {
                        let grad = passed(ahead[c], value[c]);
                        normal[c] = inverse[c] * (grad - sum[c] - normal[c] * product[c]);
                    }
                }
            },
        );
    });
}

/// ReLU passes a gradient where it did not clamp.
#[inline(always)]
fn passed(grad: f32, value: f32) -> f32 {
    if value > 0.0 { grad } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::reference;
    use crate::random::SplitMix64;

    /// Relative to the largest value: sums of a thousand f32 numbers, and the division by a deviation of one.
    const TOLERANCE: f32 = 1e-5;

    fn assert_near(got: &[f32], want: &[f32]) {
        let largest = want.iter().fold(0.0, |most: f32, value| most.max(value.abs()));
        let worst = got.iter().zip(want).map(|(got, want)| (got - want).abs()).fold(0.0, f32::max);
        assert!(got.len() == want.len() && worst <= TOLERANCE * largest, "{worst:e} of {largest:e}");
    }

    #[test]
    fn batch_norm_is_that_of_the_twins_there_and_back() {
        // More rows than a part, and channels in the middle of a wider output.
        let (rows, channels, stride, first) = (1100, 8, 20, 4);
        let mut random = SplitMix64::new(1);
        let mut noise = |count: usize| (0..count).map(|_| random.symmetric()).collect::<Vec<f32>>();
        let values: Vec<f32> = noise(rows * channels).iter().map(|x| 3.0 + x).collect();
        let (beta, ahead) = (noise(channels), noise(rows * stride));
        let statistics = moments(&values, channels);
        let (mean, variance) = reference::moments(&values, channels);
        assert_near(&statistics.mean, &mean);
        assert_near(&statistics.variance, &variance);
        for batch in [true, false] {
            let mut normal = values.clone();
            let inverse = normalise(&mut normal, &statistics);
            let mut output = vec![f32::NAN; rows * stride];
            finish(&normal, &beta, true, (&mut output, stride, first));
            let mut want = vec![0.0; values.len()];
            reference::batch_norm(&values, &mean, &variance, &beta, &mut want);
            let dense = |wide: &[f32]| -> Vec<f32> {
                wide.chunks_exact(stride).flat_map(|row| &row[first..][..channels]).copied().collect()
            };
            assert_near(&dense(&output), &want);
            let (mut values_grad, mut beta_grad) = (vec![0.0; values.len()], vec![0.0; channels]);
            reference::batch_norm_grad(
                &values,
                (&mean, &variance),
                &beta,
                batch,
                &dense(&ahead),
                &mut values_grad,
                &mut beta_grad,
            );
            let mut offset_grad = vec![0.0; channels];
            norm_grad((&ahead, stride, first), &output, batch, &inverse, &mut normal, &mut offset_grad);
            assert_near(&normal, &values_grad);
            assert_near(&offset_grad, &beta_grad);
        }
    }
}
