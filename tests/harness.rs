//! The comparison itself is tested: broken kernels must be noticed, broken numbers too.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::cases::{self, Case};
use common::{Tolerance, compare, lstm_cases, train_cases};
use i3d::backend::gpu::{Gpu, manifest};

#[test]
fn broken_kernels_are_noticed() {
    let Some(gpu) = common::gpu() else { return };
    let conv = || cases::conv([1, 5, 7, 9], (16, 24), [3; 3], [1; 3], (8, 4), true);
    let stem = || cases::conv([1, 9, 15, 17], (3, 20), [7; 3], [2; 3], (0, 0), true);
    let max = || cases::max_pool(2, [1, 3, 9, 11], 8, [1, 3, 3], [1, 2, 2]);
    let walk = || cases::max_pool(4, [1, 3, 5, 9], 20, [3, 3, 3], [1, 1, 1]);
    let avg = || cases::pool(&manifest::AVG_POOL3D, [2, 5, 3, 3], 12, [2, 3, 3], [1, 1, 1]);
    let tiles = |variant: usize| {
        let ranges = [(4, 20, 68, 8, false), (4, 20, 36, 0, true), (4, 20, 8, 36, true)];
        cases::gemm(&manifest::GEMM, manifest::GEMM_TILES[0][variant], [70, 1, 1], &ranges, true)
    };
    let taps = || {
        let ranges = [(0, 16, 72, 0, false), (16, 4, 12, 72, false)];
        cases::gemm(&manifest::GEMM, manifest::GEMM_TILES[0][0], [33, 3, 5], &ranges, false)
    };
    let pooled = || cases::pool_gemm(0, [1, 4, 5, 7], [3, 3, 3], [1, 1, 1]);
    let uniform = |variant: usize| {
        let variant = manifest::GEMM_UNIFORM.variants[variant];
        cases::gemm(&manifest::GEMM_UNIFORM, variant, [70, 3, 1], &[(4, 20, 28, 8, false)], false)
    };
    let wino_in = || cases::wino(&manifest::WINO_IN, [2, 3, 7, 5], (3, 1), (4, 8, 4), (0, 10));
    let wino_out = || cases::wino(&manifest::WINO_OUT, [2, 3, 7, 5], (3, 1), (4, 8, 4), (0, 8));
    let head = || cases::head(1, [2, 7, 1, 2], 1100, 300, true);
    let wino_pool = || cases::wino_pool([2, 2, 6, 14], 2);
    let broken: Vec<(Case, &str, &str)> = vec![
        (conv(), "- vec3<i32>(p.pad.xyz)", "- vec3<i32>(p.pad.xyz) + vec3<i32>(0, 0, 1)"),
        (conv(), "select(zero, vec4<f32>(input[i3]), in3)", "vec4<f32>(input[i3])"),
        (conv(), "weight[at + 3u * columns]", "weight[at + 2u * columns]"),
        (conv(), "store_positions(first, column + 1u, acc1);", ""),
        (conv(), "p.stride.w == 1u", "p.stride.w == 7u"),
        (conv(), "p.channels.w + column", "column"),
        (conv(), "let b2 = bias[c2]", "let b2 = bias[c1]"),
        (stem(), "start.z + 7 + kx", "start.z + 6 + kx"),
        (stem(), "x2 = x3;", ""),
        (stem(), "kt < 7", "kt < 6"),
        (stem(), "x < i32(p.input.w)", "x <= i32(p.input.w)"),
        (tiles(0), "select(vec4<f32>(0.0), value, k < depth)", "value"),
        (tiles(1), "block -= blocks;", ""),
        (tiles(2), "if to.other {", "if false {"),
        (tiles(3), "acc11 += ", "acc01 += "),
        (tiles(4), "tn + ACROSS) * x0", "tn) * x0"),
        (taps(), "tap * p.rows.w", "tap"),
        (taps(), "group.z * p.rows.z + tap", "tap"),
        (pooled(), "iy < high.y", "iy + 1u < high.y"),
        (pooled(), "- vec3<i32>(p.pad.xyz)", ""),
        (uniform(0), "i0 += gap;", ""),
        (uniform(2), "column < p.channels[0].z", "column + 1u < p.channels[0].z"),
        (uniform(3), "value += output[at];", ""),
        (wino_in(), "t < i32(p.image.y)", "t + 1 < i32(p.image.y)"),
        (wino_in(), "y < i32(p.image.z)", "y + 1 < i32(p.image.z)"),
        (wino_in(), "HALF * v.d - SQRT2 * v.b", "HALF * v.d - 1.41 * v.b"),
        (wino_out(), "difference2 + m5", "difference2"),
        (wino_out(), "if x + 3u < p.image.w {", "if false {"),
        (wino_out(), "bias[p.frames.w + c]", "bias[c]"),
        (head(), "k += LANES / CLASSES", "k += LANES"),
        (head(), "t < steps; t += STEPS", "t + STEPS < steps; t += STEPS"),
        (head(), "(n * steps + s) * channels + k", "(n * steps + t) * channels + k"),
        (head(), "i < window", "i + 1u < window"),
        (head(), "group.x + p.first.x", "p.first.x"),
        (cases::head(0, [2, 2, 3, 1], 1024, 400, false), "p.head.w == 1u && ", ""),
        (wino_pool(), "if height > 4u {", "if false {"),
        (wino_pool(), "select(NEVER, m.upper[2], width > 2u)", "m.upper[2]"),
        (wino_pool(), "max(lower, m.lower[0])", "lower"),
        (wino_pool(), "walk % walks * p.pool.z", "walk % walks"),
        (wino_pool(), "upper = larger(upper, lower);", ""),
        (cases::wino_pool([1, 3, 8, 12], 3), "select(upper, max(upper, m.upper[3]), width > 3u)", "upper"),
        (cases::stem_uniform([2, 10, 14, 11], 3, true), "value += output[at];", ""),
        (cases::stem_uniform([2, 10, 14, 11], 3, true), "kt < i32(p.kernel.x)", "kt < 7"),
        (cases::stem_uniform([1, 9, 14, 11], 3, false), "acc5 += taps(w + 5u", "acc5 += taps(w + 4u"),
        (max(), "i32(p.window.z)", "i32(p.window.z) - 1"),
        (max(), "best = max(best,", "best = max(vec4<f32>(0.0),"),
        (max(), "walk % walks * p.stride.w", "walk % walks"),
        (walk(), "max(best, second_last)", "best"),
        (max(), "column - 2 >= left", "column - 1 >= left"),
        (avg(), "iy < low.y + p.window.y", "iy < low.y + p.window.y - 1u"),
        // Sums that are rounded on the way. On bits: compilers may leave out a conversion to 16 bits and back.
        (conv().half(), "row += 4u * columns;", "row += 4u * columns; acc1[0] = cut(acc1[0]);"),
        (stem().half(), "w += step;", "w += step; acc3[2] = cut(acc3[2]);"),
        (tiles(1).half(), "acc00 += w0 * x0;", "acc00 += w0 * x0; acc00[1] = cut(acc00[1]);"),
        (avg().half(), "sum += vec4<f32>(", "sum = cut(sum) + vec4<f32>("),
        (max().half(), "best = max(best,", "best = max(vec4<f32>(0.0),"),
        (cases::mean(3, 5, 12), "t < p.shape.y", "t < p.shape.y - 1u"),
        (cases::mean(3, 5, 12), "id.x / channels * p.shape.y", "id.x / channels"),
    ];
    assert_noticed(&gpu, broken);
}

