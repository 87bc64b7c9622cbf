//! `i3d compare`: one clip on two devices, endpoint by endpoint.

use i3d::Result;
use i3d::backend::{Activation, DeviceInfo, Output};
use i3d::classifier::Classifier;
use i3d::clip::Clip;
use i3d::network::{LOGITS, Stream};
use i3d::plan::{Plan, Precision};

use crate::args::{CompareArgs, PrecisionArg, RunArgs};
use crate::input::{self, FlowChoice, Part};
use crate::networks;
use crate::output::print;
use crate::run::{Outcome, check_endpoint};
use crate::talk::Talk;

/// Largest difference, in standard deviations of the endpoint, that rounding explains: the bounds of the project's golden
/// values. Two correct f32 implementations differ by about 1e-5 at the last endpoint.
fn tolerance(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 1e-3,
        Precision::F16 => 0.2,
    }
}

/// Runs the command.
pub fn run(args: &CompareArgs, talk: Talk) -> Result<Outcome> {
    let last = args.until.as_deref().unwrap_or(LOGITS);
    check_endpoint(last)?;
    let part = Part::new(args.input.clone())?;
    let model = networks::choose(&args.weights, &[&part], talk)?;
    let streams = model.wanted(&[&part]);
    let (loaded, names, first) = {
        let (mut classifier, _) = networks::open(&model, &args.run, streams, talk)?;
        let stream = streams.each().next().unwrap_or(Stream::Rgb);
        let loaded = input::load(&part, stream, &args.clip, FlowChoice::default(), &classifier, talk)?;
        let network = classifier.network_for(&part.name(), &loaded.clip)?;
        let names = until(&Plan::new(network, 1, loaded.clip.frames)?, last);
        let first = observe(&mut classifier, &loaded.clip, &names, talk)?;
        (loaded, names, first)
    };
    // The first device is closed by now, so that only one set of buffers exists at a time.
    let other = RunArgs { device: args.against.clone(), precision: PrecisionArg::F32, ..args.run };
    let (mut classifier, _) = networks::open(&model, &other, streams, Talk { quiet: true })?;
    let second = observe(&mut classifier, &loaded.clip, &names, talk)?;
    if first.0 == second.0 && args.run.precision == PrecisionArg::F32 {
        talk.note("warning: both runs used the same device; choose others with --device and --against");
    }
    let precision = Precision::from(args.run.precision);
    print(format_args!("{}, {precision}\nagainst {}, {}\n\n", first.0, second.0, Precision::F32))?;
    print(row(["endpoint", "shape", "max abs", "max / std", "outliers", "verdict"]))?;
    let mut all_good = true;
    for name in &names {
        let (Some(a), Some(b)) = (first.1.get(name), second.1.get(name)) else { continue };
        let difference = Difference::new(a, b, tolerance(precision));
        all_good &= difference.first_bad.is_none();
        let verdict = match difference.first_bad {
            None => "ok".to_string(),
            Some((index, got, want)) => {
                let [_, t, y, x, c] = a.shape.coordinates(index);
                format!("differs, first at [t {t}, y {y}, x {x}, c {c}]: {got:e} against {want:e}")
            }
        };
        let max_abs = format!("{:.2e}", difference.max_abs);
        let relative = format!("{:.2e}", difference.max_abs / difference.std);
        let outliers = format!("{} / {}", difference.outliers, a.data.len());
        print(row([name, &a.shape.to_string(), &max_abs, &relative, &outliers, &verdict]))?;
    }
    if let Some(error) = &loaded.broken {
        talk.error(format!("{error}; what came before is compared"));
    }
    Ok(if all_good && loaded.broken.is_none() { Outcome::Done } else { Outcome::SomeFailed })
}

fn row([name, shape, max_abs, relative, outliers, verdict]: [&str; 6]) -> String {
    format!("{name:<24} {shape:>18} {max_abs:>10} {relative:>10} {outliers:>12}  {verdict}\n")
}

/// The observable endpoints up to `last`.
fn until(plan: &Plan, last: &str) -> Vec<String> {
    let all = plan.observable();
    let end = all.iter().position(|&name| name == last).map_or(all.len(), |at| at + 1);
    all[..end].iter().map(|name| name.to_string()).collect()
}

fn observe(
    classifier: &mut Classifier,
    clip: &Clip,
    names: &[String],
    talk: Talk,
) -> Result<(DeviceInfo, Output)> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut progress = talk.work(classifier.device());
    let output = pollster::block_on(classifier.endpoints(clip, &names, &mut progress))?;
    Ok((classifier.device().info(), output))
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
    fn new(a: &Activation, b: &Activation, tolerance: f64) -> Difference {
        let n = b.data.len() as f64;
        let mean = b.data.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = b.data.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        let std = variance.sqrt().max(f64::from(f32::MIN_POSITIVE));
        let mut difference = Difference { max_abs: 0.0, std, outliers: 0, first_bad: None };
        for (i, (&got, &want)) in a.data.iter().zip(&b.data).enumerate() {
            let d = f64::from((got - want).abs());
            difference.max_abs = difference.max_abs.max(d);
            if d.is_nan() || d > tolerance * std {
                difference.outliers += 1;
                difference.first_bad.get_or_insert((i, got, want));
            }
        }
        difference
    }
}
