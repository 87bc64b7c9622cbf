//! `i3d classify`: inputs to ranked actions.

use std::path::{Path, PathBuf};
use std::time::Instant;

use i3d::backend::{Device, Progress};
use i3d::classifier::{Classifier, ModelSource};
use i3d::clip::Clip;
use i3d::network::{I3d, Stream};
use i3d::weights::Weights;
use i3d::{Error, Result};

use crate::args::{ClassifyArgs, ClipArgs, RunArgs, Streams, WeightArgs};
use crate::checkpoint;
use crate::input::{self, Loaded, Sampling};
use crate::models::Models;
use crate::output::Output;
use crate::report::{FailedReport, Failure, Parts, Report, Timings};
use crate::run::Outcome;
use crate::talk::{Talk, Unit};

/// The model that runs when none is named.
const DEFAULT_MODEL: &str = "kinetics-400";

/// Name of the stand-in model with random weights, and its seed.
const RANDOM_MODEL: &str = "random";
const RANDOM_SEED: u64 = 0;

/// What one job classifies: a file or folder, or clips given by stream.
struct Job {
    name: String,
    input: Option<PathBuf>,
    clips: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(args: &ClassifyArgs, talk: Talk) -> Result<Outcome> {
    let jobs = jobs(args)?;
    let json = match &args.json {
        Some(path) if path != Path::new("-") => Some(Output::create(path)?),
        _ => None,
    };
    let json_to_stdout = args.json.is_some() && json.is_none();
    let labels =
        args.labels.as_deref().map(|p| checkpoint::read_labels(p).map(|l| (p.display().to_string(), l)));
    let labels = labels.transpose()?;
    let wanted = args.streams.unwrap_or_else(|| default_streams(args, &jobs));
    let (mut classifier, model) = classifier(&args.weights, &args.run, wanted, talk)?;
    if let Some((place, labels)) = labels {
        classifier = classifier.with_labels(&place, labels)?;
    }
    classifier = classifier.with_fusion(args.fusion.into());
    talk.note(format!("running on {}", classifier.device().info()));

    let (mut reports, mut failures) = (Vec::new(), Vec::new());
    for job in &jobs {
        match classify(job, args, wanted, &model, &mut classifier, talk) {
            Ok((report, broken)) => {
                if !json_to_stdout {
                    anstream::print!("{}", report.text());
                }
                failures.extend(broken.map(|error| (job.name.clone(), error, true)));
                reports.push(serde_json::to_value(&report));
            }
            Err(error) if jobs.len() == 1 => return Err(error),
            Err(error) => {
                talk.error(&error);
                let report = FailedReport { input: job.name.clone(), error: Failure::from(&error) };
                reports.push(serde_json::to_value(&report));
                failures.push((job.name.clone(), error, false));
            }
        }
    }
    let reports: Vec<serde_json::Value> = reports.into_iter().collect::<Result<_, _>>().map_err(not_json)?;
    let document =
        if jobs.len() == 1 { reports.into_iter().next().unwrap_or_default() } else { reports.into() };
    if args.json.is_some() {
        let text = serde_json::to_string_pretty(&document).map_err(not_json)? + "\n";
        match json {
            Some(output) => output.finish(text.as_bytes())?,
            None => anstream::print!("{text}"),
        }
    }
    if failures.is_empty() {
        return Ok(Outcome::Done);
    }
    talk.error(format!("{} of {} inputs failed:", failures.len(), jobs.len()));
    for (name, error, partly) in &failures {
        let how = if *partly { "classified up to the break" } else { "not classified" };
        talk.error(format!("  {name} ({how}): {error}"));
    }
    Ok(Outcome::SomeFailed)
}

fn not_json(error: serde_json::Error) -> Error {
    Error::Usage(format!("the result cannot be written as JSON: {error}"))
}

fn jobs(args: &ClassifyArgs) -> Result<Vec<Job>> {
    let clips: Vec<PathBuf> = args.rgb_clip.iter().chain(&args.flow_clip).cloned().collect();
    let inputs = input::expand(&args.inputs)?;
    if clips.is_empty() {
        if inputs.is_empty() {
            return Err(Error::Usage(
                "nothing to classify: give a video, a GIF, a folder of images or a clip".into(),
            ));
        }
        let job =
            |path: PathBuf| Job { name: path.display().to_string(), input: Some(path), clips: Vec::new() };
        return Ok(inputs.into_iter().map(job).collect());
    }
    if inputs.len() > 1 || (args.rgb_clip.is_some() && !inputs.is_empty()) {
        return Err(Error::Usage(
            "--rgb-clip stands alone or beside --flow-clip, --flow-clip beside one INPUT".into(),
        ));
    }
    let names: Vec<String> = inputs.iter().chain(&clips).map(|p| p.display().to_string()).collect();
    Ok(vec![Job { name: names.join(" + "), input: inputs.into_iter().next(), clips }])
}

/// Which networks to load for these inputs: those that were given weights; of a model by name, the RGB network unless
/// a flow clip is among the inputs.
fn default_streams(args: &ClassifyArgs, jobs: &[Job]) -> Streams {
    match (&args.weights.rgb, &args.weights.flow) {
        (Some(_), Some(_)) => Streams::Both,
        (Some(_), None) => Streams::Rgb,
        (None, Some(_)) => Streams::Flow,
        (None, None) if args.flow_clip.is_none() => {
            let arrays = jobs.iter().filter_map(|j| j.input.as_deref()).any(input::is_array);
            if arrays { Streams::Both } else { Streams::Rgb }
        }
        (None, None) if args.rgb_clip.is_some() || jobs.iter().any(|j| j.input.is_some()) => Streams::Both,
        (None, None) => Streams::Flow,
    }
}

/// Opens the device and loads the networks; also gives the model's name for the report.
pub fn classifier(
    weights: &WeightArgs,
    run: &RunArgs,
    wanted: Streams,
    talk: Talk,
) -> Result<(Classifier, String)> {
    let device = pollster::block_on(Device::open(&run.device, run.threads))?;
    let mut classifier = Classifier::new(device);
    let stream_of = |path: &Option<PathBuf>, stream: Stream| path.clone().filter(|_| wanted.contains(stream));
    let (mut rgb, mut flow) = (stream_of(&weights.rgb, Stream::Rgb), stream_of(&weights.flow, Stream::Flow));
    let mut name = "custom".to_string();
    if weights.rgb.is_none() && weights.flow.is_none() {
        name = weights.model.clone().unwrap_or_else(|| DEFAULT_MODEL.into());
        if name == RANDOM_MODEL {
            talk.note(
                "warning: the weights are random (--model random): everything runs as with a real model, but the labels \
                 mean nothing",
            );
            for stream in [Stream::Rgb, Stream::Flow].into_iter().filter(|&s| wanted.contains(s)) {
                let random = Weights::random(&I3d::paper(stream, 400), RANDOM_SEED);
                let source =
                    ModelSource { source: format!("random weights, seed {RANDOM_SEED}"), sha256: None };
                classifier = classifier.with_weights(random, source, None)?;
            }
            return Ok((classifier, name));
        }
        let models = Models::open()?;
        let installed = |stream| models.stream_path(&name, stream);
        if weights.model.is_none() && wanted.contains(Stream::Rgb) && installed(Stream::Rgb).is_err() {
            return Err(Error::Usage(format!(
                "no weights: give --rgb PATH, or run `i3d models pull {DEFAULT_MODEL}` once, or try --model {RANDOM_MODEL}"
            )));
        }
        let path = |stream| wanted.contains(stream).then(|| installed(stream)).transpose();
        (rgb, flow) = (path(Stream::Rgb)?, path(Stream::Flow)?);
    }
    for (stream, path) in [(Stream::Rgb, rgb), (Stream::Flow, flow)] {
        let Some(path) = path else { continue };
        let checkpoint = checkpoint::read(&path)?;
        let network = checkpoint.network()?;
        if network.stream() != Some(stream) {
            let (channels, wanted) = (network.in_channels, stream.channels());
            let problem = format!(
                "its first convolution takes {channels} channels, the {stream} stream has {wanted}; give it as --{}",
                if stream == Stream::Rgb { Stream::Flow } else { Stream::Rgb }
            );
            return Err(Error::checkpoint(path.display(), problem));
        }
        classifier = classifier.with_checkpoint(&checkpoint)?;
    }
    Ok((classifier, name))
}

/// How to sample for a network on a device.
pub fn sampling(args: &ClipArgs, classifier: &Classifier, talk: Talk) -> Result<Sampling> {
    if args.frames == Some(0) {
        return Err(Error::Usage("--frames 0 leaves nothing to look at; give at least 9".into()));
    }
    let network = classifier.network(Stream::Rgb);
    let network = network.copied().unwrap_or(I3d::paper(Stream::Rgb, 400));
    let most = classifier.device().most_frames(&network, input::DEFAULT_FRAMES)?;
    if args.frames.is_none() && most < input::DEFAULT_FRAMES {
        talk.note(format!(
            "this device holds {most} frames at once; longer videos are cut to their first {most}"
        ));
    }
    Ok(Sampling { rate: args.fps, frames: args.frames, most, input_size: network.input_size })
}

/// The clip of one input.
pub fn load(path: &Path, args: &ClipArgs, classifier: &Classifier, talk: Talk) -> Result<Loaded> {
    if input::is_array(path) {
        return input::load_array(path, args.frames);
    }
    if classifier.network(Stream::Rgb).is_none() {
        return Err(Error::Usage(format!(
            "{}: a video has colour frames, but only flow weights were given; add --rgb PATH",
            path.display()
        )));
    }
    input::load_video(path, sampling(args, classifier, talk)?, talk)
}

/// One job: its report, and what broke the video if anything did.
fn classify(
    job: &Job,
    args: &ClassifyArgs,
    wanted: Streams,
    model: &str,
    classifier: &mut Classifier,
    talk: Talk,
) -> Result<(Report, Option<Error>)> {
    let start = Instant::now();
    let mut loaded =
        job.input.iter().map(|path| load(path, &args.clip, classifier, talk)).collect::<Result<Vec<_>>>()?;
    for path in &job.clips {
        loaded.push(input::load_array(path, args.clip.frames)?);
    }
    if loaded.iter().any(|l| l.video.is_some()) && loaded.len() == 1 && wanted.contains(Stream::Flow) {
        return Err(Error::Usage(format!(
            "{}: this version computes no optical flow; give it as --flow-clip FLOW.npy, or use --streams rgb",
            job.name
        )));
    }
    let decode_ms = milliseconds(start);
    let bar = talk.bar("network", 1, Unit::Work);
    let clips: Vec<&Clip> = loaded.iter().map(|l| &l.clip).collect();
    let mut progress = |stream: Stream, p: Progress| {
        bar.set_message(format!("{stream} network"));
        bar.set_length(p.total_macs);
        bar.set_position(p.done_macs);
    };
    let result =
        pollster::block_on(classifier.classify(&clips, &mut progress)).map_err(|e| named(&job.name, e));
    bar.finish_and_clear();
    let result = result?;
    let network_ms = |stream| result.stream(stream).map_or(0.0, |s| s.seconds * 1e3);
    let timings = Timings {
        decode_ms,
        flow_ms: 0.0,
        rgb_ms: network_ms(Stream::Rgb),
        flow_network_ms: network_ms(Stream::Flow),
        total_ms: milliseconds(start),
    };
    let first = loaded.into_iter().next();
    let (video, preprocess, broken) = match first {
        Some(Loaded { video, preprocess, broken, .. }) => (video, preprocess, broken),
        None => (None, None, None),
    };
    if let Some(error) = &broken {
        talk.error(error);
    }
    let parts = Parts {
        input: &job.name,
        model,
        classifier,
        preprocess,
        video,
        timings,
        broken: broken.as_ref(),
        top_k: args.top_k,
    };
    Ok((Report::new(&result, parts), broken))
}

/// Errors about "the clip" become errors about the file it came from.
pub fn named(name: &str, error: Error) -> Error {
    match error {
        Error::Clip { place, problem } if place == "clip" => Error::clip(name, problem),
        other => other,
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