#[test]
fn broken_kernels_of_other_systems_are_noticed() {
    let Some(gpu) = common::gpu() else { return };
    let first = || lstm_cases::lstm([3, 5, 12, 8], 0, true);
    let later = |batch| lstm_cases::lstm([3, 5, 12, 8], 2, batch);
    let behind = || lstm_cases::lstm([2, 5, 4, 132], 4, false);
    let grad = || lstm_cases::lstm_grad([3, 5, 12, 8], 2, true);
    let fixed = || lstm_cases::lstm_grad([3, 5, 12, 8], 2, false);
    let last = || lstm_cases::lstm_grad([3, 5, 12, 8], 4, true);
    let linear = || lstm_cases::linear([2, 1, 2, 3], [4, 12, 8], [8, 68, 4], true);
    let broken: Vec<(Case, &str, &str)> = vec![
        (first(), "if t > 0u {", "if true {"),
        (later(true), "value.w * weight[row + 3u * hidden]", "value.w * weight[row]"),
        (later(true), "(4u * channels + i) * hidden + j", "i * hidden + j"),
        (later(true), "n * steps + t - 1u", "n * steps"),
        (later(true), "sum / f32(p.shape.x)", "sum"),
        (later(true), " + weight[bias_at]", ""),
        (later(true), "gates.z = bounded_tanh(sum.z);", ""),
        (later(true), "gates.y * before + ", ""),
        (later(true), "bounded_tanh(normal)", "normal"),
        (later(true), "+ 7u * j", "+ 6u * j"),
        (later(false), "if p.step.y == 1u {", "if true {"),
        (later(false), "weight[variances + which * hidden + j]", "weight[variances + j]"),
        (later(false), "weight[means + 2u * hidden + j / 4u][j % 4u]", "weight[means + j][j % 4u]"),
        (behind(), "min(t, p.step.z - 1u)", "0u"),
        (behind(), "(group.x + p.step.w) * 64u", "p.step.w * 64u"),
        (grad(), "ahead += dot(state_gates[later + i], weight[row + i]);", ""),
        (grad(), "(4u * channels + j) * hidden", "j * hidden"),
        (grad(), " - sum - normal * product", ""),
        (grad(), "cell += trace[place(t + 1u, n, j) + 3u].z;", ""),
        (grad(), "cell * before, ", "cell, "),
        (grad(), "slope.z = 1.0 - gates.z * gates.z;", ""),
        (grad(), "bias_grad[j] += gates_sum", "bias_grad[j] = gates_sum"),
        (grad(), "trace[statistics + 1u] * (centred", "trace[statistics] * (centred"),
        (grad(), " - trace[at] * input_product", ""),
        (grad(), "trace[at + 3u].z = cell * gates.y;", "trace[at + 3u].z = cell;"),
        (fixed(), "f32(p.step.y) / f32(clips)", "1.0 / f32(clips)"),
        (last(), "if t + 1u < steps {", "if true {"),
        (linear(), "i += SLICES", "i += 2u * SLICES"),
        (linear(), " + p.source.x", ""),
        (linear(), "weight[at + 3u * p.source.z]", "weight[at + 2u * p.source.z]"),
        (linear(), "sums[lane] += sums[lane + others * COLUMNS];", ""),
        (linear(), " + bias[column]", ""),
        (linear(), "p.stride.w == 1u", "p.stride.w == 7u"),
        (linear(), "p.channels.w + column", "column"),
        (linear(), "(group.x + p.pad.w) * COLUMNS", "p.pad.w * COLUMNS"),
    ];
    assert_noticed(&gpu, broken);
}

