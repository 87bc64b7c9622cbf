//! Optical flow on the CPU: against the twins, against known motion, against OpenCV; and its way to the network.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "common/flow.rs"]
mod common;

use common::{Motion, difference, golden, moved, moved_coarse, pair};
use i3d::backend::reference;
use i3d::flow::{
    Flow, FlowStatistics, Gray, Quantize, Schedule, Step, Tvl1, flow_clip, flow_from_pair, flows_from_frames,
};
use i3d::preprocess::Size;

/// Two programs that do the same operations in f32 and f64 drift apart by rounding only; where the flow is not pinned
/// down by the pictures, hundreds of iterations widen that. Any real difference is at least ten times larger: see
/// `the_comparison_notices_other_parameters`.
const BOUND_PX: f64 = 1e-3;

#[test]
fn the_cpu_computes_what_the_twins_compute() {
    for (width, height) in [(33, 27), (16, 16), (17, 40), (64, 21), (5, 3), (1, 1)] {
        let frames = [0.0, 1.0, 2.5].map(|t| moved(width, height, Motion::Shift(0.8 * t, -0.5 * t)));
        let want = reference::flow(&frames, &Tvl1::REFERENCE).expect("the twins run");
        let got = flows_from_frames(&frames, &Tvl1::REFERENCE).expect("runs");
        assert_eq!(got.len(), 2);
        for (got, want) in got.iter().zip(&want) {
            let (mean, _) = difference(got, want);
            println!("{width}x{height}: {mean:.6} px");
            assert!(mean <= BOUND_PX, "{width}x{height}: {mean} px apart");
        }
    }
}

#[test]
fn the_comparison_notices_other_parameters() {
    let (first, second) = pair(33, 27, Motion::Shift(0.8, -0.5));
    let want = reference::flow(&[first.clone(), second.clone()], &Tvl1::REFERENCE).expect("the twins run");
    let r = Tvl1::REFERENCE;
    let broken = [
        ("tau", Tvl1 { tau: 0.2, ..r }),
        ("lambda", Tvl1 { lambda: 0.14, ..r }),
        ("theta", Tvl1 { theta: 0.25, ..r }),
        ("a missing level", Tvl1 { scales: 1, ..r }),
        ("scale step", Tvl1 { scale_step: 0.75, ..r }),
        ("a missing warp", Tvl1 { warps: 1, ..r }),
        ("epsilon", Tvl1 { epsilon: 0.03, ..r }),
        ("inner", Tvl1 { inner: 3, ..r }),
        ("outer", Tvl1 { outer: 1, inner: 6, ..r }),
        ("no median", Tvl1 { median: 1, ..r }),
    ];
    for (what, parameters) in broken {
        let got = flow_from_pair(&first, &second, &parameters).expect("runs");
        let (mean, _) = difference(&got, &want[0]);
        println!("{what}: {mean:.5}");
        assert!(mean > BOUND_PX, "{what} went unnoticed: {mean} px");
    }
}

#[test]
fn a_still_picture_has_no_flow() {
    let (frame, _) = pair(61, 37, Motion::Shift(0.0, 0.0));
    let flow = flow_from_pair(&frame, &frame, &Tvl1::REFERENCE).expect("runs");
    assert!(flow.data.iter().all(|&v| v == 0.0));
    let gray = Gray::from_bytes(20, 20, &[128; 400]).expect("a frame");
    let flow = flow_from_pair(&gray, &gray, &Tvl1::REFERENCE).expect("runs");
    assert!(flow.data.iter().all(|&v| v == 0.0));
}

/// Motion, how coarse the picture is (waves shorter than the motion would be taken for each other), and the mean end
/// point error that may remain in the middle of it, in pixels, with the reference and the fast parameters: about twice
/// what was measured.
const KNOWN: [(Motion, f64, f64, f64); 5] = [
    (Motion::Shift(0.5, -0.25), 1.0, 0.1, 0.1),
    (Motion::Shift(-3.0, 1.0), 1.0, 0.012, 0.035),
    (Motion::Shift(12.0, 0.0), 3.0, 0.03, 0.035),
    (Motion::Rotation(0.03), 1.0, 0.08, 0.07),
    (Motion::Zoom(1.04), 1.0, 0.09, 0.07),
];

