//! Kernel test cases, and the way a case runs on the twin and on a device.

use bytemuck::Zeroable;
use i3d::backend::gpu::manifest::{self, Kernel};
use i3d::backend::gpu::{Gpu, work_groups};
use i3d::backend::params::{ConvParams, GemmParams, HeadParams, MeanParams, Params, PoolParams, WinoParams};
use i3d::backend::winograd::{POINTS, TILE};
use i3d::network::same_padding;
use i3d::plan::Precision;

use super::{Random, Tolerance, compare};

/// One kernel, one variant, one set of sizes.
#[derive(Clone)]
pub struct Case {
    pub name: String,
    pub kernel: &'static Kernel,
    pub constants: &'static [(&'static str, f64)],
    /// How the kernel's stored tensors are stored.
    pub precision: Precision,
    pub params: Params,
    pub reads: Vec<Vec<f32>>,
    /// Lengths of what is written, one per entry of `kernel.writes`.
    pub writes: Vec<usize>,
    pub tolerance: Tolerance,
}

impl Case {
    /// What the outputs hold before: NaN, or, for kernels that change them in place, the entries of `reads` that are
    /// more than the kernel has.
    fn before(&self) -> Vec<Vec<f32>> {
        let given = self.reads.iter().skip(self.kernel.reads.len());
        let given = given.map(Some).chain(std::iter::repeat(None));
        let outputs = self.writes.iter().zip(given);
        outputs.map(|(&len, given)| given.cloned().unwrap_or_else(|| vec![f32::NAN; len])).collect()
    }

    /// What the twin computes.
    pub fn expected(&self) -> Vec<Vec<f32>> {
        let mut outputs = self.before();
        super::twins::run(self, &mut outputs);
        outputs
    }

    /// The same with tensors stored in 16 bits. Inputs and weights are rounded before anybody sees them, so what the
    /// twin does not do is round the outputs; a maximum of rounded numbers needs none.
    pub fn half(self) -> Case {
        let round = |name: &str, values: Vec<f32>| match self.kernel.stored.contains(&name) {
            true => values.into_iter().map(|v| half::f16::from_f32(v).to_f32()).collect(),
            false => values,
        };
        let rounds = self.kernel.stored.contains(&"output") && self.tolerance != Tolerance::EXACT;
        Case {
            name: format!("{} in f16", self.name),
            reads: self.kernel.reads.iter().zip(self.reads).map(|((name, _), v)| round(name, v)).collect(),
            tolerance: if rounds { self.tolerance.stored_in_f16() } else { self.tolerance },
            precision: Precision::F16,
            ..self
        }
    }

    /// The kernel's text.
    pub fn source(&self) -> String {
        self.kernel.wgsl(self.precision)
    }

    /// Whether the device has what the case needs.
    pub fn runs_on(&self, gpu: &Gpu) -> bool {
        self.precision == Precision::F32 || gpu.adapter.shader_f16
    }

    /// What `source`, the kernel's text or a changed copy, computes on the device.
    pub fn run(&self, gpu: &Gpu, source: &str) -> Result<Vec<Vec<f32>>, String> {
        self.run_in(gpu, source, 1)
    }

    /// The same in so many dispatches, or fewer, each going on with what those before wrote.
    pub fn run_in(&self, gpu: &Gpu, source: &str, count: usize) -> Result<Vec<Vec<f32>>, String> {
        let pipeline = gpu.compile(self.kernel, source, self.constants, self.precision);
        gpu.check().map_err(|e| e.to_string())?;
        let reads: Vec<&[f32]> = self.reads.iter().take(self.kernel.reads.len()).map(Vec::as_slice).collect();
        let [x, y, z] = work_groups(self.kernel, self.constants, &self.params);
        let most = x.div_ceil(count);
        let mut outputs = self.before();
        for first in (0..x).step_by(most) {
            let before: Vec<&[f32]> = outputs.iter().map(Vec::as_slice).collect();
            let params = self.params.bytes(first as u32);
            let groups = [most.min(x - first), y, z];
            let run = gpu.probe(self.kernel, &pipeline, &params, &reads, &before, groups);
            outputs = pollster::block_on(run).map_err(|e| e.to_string())?;
        }
        Ok(outputs)
    }

    /// Compares it with the twin.
    pub fn check(&self, gpu: &Gpu, source: &str) -> Result<(), String> {
        self.compare(&self.run(gpu, source)?)
    }

