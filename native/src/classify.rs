//! `i3d classify`: inputs to ranked actions.

use std::path::{Path, PathBuf};
use std::time::Instant;

use i3d::classifier::Classifier;
use i3d::clip::Clip;
use i3d::network::Stream;
use i3d::{Error, Result};

use crate::args::{ClassifyArgs, Streams};
use crate::input::{self, Loaded, Part};
use crate::output::{Output, print};
use crate::report::{Entry, FailedReport, Failure, Parts, Report, Timings};
use crate::run::Outcome;
use crate::talk::Talk;
use crate::{checkpoint, networks};

/// What is classified together: one input, or the clips of both streams.
struct Job {
    name: String,
    parts: Vec<Part>,
}

/// Runs the command.
pub fn run(args: &ClassifyArgs, talk: Talk) -> Result<Outcome> {
    let json = match &args.json {
        Some(path) if path != Path::new("-") => Some(Output::create(path)?),
        _ => None,
    };
    let json_to_stdout = args.json.is_some() && json.is_none();
    let jobs = jobs(args)?;
    let labels = args.labels.as_deref().map(|path| Ok((path.display(), checkpoint::read_labels(path)?)));
    let labels = labels.transpose()?;
    let streams = match args.streams {
        Some(streams) => networks::check_streams(&args.weights, streams).map(|()| streams)?,
        None => networks::wanted(&args.weights, jobs.iter().flat_map(|job| &job.parts)),
    };
    jobs.iter().try_for_each(|job| check_flow(job, streams))?;
    let (mut classifier, model) = networks::open(&args.weights, &args.run, streams, talk)?;
    if let Some((place, labels)) = labels {
        classifier = classifier.with_labels(&place.to_string(), labels)?;
    }
    classifier = classifier.with_fusion(args.fusion.into());
    talk.note(format!("running on {}", classifier.device().info()));

    let (mut reports, mut failures) = (Vec::new(), Vec::new());
    for job in &jobs {
        match classify(job, args, &model, &mut classifier, talk) {
            Ok((report, broken)) => {
                if !json_to_stdout {
                    print(report.text())?;
                }
                if let Some(error) = broken {
                    talk.error(format!("{error}; what came before is classified"));
                    failures.push(format!("{} (classified up to the break)", job.name));
                }
                reports.push(Entry::Classified(Box::new(report)));
            }
            Err(error) if jobs.len() == 1 => return Err(error),
            Err(error) => {
                talk.error(&error);
                failures.push(format!("{} (not classified)", job.name));
                let report = FailedReport { input: job.name.clone(), error: Failure::from(&error) };
                reports.push(Entry::Failed(report));
            }
        }
    }
    if args.json.is_some() {
        let document = match &reports[..] {
            [one] => serde_json::to_string_pretty(one),
            several => serde_json::to_string_pretty(several),
        };
        let text =
            document.map_err(|e| Error::Usage(format!("the result cannot be written as JSON: {e}")))? + "\n";
        match json {
            Some(output) => output.finish(text.as_bytes())?,
            None => print(text)?,
        }
    }
    if failures.is_empty() {
        return Ok(Outcome::Done);
    }
    if jobs.len() > 1 {
        let list = failures.join("\n  ");
        talk.error(format!("{} of {} inputs failed:\n  {list}", failures.len(), jobs.len()));
    }
    Ok(Outcome::SomeFailed)
}

fn jobs(args: &ClassifyArgs) -> Result<Vec<Job>> {
    let job = |parts: Vec<Part>| {
        let names: Vec<String> = parts.iter().map(Part::name).collect();
        Job { name: names.join(" + "), parts }
    };
    let inputs = input::expand(&args.inputs)?;
    let clip = |path: &Option<PathBuf>, stream| path.clone().map(|path| Part::clip(path, stream));
    match (&inputs[..], clip(&args.rgb_clip, Stream::Rgb), clip(&args.flow_clip, Stream::Flow)) {
        ([], None, None) => Err(Error::Usage(
            "nothing to classify; give a video, a GIF, a folder of images, a quoted glob, or a .npy/.npz clip".into(),
        )),
        (_, None, None) => Ok(inputs.into_iter().map(|path| job(vec![Part::new(path)])).collect()),
        ([], rgb, flow) => Ok(vec![job(rgb.into_iter().chain(flow).collect())]),
        ([input], None, Some(flow)) => {
            let rgb = Part { expected: Some(Stream::Rgb), ..Part::new(input.clone()) };
            Ok(vec![job(vec![rgb, flow])])
        }
        _ => Err(Error::Usage(
            "--rgb-clip goes alone or with --flow-clip, and --flow-clip alone, with --rgb-clip or with one INPUT; leave \
             the others out"
                .into(),
        )),
    }
}

/// Fails where the flow stream is to run on a video whose flow nobody gives.
fn check_flow(job: &Job, streams: Streams) -> Result<()> {
    match &job.parts[..] {
        [video] if !video.array && streams.contains(Stream::Flow) => Err(Error::Usage(format!(
            "{}: this version computes no optical flow from a video; give the flow of it with --flow-clip FLOW.npy, or \
             its colours alone with --rgb PATH --streams rgb",
            job.name
        ))),
        _ => Ok(()),
    }
}

/// One job: its report, and what broke the video if anything did.
fn classify(
    job: &Job,
    args: &ClassifyArgs,
    model: &str,
    classifier: &mut Classifier,
    talk: Talk,
) -> Result<(Report, Option<Error>)> {
    let start = Instant::now();
    let load = |part| input::load(part, &args.clip, classifier, talk);
    let loaded = job.parts.iter().map(load).collect::<Result<Vec<Loaded>>>()?;
    let decode_ms = milliseconds(start);
    let clips: Vec<&Clip> = loaded.iter().map(|l| &l.clip).collect();
    let mut progress = talk.work(classifier.device());
    let result = pollster::block_on(classifier.classify(&clips, &mut progress))?;
    drop(progress);
    let network_ms = |stream| result.stream(stream).map_or(0.0, |s| s.seconds * 1e3);
    let timings = Timings {
        decode_ms,
        flow_ms: 0.0,
        rgb_ms: network_ms(Stream::Rgb),
        flow_network_ms: network_ms(Stream::Flow),
        total_ms: milliseconds(start),
    };
    // Only the first part can be a video.
    let (video, preprocess, broken) = match loaded.into_iter().next() {
        Some(Loaded { video, preprocess, broken, .. }) => (video, preprocess, broken),
        None => (None, None, None),
    };
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

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
