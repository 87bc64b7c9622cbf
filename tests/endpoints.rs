//! Small whole networks: the CPU backend and the GPU against the twins, endpoint by endpoint.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;

use common::{Random, Tolerance, compare};
use i3d::backend::cpu::CpuModel;
use i3d::backend::gpu::{Class, Gpu, GpuModel, Variants};
use i3d::backend::{Device, Model, Output, Progress, RunOptions, reference};
use i3d::classifier::{Classifier, ModelSource};
use i3d::clip::Clip;
use i3d::network::{FEATURES, Input, LOGITS, LOGITS_PER_STEP, Network, Stream, System};
use i3d::plan::{INPUT, Plan, Precision};
use i3d::weights::Weights;

/// Networks and clips whose sizes divide nothing.
fn cases() -> Vec<(Network, usize, usize)> {
    let small = |stream, classes, width, input_size| Network {
        classes,
        width,
        input_size,
        ..Network::i3d(stream, 1)
    };
    vec![
        (small(Stream::Rgb, 7, 0.0625, 40), 1, 9),
        (small(Stream::Flow, 12, 0.125, 33), 1, 17),
        (small(Stream::Rgb, 5, 0.1, 64), 2, 12),
        (Network { in_channels: 5, width: 0.0625, input_size: 32, ..Network::i3d(Stream::Rgb, 3) }, 1, 10),
    ]
}

/// The other systems' networks, of one stream and of both.
fn systems() -> Vec<(Network, usize, usize)> {
    let small = |system, input, classes, width, input_size| Network {
        width,
        input_size,
        ..Network::new(system, input, classes)
    };
    let (rgb, flow) = (Input::One(Stream::Rgb), Input::One(Stream::Flow));
    vec![
        (small(System::ConvNetLstm, rgb, 7, 0.0625, 33), 2, 5),
        // More steps than have statistics of their own.
        (small(System::ConvNetLstm, flow, 6, 0.125, 20), 1, 28),
        (small(System::ConvNet3d, rgb, 7, 0.0625, 40), 2, 16),
        (small(System::ConvNet3d, flow, 5, 0.03, 33), 1, 9),
        (small(System::TwoStream, rgb, 6, 0.0625, 33), 2, 3),
        (small(System::TwoStream, flow, 7, 0.1, 32), 1, 1),
        (small(System::TwoStream, Input::Both, 6, 0.0625, 33), 2, 3),
        (small(System::Fused, Input::Both, 7, 0.0625, 40), 1, 5),
        (small(System::Fused, rgb, 7, 0.0625, 33), 2, 7),
    ]
}

struct Problem {
    plan: Plan,
    network: Network,
    input: Vec<f32>,
    want: Output,
}

fn problem((network, batch, frames): (Network, usize, usize)) -> Problem {
    let plan = Plan::new(&network, batch, frames).expect("the network plans");
    let input = Random(frames as u64).vec(plan.buffers[INPUT].shape.len());
    let want = reference::run(&plan, &Weights::random(&network, 3), &input, &plan.observable())
        .expect("the twins run");
    Problem { plan, network, input, want }
}

fn assert_endpoints(problem: &Problem, got: &Output, observed: &[&str], tolerance: Tolerance) {
    for &name in observed {
        let (got, want) = (got.get(name).expect(name), problem.want.get(name).expect(name));
        assert_eq!(got.shape, want.shape, "{name}");
        let spread = want.data.iter().fold(0f32, |m, v| m.max(v.abs()));
        assert!(spread > 1e-3, "{name} is all but zero: the comparison would say nothing");
        compare(&got.data, &want.data, tolerance)
            .unwrap_or_else(|e| panic!("{:?} {name}: {e}", problem.network));
    }
}

#[test]
fn the_cpu_backend_computes_what_the_twins_compute() {
    for problem in cases().into_iter().chain(systems()).map(problem) {
        for threads in [1, 3] {
            let mut model =
                CpuModel::new(Weights::random(&problem.network, 3), threads, &RunOptions::default())
                    .expect("threads start");
            let mut last = 0;
            let observe = problem.plan.observable();
            let got = model
                .run(&problem.plan, &problem.input, &observe, &mut |p| {
                    assert!(p.done_macs >= last && p.total_macs == problem.plan.macs());
                    last = p.done_macs;
                })
                .expect("the CPU backend runs");
            assert_eq!(last, problem.plan.macs(), "progress ends at the end");
            assert_endpoints(&problem, &got, &observe, Tolerance::NETWORK);
        }
    }
}

const PRECISE: RunOptions = RunOptions { precise: true, precision: Precision::F32 };
const HALF: RunOptions = RunOptions { precise: false, precision: Precision::F16 };