#[test]
fn known_motion_is_found() {
    let (width, height) = (150, 117);
    for (motion, coarseness, reference, fast) in KNOWN {
        let still = Motion::Shift(0.0, 0.0);
        let [first, second] = [still, motion].map(|m| moved_coarse(width, height, m, coarseness));
        let mut truth = Flow { width, height, data: Vec::new() };
        for y in 0..height {
            truth.data.extend((0..width).flat_map(|x| motion.of(width, height, x as f64, y as f64)));
        }
        for (name, parameters, bound) in
            [("reference", Tvl1::REFERENCE, reference), ("fast", Tvl1::FAST, fast)]
        {
            let flow = flow_from_pair(&first, &second, &parameters).expect("runs");
            // What leaves the picture cannot be found; 16 pixels around it are left out.
            let inner = |flow: &Flow| {
                let rows = (16..height - 16)
                    .flat_map(|y| &flow.data[2 * (y * width + 16)..2 * (y * width + width - 16)]);
                Flow { width: width - 32, height: height - 32, data: rows.copied().collect() }
            };
            let error = inner(&flow).mean_distance(&inner(&truth));
            println!("{motion:?} {name}: {error:.4} px");
            assert!(error <= bound, "{motion:?} {name}: {error} px");
        }
    }
}

#[test]
fn neither_threads_nor_company_change_the_result() {
    let frames = [0.0, 1.0, 2.0, 3.0].map(|t| moved(70, 150, Motion::Shift(t, 0.5 * t)));
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let flows = flows_from_frames(&frames, &Tvl1::FAST).expect("runs");
            let pair = flow_from_pair(&frames[1], &frames[2], &Tvl1::FAST).expect("runs");
            assert_eq!(flows[1], pair, "{threads} threads");
            flows
        })
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(9));
}

#[test]
fn levels_and_steps_are_opencvs() {
    let size = |width, height| Size { width, height };
    let schedule = Schedule::new(&Tvl1::REFERENCE, size(340, 256));
    let levels = [size(340, 256), size(272, 205), size(218, 164), size(174, 131), size(139, 105)];
    assert_eq!(schedule.levels(), levels);
    let sides = |side| {
        let schedule = Schedule::new(&Tvl1::REFERENCE, size(side, side));
        schedule.levels().iter().map(|l| l.width).collect::<Vec<_>>()
    };
    assert_eq!(sides(224), [224, 179, 143, 114, 91]);
    // 24 * 0.8 = 19.2, and the next level would have 15.2.
    assert_eq!(sides(24), [24, 19]);
    assert_eq!(sides(16), [16]);
    let steps = schedule.steps();
    let count = |wanted: fn(&Step) -> bool| steps.iter().filter(|s| wanted(s)).count();
    assert_eq!(count(|s| matches!(s, Step::Level(_))), 5);
    assert_eq!(count(|s| matches!(s, Step::Warp)), 25);
    assert_eq!(count(|s| matches!(s, Step::Median)), 250);
    let iterations = |s: &Step| if let Step::Iterate(n) = s { *n } else { 0 };
    assert_eq!(steps.iter().map(iterations).sum::<usize>(), 7500);
    assert_eq!(steps[..3], [Step::Level(4), Step::Warp, Step::Median]);
}

#[test]
fn frames_that_make_no_sequence_are_refused_in_one_sentence() {
    let gray = |width, height| Gray::from_bytes(width, height, &vec![0; width * height]).expect("a frame");
    let message = |frames: &[Gray]| {
        flows_from_frames(frames, &Tvl1::REFERENCE).expect_err("these make no sequence").to_string()
    };
    assert_eq!(
        message(&[gray(20, 16), gray(20, 16), gray(16, 20)]),
        "optical flow: frame 3 is 16x20 where the first frame is 20x16; resize all frames to one size"
    );
    assert_eq!(message(&[gray(20, 16)]), "optical flow: there is one frame; give at least two");
    assert_eq!(message(&[]), "optical flow: there are no frames; give at least two");
    let error = Gray::from_bytes(3, 3, &[0; 8]).expect_err("a pixel is missing").to_string();
    assert_eq!(error, "grey frame: 8 values were given for 3x3 pixels; give one per pixel");
    assert!(Gray::new(0, 3, Vec::new()).is_err());
    assert!(Gray::new(1, 1, vec![f32::NAN]).is_err());
    let frames = [gray(20, 16), gray(20, 16)];
    for bad in [
        Tvl1 { tau: 0.0, ..Tvl1::REFERENCE },
        Tvl1 { theta: f64::NAN, ..Tvl1::REFERENCE },
        Tvl1 { warps: 0, ..Tvl1::REFERENCE },
        Tvl1 { scale_step: 1.0, ..Tvl1::REFERENCE },
        Tvl1 { epsilon: -1.0, ..Tvl1::REFERENCE },
        Tvl1 { median: 3, ..Tvl1::REFERENCE },
    ] {
        assert_eq!(flows_from_frames(&frames, &bad).expect_err("out of range").code(), "usage");
    }
}

