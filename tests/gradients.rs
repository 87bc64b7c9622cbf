//! Gradients: the twins against central differences.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::Random;
use i3d::backend::params::{ConvParams, LstmParams, MeanParams, PoolParams};
use i3d::backend::reference;

/// Step of the differences. Their error is of the order of its square, and rounding of 1e-16 over it: both below 1e-9.
const STEP: f64 = 1e-5;
/// Largest difference, relative to the largest gradient.
const TOLERANCE: f64 = 1e-6;

fn noise(seed: u64, count: usize) -> Vec<f64> {
    Random(seed).vec(count).into_iter().map(f64::from).collect()
}

/// Compares `grad` with the differences of `loss` at `values`, every value or some of many.
#[track_caller]
fn assert_gradient(what: &str, values: &[f64], grad: &[f64], loss: impl Fn(&[f64]) -> f64) {
    let largest = grad.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    assert!(largest > 1e-3, "{what}: the gradient is all but zero");
    let mut moved = values.to_vec();
    for at in (0..values.len()).step_by(values.len().div_ceil(400)) {
        let mut shifted = |by: f64| {
            moved[at] = values[at] + by;
            let loss = loss(&moved);
            moved[at] = values[at];
            loss
        };
        let difference = (shifted(STEP) - shifted(-STEP)) / (2.0 * STEP);
        let error = (difference - grad[at]).abs() / largest;
        assert!(error <= TOLERANCE, "{what} at {at}: {}, differences give {difference}: {error:e}", grad[at]);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn product(shape: [u32; 4]) -> usize {
    shape.iter().map(|&n| n as usize).product()
}

/// A convolution whose sizes divide nothing, reading channels 4..8 of 12 and writing 8..16 of 20.
fn conv(kernel: [u32; 3], stride: [u32; 3]) -> ConvParams {
    let input = [2u32, 5, 7, 6];
    let out = |axis: usize| input[axis + 1].div_ceil(stride[axis]);
    let output = [2, out(0), out(1), out(2)];
    let pad = |axis: usize| {
        ((output[axis + 1] - 1) * stride[axis] + kernel[axis]).saturating_sub(input[axis + 1]) / 2
    };
    ConvParams {
        input,
        output,
        kernel: [kernel[0], kernel[1], kernel[2], 4],
        stride: [stride[0], stride[1], stride[2], 0],
        pad: [pad(0), pad(1), pad(2), 0],
        channels: [3, 2, 5, 2],
        source: [1, 1, 2, 0],
    }
}

#[test]
fn convolution() {
    for (kernel, stride) in [([3, 3, 3], [1, 1, 1]), ([1, 1, 1], [1, 1, 1]), ([7, 7, 7], [2, 2, 2])] {
        let p = conv(kernel, stride);
        let (input, weight) = (noise(1, 12 * product(p.input)), noise(2, product(p.kernel) * 8));
        let (bias, ahead) = (noise(3, 8), noise(4, 20 * product(p.output)));
        let forward = |input: &[f64], weight: &[f64], bias: &[f64]| {
            let mut output = vec![0.0; ahead.len()];
            reference::conv3d(&p, input, weight, bias, &mut output);
            dot(&output, &ahead)
        };
        let mut input_grad = vec![0.0; input.len()];
        reference::conv3d_input_grad(&p, &ahead, &weight, &mut input_grad);
        let (mut weight_grad, mut bias_grad) = (vec![0.0; weight.len()], vec![0.0; 8]);
        reference::conv3d_weight_grad(&p, &input, &ahead, &mut weight_grad, &mut bias_grad);
        assert_gradient("input", &input, &input_grad, |input| forward(input, &weight, &bias));
        assert_gradient("weight", &weight, &weight_grad, |weight| forward(&input, weight, &bias));
        assert_gradient("bias", &bias, &bias_grad, |bias| forward(&input, &weight, bias));
    }
}

fn pool(window: [u32; 3], stride: [u32; 3], valid: bool) -> PoolParams {
    let p = conv(window, stride);
    let full = [2, 5 - window[0] + 1, 7 - window[1] + 1, 6 - window[2] + 1];
    PoolParams {
        input: p.input,
        output: if valid { full } else { p.output },
        window: [window[0], window[1], window[2], 2],
        stride: p.stride,
        pad: if valid { [0; 4] } else { p.pad },
    }
}

#[test]
fn pools_and_mean() {
    for (window, stride) in [([3, 3, 3], [1, 1, 1]), ([1, 3, 3], [1, 2, 2]), ([2, 2, 2], [2, 2, 2])] {
        let p = pool(window, stride, false);
        let (input, ahead) = (noise(1, 8 * product(p.input)), noise(2, 8 * product(p.output)));
        let mut grad = vec![0.0; input.len()];
        reference::max_pool3d_grad(&p, &input, &ahead, &mut grad);
        assert_gradient("max pool", &input, &grad, |input| {
            let mut output = vec![0.0; ahead.len()];
            reference::max_pool3d(&p, input, &mut output);
            dot(&output, &ahead)
        });
    }
    let p = pool([2, 7, 6], [1, 1, 1], true);
    let (input, ahead) = (noise(1, 8 * product(p.input)), noise(2, 8 * product(p.output)));
    let mut grad = vec![0.0; input.len()];
    reference::avg_pool3d_grad(&p, &ahead, &mut grad);
    assert_gradient("average pool", &input, &grad, |input| {
        let mut output = vec![0.0; ahead.len()];
        reference::avg_pool3d(&p, input, &mut output);
        dot(&output, &ahead)
    });
    for p in [MeanParams { shape: [3, 5, 2, 0] }, MeanParams { shape: [3, 5, 2, 3] }] {
        let (input, ahead) = (noise(1, 3 * 5 * 8), noise(2, 3 * 8));
        let mut grad = vec![0.0; input.len()];
        reference::time_mean_grad(&p, &ahead, &mut grad);
        assert_gradient("time mean", &input, &grad, |input| {
            let mut output = vec![0.0; ahead.len()];
            reference::time_mean(&p, input, &mut output);
            dot(&output, &ahead)
        });
    }
}

#[test]
fn equal_values_share_no_gradient() {
    // After ReLU ties are the rule: the first of them takes all.
    let p = pool([3, 3, 3], [1, 1, 1], false);
    let input = vec![0.0f64; 8 * product(p.input)];
    let ahead = vec![1.0; 8 * product(p.output)];
    let mut grad = vec![0.0; input.len()];
    reference::max_pool3d_grad(&p, &input, &ahead, &mut grad);
    assert_eq!(grad.iter().sum::<f64>(), ahead.len() as f64);
    // The corner wins the windows of the 2x2x2 positions that begin in it.
    assert_eq!(grad[0], 8.0);
}

#[test]
fn batch_norm() {
    let (rows, channels) = (37, 8);
    let values: Vec<f64> = noise(1, rows * channels).iter().map(|x| 0.3 + 2.0 * x).collect();
    let (beta, ahead) = (noise(2, channels), noise(3, rows * channels));
    let fixed = (noise(4, channels), noise(5, channels).iter().map(|v| 1.5 + v).collect::<Vec<f64>>());
    for batch in [true, false] {
        let statistics =
            |values: &[f64]| if batch { reference::moments(values, channels) } else { fixed.clone() };
        let forward = |values: &[f64], beta: &[f64]| {
            let (mean, variance) = statistics(values);
            let mut output = vec![0.0; values.len()];
            reference::batch_norm(values, &mean, &variance, beta, &mut output);
            dot(&output, &ahead)
        };
        let (mean, variance) = statistics(&values);
        let (mut values_grad, mut beta_grad) = (vec![0.0; values.len()], vec![0.0; channels]);
        let at = (&mean[..], &variance[..]);
        reference::batch_norm_grad(&values, at, &beta, batch, &ahead, &mut values_grad, &mut beta_grad);
        assert_gradient("values", &values, &values_grad, |values| forward(values, &beta));
        assert_gradient("beta", &beta, &beta_grad, |beta| forward(&values, beta));
    }
}

#[test]
fn long_short_term_memory() {
    let (n, steps, c, h) = (4, 3, 8, 4);
    for batch in [true, false] {
        let p = LstmParams {
            shape: [n, steps, c / 4, h],
            step: [0, u32::from(batch), 2, 0],
            factors: [1e-3, 0.0, 0.0, 0.0],
        };
        let [n, steps, c, h] = p.sizes();
        let mut weights = noise(1, p.weights());
        let variances = p.weights() - 9 * h * 2;
        weights[variances..].iter_mut().for_each(|variance| *variance += 1.5);
        let (input, ahead) = (noise(2, n * steps * c), noise(3, n * steps * h));
        let run = |input: &[f64], weights: &[f64]| {
            let (mut trace, mut output) = (vec![0.0; p.trace()], vec![0.0; ahead.len()]);
            (0..steps).for_each(|t| reference::lstm(&p.at(t), input, weights, &mut trace, &mut output));
            (trace, output)
        };
        let (mut trace, output) = run(&input, &weights);
        let gates = n * steps * 4 * h;
        let (mut of_input, mut of_state, mut bias) = (vec![0.0; gates], vec![0.0; gates], vec![0.0; 4 * h]);
        for t in (0..steps).rev() {
            let to = [&mut of_input[..], &mut of_state[..], &mut bias[..]];
            reference::lstm_grad(&p.at(t), &weights, &ahead, &mut trace, to);
        }
        // The gates are products, so the rest are products of their gradients.
        let column = |row: usize, column: usize, of: &[f64]| of[row * 4 * h + column];
        let (mut input_grad, mut grad) = (vec![0.0; input.len()], vec![0.0; weights.len()]);
        for row in 0..n * steps {
            for k in 0..4 * h {
                for i in 0..c {
                    input_grad[row * c + i] += column(row, k, &of_input) * weights[i * 4 * h + k];
                    grad[i * 4 * h + k] += column(row, k, &of_input) * input[row * c + i];
                }
                for i in (0..h).filter(|_| row % steps > 0) {
                    grad[(c + i) * 4 * h + k] += column(row, k, &of_state) * output[(row - 1) * h + i];
                }
            }
        }
        grad[(c + h) * 4 * h..][..4 * h].copy_from_slice(&bias);
        let trained = (c + h + 1) * 4 * h;
        assert_gradient("input", &input, &input_grad, |input| dot(&run(input, &weights).1, &ahead));
        assert_gradient("weights", &weights[..trained], &grad[..trained], |moved| {
            let weights = [moved, &weights[trained..]].concat();
            dot(&run(&input, &weights).1, &ahead)
        });
    }
}

#[test]
fn cross_entropy() {
    let (classes, labels) = (6, [3, 0, 5]);
    let logits: Vec<f64> = noise(1, 3 * 8).iter().map(|x| 4.0 * x).collect();
    let loss = |logits: &[f64], grad: &mut [f64]| reference::cross_entropy(logits, classes, &labels, grad);
    let mut grad = vec![0.0; logits.len()];
    loss(&logits, &mut grad);
    assert_gradient("logits", &logits, &grad, |logits| loss(logits, &mut vec![0.0; logits.len()]));
    // Logits so large that their exponentials are not.
    let huge = [1000.0, 0.0, -1000.0, 7.0];
    let value = reference::cross_entropy(&huge, 3, &[0], &mut [0.0; 4]);
    assert!(value.abs() < 1e-12, "{value}");
}

#[test]
fn wrong_gradients_are_noticed() {
    let values = noise(1, 5);
    let right: Vec<f64> = values.iter().map(|x| 2.0 * x).collect();
    let square = |values: &[f64]| dot(values, values);
    assert_gradient("square", &values, &right, square);
    let largest = right.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    let mut wrong = right.clone();
    wrong[3] += 3e-6 * largest;
    let noticed = std::panic::catch_unwind(|| assert_gradient("square", &values, &wrong, square));
    assert!(noticed.is_err());
}
