//! Kernel test cases of training.

use i3d::backend::gpu::manifest::{self, Kernel};
use i3d::backend::params::{ConvParams, MeanParams, NormParams, Params, PartsParams, PoolParams};
use i3d::backend::reference;
use i3d::plan::Precision;

use super::cases::{Case, conv, mean, pool, sliced};
use super::{Random, Tolerance};

/// A few operations in f32 on numbers of order one, against f64.
const FEW: Tolerance = Tolerance { abs: 1e-5, rel: 1e-5 };

/// Root mean square of a product of two numbers uniform in [-1, 1).
const PRODUCT: f32 = 1.0 / 3.0;

/// A case of a kernel with one output of `written` values.
fn case(
    kernel: &'static Kernel,
    name: &str,
    params: Params,
    reads: Vec<Vec<f32>>,
    written: usize,
    tolerance: Tolerance,
) -> Case {
    Case {
        name: format!("{} {name}", kernel.name),
        kernel,
        constants: kernel.variants[0],
        precision: Precision::F32,
        params,
        reads,
        writes: vec![written],
        tolerance,
    }
}

fn length(shape: [u32; 4]) -> usize {
    shape.iter().map(|&n| n as usize).product()
}

/// What convolutions have gradients for: kernel, stride, channels that divide nothing, on slices of wider tensors. The sizes
/// of windows and strides are those of the network, and some that it does not have.
fn convolution(which: usize) -> (Case, ConvParams) {
    let cases = [
        || sliced([2, 3, 5, 7], (4, 12, 8), 20, [3; 3], [1; 3], (8, 4), false),
        || sliced([3, 2, 9, 5], (0, 36, 0), 8, [1; 3], [1; 3], (0, 12), false),
        || conv([1, 9, 15, 13], (4, 24), [7; 3], [2; 3], (0, 0), false),
        || conv([2, 5, 6, 11], (8, 12), [2, 1, 3], [1, 2, 3], (4, 0), false),
        || conv([1, 1, 1, 1], (8, 12), [3; 3], [1; 3], (0, 0), false),
        || conv([3, 4, 1, 1], (72, 157), [1; 3], [1; 3], (0, 0), false),
    ];
    let case = cases[which]();
    let Params::Conv(p) = case.params else { panic!("a convolution has other parameters") };
    (case, p)
}

/// How many of them there are.
const CONVOLUTIONS: usize = 6;

/// Gradient of a convolution's input, added to what is there.
pub fn input_grad(which: usize) -> Case {
    let (Case { name, reads, writes, .. }, p) = convolution(which);
    let ahead = Random(21).vec(writes[0]);
    let terms = length([p.kernel[0], p.kernel[1], p.kernel[2], 4 * p.channels[1]]);
    let reads = vec![ahead, reads[1].clone(), Random(22).vec(reads[0].len())];
    let written = reads[2].len();
    let tolerance = Tolerance::dot(terms + 1, PRODUCT);
    case(&manifest::CONV3D_INPUT_GRAD, &name, Params::Conv(p), reads, written, tolerance)
}

/// Gradient of a convolution's weights, `lines` lines of the output a part.
pub fn weight_grad(which: usize, lines: u32) -> Case {
    let (Case { name, reads, writes, .. }, p) = convolution(which);
    let p = ConvParams { source: [p.source[0], p.source[1], p.source[2], lines], ..p };
    let reads = vec![reads[0].clone(), Random(23).vec(writes[0])];
    let terms = lines as usize * p.output[3] as usize;
    let name = format!("{name} in parts of {lines}");
    let written = p.parts() * p.weights();
    let tolerance = Tolerance::dot(terms, PRODUCT);
    case(&manifest::CONV3D_WEIGHT_GRAD, &name, Params::Conv(p), reads, written, tolerance)
}