#[test]
fn broken_kernels_of_training_are_noticed() {
    let Some(gpu) = common::gpu() else { return };
    let input = || train_cases::input_grad(0);
    let weight = || train_cases::weight_grad(0, 4);
    let strided = || train_cases::weight_grad(2, 4);
    let bias = || train_cases::bias_grad(0);
    let norm = |kernel| train_cases::norm(kernel, 1031, [8, 12, 4], true);
    let (moments, output) = (|| norm(&manifest::NORM_MOMENTS), || norm(&manifest::NORM_OUTPUT));
    let (sums, grad) = (|| norm(&manifest::NORM_SUMS), || norm(&manifest::NORM_GRAD));
    let fixed = || train_cases::norm(&manifest::NORM_GRAD, 37, [0, 68, 0], false);
    let winners = || train_cases::winners([2, 4, 5, 5], 20, [3, 3, 3], [1, 1, 1]);
    let max = || train_cases::max_pool_grad([1, 5, 7, 6], 12, [3, 3, 3], [2, 2, 2]);
    let avg = || train_cases::avg_pool_grad([1, 4, 5, 6], 8, [2, 2, 3]);
    let mean = || train_cases::mean_grad(3, 5, 12);
    let sum = || train_cases::sum(7, 516);
    let dropout = || train_cases::dropout(276);
    let broken: Vec<(Case, &str, &str)> = vec![
        (input(), "(t, y, x)) + vec3<i32>(p.pad.xyz)", "(t, y, x))"),
        (input(), "all(ahead >= vec3<i32>(0)) && ", ""),
        (input(), "all(at < vec3<i32>(p.output.yzw))", "true"),
        (input(), "select(zero, output_grad[i3 + k], r3.exists)", "output_grad[i3 + k]"),
        (input(), "p.channels.w + select(0u", "select(0u"),
        (input(), "p.source.x + channel", "channel"),
        (input(), "+= sum", "= sum"),
        (input(), "weight[at + 3u * columns]", "weight[at + 2u * columns]"),
        (input(), "return transpose(", "return ("),
        (input(), "row += p.kernel.w * columns;", "row += columns;"),
        (input(), "add_positions(first, channel + 1u, acc1);", ""),
        (input(), "k < p.channels.y", "k + 1u < p.channels.y"),
        (train_cases::input_grad(1), "let c2 = min(channel + 2u", "let c2 = min(channel + 1u"),
        (train_cases::input_grad(2), "all(at * stride == ahead) && ", ""),
        (weight(), "grad * value.w", "grad * value.z"),
        (weight(), "column + 1u, acc01", "column, acc01"),
        (
            weight(),
            "let other_channel = min(channel + 1u, p.source.y - 1u) - channel",
            "let other_channel = 0u",
        ),
        (weight(), "y < 0 || t < 0 || ", ""),
        (weight(), " || t >= i32(p.input.y)", ""),
        (weight(), "part * p.source.w", "part"),
        (weight(), "begin + p.source.w, lines", "begin + p.source.w - 1u, lines"),
        (weight(), "b += p.channels.z", "b += p.channels.y"),
        (weight(), "p.channels.w + column", "column"),
        (weight(), "p.source.x + channel", "channel"),
        (weight(), "p.kernel.z / p.kernel.y % p.kernel.x", "p.kernel.z / p.kernel.y"),
        (weight(), "tap * p.kernel.w + 4u * channel", "tap * p.kernel.w + channel"),
        (strided(), "(stride - 1 - shift) / stride", "-shift / stride"),
        (strided(), "room / stride + 1", "room / stride"),
        (strided(), "a += p.stride.z * p.channels.x", "a += p.channels.x"),
        (bias(), "p.channels.w + c", "c"),
        (bias(), "if lane < others {", "if lane + 1u < others {"),
        (bias(), "bias_grad[c]", "bias_grad[0]"),
        (train_cases::bias_grad(2), "position += LANES", "position += 2u * LANES"),
        (sum(), "part < p.shape.x", "part + 1u < p.shape.x"),
        (sum(), "part * p.shape.y + i", "part + i"),
        (moments(), "values[row * channels + c] - mean", "values[row * channels + c]"),
        (moments(), "total(squares, lane) / f32(rows)", "total(squares, lane) / f32(rows - 1u)"),
        (moments(), "sums[lane] += sums[lane + others];", "sums[lane] += sums[others];"),
        (moments(), "moments[channels + c] = variance", "moments[channels + c] = sqrt(variance)"),
        (output(), " + offset[c]", ""),
        (output(), "moments[channels + c] + p.factors.x", "moments[channels + c]"),
        (output(), "p.shape.w + c", "c"),
        (output(), "= relu(value)", "= value"),
        (output(), "1.0 / sqrt(", "1.0 / ("),
        (sums(), "output[at] > vec4<f32>(0.0)", "output[at] >= vec4<f32>(0.0)"),
        (sums(), " - mean) * inverse", ") * inverse"),
        (sums(), "product = total(product, lane);", ""),
        (sums(), "sums[channels + c] = product", "sums[channels + c] = sum"),
        (sums(), "p.shape.w + c", "c"),
        (grad(), "output[at] > vec4<f32>(0.0)", "output[at] >= vec4<f32>(0.0)"),
        (grad(), " + normal * sums[channels + c]", ""),
        (grad(), " / f32(p.shape.x)", ""),
        (grad(), "= inverse * grad", "= grad"),
        (fixed(), "p.mode.x == 1u", "true"),
        (winners(), "value > best", "value >= best"),
        (winners(), "vec4<bool>(first)", "vec4<bool>(false)"),
        (winners(), "iy - start.y) * i32(p.window.z) - start.z", "iy - start.y) * i32(p.window.z)"),
        (
            winners(),
            "min(start + vec3<i32>(p.window.xyz), vec3<i32>(p.input.yzw))",
            "start + vec3<i32>(p.window.xyz)",
        ),
        (winners(), "output[i] = best", "output[i] = winner"),
        (max(), "+= sum", "= sum"),
        (max(), "winners[at] == ", "winners[at] <= "),
        (max(), "max(place + p.stride.xyz, p.window.xyz)", "max(place, p.window.xyz)"),
        (max(), "place / p.stride.xyz + vec3<u32>(1u)", "place / p.stride.xyz"),
        (max(), "vec3<u32>(t, y, x) + p.pad.xyz", "vec3<u32>(t, y, x)"),
        (avg(), "+= sum", "= sum"),
        (avg(), "f32(p.window.x * ", "f32("),
        (avg(), "max(place + p.stride.xyz, p.window.xyz)", "max(place, p.window.xyz)"),
        (
            avg(),
            "min(place / p.stride.xyz + vec3<u32>(1u), p.output.yzw)",
            "place / p.stride.xyz + vec3<u32>(1u)",
        ),
        (mean(), "+= share", "= share"),
        (mean(), "step / p.shape.y * channels", "0u * channels"),
        (mean(), " / f32(p.shape.y - p.shape.w);", ";"),
        (dropout(), "*= factors", "= factors"),
        (dropout(), "factors[i]", "factors[0]"),
    ];
    assert_noticed(&gpu, broken);
}