    /// Compares outputs with those of the twin.
    pub fn compare(&self, outputs: &[Vec<f32>]) -> Result<(), String> {
        for (got, want) in outputs.iter().zip(&self.expected()) {
            compare(got, want, self.tolerance).map_err(|e| format!("{}: {e}", self.name))?;
        }
        Ok(())
    }
}

/// A convolution with SAME padding: input `[n, t, h, w]`, channels, kernel, stride, and the channels of the output
/// buffer `(before, after)` that it must leave alone.
pub fn conv(
    [n, t, h, w]: [u32; 4],
    (ci, co): (u32, u32),
    kernel: [u32; 3],
    stride: [u32; 3],
    (before, after): (u32, u32),
    relu: bool,
) -> Case {
    sliced([n, t, h, w], (0, ci, 0), co, kernel, stride, (before, after), relu)
}

/// As [`conv`], on the `ci` channels between `unread` and `behind` others of the input.
pub fn sliced(
    [n, t, h, w]: [u32; 4],
    (unread, ci, behind): (u32, u32, u32),
    co: u32,
    kernel: [u32; 3],
    stride: [u32; 3],
    (before, after): (u32, u32),
    relu: bool,
) -> Case {
    let stem = kernel == [7; 3] && stride == [2; 3] && ci < 4;
    let (read, columns) = (ci.next_multiple_of(4), co.next_multiple_of(4));
    let stored = unread + read + behind;
    let rows = if stem { ci } else { read };
    let mut output = [n, 0, 0, 0];
    let mut pad = [0; 4];
    for (axis, length) in [t, h, w].into_iter().enumerate() {
        let (out, p, _) = same_padding(length as usize, kernel[axis] as usize, stride[axis] as usize);
        (output[axis + 1], pad[axis]) = (out as u32, p as u32);
    }
    let total = before + columns + after;
    let params = ConvParams {
        input: [n, t, h, w],
        output,
        kernel: [kernel[0], kernel[1], kernel[2], rows],
        stride: [stride[0], stride[1], stride[2], u32::from(relu)],
        pad,
        channels: [stored / 4, columns / 4, total / 4, before / 4],
        source: [unread / 4, read / 4, columns / 4, 0],
    };
    let taps = kernel.iter().product::<u32>() as usize;
    let mut random = Random(u64::from(ci * 1000 + co + t * h * w));
    let name = format!("conv {ci}->{co} {kernel:?}/{stride:?} of {n}x{t}x{h}x{w}");
    Case {
        kernel: if stem { &manifest::STEM } else { &manifest::CONV3D },
        constants: if stem { manifest::STEM.variants[ci as usize - 2] } else { &[] },
        precision: Precision::F32,
        reads: vec![
            random.vec((n * t * h * w * stored) as usize),
            random.vec(taps * (rows * columns) as usize),
            random.vec(columns as usize),
        ],
        writes: vec![params.positions() * total as usize],
        // Products of two numbers uniform in [-1, 1) have a root mean square of 1/3.
        tolerance: Tolerance::dot(taps * rows as usize, 1.0 / 3.0),
        params: Params::Conv(params),
        name,
    }
}

/// The opening convolution on software adapters: the last two taps in time for the last 20 channels of 52, added to what is
/// there, or the first three for the first 32.
pub fn stem_uniform([n, t, h, w]: [u32; 4], ci: u32, last: bool) -> Case {
    let Case { params, reads, writes, tolerance, .. } =
        conv([n, t, h, w], (ci, 52), [7; 3], [2; 3], (4, 0), true);
    let Params::Conv(mut p) = params else { panic!("a convolution has other parameters") };
    let (taps, columns) = if last { (2, 20) } else { (3, 32) };
    p.kernel[0] = taps;
    p.stride[3] = u32::from(last);
    p.pad[0] = p.pad[0].wrapping_sub(if last { 5 } else { 0 });
    p.channels[1] = columns / 4;
    p.channels[3] += if last { 8 } else { 0 };
    p.source[2..].copy_from_slice(&[8, u32::from(last)]);
    let mut random = Random(41);
    let mut reads = vec![reads[0].clone(), random.vec(1 << 14), random.vec(64)];
    if last {
        reads.push(random.vec(writes[0]));
    }
    Case {
        name: format!("stem_uniform {ci} channels of {n}x{t}x{h}x{w}, last: {last}"),
        kernel: &manifest::STEM_UNIFORM,
        constants: manifest::STEM_UNIFORM.variants[ci as usize - 2],
        precision: Precision::F32,
        params: Params::Conv(p),
        reads,
        writes,
        tolerance,
    }
}