#[test]
fn grey_is_rounded_luma() {
    let gray = Gray::from_rgb(2, 2, &[255.0, 0.0, 0.0, 0.0, 255.0, 0.0, 0.0, 0.0, 255.0, 9.0, 9.0, 9.0]);
    assert_eq!(gray.expect("a frame").data(), [76.0, 150.0, 29.0, 9.0]);
}

#[test]
fn quantisers_follow_their_formulas() {
    let table = [
        (Quantize::None, [-1.0, -1.0, -0.05, 0.0, 0.05, 1.0, 1.0]),
        // q = 0, 0, 121, 127, 133, 255, 255
        (Quantize::Mediapipe, [-1.0, -1.0, -13.0 / 255.0, -1.0 / 255.0, 11.0 / 255.0, 1.0, 1.0]),
        // q = 0, 0, 121, 128 (half to even), 134, 255, 255
        (Quantize::Denseflow, [-1.0, -1.0, -13.0 / 255.0, 1.0 / 255.0, 13.0 / 255.0, 1.0, 1.0]),
        // q = 0 (half to even), 0, 122, 128, 134, 256, 256
        (
            Quantize::VideoFeatures,
            [-1.0, -1.0, -11.0 / 255.0, 1.0 / 255.0, 13.0 / 255.0, 257.0 / 255.0, 257.0 / 255.0],
        ),
    ];
    for (quantize, want) in table {
        let got = [-33.0f32, -20.0, -1.0, 0.0, 1.0, 20.0, 400.0].map(|v| quantize.apply(v));
        for (got, want) in got.into_iter().zip(want) {
            assert!((got - want as f32).abs() < 1e-6, "{quantize:?}: {got}, expected {want}");
        }
    }
}

#[test]
fn the_clip_is_the_centre_of_the_flow() {
    // The flow of column x is (x, 100 y).
    let data = (0..5 * 7).flat_map(|i| [(i % 7) as f32, -0.1 * (i / 7) as f32]).collect();
    let flow = Flow { width: 7, height: 5, data };
    let clip = flow_clip(&[flow.clone(), flow.clone()], 2, Quantize::None).expect("fits");
    assert_eq!((clip.frames, clip.height, clip.width, clip.channels), (2, 2, 2, 2));
    let want = [2.0, -0.1, 3.0, -0.1, 2.0, -0.2, 3.0, -0.2].map(|v| v / 20.0);
    assert!(clip.data.iter().zip(want.iter().cycle()).all(|(a, b)| (a - b).abs() < 1e-6), "{:?}", clip.data);
    assert!(flow_clip(&[], 2, Quantize::None).is_err());
    assert!(flow_clip(std::slice::from_ref(&flow), 6, Quantize::None).is_err());
    let other = Flow { width: 5, height: 7, data: vec![0.0; 70] };
    assert!(flow_clip(&[flow, other], 2, Quantize::None).is_err());
}

#[test]
fn statistics_say_how_much_is_cut_off() {
    let flow = Flow { width: 2, height: 1, data: vec![3.0, -4.0, 0.0, 25.0] };
    let want = FlowStatistics { min: -4.0, max: 25.0, mean_magnitude: 15.0, clipped: 0.25 };
    assert_eq!(FlowStatistics::new([&flow]), want);
    assert_eq!(FlowStatistics::new([]).max, 0.0);
}

#[test]
#[ignore = "needs I3D_SHARED"]
fn the_cpu_reproduces_opencv() {
    for name in ["cricket", "street", "indoor"] {
        let Some((first, second, want)) = golden(name) else { return };
        let got = flow_from_pair(&first, &second, &Tvl1::REFERENCE).expect("runs");
        let (mean, near) = difference(&got, &want);
        println!("{name}: mean {mean:.5} px, within 0.1 px {:.2} %", 100.0 * near);
        assert!(mean <= 0.05 && near >= 0.95, "{name}: mean {mean} px, {near} within 0.1 px");
        let fast = flow_from_pair(&first, &second, &Tvl1::FAST).expect("runs");
        println!("{name} fast: mean {:.4} px", fast.mean_distance(&got));
    }
}
