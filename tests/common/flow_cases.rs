//! Kernel test cases of optical flow.

use i3d::backend::gpu::manifest;
use i3d::backend::params::{FlowParams, Params};
use i3d::plan::Precision;

use super::cases::Case;
use super::{Random, Tolerance};

/// A few operations in f32 on numbers of order one, against f64.
const FEW: Tolerance = Tolerance { abs: 1e-5, rel: 1e-5 };
/// Sixteen taps, then one over the sum of two squares, which doubles a relative error; the smallest gradient among
/// the random ones is about 0.02.
const WARP: Tolerance = Tolerance { abs: 1e-5, rel: 5e-4 };
/// Floor positions are exact, shares of a pixel are not: they come from positions up to a hundred.
const RESIZE: Tolerance = Tolerance { abs: 5e-5, rel: 0.0 };

fn params([width, height, count]: [u32; 3]) -> FlowParams {
    // The weights of the reference parameters.
    let factors = [0.045, 0.3, 0.25 / 0.3, 0.4];
    FlowParams { size: [width, height, count, 0], source: [0; 4], factors }
}

fn case(
    kernel: &'static manifest::Kernel,
    params: FlowParams,
    reads: Vec<Vec<f32>>,
    output_len: usize,
    tolerance: Tolerance,
) -> Case {
    let name = format!("{} {:?}", kernel.name, params.size);
    Case {
        name,
        kernel,
        constants: &[],
        precision: Precision::F32,
        params: Params::Flow(params),
        reads,
        writes: vec![output_len],
        tolerance,
    }
}

/// Planes of `source` size to `size`.
pub fn resize(source: [u32; 2], [width, height]: [u32; 2], planes: u32) -> Case {
    let p = FlowParams {
        source: [source[0], source[1], 0, 0],
        factors: [source[0] as f32 / width as f32, source[1] as f32 / height as f32, 1.25, 0.0],
        ..params([width, height, planes])
    };
    let input = Random(11).vec((source[0] * source[1] * planes) as usize);
    case(&manifest::FLOW_RESIZE, p, vec![input], p.planes(1), RESIZE)
}

/// The gradient of frames.
pub fn gradient(size: [u32; 3]) -> Case {
    let p = params(size);
    case(&manifest::FLOW_GRADIENT, p, vec![Random(12).vec(p.planes(1))], p.planes(2), FEW)
}

/// A warp by up to 1.4 pixels, and a few pixels far out of the picture.
pub fn warp(size: [u32; 3]) -> Case {
    let p = params(size);
    let mut random = Random(13);
    let frames = params([size[0], size[1], size[2] + 1]).planes(1);
    let mut state: Vec<f32> = random.vec(p.state_len()).into_iter().map(|v| 1.4 * v).collect();
    for (i, far) in [1e6, -1e6, 50.5, -33.25].into_iter().enumerate() {
        state[7 * i + 1] = far;
    }
    let reads = vec![random.vec(frames), random.vec(2 * frames), state];
    case(&manifest::FLOW_WARP, p, reads, p.planes(4), WARP)
}

/// Pair 1 has stopped.
fn stopped(pairs: u32) -> Vec<f32> {
    (0..pairs).map(|n| f32::from(u8::from(n == 1))).collect()
}

/// The median of few different values, so that ties are common.
pub fn median(size: [u32; 3]) -> Case {
    let p = params(size);
    let state = Random(14).vec(p.state_len()).into_iter().map(|v| (8.0 * v).floor()).collect();
    let reads = vec![state, stopped(size[2])];
    case(&manifest::FLOW_MEDIAN, p, reads, p.planes(2), Tolerance::EXACT)
}

/// The flow's half of an iteration.
pub fn step(size: [u32; 3], sums: bool) -> Case {
    let p = params(size).with_sums(sums);
    let mut random = Random(15);
    // Data of order one with a step that is cut off at either side or not at all.
    let data = random.vec(p.planes(4)).into_iter().map(|v| 0.3 * v).collect();
    let reads = vec![data, stopped(size[2]), random.vec(p.state_len())];
    case(&manifest::FLOW_STEP, p, reads, p.state_len(), FEW)
}

/// The dual field's half of an iteration.
pub fn dual(size: [u32; 3]) -> Case {
    let p = params(size);
    let reads = vec![stopped(size[2]), Random(16).vec(p.state_len())];
    case(&manifest::FLOW_DUAL, p, reads, p.state_len(), FEW)
}

/// Pair 0 goes on, pair 1 has stopped before, pair 2 stops now.
pub fn stop(width: u32, height: u32) -> Case {
    let p = params([width, height, 3]);
    let mut state = Random(17).vec(p.state_len());
    let sums = p.planes(6);
    let length = (state.len() - sums) / 3;
    for (i, sum) in state[sums..].iter_mut().enumerate() {
        *sum = [0.6, 3.0, 0.2][i / length] / length as f32;
    }
    case(&manifest::FLOW_STOP, p, vec![state, stopped(3)], 3, Tolerance::EXACT)
}

/// Every kernel, sizes that divide nothing.
pub fn all() -> Vec<Case> {
    vec![
        resize([50, 41], [40, 33], 3),
        resize([33, 40], [41, 50], 2),
        resize([1, 2], [1, 3], 1),
        gradient([70, 5, 3]),
        gradient([1, 1, 2]),
        warp([70, 13, 2]),
        warp([5, 3, 1]),
        median([67, 11, 3]),
        median([2, 1, 2]),
        step([70, 9, 3], true),
        step([130, 4, 2], false),
        step([1, 1, 1], true),
        dual([70, 9, 3]),
        dual([1, 3, 2]),
        stop(70, 19),
        stop(9, 3),
    ]
}
