//! Small networks of the paper's systems against PyTorch: gradients of all, and logits, which `fixtures/autograd.py` and
//! `fixtures/systems.py` wrote down.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

use i3d::backend::cpu::{CpuModel, CpuTape, Gradients};
use i3d::backend::{Pass, RunOptions, reference};
use i3d::network::{Form, Network, System};
use i3d::plan::{INPUT, Plan};
use i3d::random::SplitMix64;
use i3d::weights::{Moments, Parameters};
use serde_json::Value;

/// Largest difference of the twins, which compute in f64 as the fixture does, relative to the largest value of the same
/// tensor that is compared. Weights and clips are f32 on both sides.
const TWIN_TOLERANCE: f64 = 1e-6;
/// The same of the CPU backend, in f32, with fixed statistics.
const TOLERANCE: f64 = 1e-3;
/// The same with the statistics of a batch: behind the last pools a channel has a dozen values, and dividing by the
/// deviation of one that hardly varies makes rounding larger at every unit on the way back. Here one tensor of 116 is beyond
/// 1e-3.
const BATCH_TOLERANCE: f64 = 1e-2;

/// Largest difference of logits of order one, which have gone through twenty layers of f32.
const LOGITS_TOLERANCE: f64 = 1e-4;

/// The fixture's clips and parameters, drawn in its order.
fn problem(network: &Network, batch: usize, frames: usize) -> (Plan, Vec<f32>, Parameters) {
    let plan = Plan::new(network, batch, frames).expect("the network plans");
    let mut random = SplitMix64::new(7);
    let mut draw = |count: usize| (0..count).map(|_| random.symmetric()).collect::<Vec<f32>>();
    let input = draw(plan.buffers[INPUT].shape.len());
    let mut parameters = Parameters::new(network, 0);
    for (unit, values) in network.units().iter().zip(&mut parameters.units) {
        let scale = (3.0 / (unit.weights() / unit.out_channels) as f64).sqrt() as f32;
        values.kernel = draw(unit.weights()).iter().map(|x| x * scale).collect();
        values.offset = draw(unit.out_channels).iter().map(|x| 0.25 * x).collect();
        let statistics = if unit.form == Form::Lstm { unit.statistics() } else { unit.out_channels };
        let mean = draw(statistics).iter().map(|x| 0.25 * x).collect();
        let variance = draw(statistics).iter().map(|x| 0.5 + 0.25 * x).collect();
        values.moments = (unit.form != Form::Bias).then_some(Moments { mean, variance });
    }
    (plan, input, parameters)
}

/// Compares with a fingerprint: the length, and values spread over the tensor.
fn compare(what: &str, grad: &[f64], fingerprint: &Value, tolerance: f64) -> Result<(), String> {
    let number = |value: &Value| value.as_f64().expect("a number");
    let want: Vec<f64> = fingerprint["values"].as_array().expect("a list").iter().map(number).collect();
    let norm = number(&fingerprint["norm"]);
    let found = grad.iter().map(|value| value.powi(2)).sum::<f64>().sqrt();
    if (found - norm).abs() > tolerance * norm {
        return Err(format!("{what}: length {found}, PyTorch has {norm}"));
    }
    let step = (grad.len() / want.len()).max(1);
    let got = grad.iter().step_by(step).copied();
    // No smaller than what the whole tensor has on average, lest a sample of small values asks for too much.
    let average = norm / (grad.len() as f64).sqrt();
    let largest = want.iter().fold(average, |most: f64, value| most.max(value.abs()));
    match got.zip(&want).find(|(got, want)| (got - *want).abs() > tolerance * largest) {
        Some((got, want)) => Err(format!("{what}: {got}, PyTorch has {want}")),
        None => Ok(()),
    }
}