#[test]
fn dispatches_that_begin_with_the_wrong_work_group_are_noticed() {
    let Some(gpu) = common::gpu() else { return };
    let norm = |kernel| train_cases::norm(kernel, 1031, [8, 12, 4], true);
    let cases = [
        train_cases::input_grad(1),
        train_cases::weight_grad(0, 4),
        train_cases::bias_grad(0),
        train_cases::sum(7, 516),
        norm(&manifest::NORM_MOMENTS),
        norm(&manifest::NORM_OUTPUT),
        norm(&manifest::NORM_SUMS),
        norm(&manifest::NORM_GRAD),
        train_cases::winners([2, 4, 5, 5], 20, [3, 3, 3], [1, 1, 1]),
        train_cases::max_pool_grad([1, 5, 7, 6], 12, [3, 3, 3], [2, 2, 2]),
        train_cases::avg_pool_grad([1, 4, 5, 6], 8, [2, 2, 3]),
        train_cases::dropout(276),
    ];
    for case in cases {
        let first = ["group.x + p.pad.w", "group.x + p.mode.y", "group.x + p.shape.z"];
        let source = first.iter().fold(case.source(), |source, first| source.replace(first, "group.x"));
        let outputs = case.run_in(&gpu, &source, 3).expect("it runs");
        assert!(case.compare(&outputs).is_err(), "{}: every dispatch began with the first", case.name);
    }
}

