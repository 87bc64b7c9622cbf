//! `i3d selftest`: the released models against numbers that others published.

mod judge;
mod published;
#[cfg(test)]
mod tests;

use std::fmt;

use i3d::backend::{Device, Progress};
use i3d::classifier::Classifier;
use i3d::clip::Clip;
use i3d::models::SAMPLES;
use i3d::network::Stream;
use i3d::weights::Checkpoint;
use i3d::{Error, Result};
use serde::Serialize;

use crate::args::{SelftestArgs, Streams};
use crate::models::{Models, Stored};
use crate::output::{Json, print};
use crate::run::Outcome;
use crate::talk::{Talk, Unit};
use crate::{device, networks};
use judge::{TOLERANCE, Verdict, judge};
use published::{Expected, Fvd, Published};

/// Largest relative difference of a distance. Flax in 32 bits is 1e-6 from itself in 64 (10 frames), and TensorFlow's one
/// known number is 1e-6 from Flax's (30 frames).
const FVD_TOLERANCE: f64 = 1e-5;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Status {
    Ok,
    Wrong,
    NotChecked,
}

/// One check.
#[derive(Debug, Serialize)]
struct Line {
    model: String,
    /// `rgb`, `flow`, `joint` or `fvd`.
    what: &'static str,
    status: Status,
    /// Numbers found and published, or why there are none.
    detail: String,
    /// Largest difference: of a logit or a norm, and of a distance as a share of it.
    difference: Option<f64>,
    /// Where the published numbers stand.
    source: String,
    /// What wrong numbers come from, where anybody knows.
    cause: Option<String>,
    /// Whether somebody who has the model, or names it, waits for this check.
    #[serde(skip)]
    requested: bool,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = match self.status {
            Status::Ok => "ok",
            Status::Wrong => "wrong",
            Status::NotChecked => "not checked",
        };
        write!(f, "{status:<11}  {:<20} {:<5}  {}", self.model, self.what, self.detail)?;
        match &self.cause {
            Some(cause) => write!(f, "; {cause}"),
            None if self.status == Status::Wrong => f.write_str("; no known mistake has these numbers"),
            None => Ok(()),
        }
    }
}

/// What the command leaves.
#[derive(Serialize)]
struct Document {
    device: i3d::backend::DeviceInfo,
    checks: Vec<Line>,
}

/// Runs the command.
pub fn run(args: &SelftestArgs, talk: Talk) -> Result<Outcome> {
    let json = Json::open(args.json.as_deref())?;
    let models = Models::open()?;
    if args.pull {
        pull(&models, talk)?;
    }
    let published = published(args, &models)?;
    networks::start_threads(args.threads)?;
    let device = device::open(&args.device, 0)?;
    talk.note(format!("running on {}", device.info()));
    let mut clips = Vec::new();
    for sample in &SAMPLES {
        clips.extend(models.sample(sample)?);
    }
    let installed = |model: &str, stream| match models.stream(model, stream) {
        Stored::Absent => Ok(None),
        Stored::Here(here) => networks::read(stream, &here.path).map(Some),
        Stored::Damaged(_) => models.stream_path(model, stream).map(|_| None),
    };
    let text = !matches!(json, Json::StandardOutput);
    let mut report = |line: &Line| if text { print(format_args!("{line}\n")) } else { Ok(()) };
    let mut progress = talk.work(&device);
    let test = SelfTest { clips, installed: &installed, device: &device };
    let checks = test.run(&published, &mut progress, &mut report)?;
    drop(progress);
    let any = |status| checks.iter().any(|line| line.status == status);
    let missed = |line: &&Line| line.status == Status::NotChecked && (line.requested || args.model.is_some());
    let missed = checks.iter().filter(missed).count();
    let good = any(Status::Ok) && !any(Status::Wrong) && missed == 0;
    if !any(Status::Ok) && !any(Status::Wrong) {
        talk.error("nothing could be checked; run `i3d models pull kinetics-400` and `i3d selftest --pull`");
    } else if missed > 0 {
        talk.error(format!(
            "{missed} of {} checks were not made; see what each lacks, or leave them out with --model and --streams",
            checks.len()
        ));
    }
    json.write(&Document { device: device.info(), checks })?;
    Ok(if good { Outcome::Done } else { Outcome::SomeFailed })
}

