//! A whole small network forwards and backwards: the CPU backend against the twins. Training: it learns, and it goes on
//! where it was cut off.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::Random;
use i3d::backend::cpu::{CpuModel, CpuTape, Gradients};
use i3d::backend::{Pass, RunOptions, reference};
use i3d::network::{I3d, Stream};
use i3d::plan::{INPUT, Plan, Precision};
use i3d::train::{Portion, Recipe, Trainer};
use i3d::weights::{Checkpoint, Metadata, Parameters};

/// Largest difference from the twins, relative to the largest gradient of the same tensor, with fixed statistics.
const TOLERANCE: f64 = 1e-4;
/// The same with the statistics of a batch. The last modules of so small a network see a dozen positions, so that some
/// channel hardly varies, and the division by its deviation makes rounding larger at every unit on the way back.
const BATCH_TOLERANCE: f64 = 1e-2;

struct Problem {
    plan: Plan,
    parameters: Parameters,
    input: Vec<f32>,
    labels: Vec<usize>,
}

/// Networks and clips whose sizes divide nothing.
fn problems() -> Vec<Problem> {
    let small =
        |stream, classes, width, input_size| I3d { classes, width, input_size, ..I3d::paper(stream, 1) };
    let cases = [(small(Stream::Rgb, 6, 0.0625, 37), 2, 11), (small(Stream::Flow, 3, 0.1, 32), 3, 9)];
    cases
        .into_iter()
        .map(|(network, batch, frames)| {
            let plan = Plan::new(&network, batch, frames).expect("the network plans");
            let input = Random(frames as u64).vec(plan.buffers[INPUT].shape.len());
            let mut parameters = Parameters::new(&network, 5);
            // Offsets and averages that are not what they begin as.
            let mut random = Random(7);
            for unit in &mut parameters.units {
                unit.offset.iter_mut().for_each(|offset| *offset = 0.3 * random.next());
                if let Some(moments) = &mut unit.moments {
                    moments.mean.iter_mut().for_each(|mean| *mean = 0.2 * random.next());
                    moments.variance.iter_mut().for_each(|variance| *variance = 0.6 + 0.4 * random.next());
                }
            }
            let labels = (0..batch).map(|clip| (2 * clip + 1) % network.classes).collect();
            Problem { plan, parameters, input, labels }
        })
        .collect()
}

/// The loss and its gradients on the CPU.
fn on_the_cpu(problem: &Problem, pass: Pass) -> (f64, Gradients, CpuTape) {
    let Problem { plan, parameters, input, labels } = problem;
    let mut tape = CpuTape::new(plan.clone());
    let logits = tape.forward(parameters, input, pass).to_vec();
    let mut grad = vec![0.0; logits.len()];
    let loss = reference::cross_entropy(&logits, plan.network.classes, labels, &mut grad);
    let mut gradients = Gradients::zeros(&plan.network);
    tape.backward(parameters, &grad, &mut gradients);
    (loss, gradients, tape)
}

#[track_caller]
fn assert_near(what: &str, got: &[f32], want: &[f64], tolerance: f64) {
    let largest = want.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    assert_eq!(got.len(), want.len(), "{what}");
    let worst = got.iter().zip(want).map(|(got, want)| (f64::from(*got) - want).abs()).fold(0.0, f64::max);
    assert!(worst <= tolerance * largest, "{what}: {:e} of the largest", worst / largest);
}

#[test]
fn the_cpu_backend_has_the_gradients_of_the_twins() {
    for problem in problems() {
        for frozen in [false, true] {
            let Problem { plan, parameters, input, labels } = &problem;
            let (loss, want, statistics) = reference::train(plan, parameters, input, labels, frozen);
            let (got_loss, got, tape) = on_the_cpu(&problem, Pass { frozen, dropout: None });
            assert!((got_loss - loss).abs() < 1e-5 * loss, "{got_loss} {loss}");
            let units = plan.network.units();
            let tolerance = if frozen { TOLERANCE } else { BATCH_TOLERANCE };
            for ((unit, got), want) in units.iter().zip(&got.units).zip(&want) {
                assert_near(
                    &format!("{} kernel, frozen {frozen}", unit.name),
                    &got.kernel,
                    &want.kernel,
                    tolerance,
                );
                assert_near(
                    &format!("{} offset, frozen {frozen}", unit.name),
                    &got.offset,
                    &want.offset,
                    tolerance,
                );
            }
            // A unit of four channels may be dead; many are not.
            let alive = want.iter().filter(|unit| unit.kernel.iter().any(|grad| grad.abs() > 1e-6)).count();
            assert!(10 * alive > 9 * units.len(), "{alive} of {} units", units.len());
            for ((unit, moments), (mean, variance)) in units.iter().zip(tape.moments()).zip(&statistics) {
                assert_eq!(moments.is_some(), unit.batch_norm && !frozen);
                if let Some(moments) = moments {
                    assert_near(&unit.name, &moments.variance, variance, tolerance);
                    let scale = variance.iter().fold(0.0, |most: f64, value| most.max(value.sqrt()));
                    let worst = moments.mean.iter().zip(mean).map(|(a, b)| (f64::from(*a) - b).abs());
                    assert!(worst.fold(0.0, f64::max) <= tolerance * scale, "{}", unit.name);
                }
            }
        }
    }
}

