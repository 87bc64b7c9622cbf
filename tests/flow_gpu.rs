//! Optical flow on the test device: against the CPU, against OpenCV; and broken kernels are noticed.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;
#[path = "common/flow.rs"]
mod motion;

use common::cases::Case;
use common::flow_cases as cases;
use i3d::backend::gpu::{Gpu, GpuFlow};
use i3d::flow::{Gray, Tvl1, flows_from_frames};
use motion::{Motion, difference, golden, moved};

/// Mean end point distance between GPU and CPU. Both do the same operations in the same order, so software adapters,
/// which round every one of them, give the same flow. Hardware may fuse products into sums and divides less exactly;
/// TV-L1 enlarges such differences where the picture does not pin the flow down, above all along its edges: the f32 CPU
/// version and its f64 twins are up to 0.02 px apart on these pictures.
fn bound_px(gpu: &Gpu) -> f64 {
    if gpu.adapter.is_hardware() { 0.05 } else { 0.01 }
}

#[test]
fn the_gpu_computes_what_the_cpu_computes() {
    let Some(gpu) = common::gpu() else { return };
    let bound = bound_px(&gpu);
    let mut flow = GpuFlow::new(gpu, &Tvl1::REFERENCE).expect("the parameters are fine");
    for (width, height) in [(48, 37), (131, 20), (16, 16), (3, 5)] {
        // Six pairs, so that a software adapter needs two portions; the third is still and stops at once.
        let frames = [0.0, 1.0, 2.0, 2.0, 4.5, 5.0, 3.0]
            .map(|t| moved(width, height, Motion::Shift(0.7 * t, 0.4 * t)));
        let want = flows_from_frames(&frames, &Tvl1::REFERENCE).expect("runs");
        let got = pollster::block_on(flow.flows(&frames)).expect("runs");
        assert_eq!(got.len(), want.len());
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            let (mean, _) = difference(got, want);
            println!("{width}x{height} pair {i}: {mean:.6} px");
            assert!(mean <= bound, "{width}x{height} pair {i}: {mean} px apart");
        }
        assert!(got[2].data.iter().all(|&v| v == 0.0), "a still pair has no flow");
    }
}

#[test]
fn frames_that_make_no_sequence_are_refused() {
    let Some(gpu) = common::gpu() else { return };
    let mut flow = GpuFlow::new(gpu.clone(), &Tvl1::REFERENCE).expect("the parameters are fine");
    let gray = |width, height| Gray::from_bytes(width, height, &vec![0; width * height]).expect("a frame");
    let error = pollster::block_on(flow.flows(&[gray(20, 16), gray(16, 20)])).expect_err("sizes differ");
    assert!(error.to_string().contains("frame 2 is 16x20 where the first frame is 20x16"), "{error}");
    assert!(GpuFlow::new(gpu, &Tvl1 { theta: 0.0, ..Tvl1::REFERENCE }).is_err());
}

#[test]
fn broken_flow_kernels_are_noticed() {
    let Some(gpu) = common::gpu() else { return };
    let resize = || cases::resize([50, 41], [40, 33], 3);
    let gradient = || cases::gradient([70, 5, 3]);
    let warp = || cases::warp([70, 13, 2]);
    let median = || cases::median([67, 11, 3]);
    let step = || cases::step([70, 9, 3], true);
    let dual = || cases::dual([70, 9, 3]);
    let stop = || cases::stop(70, 19);
    let broken: Vec<(Case, &str, &str)> = vec![
        (resize(), "* p.factors.xy - 0.5", "* p.factors.xy"),
        (resize(), "(below - above) * share.y", "(below - above) * share.x"),
        (resize(), "* p.factors.z", ""),
        (gradient(), "x + 1u < width", "x < width"),
        (gradient(), "y > 0u", "y > 1u"),
        (gradient(), "0.5 * (input[below]", "1.0 * (input[below]"),
        (warp(), "let a = -0.75", "let a = -0.5"),
        (warp(), "select(vec4<f32>(0.0), weights,", "select(weights, weights,"),
        (warp(), "(n + 1u) * image", "n * image"),
        (warp(), "let along_y = plane + image", "let along_y = plane"),
        (warp(), "- frames[at]", ""),
        (warp(), "sum += weights.w *", "sum += weights.z *"),
        (median(), "min(x + 2, size.x - 1)", "min(x + 1, size.x - 1)"),
        (median(), "return v12", "return v11"),
        (median(), "stopped[n] != 0.0", "stopped[n] != 7.0"),
        (step(), "-p.factors.x, p.factors.x", "-p.factors.x, 9.0"),
        (step(), "x > 0u", "true"),
        (step(), "- left", ""),
        (step(), "stopped[n] == 0.0", "true"),
        (step(), "var reach = 32u", "var reach = 16u"),
        (dual(), "x + 1u < width", "true"),
        (dual(), "y + 1u < p.size.y", "y + 2u < p.size.y"),
        (dual(), "* norm.y", "* norm.x"),
        (dual(), "|| stopped[n] != 0.0", ""),
        (stop(), "<= p.factors.w", "<= 4.0 * p.factors.w"),
        (stop(), "group.x * length", "group.x"),
        (stop(), "stopped[group.x] = 1.0", ""),
    ];
    for (case, good, bad) in broken {
        assert!(case.kernel.source.contains(good), "{}: the shader no longer says {good:?}", case.name);
        assert_eq!(case.check(&gpu, case.kernel.source), Ok(()), "the unbroken kernel");
        let source = case.kernel.source.replace(good, bad);
        assert!(case.check(&gpu, &source).is_err(), "{}: {good:?} -> {bad:?} went unnoticed", case.name);
    }
}

#[test]
#[ignore = "needs I3D_SHARED"]
fn the_gpu_reproduces_opencv() {
    let Some(gpu) = common::gpu() else { return };
    let bound = bound_px(&gpu);
    let mut flow = GpuFlow::new(gpu, &Tvl1::REFERENCE).expect("the parameters are fine");
    for name in ["cricket", "street", "indoor"] {
        let Some((first, second, want)) = golden(name) else { return };
        let frames = [first, second];
        let start = std::time::Instant::now();
        let got = pollster::block_on(flow.flows(&frames)).expect("runs").remove(0);
        let seconds = start.elapsed().as_secs_f64();
        let (mean, near) = difference(&got, &want);
        let cpu = flows_from_frames(&frames, &Tvl1::REFERENCE).expect("runs").remove(0);
        let apart = got.mean_distance(&cpu);
        println!(
            "{name}: mean {mean:.5} px, within 0.1 px {:.2} %; {apart:.5} px from the CPU; {seconds:.2} s",
            100.0 * near
        );
        assert!(mean <= 0.05 && near >= 0.95, "{name}: mean {mean} px, {near} within 0.1 px");
        assert!(apart <= bound, "{name}: {apart} px from the CPU");
    }
}