/// Gradient of a convolution's bias.
pub fn bias_grad(which: usize) -> Case {
    let (Case { name, writes, .. }, p) = convolution(which);
    let reads = vec![Random(24).vec(writes[0])];
    let tolerance = Tolerance::dot(p.positions(), 0.6);
    let written = 4 * p.channels[1] as usize;
    case(&manifest::CONV3D_BIAS_GRAD, &name, Params::Conv(p), reads, written, tolerance)
}

/// Batch norm of `rows` rows of `channels` channels in an output of `before` and `after` others.
pub fn norm(kernel: &'static Kernel, rows: u32, [before, channels, after]: [u32; 3], batch: bool) -> Case {
    let stored = before + channels + after;
    let p = NormParams {
        shape: [rows, channels / 4, stored / 4, before / 4],
        mode: [u32::from(batch), 0, 0, 0],
        factors: [1e-3, 0.0, 0.0, 0.0],
    };
    let mut random = Random(u64::from(rows + channels));
    let (dense, wide) = ((rows * channels) as usize, (rows * stored) as usize);
    // A mean that is large beside the deviation.
    let values: Vec<f32> = random.vec(dense).into_iter().map(|v| 3.0 + v).collect();
    let mut moments = vec![0.0; 2 * channels as usize];
    reference::norm_moments(&p, &[&values], &mut moments);
    let offset = random.vec(channels as usize);
    let mut output = vec![0.0; wide];
    reference::norm_output(&p, &[&values, &moments, &offset], &mut output);
    let ahead = random.vec(wide);
    let mut sums = vec![0.0; 2 * channels as usize];
    reference::norm_sums(&p, &[&values, &moments, &output, &ahead], &mut sums);
    let all = [values, moments, output, ahead, sums];
    let reads = |which: &[usize]| which.iter().map(|&which| all[which].clone()).collect::<Vec<_>>();
    let (reads, written, tolerance) = match kernel.name {
        "norm_moments" => {
            (reads(&[0]), 2 * channels as usize, Tolerance::dot(rows as usize, 4.0 / rows as f32))
        }
        "norm_output" => (vec![all[0].clone(), all[1].clone(), offset], wide, FEW),
        "norm_sums" => (reads(&[0, 1, 2, 3]), 2 * channels as usize, Tolerance::dot(rows as usize + 16, 1.0)),
        _ => (reads(&[0, 1, 2, 3, 4]), dense, FEW),
    };
    let name = format!("{rows} rows of {before}+{channels}+{after} channels, batch: {batch}");
    case(kernel, &name, Params::Norm(p), reads, written, tolerance)
}

/// A max pool of few different values, so that ties are common, all of them negative, so that zeros would win.
fn pooling(image: [u32; 4], c: u32, window: [u32; 3], stride: [u32; 3]) -> (Case, PoolParams) {
    let case = pool(&manifest::MAX_POOL3D, image, c, window, stride);
    let Params::Pool(p) = case.params else { panic!("a pool has other parameters") };
    let reads = vec![case.reads[0].iter().map(|v| (3.0 * v).floor() / 3.0 - 0.5).collect()];
    (Case { reads, ..case }, p)
}

/// A max pool and its winners.
pub fn winners(image: [u32; 4], c: u32, window: [u32; 3], stride: [u32; 3]) -> Case {
    let (Case { name, reads, writes, .. }, p) = pooling(image, c, window, stride);
    let kernel = &manifest::MAX_POOL3D_WINNERS;
    let case = case(kernel, &name, Params::Pool(p), reads, writes[0], Tolerance::EXACT);
    Case { writes: vec![writes[0]; 2], ..case }
}

/// Gradient of a max pool's input, added to what is there.
pub fn max_pool_grad(image: [u32; 4], c: u32, window: [u32; 3], stride: [u32; 3]) -> Case {
    let (Case { name, reads, writes, .. }, p) = pooling(image, c, window, stride);
    let (mut output, mut winners) = (vec![0.0; writes[0]], vec![0.0; writes[0]]);
    reference::max_pool3d_winners(&p, &reads[0], [&mut output, &mut winners]);
    let reads = vec![winners, Random(25).vec(writes[0]), Random(26).vec(reads[0].len())];
    let written = reads[2].len();
    case(&manifest::MAX_POOL3D_GRAD, &name, Params::Pool(p), reads, written, FEW)
}

