//! `i3d compare`: one clip on two devices, endpoint by endpoint.

use i3d::backend::{Activation, DeviceInfo, Output};
use i3d::clip::Clip;
use i3d::network::{LOGITS, Stream};
use i3d::plan::Plan;
use i3d::{Error, Result};

use crate::args::{CompareArgs, RunArgs};
use crate::classify;
use crate::run::{Outcome, weight_streams};
use crate::talk::{Talk, Unit};

/// Largest difference, in standard deviations of the endpoint, that rounding explains: 1e-3, the bound of the project's
/// golden values. Two correct f32 implementations differ by about 1e-5 at the last endpoint.
const TOLERANCE: f64 = 1e-3;

/// Runs the command.
pub fn run(args: &CompareArgs, talk: Talk) -> Result<Outcome> {
    let wanted = weight_streams(&args.weights);
    let (first, clip, names) = {
        let (mut classifier, _) = classify::classifier(&args.weights, &args.run, wanted, talk)?;
        let loaded = classify::load(&args.input, &args.clip, &classifier, talk)?;
        let stream = loaded.clip.stream().unwrap_or(Stream::Rgb);
        let network = classifier.network(stream).copied();
        let network = network.ok_or_else(|| {
            Error::Usage(format!("the clip is for the {stream} stream; give --{stream} PATH"))
        })?;
        let names =
            until(&Plan::new(&network, 1, loaded.clip.frames)?, args.until.as_deref().unwrap_or(LOGITS))?;
        (
            observe(&mut classifier, &loaded.clip, &names, &args.input.display().to_string(), talk)?,
            loaded.clip,
            names,
        )
    };
    // The first device is closed by now, so that only one set of buffers exists at a time.
    let other = RunArgs { device: args.against.clone(), threads: args.run.threads };
    let (mut classifier, _) = classify::classifier(&args.weights, &other, wanted, Talk { quiet: true })?;
    let second = observe(&mut classifier, &clip, &names, &args.input.display().to_string(), talk)?;
    if first.0 == second.0 {
        talk.note("warning: both runs used the same device; choose others with --device and --against");
    }
    anstream::println!("{}\nagainst {}\n", first.0, second.0);
    anstream::println!(
        "{:<24} {:>18} {:>10} {:>10} {:>12}  verdict",
        "endpoint",
        "shape",
        "max abs",
        "max / std",
        "outliers"
    );
    let mut all_good = true;
    for name in &names {
        let (Some(a), Some(b)) = (first.1.get(name), second.1.get(name)) else { continue };
        let difference = Difference::new(a, b);
        all_good &= difference.first_bad.is_none();
        let verdict = match difference.first_bad {
            None => "ok".to_string(),
            Some((index, got, want)) => {
                let [_, t, y, x, c] = a.shape.coordinates(index);
                format!("differs, first at [t {t}, y {y}, x {x}, c {c}]: {got:e} against {want:e}")
            }
        };
        anstream::println!(
            "{name:<24} {:>18} {:>10.2e} {:>10.2e} {:>12}  {verdict}",
            a.shape.to_string(),
            difference.max_abs,
            difference.max_abs / difference.std,
            format!("{} / {}", difference.outliers, a.data.len()),
        );
    }
    Ok(if all_good { Outcome::Done } else { Outcome::SomeFailed })
}

/// The observable endpoints up to `last`.
fn until(plan: &Plan, last: &str) -> Result<Vec<String>> {
    plan.find(last)?;
    let mut names = Vec::new();
    for name in plan.observable() {
        names.push(name.to_string());
        if name == last {
            break;
        }
    }
    Ok(names)
}

fn observe(
    classifier: &mut i3d::Classifier,
    clip: &Clip,
    names: &[String],
    input: &str,
    talk: Talk,
) -> Result<(DeviceInfo, Output)> {
    let info = classifier.device().info();
    let bar = talk.bar(&info.backend, 1, Unit::Work);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut progress = |_, p: i3d::backend::Progress| {
        bar.set_length(p.total_macs);
        bar.set_position(p.done_macs);
    };
    let outcome = pollster::block_on(classifier.endpoints(clip, &names, &mut progress));
    bar.finish_and_clear();
    Ok((info, outcome.map_err(|e| classify::named(input, e))?))
}

/// How far two runs are apart at one endpoint.
struct Difference {
    max_abs: f64,
    /// Standard deviation of the second run's values.
    std: f64,
    /// Values that differ by more than the tolerance.
    outliers: usize,
    /// Index and both values of the first of them.
    first_bad: Option<(usize, f32, f32)>,
}

impl Difference {
    fn new(a: &Activation, b: &Activation) -> Difference {
        let n = b.data.len() as f64;
        let mean = b.data.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = b.data.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        let std = variance.sqrt().max(f64::from(f32::MIN_POSITIVE));
        let mut difference = Difference { max_abs: 0.0, std, outliers: 0, first_bad: None };
        for (i, (&got, &want)) in a.data.iter().zip(&b.data).enumerate() {
            let d = f64::from((got - want).abs());
            difference.max_abs = difference.max_abs.max(d);
            if d.is_nan() || d > TOLERANCE * std {
                difference.outliers += 1;
                difference.first_bad.get_or_insert((i, got, want));
            }
        }
        difference
    }
}