/// A pool: SAME padding for max, none for avg.
pub fn pool(
    kernel: &'static Kernel,
    [n, t, h, w]: [u32; 4],
    c: u32,
    window: [u32; 3],
    stride: [u32; 3],
) -> Case {
    let max = kernel.name == manifest::MAX_POOL3D.name;
    let mut output = [n, 0, 0, 0];
    let mut pad = [0; 4];
    for (axis, length) in [t, h, w].into_iter().enumerate() {
        let (out, p, _) = same_padding(length as usize, window[axis] as usize, stride[axis] as usize);
        (output[axis + 1], pad[axis]) =
            if max { (out as u32, p as u32) } else { (length - window[axis] + 1, 0) };
    }
    let params = PoolParams {
        input: [n, t, h, w],
        output,
        window: [window[0], window[1], window[2], c / 4],
        stride: [stride[0], stride[1], stride[2], 1],
        pad,
    };
    let positions: u32 = output.iter().product();
    let size = window.iter().product::<u32>() as usize;
    // Negative inputs only, so that a padding of zeros would win every border window.
    let input = Random(7).vec((n * t * h * w * c) as usize).into_iter().map(|v| v - 1.5).collect();
    Case {
        name: format!("{} {window:?}/{stride:?} of {n}x{t}x{h}x{w}x{c}", kernel.name),
        kernel,
        constants: &[],
        precision: Precision::F32,
        params: Params::Pool(params),
        reads: vec![input],
        writes: vec![(positions * c) as usize],
        tolerance: if max { Tolerance::EXACT } else { Tolerance::dot(size, 2.0 / size as f32) },
    }
}

/// A max pool in walks of `walk` outputs.
pub fn max_pool(walk: usize, image: [u32; 4], c: u32, window: [u32; 3], stride: [u32; 3]) -> Case {
    let case = pool(&manifest::MAX_POOL3D, image, c, window, stride);
    let Params::Pool(p) = case.params else { panic!("a pool has other parameters") };
    let name = format!("{} in walks of {walk}", case.name);
    Case { name, params: Params::Pool(p.walking(walk)), ..case }
}

/// The head of the network on `[n, t, h, w]` of `c` channels, with or without the mean over time.
pub fn head(variant: usize, [n, t, h, w]: [u32; 4], c: u32, classes: u32, mean: bool) -> Case {
    let steps = t - 1;
    let mut random = Random(u64::from(t * h * w + c));
    Case {
        name: format!("head of {n}x{t}x{h}x{w}x{c} to {classes} classes, variant {variant}, mean: {mean}"),
        kernel: &manifest::HEAD,
        constants: manifest::HEAD.variants[variant],
        precision: Precision::F32,
        params: Params::Head(HeadParams {
            input: [n, t, h, w],
            head: [2, c / 4, classes / 4, u32::from(mean)],
            first: [0; 4],
        }),
        reads: [n * t * h * w * c, c * classes, classes].map(|len| random.vec(len as usize)).to_vec(),
        writes: [n * steps * c, n * steps * classes, n * classes].map(|len| len as usize).to_vec(),
        // Features are small, but no smaller than the mean of a window of one position.
        tolerance: Tolerance::dot(c as usize, 1.0 / 3.0),
    }
}

/// A mean over time.
pub fn mean(n: u32, t: u32, c: u32) -> Case {
    Case {
        name: format!("time_mean of {n}x{t}x{c}"),
        kernel: &manifest::TIME_MEAN,
        constants: &[],
        precision: Precision::F32,
        params: Params::Mean(MeanParams { shape: [n, t, c / 4, 0] }),
        reads: vec![Random(9).vec((n * t * c) as usize)],
        writes: vec![(n * c) as usize],
        tolerance: Tolerance::dot(t as usize, 1.0 / t as f32),
    }
}

/// One range of output channels of a product, in channels: `(first read, read, written, first written, to the other output)`.
pub type Range = (u32, u32, u32, u32, bool);