/// What was published of the models and streams that are asked for.
fn published(args: &SelftestArgs, models: &Models) -> Result<Published> {
    let mut published = Published::load()?;
    let streams = args.streams.unwrap_or(Streams::Both);
    let asked = |model: &str| args.model.as_ref().is_none_or(|name| name == model);
    if let Some(name) = &args.model {
        models.find(name)?;
    }
    let all = |e: &Expected| e.streams.iter().all(|stream| streams.contains(*stream));
    published.outputs.retain(|expected| asked(&expected.model) && all(expected));
    if !asked(&published.fvd.model) || !streams.contains(Stream::Rgb) {
        published.fvd.values.clear();
    }
    match published.outputs.is_empty() && published.fvd.values.is_empty() {
        true => {
            Err(Error::Usage("nothing was published for that model and these streams; choose others".into()))
        }
        false => Ok(published),
    }
}

/// Fetches the sample clips that are not here.
fn pull(models: &Models, talk: Talk) -> Result<()> {
    for sample in &SAMPLES {
        let bar = talk.bar(sample.file.name(), 1, Unit::Bytes);
        let path = models.pull_sample(sample, &mut |bytes, total| {
            bar.set_length(total.unwrap_or(bytes));
            bar.set_position(bytes);
        });
        drop(bar);
        talk.note(path?.display());
    }
    Ok(())
}

/// What the checks take.
struct SelfTest<'a> {
    /// The sample clips that are here, at most one of a stream.
    clips: Vec<Clip>,
    /// The checkpoint of a model's stream, where it was pulled.
    installed: &'a dyn Fn(&str, Stream) -> Result<Option<Checkpoint>>,
    device: &'a Device,
}

/// Who hears how far a network is.
type Hear<'a> = &'a mut dyn FnMut(Stream, Progress);

/// A stream's logits, or why there are none.
type Logits = Result<Vec<f32>, Reason>;

/// Why a check cannot be made, or cannot succeed.
#[derive(Clone)]
enum Reason {
    NoModel,
    /// The model's other stream is here.
    NoStream(Stream),
    NoClip,
    Broken(String),
}

impl SelfTest<'_> {
    /// Every check, model by model; `report` hears each line when it is known.
    fn run(
        &self,
        published: &Published,
        progress: Hear,
        report: &mut dyn FnMut(&Line) -> Result<()>,
    ) -> Result<Vec<Line>> {
        let mut names: Vec<&str> = Vec::new();
        let distances = Some(published.fvd.model.as_str()).filter(|_| !published.fvd.values.is_empty());
        for name in published.outputs.iter().map(|e| e.model.as_str()).chain(distances) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut lines = Vec::new();
        for model in names {
            let mut classifier = Classifier::new(self.device.clone());
            let loaded = [Stream::Rgb, Stream::Flow].map(|stream| self.load(model, stream, &mut classifier));
            let any = loaded.iter().any(|one| !matches!(one, Err(Reason::NoModel)));
            let of = |stream| match &loaded[usize::from(stream == Stream::Flow)] {
                Err(Reason::NoModel) if any => Err(Reason::NoStream(stream)),
                one => one.clone(),
            };
            let mut logits = |stream: Stream| -> Logits {
                of(stream)?;
                let clip = self.clips.iter().find(|clip| clip.stream() == Some(stream));
                self::logits(&mut classifier, clip.ok_or(Reason::NoClip)?, progress)
            };
            let asked: Vec<&Expected> = published.outputs.iter().filter(|e| e.model == model).collect();
            let needed = |stream| asked.iter().any(|e| e.streams.contains(&stream));
            let mut run = |stream| if needed(stream) { logits(stream) } else { Err(Reason::NoModel) };
            let streams = [run(Stream::Rgb), run(Stream::Flow)];
            for expected in asked {
                let line = output(expected, &streams, classifier.labels(), &published.outputs);
                report(&line)?;
                lines.push(line);
            }
            if distances == Some(model) {
                let line = match of(Stream::Rgb) {
                    Ok(()) => fvd(&published.fvd, &mut classifier, progress),
                    Err(reason) => unchecked(model, "fvd", &published.fvd.source, &reason),
                };
                report(&line)?;
                lines.push(line);
            }
        }
        Ok(lines)
    }

    fn load(&self, model: &str, stream: Stream, classifier: &mut Classifier) -> Result<(), Reason> {
        let broken = |error: Error| Reason::Broken(error.to_string());
        let checkpoint = (self.installed)(model, stream).map_err(broken)?.ok_or(Reason::NoModel)?;
        classifier.add_checkpoint(&checkpoint).map_err(broken)
    }
}