/// The forward pass, the loss and the gradients of the network of `fixture`: the twins and the CPU backend against PyTorch, the
/// latter with the statistics of a batch only where `batches`.
fn check(fixture: &Value, batches: bool) {
    let network: Network = serde_json::from_value(fixture["network"].clone()).expect("a network");
    let labels: Vec<usize> = serde_json::from_value(fixture["labels"].clone()).expect("labels");
    let frames = fixture["frames"].as_u64().expect("a number") as usize;
    let (plan, input, parameters) = problem(&network, labels.len(), frames);
    let units = network.units();
    for case in fixture["cases"].as_array().expect("a list") {
        let frozen = case["frozen"] == true;
        if let Some(logits) = case["logits"].as_array().filter(|_| frozen) {
            assert_logits(&plan, &parameters, &input, logits);
        }
        let tolerance = if frozen { TOLERANCE } else { BATCH_TOLERANCE };
        let mut tape = CpuTape::new(plan.clone());
        let logits = tape.forward(&parameters, &input, Pass { frozen, dropout: None }).to_vec();
        let mut grad = vec![0.0; logits.len()];
        let steps = plan.buffers[plan.scored()].shape.t;
        let each: Vec<usize> = labels.iter().flat_map(|label| std::iter::repeat_n(*label, steps)).collect();
        let loss = reference::cross_entropy(&logits, network.classes, &each, &mut grad);
        let want = case["loss"].as_f64().expect("a number");
        assert!((loss - want).abs() <= 1e-4 * want, "{network:?}: loss {loss}, PyTorch has {want}");
        let mut gradients = Gradients::zeros(&network);
        tape.backward(&parameters, &grad, &mut gradients);
        let fingerprints = case["units"].as_array().expect("a list");
        assert_eq!((fingerprints.len(), gradients.units.len()), (units.len(), units.len()));
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
        let cpu = gradients.units.iter().map(|unit| (wide(&unit.kernel), wide(&unit.offset)));
        let (twin_loss, twins, _) = reference::train(&plan, &parameters, &input, &labels, frozen);
        assert!((twin_loss - want).abs() <= TWIN_TOLERANCE * want, "loss {twin_loss}, PyTorch has {want}");
        let twins = twins.into_iter().map(|unit| (unit.kernel, unit.offset));
        let mut all = vec![("twin", twins.collect::<Vec<_>>(), TWIN_TOLERANCE)];
        if frozen || batches {
            all.push(("CPU", cpu.collect(), tolerance));
        }
        for (who, units_of, tolerance) in all {
            let mut failures = Vec::new();
            for ((unit, (kernel, offset)), want) in units.iter().zip(&units_of).zip(fingerprints) {
                let name = &unit.name;
                let kernel = compare(&format!("{name} kernel"), kernel, &want["kernel"], tolerance);
                let offset = compare(&format!("{name} offset"), offset, &want["offset"], tolerance);
                failures.extend([kernel, offset].into_iter().filter_map(Result::err));
            }
            assert!(failures.is_empty(), "{network:?}, {who}, frozen {frozen}:\n{}", failures.join("\n"));
            // The comparison itself: another order of the weights has the same length.
            let noticed = units_of.iter().zip(fingerprints).filter(|((kernel, _), want)| {
                let mut mixed = kernel.clone();
                mixed.rotate_left(1);
                compare("mixed up", &mixed, &want["kernel"], tolerance).is_err()
            });
            assert!(10 * noticed.count() > 8 * units.len());
        }
    }
}

/// What inference computes, batch norm folded, against PyTorch's logits.
fn assert_logits(plan: &Plan, parameters: &Parameters, input: &[f32], want: &[Value]) {
    let weights = parameters.folded().expect("they are finite");
    let twins = reference::run(plan, &weights, input, &["Logits"]).expect("the twins run");
    let mut model = CpuModel::new(weights, 0, &RunOptions::default()).expect("threads start");
    let cpu = model.run(plan, input, &["Logits"], &mut |_| ()).expect("the CPU backend runs");
    for (who, output) in [("twin", twins), ("CPU", cpu)] {
        let got = &output.get("Logits").expect("observed").data;
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            let want = want.as_f64().expect("a number");
            let error = (f64::from(*got) - want).abs();
            assert!(error <= LOGITS_TOLERANCE, "{:?}, {who}: {got}, PyTorch has {want}", plan.network);
        }
    }
}

#[test]
fn a_network_has_the_gradients_of_autograd() {
    check(&serde_json::from_str(include_str!("fixtures/autograd.json")).expect("JSON"), true);
}

#[test]
fn the_papers_systems_have_the_logits_and_gradients_of_autograd() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/systems.json")).expect("JSON");
    let networks = fixture.as_array().expect("a list");
    for system in System::ALL {
        let of = |network: &&Value| network["network"]["system"] == system.name();
        assert!(networks.iter().any(|network| of(&network)), "{system}");
    }
    // Three clips of a few frames are no statistics: f32 differs from f64 there, and `training.rs` has the CPU backend's
    // gradients.
    networks.iter().for_each(|network| check(network, false));
}
