//! What tests of training share, whatever the device.

use i3d::backend::cpu::Gradients;
use i3d::backend::{Device, Pass, Tape, reference};
use i3d::network::{Form, Input, Network, Stream, System};
use i3d::plan::{INPUT, Plan};
use i3d::train::{Portion, Recipe, StepReport, Trainer};
use i3d::weights::Parameters;

use super::Random;

/// Largest difference from the twins, relative to the largest gradient of the same tensor, with fixed statistics.
pub const TOLERANCE: f64 = 1e-4;
/// The same with the statistics of a batch. The last modules of so small a network see a dozen positions, so that some
/// channel hardly varies, and the division by its deviation makes rounding larger at every unit on the way back.
pub const BATCH_TOLERANCE: f64 = 1e-2;
/// The CPU backend.
pub const CPU: Device = Device::Cpu { threads: 0 };

/// Clips for a network, and their labels.
pub struct Problem {
    pub plan: Plan,
    pub parameters: Parameters,
    pub input: Vec<f32>,
    pub labels: Vec<usize>,
}

/// Networks and clips whose sizes divide nothing.
pub fn problems() -> Vec<Problem> {
    let other = |system, input, input_size| {
        let network = Network { width: 0.0625, input_size, ..Network::new(system, input, 5) };
        (network, 3, if system == System::ConvNet3d { 16 } else { 4 })
    };
    let (rgb, flow) = (Input::One(Stream::Rgb), Input::One(Stream::Flow));
    let cases = [
        (small(Stream::Rgb, 6, 0.0625, 37), 2, 11),
        (small(Stream::Flow, 3, 0.1, 32), 3, 9),
        other(System::ConvNetLstm, rgb, 33),
        other(System::ConvNet3d, rgb, 40),
        other(System::TwoStream, flow, 33),
        other(System::TwoStream, Input::Both, 32),
        other(System::Fused, Input::Both, 33),
    ];
    cases.into_iter().map(|(network, batch, frames)| problem(network, batch, frames)).collect()
}

/// A small I3D.
pub fn small(stream: Stream, classes: usize, width: f64, input_size: usize) -> Network {
    Network { classes, width, input_size, ..Network::i3d(stream, 1) }
}

/// Clips of noise for a network.
pub fn problem(network: Network, batch: usize, frames: usize) -> Problem {
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
}

/// The loss and its gradients.
pub fn gradients(tape: &mut Tape, problem: &Problem, pass: Pass) -> (f64, Gradients) {
    let Problem { plan, parameters, input, labels } = problem;
    let logits = pollster::block_on(tape.forward(parameters, input, pass)).expect("it runs");
    let mut grad = vec![0.0; logits.len()];
    let steps = plan.buffers[plan.scored()].shape.t;
    let labels: Vec<usize> = labels.iter().flat_map(|label| std::iter::repeat_n(*label, steps)).collect();
    let loss = reference::cross_entropy(&logits, plan.network.classes, &labels, &mut grad);
    let mut gradients = Gradients::zeros(&plan.network);
    pollster::block_on(tape.backward(parameters, &grad, &mut gradients)).expect("it runs");
    (loss, gradients)
}

/// Compares with the twins, relative to the largest value.
#[track_caller]
pub fn assert_near(what: &str, got: &[f32], want: &[f64], tolerance: f64) {
    let largest = want.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    assert_eq!(got.len(), want.len(), "{what}");
    let worst = got.iter().zip(want).map(|(got, want)| (f64::from(*got) - want).abs()).fold(0.0, f64::max);
    assert!(worst <= tolerance * largest, "{what}: {:e} of the largest", worst / largest);
}

