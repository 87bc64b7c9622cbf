//! A whole small network forwards and backwards: the CPU backend against the twins. Training: it learns, and it goes on
//! where it was cut off.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::training::{
    CPU, RECIPE, TOLERANCE, assert_gradients_of_the_twins, assert_near, eight_clips, eight_clips_of,
    gradients, learn_by_heart, problem, problems, small, step, systems,
};
use i3d::backend::cpu::{CpuModel, CpuTape};
use i3d::backend::{Pass, RunOptions, Tape};
use i3d::network::Stream;
use i3d::plan::{Plan, Precision};
use i3d::train::Recipe;
use i3d::weights::{Checkpoint, Metadata, Parameters};

#[test]
fn the_cpu_backend_has_the_gradients_of_the_twins() {
    assert_gradients_of_the_twins(&CPU);
}

#[test]
fn sums_do_not_depend_on_the_number_of_threads() {
    // In the last, sums of more than 512 products run over as many positions as several threads share: there the order in
    // which a matrix product adds depends on the number of rows that it gets.
    let wider = problem(small(Stream::Rgb, 6, 0.25, 64), 2, 9);
    for problem in problems().into_iter().chain([wider]) {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
            pool.install(|| {
                let mut tape = Tape::new(&CPU, problem.plan.clone()).expect("there is memory");
                gradients(&mut tape, &problem, Pass { frozen: false, dropout: Some(1) })
            })
        };
        let one = run(1);
        for threads in [1, 2, 3, 5] {
            assert!(run(threads) == one, "{threads} threads, loss {}, of one {}", run(threads).0, one.0);
        }
    }
}

#[test]
fn dropout_drops_half_and_scales_the_rest() {
    let problem = problems().remove(0);
    let features = |dropout: Option<u64>| {
        let mut tape = CpuTape::new(problem.plan.clone());
        tape.forward(&problem.parameters, &problem.input, Pass { frozen: false, dropout });
        tape.values("Logits/AvgPool_0a_7x7").expect("it is there").to_vec()
    };
    let (whole, dropped) = (features(None), features(Some(3)));
    let zeros =
        dropped.iter().zip(&whole).filter(|(dropped, whole)| **dropped == 0.0 && **whole > 0.0).count();
    let share = zeros as f64 / whole.iter().filter(|value| **value > 0.0).count() as f64;
    assert!((0.35..0.65).contains(&share), "{share}");
    assert!(dropped.iter().zip(&whole).all(|(dropped, whole)| *dropped == 0.0 || *dropped == 2.0 * whole));
    assert!(features(Some(3)) == dropped && features(Some(4)) != dropped);
}

#[test]
fn eight_clips_are_learned_by_heart() {
    let (mut trainer, portions) = eight_clips(&CPU, 8, RECIPE);
    learn_by_heart(&mut trainer, &portions);
    let report = step(&mut trainer, &portions, 0.0).expect("a step");
    assert_eq!(report.correct, 8);
    // What inference runs agrees: batch norm's averages have followed.
    for _ in 0..60 {
        step(&mut trainer, &portions, 0.0).expect("a step");
    }
    let weights = trainer.parameters.folded().expect("finite");
    let mut model = CpuModel::new(weights, 0, &RunOptions::default()).expect("threads start");
    let plan = Plan::new(&trainer.parameters.network, 8, 9).expect("plans");
    let output = model.run(&plan, &portions[0].0, &["Logits"], &mut |_| ()).expect("runs");
    let logits = &output.get("Logits").expect("observed").data;
    for (row, &label) in logits.chunks_exact(4).zip(&portions[0].1) {
        assert!(row.iter().all(|&other| other <= row[label]), "{row:?} for class {label}");
    }
}

#[test]
fn every_system_learns_eight_clips_by_heart() {
    for (network, steps) in systems() {
        let (mut trainer, portions) = eight_clips_of(network, steps, &CPU, 8, RECIPE);
        learn_by_heart(&mut trainer, &portions);
        let report = step(&mut trainer, &portions, 0.0).expect("a step");
        assert_eq!(report.correct, 8, "{network:?}");
        // So does the network that inference runs, once its averages have followed.
        for _ in 0..60 {
            step(&mut trainer, &portions, 0.0).expect("a step");
        }
        let plan = Plan::new(&network, 8, steps).expect("plans");
        let weights = trainer.parameters.folded().expect("finite");
        let mut model = CpuModel::new(weights, 0, &RunOptions::default()).expect("threads start");
        let output = model.run(&plan, &portions[0].0, &["Logits"], &mut |_| ()).expect("runs");
        let logits = &output.get("Logits").expect("observed").data;
        for (row, &label) in logits.chunks_exact(4).zip(&portions[0].1) {
            assert!(row.iter().all(|&other| other <= row[label]), "{network:?}: {row:?} for {label}");
        }
    }
}