fn logits(classifier: &mut Classifier, clip: &Clip, progress: Hear) -> Logits {
    let result = pollster::block_on(classifier.classify(&[clip], progress));
    result.map(|result| result.logits).map_err(|error| Reason::Broken(error.to_string()))
}

/// One published output against what the networks said of the sample clips, RGB first.
fn output(expected: &Expected, streams: &[Logits; 2], labels: &[String], all: &[Expected]) -> Line {
    let (model, what, source) = (expected.model.clone(), expected.streams(), expected.source.clone());
    let mut sum: Vec<f32> = Vec::new();
    for stream in &expected.streams {
        match &streams[usize::from(*stream == Stream::Flow)] {
            Ok(logits) if sum.is_empty() => sum.clone_from(logits),
            Ok(logits) => sum.iter_mut().zip(logits).for_each(|(sum, l)| *sum += l),
            Err(reason) => return unchecked(&model, what, &source, reason),
        }
    }
    let (status, detail, difference, cause) = match judge(expected, &sum, labels, all) {
        Verdict::Good { worst } => {
            let (norm, classes) = (expected.norm, expected.top.len());
            let detail = format!("norm {norm:.4} and {classes} logits as published, {worst:.0e} off at most");
            (Status::Ok, detail, Some(worst), None)
        }
        Verdict::Wrong { worst, problem, cause } => {
            (Status::Wrong, format!("{problem} (to be within {TOLERANCE})"), Some(worst), cause)
        }
    };
    Line { model, what, status, detail, difference, source, cause, requested: true }
}

/// A check without logits.
fn unchecked(model: &str, what: &'static str, source: &str, reason: &Reason) -> Line {
    let (status, detail) = match reason {
        Reason::NoModel => (Status::NotChecked, format!("not pulled: run `i3d models pull {model}`")),
        Reason::NoStream(stream) => {
            let advice =
                format!("no {stream} stream is here: run `i3d models pull {model} --streams {stream}`");
            (Status::NotChecked, advice)
        }
        Reason::NoClip => {
            (Status::NotChecked, "the sample clip is not here: run `i3d selftest --pull`".to_string())
        }
        Reason::Broken(error) => (Status::Wrong, error.clone()),
    };
    let requested = !matches!(reason, Reason::NoModel);
    Line {
        model: model.into(),
        what,
        status,
        detail,
        difference: None,
        source: source.into(),
        cause: None,
        requested,
    }
}

/// The distances between black and white clips of every published length.
fn fvd(published: &Fvd, classifier: &mut Classifier, progress: Hear) -> Line {
    let (model, what, source) = (published.model.clone(), "fvd", published.source.clone());
    let size = classifier.network(Stream::Rgb).map_or(0, |network| network.input_size);
    let (mut worst, mut wrong) = (0f64, Vec::new());
    for &(frames, want) in &published.values {
        let channels = Stream::Rgb.channels();
        let mut of = |value: f32| {
            let data = vec![value; frames * size * size * channels];
            logits(classifier, &Clip { frames, height: size, width: size, channels, data }, progress)
        };
        let (black, white) = match (of(-1.0), of(1.0)) {
            (Ok(black), Ok(white)) => (black, white),
            (Err(reason), _) | (_, Err(reason)) => return unchecked(&model, what, &source, &reason),
        };
        let got: f64 = black.iter().zip(&white).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
        let off = (got - want).abs() / want;
        worst = worst.max(off);
        if off > FVD_TOLERANCE || off.is_nan() {
            wrong.push(format!("{frames} frames {got:.4}, Flax {want:.4}"));
        }
    }
    let (status, detail) = match wrong.is_empty() {
        true => {
            let lengths = published.values.len();
            (
                Status::Ok,
                format!(
                    "black against white as Flax has it for {lengths} lengths, {worst:.0e} of it off at most",
                ),
            )
        }
        false => {
            let (all, some) = (wrong.len(), wrong.iter().take(3).cloned().collect::<Vec<_>>().join("; "));
            let lengths = published.values.len();
            (Status::Wrong, format!("black against white is off for {all} of {lengths} lengths: {some}"))
        }
    };
    Line { model, what, status, detail, difference: Some(worst), source, cause: None, requested: true }
}
