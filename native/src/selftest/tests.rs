//! The checks with stand-ins: small networks, small clips, and numbers of the plain twins in place of published ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use i3d::backend::reference;
use i3d::labels;
use i3d::network::{LOGITS, Network};
use i3d::plan::{Kernel, Plan};
use i3d::weights::{Metadata, Moments, Parameters, Weights};

use super::published::{Fingerprint, Mistake};
use super::*;

const SIZE: usize = 32;
const FRAMES: usize = 11;

fn names() -> Vec<String> {
    ["run", "walk", "sit", "stand", "swim", "fly"].map(String::from).to_vec()
}

/// A small network whose batch norm has variances so small that an epsilon shows.
fn parameters(stream: Stream, seed: u64) -> Parameters {
    let network = Network { width: 0.0625, input_size: SIZE, ..Network::i3d(stream, names().len()) };
    let mut parameters = Parameters::new(&network, seed);
    for unit in &mut parameters.units {
        // About the deviation of what follows, so that values keep their size.
        unit.kernel.iter_mut().for_each(|w| *w *= 0.4);
        unit.offset.iter_mut().enumerate().for_each(|(c, x)| *x = 0.1 + 0.05 * (c % 3) as f32);
        if let Some(Moments { variance, .. }) = &mut unit.moments {
            variance.iter_mut().enumerate().for_each(|(c, x)| *x = 0.1 + 0.02 * (c % 5) as f32);
        }
    }
    // Black and white far enough apart that rounding is 1e-6 of the distance, as with the released models.
    parameters.units[0].kernel.iter_mut().for_each(|w| *w += 0.003);
    // Logits as large as those of the released models.
    parameters.units[57].kernel.iter_mut().for_each(|w| *w *= 50.0);
    parameters
}

/// What an epsilon of 1e-5 does, as variances for one of 1e-3.
fn with_epsilon(mut parameters: Parameters) -> Parameters {
    let moments = parameters.units.iter_mut().filter_map(|unit| unit.moments.as_mut());
    moments.for_each(|m| m.variance.iter_mut().for_each(|v| *v -= 1e-3 - 1e-5));
    parameters
}

fn checkpoint(parameters: &Parameters) -> Checkpoint {
    let metadata = Metadata { labels: Some(names()), ..Metadata::default() };
    parameters.to_checkpoint("a stand-in", metadata)
}

fn clip(stream: Stream) -> Clip {
    let channels = stream.channels();
    let mut random = fastrand::Rng::with_seed(channels as u64);
    let data = (0..FRAMES * SIZE * SIZE * channels).map(|_| 2.0 * random.f32() - 1.0).collect();
    Clip { frames: FRAMES, height: SIZE, width: SIZE, channels, data }
}

fn plan(network: &Network, frames: usize) -> Plan {
    Plan::new(network, 1, frames).unwrap()
}

fn twin(plan: &Plan, weights: &Weights, clip: &Clip) -> Vec<f32> {
    reference::run(plan, weights, &clip.data, &[LOGITS]).unwrap().get(LOGITS).unwrap().data.clone()
}

fn reference(parameters: &Parameters, clip: &Clip) -> Vec<f32> {
    twin(&plan(&parameters.network, clip.frames), &parameters.folded().unwrap(), clip)
}

fn norm(logits: &[f32]) -> f64 {
    logits.iter().map(|&l| f64::from(l).powi(2)).sum::<f64>().sqrt()
}

/// What somebody would publish who got these logits.
fn expected(model: &str, streams: &[Stream], logits: &[f32]) -> Expected {
    let mut top: Vec<(f64, String)> = logits.iter().map(|&l| f64::from(l)).zip(names()).collect();
    top.sort_by(|a, b| b.0.total_cmp(&a.0));
    top.truncate(4);
    let (model, source, norm) = (model.to_string(), "the twins".to_string(), norm(logits));
    Expected { model, streams: streams.to_vec(), source, norm, top, mistakes: Vec::new() }
}

fn fingerprint(mistake: Mistake, logits: &[f32]) -> Fingerprint {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    Fingerprint { mistake, norm: Some(norm(logits)), top: top.into() }
}

const BOTH: [Stream; 2] = [Stream::Rgb, Stream::Flow];

fn sum(logits: &[Vec<f32>; 2]) -> Vec<f32> {
    logits[0].iter().zip(&logits[1]).map(|(a, b)| a + b).collect()
}