/// Runs the problem with the kernels that adapters of `class` get.
fn check_on_gpu(problem: &Problem, class: Class, options: RunOptions) {
    let Some(mut gpu) = common::gpu() else { return };
    Arc::get_mut(&mut gpu).expect("nobody else has it").variants = Variants::of(class);
    let weights = Weights::random(&problem.network, 3);
    let mut model = GpuModel::new(gpu, &weights, &options).expect("the weights fit");
    let plan = problem.plan.clone().with_precision(options.precision);
    let all = plan.observable();
    // What is observed decides what is fused, and a second run meets memory full of old values.
    for observe in [&all[..], &["Logits"], &["Logits"]] {
        let mut progress = |_| ();
        let run = model.run(&plan, &problem.input, observe, &mut progress);
        let got = pollster::block_on(run).expect("the GPU backend runs");
        if options.precision == Precision::F32 {
            assert_endpoints(problem, &got, observe, Tolerance::NETWORK);
            continue;
        }
        assert_endpoints(problem, &got, observe, Tolerance::NETWORK_IN_F16);
        for &name in observe {
            let stored = |&v: &f32| half::f16::from_f32(v).to_f32() == v;
            let head = [FEATURES, LOGITS_PER_STEP, LOGITS].contains(&name);
            let in_f16 = got.get(name).expect(name).data.iter().all(stored);
            assert_eq!(in_f16, !head, "{name}: the head alone keeps 32 bits");
        }
    }
}

#[test]
fn the_gpu_backend_computes_what_the_twins_compute() {
    for problem in cases().into_iter().chain(systems()).map(problem) {
        for class in [Class::Software, Class::Other] {
            check_on_gpu(&problem, class, RunOptions::default());
        }
    }
}

#[test]
fn every_launch_of_the_gpu_backend_is_timed() {
    let Some(gpu) = common::gpu() else { return };
    let (network, batch, frames) = cases().remove(0);
    let plan = Plan::new(&network, batch, frames).expect("the network plans");
    let input = Random(1).vec(plan.buffers[INPUT].shape.len());
    let device = Device::Gpu(gpu);
    let mut model =
        Model::new(&device, Weights::random(&network, 3), &RunOptions::default()).expect("the weights fit");
    // The second time the plan is the one that ran last.
    for _ in 0..2 {
        let launches = pollster::block_on(model.profile(&plan, &input, &[])).expect("the launches run");
        assert_eq!(launches.len(), plan.groups(&[]).len());
        assert!(launches.iter().any(|launch| !launch.time.is_zero()), "{launches:?}");
        // No launch goes beyond what is observed.
        let name = "MaxPool3d_2a_3x3";
        let apart = pollster::block_on(model.profile(&plan, &input, &[name])).expect("the launches run");
        assert!(apart.len() > launches.len() && apart.iter().any(|launch| launch.name == name), "{apart:?}");
    }
    assert!(model.gpu_memory_bytes().expect("it is a GPU") >= plan.activation_bytes() + plan.weight_bytes());
    let peaks = pollster::block_on(device.peaks()).expect("the peaks are measured");
    assert!(peaks.macs_per_second > 0.0 && peaks.bytes_per_second > 0.0, "{peaks:?}");
}

#[test]
fn every_class_of_adapters_gets_kernels_that_work() {
    let problem = problem(cases().remove(0));
    for class in [Class::Nvidia, Class::Amd, Class::Intel, Class::Apple] {
        check_on_gpu(&problem, class, RunOptions::default());
    }
    check_on_gpu(&problem, Class::Software, PRECISE);
    check_on_gpu(&problem, Class::Other, PRECISE);
}

/// The test device, if it has 16-bit floats.
fn gpu_with_f16() -> Option<Arc<Gpu>> {
    let gpu = common::gpu()?;
    if !gpu.adapter.shader_f16 {
        eprintln!("SKIPPED: {} has no f16", gpu.adapter);
    }
    gpu.adapter.shader_f16.then_some(gpu)
}

#[test]
fn networks_in_f16_compute_what_the_twins_compute() {
    if gpu_with_f16().is_none() {
        return;
    }
    for problem in cases().into_iter().map(problem) {
        for class in [Class::Software, Class::Other, Class::Apple] {
            check_on_gpu(&problem, class, HALF);
        }
    }
}

#[test]
fn f16_takes_half_the_memory_and_plans_of_its_own() {
    let Some(gpu) = gpu_with_f16() else { return };
    let Problem { plan, network, input, .. } = problem(cases().remove(0));
    let weights = Weights::random(&network, 3);
    let mut bytes = [0, 0];
    for (options, bytes) in [PRECISE, HALF].into_iter().zip(&mut bytes) {
        let mut model = GpuModel::new(gpu.clone(), &weights, &options).expect("the weights fit");
        let plan = plan.clone().with_precision(options.precision);
        pollster::block_on(model.run(&plan, &input, &["Logits"], &mut |_| ())).expect("runs");
        *bytes = plan.activation_bytes();
        assert!(model.memory_bytes() >= plan.activation_bytes() + plan.weight_bytes());
    }
    assert!(bytes[1] < bytes[0] * 6 / 10, "{bytes:?}");
    let mut model = GpuModel::new(gpu, &weights, &HALF).expect("the weights fit");
    let message = pollster::block_on(model.run(&plan, &input, &["Logits"], &mut |_| ())).expect_err("f32");
    assert!(message.to_string().contains("one for f32, the model stores f16"), "{message}");
}