/// Products of `rows` rows for some points and taps, with a row of tap `t + 1` two rows behind that of tap `t`.
pub fn gemm(
    kernel: &'static Kernel,
    constants: &'static [(&'static str, f64)],
    [rows, taps, points]: [u32; 3],
    ranges: &[Range],
    relu: bool,
) -> Case {
    let constant = |name| constants.iter().find(|(known, _)| *known == name).map(|&(_, value)| value as u32);
    let wide = (kernel.name == manifest::GEMM_UNIFORM.name).then(|| constant("COLUMNS")).flatten();
    let most = |end: &dyn Fn(&Range) -> u32| ranges.iter().map(end).max().unwrap_or(0);
    let stored = 4 + most(&|r| r.0 + r.1);
    let strides = [false, true].map(|other| most(&|r| if r.4 == other { r.3 + r.2 + 4 } else { 4 }));
    let in_rows = rows + 2 * taps;
    let mut p = GemmParams {
        rows: [rows, 0, taps, 2],
        input: [stored / 4, in_rows * stored / 4, ranges.len() as u32, points],
        output: [strides[0] / 4, strides[1] / 4, rows * strides[0] / 4, u32::from(relu)],
        channels: [[0; 4]; 3],
        place: [[0; 4]; 3],
        ..GemmParams::zeroed()
    };
    let (mut weights, mut biases) = (0, 0);
    for (range, &(from, depth, columns, to, other)) in ranges.iter().enumerate() {
        let row = wide.unwrap_or(columns / 4);
        p.channels[range] = [from / 4, depth / 4, columns / 4, weights];
        p.place[range] = [u32::from(other), to / 4, biases, row];
        weights += points * taps * depth * row;
        biases += columns / 4;
    }
    let window = |name, used: u32| kernel.window(name).map_or(4 * used as usize, |bytes| bytes as usize / 4);
    let mut random = Random(u64::from(rows * 31 + stored));
    let mut reads = vec![
        random.vec((points * in_rows * stored) as usize),
        random.vec(window("weight", weights)),
        random.vec(window("bias", biases)),
    ];
    let output = (points * rows * strides[0]) as usize;
    if constant("ADD") == Some(1) {
        reads.push(random.vec(output));
    }
    let terms = taps * most(&|r| r.1) + 2;
    Case {
        name: format!("{} {constants:?} {rows} rows, {taps} taps, {points} points, {ranges:?}", kernel.name),
        kernel,
        constants,
        precision: Precision::F32,
        params: Params::Gemm(p),
        reads,
        writes: [output, (rows * strides[1]) as usize][..kernel.writes.len()].to_vec(),
        tolerance: Tolerance::dot(terms as usize, 1.0 / 3.0),
    }
}

/// A product of pooled rows: 20 of 28 channels of `[n, t, h, w]` to 24.
pub fn pool_gemm(tile: usize, image: [u32; 4], window: [u32; 3], stride: [u32; 3]) -> Case {
    let Params::Pool(p) = pool(&manifest::MAX_POOL3D, image, 28, window, stride).params else {
        panic!("a pool has other parameters")
    };
    let constants = manifest::GEMM_TILES[1][tile];
    let rows = p.output.iter().product();
    let case = gemm(&manifest::GEMM, constants, [rows, 1, 1], &[(4, 20, 24, 4, false)], true);
    let Params::Gemm(product) = case.params else { panic!("a product has other parameters") };
    let product = GemmParams { input: [7, 0, 1, 1], ..product }.pooling(&p);
    // Negative inputs only, so that a padding of zeros would win every border window.
    let input = Random(7).vec((image.iter().product::<u32>() * 28) as usize).into_iter().map(|v| v - 1.5);
    Case {
        name: format!("pool {window:?}/{stride:?} of {image:?} and {}", case.name),
        reads: vec![input.collect(), case.reads[1].clone(), case.reads[2].clone()],
        params: Params::Gemm(product),
        tolerance: Tolerance::dot(22, 1.5),
        ..case
    }
}