/// Models `a` and `b`, of two streams each, and the distances of `b`.
fn published() -> Published {
    let mut outputs = Vec::new();
    for (model, seed) in [("a", 1), ("b", 3)] {
        let logits = BOTH.map(|stream| reference(&parameters(stream, seed), &clip(stream)));
        let mistaken = BOTH.map(|stream| reference(&with_epsilon(parameters(stream, seed)), &clip(stream)));
        let mut add = |streams: &[Stream], logits: &[f32], mistaken: &[f32]| {
            let mistakes = vec![fingerprint(Mistake::Epsilon, mistaken)];
            outputs.push(Expected { mistakes, ..expected(model, streams, logits) });
        };
        add(&[Stream::Rgb], &logits[0], &mistaken[0]);
        add(&[Stream::Flow], &logits[1], &mistaken[1]);
        add(&BOTH, &sum(&logits), &sum(&mistaken));
    }
    let b = parameters(Stream::Rgb, 3);
    let distance = |frames: usize| {
        let flat = |value| {
            let data = vec![value; frames * SIZE * SIZE * 3];
            reference(&b, &Clip { frames, height: SIZE, width: SIZE, channels: 3, data })
        };
        let (black, white) = (flat(-1.0), flat(1.0));
        (frames, black.iter().zip(white).map(|(a, b)| f64::from(a - b).powi(2)).sum())
    };
    let fvd = Fvd { model: "b".into(), source: "the twins".into(), values: vec![distance(9), distance(10)] };
    Published { outputs, fvd }
}

/// The checks with models that `installed` gives.
fn checks(
    published: &Published,
    clips: Vec<Clip>,
    installed: &dyn Fn(&str, Stream) -> Option<Parameters>,
) -> Vec<Line> {
    let device = Device::Cpu { threads: 0 };
    let installed =
        |model: &str, stream: Stream| Ok(installed(model, stream).map(|parameters| checkpoint(&parameters)));
    let test = SelfTest { clips, installed: &installed, device: &device };
    let mut heard = 0;
    let lines = test.run(published, &mut |_, _| (), &mut |_| {
        heard += 1;
        Ok(())
    });
    let lines = lines.unwrap();
    assert_eq!(heard, lines.len());
    lines
}

fn right(model: &str, stream: Stream) -> Option<Parameters> {
    Some(parameters(stream, if model == "a" { 1 } else { 3 }))
}

fn statuses(lines: &[Line]) -> Vec<(&str, &str, Status)> {
    lines.iter().map(|line| (line.model.as_str(), line.what, line.status)).collect()
}

#[track_caller]
fn says(line: &Line, part: &str) {
    let text = line.to_string();
    assert!(text.contains(part), "{text:?} lacks {part:?}");
}

#[test]
fn numbers_of_the_twins_are_reproduced() {
    let lines = checks(&published(), BOTH.map(clip).to_vec(), &right);
    let all = [
        ("a", "rgb"),
        ("a", "flow"),
        ("a", "joint"),
        ("b", "rgb"),
        ("b", "flow"),
        ("b", "joint"),
        ("b", "fvd"),
    ];
    assert_eq!(statuses(&lines), all.map(|(model, what)| (model, what, Status::Ok)), "{lines:#?}");
    says(&lines[0], "and 4 logits as published");
    says(&lines[6], "for 2 lengths");
}

#[test]
fn what_is_not_here_is_told_and_not_checked() {
    let only_b = |model: &str, stream| right(model, stream).filter(|_| model == "b" && stream == Stream::Rgb);
    let lines = checks(&published(), vec![clip(Stream::Rgb)], &only_b);
    let status = |i: usize| lines[i].status;
    assert_eq!((status(3), status(6)), (Status::Ok, Status::Ok), "{lines:#?}");
    for (i, advice) in
        [(0, "models pull a"), (2, "models pull a"), (4, "models pull b"), (5, "models pull b")]
    {
        assert_eq!(status(i), Status::NotChecked);
        says(&lines[i], advice);
    }
    // Distances need no clip.
    let lines = checks(&published(), Vec::new(), &right);
    assert!(lines[..6].iter().all(|line| line.status == Status::NotChecked));
    says(&lines[0], "run `i3d selftest --pull`");
    assert_eq!(lines[6].status, Status::Ok);
}

#[test]
fn another_epsilon_is_recognised() {
    let lines = checks(&published(), BOTH.map(clip).to_vec(), &|m, s| right(m, s).map(with_epsilon));
    for line in &lines[..6] {
        assert_eq!(line.status, Status::Wrong, "{line}");
        says(line, "an epsilon of 1e-5 instead of 1e-3");
    }
}

#[test]
fn weights_of_another_model_are_recognised() {
    let lines = checks(&published(), BOTH.map(clip).to_vec(), &|_, stream| right("a", stream));
    assert!(lines[..3].iter().all(|line| line.status == Status::Ok));
    for line in &lines[3..6] {
        assert_eq!(line.status, Status::Wrong, "{line}");
        says(line, "these are the numbers of a: its weights ran here instead");
    }
    assert_eq!(lines[6].status, Status::Wrong);
    says(&lines[6], "9 frames");
    says(&lines[6], "no known mistake");
}

