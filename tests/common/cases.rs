//! Kernel test cases, and the way a case runs on the twin and on a device.

use i3d::backend::gpu::manifest::{self, Kernel, Twin};
use i3d::backend::gpu::{Gpu, work_groups};
use i3d::backend::params::{ConvParams, MeanParams, Params, PoolParams};
use i3d::network::same_padding;

use super::{Random, Tolerance, compare};

/// One kernel, one variant, one set of sizes.
pub struct Case {
    pub name: String,
    pub kernel: &'static Kernel,
    pub constants: &'static [(&'static str, f64)],
    pub params: Params,
    pub reads: Vec<Vec<f32>>,
    pub output_len: usize,
    pub tolerance: Tolerance,
}

impl Case {
    /// What the output holds before: NaN, or, for kernels that change it in place, the entry of `reads` that is one
    /// more than the kernel has.
    fn before(&self) -> Vec<f32> {
        let given = self.reads.get(self.kernel.reads.len()).cloned();
        given.unwrap_or_else(|| vec![f32::NAN; self.output_len])
    }

    /// What the twin computes.
    pub fn expected(&self) -> Vec<f32> {
        let mut output = self.before();
        match (self.kernel.twin, self.params) {
            (Twin::Conv(twin), Params::Conv(p)) => {
                twin(&p, &self.reads[0], &self.reads[1], &self.reads[2], &mut output);
            }
            (Twin::Pool(twin), Params::Pool(p)) => twin(&p, &self.reads[0], &mut output),
            (Twin::Mean(twin), Params::Mean(p)) => twin(&p, &self.reads[0], &mut output),
            (Twin::Flow1(twin), Params::Flow(p)) => twin(&p, &self.reads[0], &mut output),
            (Twin::Flow2(twin), Params::Flow(p)) => twin(&p, &self.reads[0], &self.reads[1], &mut output),
            (Twin::Flow3(twin), Params::Flow(p)) => {
                twin(&p, &self.reads[0], &self.reads[1], &self.reads[2], &mut output);
            }
            _ => panic!("{}: the twin takes other parameters", self.name),
        }
        output
    }

    /// Compares `source`, the kernel's text or a changed copy, on the device with the twin.
    pub fn check(&self, gpu: &Gpu, source: &str) -> Result<(), String> {
        let pipeline = gpu.compile(self.kernel, source, self.constants);
        gpu.check().map_err(|e| e.to_string())?;
        let reads: Vec<&[f32]> = self.reads.iter().take(self.kernel.reads.len()).map(Vec::as_slice).collect();
        let before = self.before();
        let groups = work_groups(self.kernel, &self.params);
        let params = self.params.bytes(0);
        let run = gpu.probe(self.kernel, &pipeline, &params, &reads, &before, groups);
        let got = pollster::block_on(run).map_err(|e| e.to_string())?;
        compare(&got, &self.expected(), self.tolerance).map_err(|e| format!("{}: {e}", self.name))
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
        source: [unread / 4, read / 4, 0, 0],
    };
    let taps = kernel.iter().product::<u32>() as usize;
    let mut random = Random(u64::from(ci * 1000 + co + t * h * w));
    let name = format!("conv {ci}->{co} {kernel:?}/{stride:?} of {n}x{t}x{h}x{w}");
    Case {
        kernel: if stem { &manifest::STEM } else { &manifest::CONV3D },
        constants: if stem { manifest::STEM.variants[ci as usize - 2] } else { &[] },
        reads: vec![
            random.vec((n * t * h * w * stored) as usize),
            random.vec(taps * (rows * columns) as usize),
            random.vec(columns as usize),
        ],
        output_len: params.positions() * total as usize,
        // Products of two numbers uniform in [-1, 1) have a root mean square of 1/3.
        tolerance: Tolerance::dot(taps * rows as usize, 1.0 / 3.0),
        params: Params::Conv(params),
        name,
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
        stride: [stride[0], stride[1], stride[2], 0],
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
        params: Params::Pool(params),
        reads: vec![input],
        output_len: (positions * c) as usize,
        tolerance: if max { Tolerance::EXACT } else { Tolerance::dot(size, 2.0 / size as f32) },
    }
}

/// A mean over time.
pub fn mean(n: u32, t: u32, c: u32) -> Case {
    Case {
        name: format!("time_mean of {n}x{t}x{c}"),
        kernel: &manifest::TIME_MEAN,
        constants: &[],
        params: Params::Mean(MeanParams { shape: [n, t, c / 4, 0] }),
        reads: vec![Random(9).vec((n * t * c) as usize)],
        output_len: (n * c) as usize,
        tolerance: Tolerance::dot(t as usize, 1.0 / t as f32),
    }
}

/// Every kernel, every variant, sizes that divide nothing.
pub fn all() -> Vec<Case> {
    let avg = &manifest::AVG_POOL3D;
    let max = &manifest::MAX_POOL3D;
    let mut cases = vec![
        conv([1, 9, 15, 17], (3, 64), [7; 3], [2; 3], (0, 0), true),
        conv([2, 10, 14, 11], (2, 20), [7; 3], [2; 3], (4, 8), true),
        conv([1, 8, 16, 16], (3, 4), [7; 3], [2; 3], (0, 0), false),
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
        pool(avg, [2, 5, 3, 3], 12, [2, 3, 3], [1, 1, 1]),
        pool(avg, [1, 2, 7, 7], 64, [2, 7, 7], [1, 1, 1]),
        mean(1, 7, 400),
        mean(3, 1, 12),
    ];
    cases.extend(super::flow_cases::all());
    cases
}