#[test]
fn sums_do_not_depend_on_the_number_of_threads() {
    let problem = problems().remove(0);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        let (loss, gradients, _) =
            pool.install(|| on_the_cpu(&problem, Pass { frozen: false, dropout: Some(1) }));
        (loss, gradients)
    };
    let one = run(1);
    assert!(run(1) == one && run(2) == one && run(5) == one);
}

#[test]
fn dropout_drops_half_and_scales_the_rest() {
    let problem = problems().remove(0);
    let features = |dropout: Option<u64>| {
        let (.., tape) = on_the_cpu(&problem, Pass { frozen: false, dropout });
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

const RECIPE: Recipe =
    Recipe { momentum: 0.9, weight_decay: 1e-7, averaging: 0.9, frozen: false, dropout: false, seed: 3 };

/// A trainer of four classes, and eight clips of noise in portions of `portion`.
fn eight_clips(portion: usize, recipe: Recipe) -> (Trainer, Vec<Portion>) {
    let network = I3d { classes: 4, width: 0.125, input_size: 32, ..I3d::paper(Stream::Rgb, 1) };
    let plan = Plan::new(&network, portion, 9).expect("the network plans");
    let clip = plan.buffers[INPUT].shape.len() / portion;
    let clips = Random(11).vec(8 * clip);
    let labels: Vec<usize> = (0..8).map(|clip| clip % 4).collect();
    let portions = clips.chunks_exact(portion * clip).zip(labels.chunks_exact(portion));
    let portions = portions.map(|(input, labels)| (input.to_vec(), labels.to_vec())).collect();
    (Trainer::new(Parameters::new(&network, 1), plan, recipe), portions)
}

#[test]
fn eight_clips_are_learned_by_heart() {
    let (mut trainer, portions) = eight_clips(8, RECIPE);
    let mut losses = Vec::new();
    while losses.len() < 200 && losses.last().is_none_or(|&loss| loss >= 0.01) {
        losses.push(trainer.step(&portions, 0.05).expect("a step").loss);
    }
    assert!((losses[0] - 4f64.ln()).abs() < 1.0, "at first it guesses: {}", losses[0]);
    assert!(losses.last().is_some_and(|&loss| loss < 0.01), "{losses:?}");
    let report = trainer.step(&portions, 0.0).expect("a step");
    assert_eq!(report.correct, 8);
    // What inference runs agrees: batch norm's averages have followed.
    for _ in 0..60 {
        trainer.step(&portions, 0.0).expect("a step");
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
fn a_run_that_was_cut_off_goes_on_bit_for_bit() {
    let recipe = Recipe { dropout: true, ..RECIPE };
    let (mut whole, portions) = eight_clips(2, recipe);
    let curve: Vec<f64> = (0..6).map(|_| whole.step(&portions, 0.05).expect("a step").loss).collect();
    let (mut first, _) = eight_clips(2, recipe);
    for loss in &curve[..3] {
        assert_eq!(first.step(&portions, 0.05).expect("a step").loss, *loss);
    }
    let labels: Vec<String> = ["a", "b", "c", "d"].map(String::from).to_vec();
    let state = first.state(Metadata { labels: Some(labels), ..Metadata::default() }).expect("it is written");
    let (mut second, _) = eight_clips(2, recipe);
    second.restore("state", &state).expect("it is read");
    assert_eq!(second.steps(), 3);
    let rest: Vec<f64> = (3..6).map(|_| second.step(&portions, 0.05).expect("a step").loss).collect();
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
    let (mut trainer, _) = eight_clips(8, RECIPE);
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
    let (mut trainer, mut portions) = eight_clips(4, RECIPE);
    trainer.step(&portions, 0.05).expect("a step");
    let before = trainer.parameters.clone();
    portions[1].0[77] = f32::NAN;
    let problem = trainer.step(&portions, 0.05).expect_err("no number").to_string();
    assert!(problem.starts_with("step 2: the loss is NaN; take a lower learning rate"), "{problem}");
    assert_eq!((trainer.steps(), &trainer.parameters), (1, &before));
}

#[test]
fn portions_add_up_to_a_batch() {
    // With fixed statistics clips do not see each other.
    let recipe = Recipe { frozen: true, ..RECIPE };
    let step = |portion: usize| {
        let (mut trainer, portions) = eight_clips(portion, recipe);
        let report = trainer.step(&portions, 0.05).expect("a step");
        (report, trainer.parameters)
    };
    let ((whole, want), (parts, got)) = (step(8), step(2));
    assert!((whole.loss - parts.loss).abs() < 1e-6 && whole.correct == parts.correct);
    for (got, want) in got.units.iter().zip(&want.units) {
        let want: Vec<f64> = want.kernel.iter().map(|&value| f64::from(value)).collect();
        assert_near("kernel", &got.kernel, &want, TOLERANCE);
        assert_eq!(got.moments.as_ref().map(|m| m.mean[0]), got.moments.as_ref().map(|_| 0.0));
    }
}