#[test]
fn a_changed_tensor_is_wrong_and_of_no_known_mistake() {
    let changed = |model: &str, stream| {
        let mut parameters = right(model, stream)?;
        parameters.units[20].offset.iter_mut().for_each(|x| *x += 0.5);
        Some(parameters)
    };
    let lines = checks(&published(), BOTH.map(clip).to_vec(), &changed);
    for line in &lines[..6] {
        assert_eq!(line.status, Status::Wrong, "{line}");
        says(line, "published");
        says(line, "no known mistake has these numbers");
    }
}

#[test]
fn a_file_that_is_no_model_is_a_wrong_check_and_ends_nothing() {
    let damaged = |model: &str, stream| {
        let mut parameters = right(model, stream)?;
        if model == "a" {
            parameters.units[3].kernel[0] = f32::NAN;
        }
        Some(parameters)
    };
    let lines = checks(&published(), BOTH.map(clip).to_vec(), &damaged);
    assert!(lines[..3].iter().all(|line| line.status == Status::Wrong));
    says(&lines[0], "expected finite numbers");
    assert!(lines[3..].iter().all(|line| line.status == Status::Ok), "{lines:#?}");
}

/// Padding in time of 2 and 3 whatever the length is, as a plan.
fn with_fixed_padding(mut plan: Plan) -> Plan {
    for step in &mut plan.steps {
        if let Kernel::Conv { window, .. } = &mut step.kernel
            && window.size[0] == 7
        {
            assert_eq!(window.pad_before[0], 3, "the clip's length must be one where it matters");
            window.pad_before[0] = 2;
        }
    }
    plan
}

#[test]
fn fixed_padding_streams_and_labels_are_recognised() {
    let clip = clip(Stream::Rgb);
    let parameters = parameters(Stream::Rgb, 1);
    let logits = reference(&parameters, &clip);
    let fixed = with_fixed_padding(plan(&parameters.network, FRAMES));
    let mistaken = twin(&fixed, &with_epsilon(parameters).folded().unwrap(), &clip);
    let mut rgb = expected("a", &[Stream::Rgb], &logits);
    // Of this mistake only the largest logit is known.
    rgb.mistakes = vec![Fingerprint { norm: None, ..fingerprint(Mistake::FixedPadding, &mistaken) }];
    let flow = expected("a", &[Stream::Flow], &[3.0, 2.0, 1.0, 0.5, 0.0, -1.0]);
    let all = [rgb.clone(), flow];
    let wrong = |logits: &[f32], labels: &[String]| match judge(&rgb, logits, labels, &all) {
        Verdict::Wrong { cause, .. } => cause.unwrap_or_default(),
        Verdict::Good { .. } => panic!("accepted"),
    };
    assert!(matches!(judge(&rgb, &logits, &names(), &all), Verdict::Good { .. }));
    assert!(wrong(&mistaken, &names()).contains("does not follow the clip's length"));
    assert!(wrong(&[3.0, 2.0, 1.0, 0.5, 0.0, -1.0], &names()).contains("numbers of flow: the streams"));
    let mut reversed = names();
    reversed.reverse();
    assert!(wrong(&logits, &reversed).contains("their names are not"));
    // Nothing that is no number, and no class that is missing, passes.
    assert_eq!(wrong(&[f32::NAN; 6], &names()), "");
    assert_eq!(wrong(&logits[..3], &names()), "");
    assert_eq!(wrong(&[], &[]), "");
}

#[test]
fn what_was_published_is_whole() {
    let published = Published::load().unwrap();
    assert_eq!(published.outputs.len(), 7);
    for expected in &published.outputs {
        let known = labels::for_classes(if expected.model == "kinetics-600" { 600 } else { 400 }).unwrap();
        assert_eq!((expected.top.len(), expected.top[0].1.as_str()), (20, "playing cricket"));
        assert!(expected.top.iter().all(|(_, label)| known.contains(label)), "{expected:?}");
        assert!(expected.top.windows(2).all(|pair| pair[0].0 > pair[1].0), "{expected:?}");
        let of_top = expected.top.iter().map(|(logit, _)| logit * logit).sum::<f64>().sqrt();
        assert!(of_top < expected.norm && expected.norm < 200.0);
        assert!(i3d::models::MODELS.iter().any(|model| model.name == expected.model));
        // A mistake that could not be told from the truth would be no fingerprint.
        let tops = expected.mistakes.iter().map(|mistake| mistake.top);
        assert!(
            tops.clone().count() >= 1 && tops.into_iter().all(|top| (top - expected.top[0].0).abs() > 0.01)
        );
    }
    let lengths: Vec<usize> = published.fvd.values.iter().map(|(frames, _)| *frames).collect();
    assert_eq!(lengths, (10..=30).collect::<Vec<_>>());
}