/// Gradient of an average pool's input, added to what is there.
pub fn avg_pool_grad(image: [u32; 4], c: u32, window: [u32; 3]) -> Case {
    let Case { name, reads, writes, params, .. } = pool(&manifest::AVG_POOL3D, image, c, window, [1; 3]);
    let reads = vec![Random(27).vec(writes[0]), Random(28).vec(reads[0].len())];
    let written = reads[1].len();
    case(&manifest::AVG_POOL3D_GRAD, &name, params, reads, written, FEW)
}

/// Gradient of the input of a mean over time, added to what is there.
pub fn mean_grad(n: u32, t: u32, c: u32) -> Case {
    let Case { name, reads, writes, .. } = mean(n, t, c);
    let params = Params::Mean(MeanParams { shape: [n, t, c / 4, 0] });
    let reads = vec![Random(29).vec(writes[0]), Random(30).vec(reads[0].len())];
    let written = reads[1].len();
    case(&manifest::TIME_MEAN_GRAD, &name, params, reads, written, FEW)
}

/// Sums of parts.
pub fn sum(parts: usize, values: usize) -> Case {
    let params = Params::Parts(PartsParams::new(parts, values));
    let reads = vec![Random(31).vec(parts * values)];
    let name = format!("of {parts} parts of {values}");
    case(&manifest::SUM_PARTS, &name, params, reads, values, Tolerance::dot(parts, 0.6))
}

/// Dropout in place.
pub fn dropout(values: usize) -> Case {
    let params = Params::Parts(PartsParams::new(1, values));
    let factors = Random(32).vec(values).into_iter().map(|v| if v < 0.0 { 0.0 } else { 2.0 }).collect();
    let reads = vec![factors, Random(33).vec(values)];
    case(&manifest::DROPOUT, &format!("of {values}"), params, reads, values, Tolerance::EXACT)
}

/// Every kernel of training, sizes that divide nothing.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for which in 0..CONVOLUTIONS {
        cases.push(input_grad(which));
        cases.extend([1, 4, 1000].map(|lines| weight_grad(which, lines)));
        cases.push(bias_grad(which));
    }
    let norms = [&manifest::NORM_MOMENTS, &manifest::NORM_OUTPUT, &manifest::NORM_SUMS, &manifest::NORM_GRAD];
    for kernel in norms {
        for batch in [true, false] {
            cases.push(norm(kernel, 1031, [8, 12, 4], batch));
            cases.push(norm(kernel, 37, [0, 68, 0], batch));
            cases.push(norm(kernel, 256, [4, 4, 0], batch));
        }
    }
    let mut pool = |image, c, window, stride| {
        cases.push(winners(image, c, window, stride));
        cases.push(max_pool_grad(image, c, window, stride));
    };
    pool([2, 3, 9, 11], 8, [1, 3, 3], [1, 2, 2]);
    pool([1, 5, 7, 6], 12, [3, 3, 3], [2, 2, 2]);
    pool([2, 4, 5, 5], 20, [3, 3, 3], [1, 1, 1]);
    pool([1, 5, 7, 7], 4, [2, 2, 2], [2, 2, 2]);
    pool([1, 2, 3, 9], 4, [1, 2, 5], [1, 1, 1]);
    pool([1, 4, 5, 8], 4, [2, 1, 2], [1, 2, 3]);
    cases.extend([
        avg_pool_grad([2, 5, 3, 3], 12, [2, 3, 3]),
        avg_pool_grad([1, 2, 7, 7], 64, [2, 7, 7]),
        avg_pool_grad([1, 4, 5, 6], 8, [2, 2, 3]),
        mean_grad(3, 5, 12),
        mean_grad(1, 7, 400),
        sum(1, 132),
        sum(7, 516),
        sum(130, 4),
        dropout(4),
        dropout(276),
    ]);
    cases
}