/// Compares loss, gradients and statistics of whole networks on `device` with those of the twins.
#[track_caller]
pub fn assert_gradients_of_the_twins(device: &Device) {
    for problem in problems() {
        // One tape for both, as nothing may be left of the pass before.
        let mut tape = Tape::new(device, problem.plan.clone()).expect("the plan fits");
        for frozen in [false, true] {
            let Problem { plan, parameters, input, labels } = &problem;
            let (loss, want, statistics) = reference::train(plan, parameters, input, labels, frozen);
            let (got_loss, got) = gradients(&mut tape, &problem, Pass { frozen, dropout: None });
            assert!((got_loss - loss).abs() < 1e-5 * loss, "{got_loss} {loss}");
            let units = plan.network.units();
            let tolerance = if frozen { TOLERANCE } else { BATCH_TOLERANCE };
            for ((unit, got), want) in units.iter().zip(&got.units).zip(&want) {
                let kernel = format!("{} kernel, frozen {frozen}", unit.name);
                assert_near(&kernel, &got.kernel, &want.kernel, tolerance);
                let offset = format!("{} offset, frozen {frozen}", unit.name);
                assert_near(&offset, &got.offset, &want.offset, tolerance);
            }
            // A unit of four channels may be dead; many are not.
            let alive = want.iter().filter(|unit| unit.kernel.iter().any(|grad| grad.abs() > 1e-6)).count();
            assert!(10 * alive > 9 * units.len(), "{alive} of {} units", units.len());
            for ((unit, moments), (mean, variance)) in units.iter().zip(tape.moments()).zip(&statistics) {
                assert_eq!(moments.is_some(), unit.form != Form::Bias && !frozen);
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

/// Everything is trained, nothing dropped.
pub const RECIPE: Recipe =
    Recipe { momentum: 0.9, weight_decay: 1e-7, averaging: 0.9, frozen: false, dropout: false, seed: 3 };

/// A trainer of four classes on `device`, and eight clips of noise in portions of `portion`.
pub fn eight_clips(device: &Device, portion: usize, recipe: Recipe) -> (Trainer, Vec<Portion>) {
    let network = Network { width: 0.125, input_size: 32, ..Network::i3d(Stream::Rgb, 4) };
    eight_clips_of(network, 9, device, portion, recipe)
}

/// The other systems' networks for four classes, and time steps of their clips.
pub fn systems() -> [(Network, usize); 4] {
    let small = |system, input| Network { width: 0.125, input_size: 32, ..Network::new(system, input, 4) };
    [
        (small(System::ConvNetLstm, Input::One(Stream::Rgb)), 3),
        (small(System::ConvNet3d, Input::One(Stream::Rgb)), 8),
        (small(System::TwoStream, Input::Both), 1),
        (small(System::Fused, Input::Both), 3),
    ]
}

/// The same of any network of four classes, on clips of `steps` time steps.
pub fn eight_clips_of(
    network: Network,
    steps: usize,
    device: &Device,
    portion: usize,
    recipe: Recipe,
) -> (Trainer, Vec<Portion>) {
    let plan = Plan::new(&network, portion, steps).expect("the network plans");
    let clip = plan.buffers[INPUT].shape.len() / portion;
    let clips = Random(11).vec(8 * clip);
    let labels: Vec<usize> = (0..8).map(|clip| clip % 4).collect();
    let portions = clips.chunks_exact(portion * clip).zip(labels.chunks_exact(portion));
    let portions = portions.map(|(input, labels)| (input.to_vec(), labels.to_vec())).collect();
    let tape = Tape::new(device, plan).expect("the plan fits");
    (Trainer::new(Parameters::new(&network, 1), tape, recipe), portions)
}

/// A step of `trainer`.
pub fn step(trainer: &mut Trainer, portions: &[Portion], rate: f32) -> i3d::Result<StepReport> {
    pollster::block_on(trainer.step(portions, rate))
}

/// Steps until eight clips are known by heart, 200 at most; gives the losses.
pub fn learn_by_heart(trainer: &mut Trainer, portions: &[Portion]) -> Vec<f64> {
    let mut losses = Vec::new();
    while losses.len() < 200 && losses.last().is_none_or(|&loss| loss >= 0.01) {
        losses.push(step(trainer, portions, 0.05).expect("a step").loss);
    }
    assert!((losses[0] - 4f64.ln()).abs() < 1.0, "at first it guesses: {}", losses[0]);
    assert!(losses.last().is_some_and(|&loss| loss < 0.01), "{losses:?}");
    losses
}