/// A transform of Winograd's: a clip `[n, t, h, w]`, the time steps of the products, the padding before time, the
/// channels `(before, transformed, after)`, and the chunk of frames `(first, count)`.
pub fn wino(
    kernel: &'static Kernel,
    image: [u32; 4],
    (steps, pad): (u32, i32),
    (before, c, after): (u32, u32, u32),
    (first, count): (u32, u32),
) -> Case {
    let [n, t, h, w] = image;
    let tile = TILE as u32;
    let stored = before + c + after;
    let p = WinoParams {
        image,
        tiles: [h.div_ceil(tile), w.div_ceil(tile), first, count],
        frames: [steps + 2, 0, 1, 2],
        pad: [pad as u32, 1, 1, 0],
        channels: [stored / 4, before / 4, c / 4, 0],
        pool: [0; 4],
    };
    let mut random = Random(u64::from(h * w + t + first));
    let (tensor, points) = ((n * t * h * w * stored) as usize, POINTS * 4 * p.fours());
    let (reads, writes) = match kernel.name == manifest::WINO_IN.name {
        true => (vec![random.vec(tensor)], points),
        false => (vec![random.vec(points), random.vec(8 + c as usize)], tensor),
    };
    Case {
        name: format!("{} {image:?} {steps} steps, {c} channels, frames {first}+{count}", kernel.name),
        kernel,
        constants: &[],
        precision: Precision::F32,
        params: Params::Wino(p),
        reads,
        writes: vec![writes],
        // Factors of up to 2.5 in each of two directions.
        tolerance: Tolerance::dot(POINTS, 4.0),
    }
}

/// Winograd's output transform of all frames of `[n, t, h, w]` and the max pool behind it, in walks of `walk` tiles.
pub fn wino_pool(image: [u32; 4], walk: u32) -> Case {
    let [n, t, h, w] = image;
    let case = wino(&manifest::WINO_OUT, image, (t, 1), (4, 8, 4), (0, n * (t + 2) - 2));
    let Params::Wino(p) = case.params else { panic!("a transform has other parameters") };
    let output = [h.div_ceil(2), w.div_ceil(2)];
    // Without ReLU and with negative outputs only, so that zeros beyond the image would win every window there.
    let params = WinoParams { frames: [t + 2, 0, 0, 2], pool: [output[0], output[1], walk, 0], ..p };
    let bias = case.reads[1].iter().map(|b| b - 99.0).collect();
    Case {
        name: format!("{} and a pool in walks of {walk}", case.name),
        kernel: &manifest::WINO_POOL,
        params: Params::Wino(params),
        reads: vec![case.reads[0].clone(), bias],
        writes: vec![(n * t * output[0] * output[1] * 16) as usize],
        ..case
    }
}

/// Products for every variant of both kernels.
fn products() -> Vec<Case> {
    let (tiled, uniform) = (&manifest::GEMM, &manifest::GEMM_UNIFORM);
    let mut cases = Vec::new();
    for (tile, constants) in manifest::GEMM_TILES[0].into_iter().enumerate() {
        cases.push(pool_gemm(tile, [1, 4, 5, 7], [3, 3, 3], [1, 1, 1]));
        cases.push(pool_gemm(tile, [2, 3, 6, 9], [1, 3, 3], [1, 2, 2]));
        cases.push(gemm(tiled, constants, [77, 1, 1], &[(8, 24, 100, 4, false)], true));
        cases.push(gemm(
            tiled,
            constants,
            [33, 3, 5],
            &[(0, 16, 72, 0, false), (16, 4, 12, 72, false)],
            false,
        ));
        let three = [(4, 20, 68, 8, false), (4, 20, 36, 0, true), (4, 20, 8, 36, true)];
        cases.push(gemm(tiled, constants, [130, 1, 1], &three, true));
    }
    for &constants in uniform.variants {
        cases.push(gemm(uniform, constants, [77, 1, 1], &[(8, 64, 28, 4, false)], true));
        cases.push(gemm(uniform, constants, [3, 3, 1], &[(0, 20, 8, 0, false)], false));
    }
    cases
}