#[test]
fn values_beyond_f16_are_an_error() {
    let Some(gpu) = gpu_with_f16() else { return };
    let network = Network { classes: 3, width: 0.0625, input_size: 32, ..Network::i3d(Stream::Rgb, 1) };
    let source = ModelSource { source: "random".into(), sha256: None };
    // The usual weights and values, times so much.
    let classify = |weights: f32, values: f32| {
        let mut scaled = Weights::random(&network, 3);
        scaled.units.iter_mut().flat_map(|unit| &mut unit.kernel).for_each(|value| *value *= weights);
        let classifier = Classifier::new(Device::Gpu(gpu.clone())).with_options(HALF);
        let mut classifier = classifier.with_weights(scaled, source.clone(), None)?;
        let data = Random(1).vec(9 * 32 * 32 * 3).into_iter().map(|value| values * value).collect();
        let clip = Clip { frames: 9, height: 32, width: 32, channels: 3, data };
        pollster::block_on(classifier.classify(&[&clip], &mut |_, _| ()))
    };
    classify(1.0, 1.0).expect("the usual range");
    for (weights, values, said) in [
        (1.0, 1e6, "65504; scale the clip, or use --precision f32"),
        (1e7, 1.0, "f16 holds at most 65504; use --precision f32"),
        (1e3, 1.0, "the logits are not finite: a value went beyond 65504"),
    ] {
        let message = classify(weights, values).expect_err("too large").to_string();
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn the_cpu_has_no_f16() {
    let network = Network { classes: 3, width: 0.0625, input_size: 32, ..Network::i3d(Stream::Rgb, 1) };
    let made = Model::new(&Device::Cpu { threads: 1 }, Weights::random(&network, 3), &HALF);
    let message = made.err().expect("no f16").to_string();
    assert!(
        message.contains("--precision f16 needs a GPU") && message.contains("1 thread (cpu)"),
        "{message}"
    );
}

#[test]
fn two_clips_are_under_way_at_once() {
    let Some(gpu) = common::gpu() else { return };
    let [first, second] = [cases().remove(0), cases().remove(0)].map(problem);
    let weights = Weights::random(&first.network, 3);
    let mut model = GpuModel::new(gpu, &weights, &RunOptions::default()).expect("the weights fit");
    let other = Random(99).vec(second.input.len());
    let want = reference::run(&second.plan, &weights, &other, &["Logits"]).expect("the twins run");
    let second = Problem { input: other, want, ..second };
    // Both use the same memory, one after the other, whenever they are waited for.
    for turn in 0..2 {
        let begin = |model: &mut GpuModel, problem: &Problem| {
            pollster::block_on(model.begin(&problem.plan, &problem.input, &["Logits"], &mut |_| ()))
                .expect("it begins")
        };
        let runs = [begin(&mut model, &first), begin(&mut model, &second)];
        for (run, problem) in runs.into_iter().zip([&first, &second]) {
            let mut done = 0;
            let mut progress = |p: Progress| done = p.done_macs;
            let output = pollster::block_on(model.finish(run, &mut progress)).expect("it ends");
            assert_endpoints(problem, &output, &["Logits"], Tolerance::NETWORK);
            assert!(done == 0 || done == problem.plan.macs(), "turn {turn}: {done}");
        }
    }
}

#[test]
fn a_clip_takes_few_launches_on_hardware() {
    let Some(mut gpu) = common::gpu() else { return };
    Arc::get_mut(&mut gpu).expect("nobody else has it").variants = Variants::of(Class::Nvidia);
    let network = Network::i3d(Stream::Rgb, 400);
    let weights = Weights::random(&network, 3);
    let model = GpuModel::new(gpu, &weights, &RunOptions::default()).expect("the weights fit");
    let plan = Plan::new(&network, 1, 64).expect("plans");
    let launches = model.launches(&plan, &["Logits"]).expect("observable");
    assert!(launches <= 59, "{launches} launches");
}

#[test]
fn clips_of_a_batch_do_not_see_each_other() {
    let network = Network { classes: 4, width: 0.0625, input_size: 32, ..Network::i3d(Stream::Rgb, 1) };
    let mut model =
        CpuModel::new(Weights::random(&network, 5), 2, &RunOptions::default()).expect("threads start");
    let (one, two) = (Plan::new(&network, 1, 9).expect("plans"), Plan::new(&network, 2, 9).expect("plans"));
    let input = Random(1).vec(two.buffers[INPUT].shape.len());
    let both = model.run(&two, &input, &["Logits"], &mut |_| ()).expect("runs");
    let both = &both.get("Logits").expect("observed").data;
    for (clip, logits) in input.chunks_exact(input.len() / 2).zip(both.chunks_exact(4)) {
        let alone = model.run(&one, clip, &["Logits"], &mut |_| ()).expect("runs");
        compare(logits, &alone.get("Logits").expect("observed").data, Tolerance::NETWORK)
            .expect("the same logits");
    }
}