/// What broken kernels may call: a number cut off to the 11 bits of a 16-bit float.
const CUT: &str = "fn cut(value: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(value) & vec4<u32>(0xffffe000u));
}
";

/// Every case holds, and no longer where the kernel says something else.
#[track_caller]
fn assert_noticed(gpu: &Gpu, broken: Vec<(Case, &str, &str)>) {
    for (case, good, bad) in broken.into_iter().filter(|(case, ..)| case.runs_on(gpu)) {
        let source = case.source();
        assert!(source.contains(good), "{}: the shader no longer says {good:?}", case.name);
        assert_eq!(case.check(gpu, &source), Ok(()), "the unbroken kernel");
        let source = source.replace(good, bad) + CUT;
        let outputs = case.run(gpu, &source);
        let outputs =
            outputs.unwrap_or_else(|e| panic!("{}: {good:?} -> {bad:?} is no kernel: {e}", case.name));
        assert!(case.compare(&outputs).is_err(), "{}: {good:?} -> {bad:?} went unnoticed", case.name);
    }
}

#[test]
fn comparisons_notice_what_they_must() {
    let want = [1.0, 2.0, f32::NAN, 4.0];
    let tolerance = Tolerance { abs: 1e-3, rel: 0.0 };
    assert!(compare(&[1.0, 2.0005, f32::NAN, 4.0], &want, tolerance).is_ok());
    assert!(compare(&[1.0, 2.002, f32::NAN, 4.0], &want, tolerance).is_err(), "too far");
    assert!(compare(&[2.0, 1.0, f32::NAN, 4.0], &want, tolerance).is_err(), "swapped");
    assert!(compare(&[1.0, f32::NAN, f32::NAN, 4.0], &want, tolerance).is_err(), "not written");
    assert!(compare(&[1.0, 2.0, 0.0, 4.0], &want, tolerance).is_err(), "written where nothing belongs");
    assert!(compare(&[1.0, 2.0, f32::NAN], &want, tolerance).is_err(), "too short");
    let half = Tolerance::EXACT.stored_in_f16();
    assert!(compare(&[1.0004, 1.9992, f32::NAN, 4.0], &want, half).is_ok(), "half of the way to the next");
    assert!(compare(&[1.0, 2.0, f32::NAN, 4.004], &want, half).is_err(), "the next");
    assert!(compare(&[f32::INFINITY, 2.0, f32::NAN, 4.0], &want, tolerance).is_err(), "infinite");
}