/// Every kernel, every variant, sizes that divide nothing.
pub fn all() -> Vec<Case> {
    let avg = &manifest::AVG_POOL3D;
    let max = &manifest::MAX_POOL3D;
    let mut cases = vec![
        conv([1, 9, 15, 17], (3, 64), [7; 3], [2; 3], (0, 0), true),
        conv([2, 10, 14, 11], (2, 20), [7; 3], [2; 3], (4, 8), true),
        conv([1, 8, 16, 16], (3, 4), [7; 3], [2; 3], (0, 0), false),
        stem_uniform([1, 9, 15, 17], 3, false),
        stem_uniform([2, 10, 14, 11], 3, true),
        stem_uniform([2, 9, 13, 16], 2, false),
        conv([1, 5, 7, 9], (16, 24), [3; 3], [1; 3], (8, 4), true),
        conv([2, 3, 5, 5], (24, 64), [3; 3], [1; 3], (0, 0), true),
        conv([3, 2, 7, 7], (64, 48), [1; 3], [1; 3], (16, 0), true),
        conv([1, 1, 1, 1], (8, 12), [3; 3], [1; 3], (0, 0), false),
        conv([1, 6, 5, 8], (4, 16), [1, 3, 3], [1, 2, 2], (0, 0), true),
        conv([1, 7, 6, 5], (5, 6), [3, 2, 1], [2, 1, 2], (0, 0), true),
        sliced([1, 4, 6, 5], (12, 8, 4), 20, [3; 3], [1; 3], (4, 0), true),
        conv([1, 4, 1, 1], (128, 157), [1; 3], [1; 3], (0, 0), false),
        pool(max, [1, 3, 9, 11], 8, [1, 3, 3], [1, 2, 2]),
        pool(max, [2, 5, 7, 6], 12, [3, 3, 3], [2, 2, 2]),
        pool(max, [1, 4, 5, 5], 20, [3, 3, 3], [1, 1, 1]),
        pool(max, [1, 5, 7, 7], 4, [2, 2, 2], [2, 2, 2]),
        pool(max, [1, 1, 3, 9], 4, [1, 2, 5], [1, 1, 1]),
        max_pool(usize::MAX, [1, 3, 5, 9], 20, [3, 3, 3], [1, 1, 1]),
        max_pool(3, [2, 5, 7, 8], 12, [3, 3, 3], [2, 2, 2]),
        max_pool(2, [1, 3, 9, 11], 8, [1, 3, 3], [1, 2, 2]),
        max_pool(4, [1, 3, 4, 7], 8, [2, 1, 2], [1, 2, 3]),
        max_pool(4, [1, 2, 3, 9], 4, [1, 2, 5], [1, 1, 1]),
        pool(avg, [2, 5, 3, 3], 12, [2, 3, 3], [1, 1, 1]),
        pool(avg, [1, 2, 7, 7], 64, [2, 7, 7], [1, 1, 1]),
        mean(1, 7, 400),
        mean(3, 1, 12),
    ];
    cases.extend(products());
    let (into, out) = (&manifest::WINO_IN, &manifest::WINO_OUT);
    for image in [[1, 3, 7, 9], [2, 2, 4, 6]] {
        let steps = image[1];
        cases.push(wino(into, image, (steps, 1), (4, 8, 4), (0, image[0] * (steps + 2))));
        cases.push(wino(out, image, (steps, 1), (4, 8, 4), (0, image[0] * (steps + 2) - 2)));
    }
    // A chunk in the middle, and parts of a clip: no frame before, or some that nobody needs.
    cases.push(wino(into, [2, 6, 5, 5], (4, 0), (0, 4, 0), (3, 5)));
    cases.push(wino(into, [1, 7, 5, 13], (4, -1), (0, 12, 8), (1, 3)));
    cases.push(wino(out, [2, 6, 5, 5], (6, 0), (0, 4, 0), (3, 6)));
    for variant in 0..manifest::HEAD.variants.len() {
        cases.push(head(variant, [1, 3, 2, 3], 20, 12, true));
        cases.push(head(variant, [2, 7, 1, 2], 1100, 300, true));
        cases.push(head(variant, [2, 2, 3, 1], 1024, 400, false));
    }
    // Walks that end with the row, and before it; heights and widths that end anywhere in a tile.
    cases.push(wino_pool([1, 3, 8, 12], 3));
    cases.push(wino_pool([2, 2, 6, 14], 2));
    cases.push(wino_pool([1, 1, 4, 9], 1));
    cases.push(wino_pool([1, 2, 7, 15], 9));
    cases.push(wino_pool([1, 1, 9, 3], 1));
    cases.extend(super::flow_cases::all());
    cases.extend(super::train_cases::all());
    cases.extend(super::lstm_cases::all());
    let stored = cases.iter().filter(|case| !case.kernel.stored.is_empty());
    let half: Vec<Case> = stored.cloned().map(Case::half).collect();
    cases.extend(half);
    cases
}
