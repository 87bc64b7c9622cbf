//! Training on the GPU: every kernel and whole small networks against the twins, and clips learned by heart.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::training::{
    CPU, RECIPE, TOLERANCE, assert_gradients_of_the_twins, assert_near, eight_clips, gradients,
    learn_by_heart, problems, step,
};
use i3d::backend::{Device, Pass, Tape};
use i3d::network::{Network, Stream};
use i3d::plan::Plan;
use i3d::train::Recipe;

/// Largest difference of a kernel from its twin, relative to the largest value of the tensor.
const KERNEL_TOLERANCE: f64 = 1e-3;

fn device() -> Option<Device> {
    common::gpu().map(Device::Gpu)
}

#[test]
fn every_kernel_of_training_has_the_numbers_of_its_twin() {
    let Some(gpu) = common::gpu() else { return };
    for case in common::train_cases::all().into_iter().chain(common::lstm_cases::all()) {
        let got = case.run(&gpu, &case.source()).expect("it runs");
        for (got, want) in got.iter().zip(&case.expected()) {
            // What neither writes is no number.
            let written = got.iter().zip(want).filter(|(got, want)| !got.is_nan() || !want.is_nan());
            let (got, want): (Vec<f32>, Vec<f64>) =
                written.map(|(got, want)| (got, f64::from(*want))).unzip();
            assert!(!want.is_empty() && want.iter().any(|value| *value != 0.0), "{}", case.name);
            assert_near(&case.name, &got, &want, KERNEL_TOLERANCE);
        }
    }
}

#[test]
fn the_gpu_backend_has_the_gradients_of_the_twins() {
    let Some(device) = device() else { return };
    assert_gradients_of_the_twins(&device);
}

#[test]
fn dropout_drops_what_it_drops_on_the_cpu() {
    let Some(device) = device() else { return };
    let problem = problems().remove(0);
    let pass = |dropout| Pass { frozen: true, dropout };
    let on = |device: &Device, dropout: Option<u64>| {
        let mut tape = Tape::new(device, problem.plan.clone()).expect("the plan fits");
        // The pass before had no dropout.
        gradients(&mut tape, &problem, pass(None));
        gradients(&mut tape, &problem, pass(dropout))
    };
    let ((loss, got), (want_loss, want)) = (on(&device, Some(3)), on(&CPU, Some(3)));
    assert!((loss - want_loss).abs() < 1e-5 * want_loss, "{loss} {want_loss}");
    assert!((on(&device, Some(4)).0 - loss).abs() > 1e-4 * loss, "another seed, the same loss {loss}");
    for (got, want) in got.units.iter().zip(&want.units) {
        let want: Vec<f64> = want.kernel.iter().map(|&value| f64::from(value)).collect();
        assert_near("kernel", &got.kernel, &want, 2.0 * TOLERANCE);
    }
}

#[test]
fn eight_clips_are_learned_by_heart() {
    let Some(device) = device() else { return };
    let (mut trainer, portions) = eight_clips(&device, 8, RECIPE);
    let losses = learn_by_heart(&mut trainer, &portions);
    let (mut same, portions) = eight_clips(&CPU, 8, RECIPE);
    // Only the first: every step makes differences of rounding larger.
    let first = step(&mut same, &portions, 0.05).expect("a step").loss;
    assert!((losses[0] - first).abs() < 1e-4 * first, "{} {first}", losses[0]);
}

#[test]
fn portions_add_up_to_a_batch() {
    let Some(device) = device() else { return };
    // With fixed statistics clips do not see each other.
    let recipe = Recipe { frozen: true, ..RECIPE };
    let after_one = |device: &Device, portion: usize| {
        let (mut trainer, portions) = eight_clips(device, portion, recipe);
        let report = step(&mut trainer, &portions, 0.05).expect("a step");
        (report, trainer.parameters)
    };
    let ((whole, want), (parts, got)) = (after_one(&CPU, 8), after_one(&device, 2));
    assert!((whole.loss - parts.loss).abs() < 1e-5 && whole.correct == parts.correct);
    for (got, want) in got.units.iter().zip(&want.units) {
        let want: Vec<f64> = want.kernel.iter().map(|&value| f64::from(value)).collect();
        assert_near("kernel", &got.kernel, &want, TOLERANCE);
    }
}

#[test]
fn a_loss_that_is_no_number_stops_before_anything_changes() {
    let Some(device) = device() else { return };
    let (mut trainer, mut portions) = eight_clips(&device, 4, RECIPE);
    let before = trainer.parameters.clone();
    portions[1].0[77] = f32::NAN;
    let problem = step(&mut trainer, &portions, 0.05).expect_err("no number").to_string();
    assert!(problem.starts_with("step 1: the loss is NaN; take a lower learning rate"), "{problem}");
    assert_eq!((trainer.steps(), &trainer.parameters), (0, &before));
}

#[test]
fn a_batch_that_is_too_large_is_told_before_any_work() {
    let Some(device) = device() else { return };
    let network = Network::i3d(Stream::Rgb, 400);
    let plan = Plan::new(&network, 4096, 64).expect("the network plans");
    let problem = Tape::new(&device, plan).err().expect("too large").to_string();
    assert!(problem.contains("use ") && problem.contains("a smaller batch"), "{problem}");
}
