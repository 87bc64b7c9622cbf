//! A whole small network forwards and backwards: the CPU backend against the twins.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use common::Random;
use i3d::backend::cpu::{CpuTape, Gradients};
use i3d::backend::{Pass, reference};
use i3d::network::{I3d, Stream};
use i3d::plan::{INPUT, Plan};
use i3d::weights::Parameters;

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