#[test]
fn a_run_that_was_cut_off_goes_on_bit_for_bit() {
    let recipe = Recipe { dropout: true, ..RECIPE };
    let (mut whole, portions) = eight_clips(&CPU, 2, recipe);
    let curve: Vec<f64> = (0..6).map(|_| step(&mut whole, &portions, 0.05).expect("a step").loss).collect();
    let (mut first, _) = eight_clips(&CPU, 2, recipe);
    for loss in &curve[..3] {
        assert_eq!(step(&mut first, &portions, 0.05).expect("a step").loss, *loss);
    }
    let labels: Vec<String> = ["a", "b", "c", "d"].map(String::from).to_vec();
    let state = first.state(Metadata { labels: Some(labels), ..Metadata::default() }).expect("it is written");
    let (mut second, _) = eight_clips(&CPU, 2, recipe);
    second.restore("state", &state).expect("it is read");
    assert_eq!(second.steps(), 3);
    let rest: Vec<f64> = (3..6).map(|_| step(&mut second, &portions, 0.05).expect("a step").loss).collect();
    assert_eq!(rest, curve[3..]);
    assert_eq!(second.parameters, whole.parameters);
    // The state is a model as well, for every program that reads one.
    let checkpoint = Checkpoint::from_bytes("state", &state).expect("a checkpoint");
    assert_eq!(checkpoint.metadata.labels.as_ref().map(Vec::len), Some(4));
    let read = Parameters::from_checkpoint(&checkpoint, &first.parameters.network).expect("complete");
    assert_eq!(read, first.parameters);
}

#[test]
fn what_is_no_state_is_refused() {
    let (mut trainer, _) = eight_clips(&CPU, 8, RECIPE);
    let model =
        trainer.parameters.to_checkpoint("model", Metadata::default()).to_safetensors(None, Precision::F32);
    let before = trainer.parameters.clone();
    let problem = trainer.restore("model", &model.expect("written")).expect_err("no state").to_string();
    assert_eq!(problem, "model: holds a model and no state of training; start from it with --from");
    assert!(trainer.restore("cut", &trainer.state(Metadata::default()).expect("written")[..999]).is_err());
    assert_eq!((trainer.steps(), &trainer.parameters), (0, &before));
}

#[test]
fn a_loss_that_is_no_number_stops_before_anything_changes() {
    let (mut trainer, mut portions) = eight_clips(&CPU, 4, RECIPE);
    step(&mut trainer, &portions, 0.05).expect("a step");
    let before = trainer.parameters.clone();
    portions[1].0[77] = f32::NAN;
    let problem = step(&mut trainer, &portions, 0.05).expect_err("no number").to_string();
    assert!(problem.starts_with("step 2: the loss is NaN; take a lower learning rate"), "{problem}");
    assert_eq!((trainer.steps(), &trainer.parameters), (1, &before));
}

#[test]
fn portions_add_up_to_a_batch() {
    // With fixed statistics clips do not see each other.
    let recipe = Recipe { frozen: true, ..RECIPE };
    let after_one = |portion: usize| {
        let (mut trainer, portions) = eight_clips(&CPU, portion, recipe);
        let report = step(&mut trainer, &portions, 0.05).expect("a step");
        (report, trainer.parameters)
    };
    let ((whole, want), (parts, got)) = (after_one(8), after_one(2));
    assert!((whole.loss - parts.loss).abs() < 1e-6 && whole.correct == parts.correct);
    for (got, want) in got.units.iter().zip(&want.units) {
        let want: Vec<f64> = want.kernel.iter().map(|&value| f64::from(value)).collect();
        assert_near("kernel", &got.kernel, &want, TOLERANCE);
        assert_eq!(got.moments.as_ref().map(|m| m.mean[0]), got.moments.as_ref().map(|_| 0.0));
    }
}
