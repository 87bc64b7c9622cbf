//! Kernel test cases of long short-term memory and of fully connected layers.

use i3d::backend::gpu::manifest;
use i3d::backend::params::{ConvParams, LstmParams, MeanParams, Params};
use i3d::backend::reference;
use i3d::network::BATCH_NORM_EPSILON;
use i3d::plan::Precision;

use super::cases::{Case, mean};
use super::train_cases::mean_grad;
use super::{Random, Tolerance};

/// Dot products of a hundred terms, divided by deviations of some tenths, and functions that a device may compute to
/// 2^-11 of their value: WGSL asks no more of `tanh` and of `exp`.
const TOLERANCE: Tolerance = Tolerance { abs: 1e-4, rel: 5e-4 };
/// The same where what is divided is itself divided once more.
const GRADIENT: Tolerance = Tolerance { abs: 1e-3, rel: 2e-3 };

/// Clips, steps, channels and hidden units; whether the statistics are those of the batch. There are three steps with fixed
/// statistics, so that some cases go beyond them.
fn params([n, steps, c, h]: [u32; 4], t: u32, batch: bool) -> LstmParams {
    LstmParams {
        shape: [n, steps, c / 4, h],
        step: [t, u32::from(batch), 3, 0],
        factors: [BATCH_NORM_EPSILON, 0.0, 0.0, 0.0],
    }
}

/// Input, weights with bias and statistics, and the trace and output after the steps before `t`.
fn layer(p: &LstmParams) -> [Vec<f32>; 4] {
    let [n, steps, c, h] = p.sizes();
    let mut random = Random(u64::from(p.step[0] + p.shape[3]));
    let input = random.vec(n * steps * c);
    let mut weights = random.vec(p.weights());
    let variances = weights.len() - 9 * h * p.step[2] as usize;
    weights[variances..].iter_mut().for_each(|variance| *variance += 1.2);
    // Noise, lest anything be read that no step has written.
    let (mut trace, mut output) = (random.vec(p.trace()), random.vec(n * steps * h));
    (0..p.step[0] as usize)
        .for_each(|t| reference::lstm(&p.at(t), &input, &weights, &mut trace, &mut output));
    [input, weights, trace, output]
}

fn case(
    kernel: &'static manifest::Kernel,
    p: LstmParams,
    reads: Vec<Vec<f32>>,
    tolerance: Tolerance,
) -> Case {
    Case {
        name: format!("{} {:?} step {:?}", kernel.name, p.sizes(), p.step),
        kernel,
        constants: kernel.variants[0],
        precision: Precision::F32,
        params: Params::Lstm(p),
        writes: reads[kernel.reads.len()..].iter().map(Vec::len).collect(),
        reads,
        tolerance,
    }
}

/// A time step.
pub fn lstm(sizes: [u32; 4], t: u32, batch: bool) -> Case {
    let p = params(sizes, t, batch);
    case(&manifest::LSTM, p, layer(&p).to_vec(), TOLERANCE)
}

/// A time step on the way back, after those behind it.
pub fn lstm_grad(sizes: [u32; 4], t: u32, batch: bool) -> Case {
    let p = params(sizes, t, batch);
    let [n, steps, _, h] = p.sizes();
    let [_, weights, mut trace, output] = layer(&p.at(steps));
    let ahead = Random(41).vec(output.len());
    let gates = n * steps * 4 * h;
    let mut grads = [vec![0.0; gates], vec![0.0; gates], Random(42).vec(4 * h)];
    for t in (t as usize + 1..steps).rev() {
        let to = grads.each_mut().map(Vec::as_mut_slice);
        reference::lstm_grad(&p.at(t), &weights, &ahead, &mut trace, to);
    }
    let [input_gates, state_gates, bias] = grads;
    case(&manifest::LSTM_GRAD, p, vec![weights, ahead, trace, input_gates, state_gates, bias], GRADIENT)
}

/// A fully connected layer over `[N, T, H, W]` of channels `before`, read and `after`, into channels likewise.
pub fn linear(image: [u32; 4], input: [u32; 3], output: [u32; 3], relu: bool) -> Case {
    let [n, t, h, w] = image;
    let (stored, wide) = (input.iter().sum::<u32>(), output.iter().sum::<u32>());
    let p = ConvParams {
        input: image,
        output: [n, t, 1, 1],
        kernel: [1, h, w, input[1]],
        stride: [1, 1, 1, u32::from(relu)],
        pad: [0; 4],
        channels: [stored / 4, output[1] / 4, wide / 4, output[0] / 4],
        source: [input[0] / 4, input[1] / 4, output[1] / 4, 0],
    };
    let inputs = (h * w * input[1]) as usize;
    let mut random = Random(u64::from(stored));
    let values = random.vec((n * t * h * w * stored) as usize);
    let reads = vec![values, random.vec(inputs * output[1] as usize), random.vec(output[1] as usize)];
    let kernel = &manifest::LINEAR;
    Case {
        name: format!("linear {image:?} {input:?} to {output:?}, relu: {relu}"),
        kernel,
        constants: kernel.variants[0],
        precision: Precision::F32,
        params: Params::Conv(p),
        reads,
        writes: vec![(n * t * wide) as usize],
        tolerance: Tolerance::dot(inputs + 1, 1.0 / 3.0),
    }
}

/// Sizes that divide nothing, first and last steps, steps beyond those with statistics.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for batch in [true, false] {
        for (sizes, t) in [([3, 5, 12, 8], 0), ([3, 5, 12, 8], 1), ([5, 5, 12, 132], 4), ([2, 1, 4, 4], 0)] {
            cases.extend([lstm(sizes, t, batch), lstm_grad(sizes, t, batch)]);
        }
    }
    cases.extend([
        linear([2, 1, 2, 3], [4, 12, 8], [8, 68, 4], true),
        linear([1, 7, 1, 1], [0, 132, 0], [0, 160, 0], false),
        linear([3, 2, 4, 4], [0, 4, 0], [4, 4, 4], false),
    ]);
    // The last step of five.
    let last = Params::Mean(MeanParams { shape: [3, 5, 3, 4] });
    cases.extend([mean(3, 5, 12), mean_grad(3, 5, 12)].map(|case| Case { params: last, ..case }));
    cases
}
