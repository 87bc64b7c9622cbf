//! `i3d classify`: inputs to ranked actions.

use std::path::PathBuf;
use std::time::Instant;

use i3d::classifier::{Classification, Classifier, Segment, Timeline, Windows};
use i3d::clip::Clip;
use i3d::network::Stream;
use i3d::preprocess::Preprocess;
use i3d::report::{Entry, FailedReport, Failure, Parts, Report, Timings, VideoSummary, segments};
use i3d::video::Rate;
use i3d::{Error, Result};

use crate::args::{ClassifyArgs, Streams};
use crate::input::{self, FlowChoice, Loaded, Part};
use crate::output::{Output, print};
use crate::run::Outcome;
use crate::talk::Talk;
use crate::watch::{self, Watched};
use crate::{checkpoint, networks};

/// What is classified together: one input, or the clips of both streams.
struct Job {
    name: String,
    parts: Vec<Part>,
}

/// Runs the command.
pub fn run(args: &ClassifyArgs, talk: Talk) -> Result<Outcome> {
    let open = |path: &Option<PathBuf>| path.as_deref().map(Output::create).transpose();
    let (json, csv, srt, vtt) = (open(&args.json)?, open(&args.csv)?, open(&args.srt)?, open(&args.vtt)?);
    let to_stdout = [&json, &csv, &srt, &vtt].into_iter().flatten().any(Output::is_standard_output);
    if args.timeline {
        Windows { window: args.window, step: args.step }.validate()?;
    }
    let jobs = jobs(args)?;
    if jobs.len() > 1 && (srt.is_some() || vtt.is_some()) {
        return Err(Error::Usage("subtitles belong to one video; give one INPUT with --srt or --vtt".into()));
    }
    let labels = args.labels.as_deref().map(|path| Ok((path.display(), checkpoint::read_labels(path)?)));
    let labels = labels.transpose()?;
    let parts: Vec<&Part> = jobs.iter().flat_map(|job| &job.parts).collect();
    let model = networks::choose(&args.weights, &parts, talk)?;
    let streams = match args.streams {
        Some(streams) => model.check_streams(streams).map(|()| streams)?,
        None => model.wanted(&parts),
    };
    let (mut classifier, model) = networks::open(&model, &args.run, streams, talk)?;
    if let Some((place, labels)) = labels {
        classifier = classifier.with_labels(&place.to_string(), labels)?;
    }
    classifier = classifier.with_fusion(args.fusion.into());
    talk.note(format!("running on {}", classifier.device().info()));

    let (mut reports, mut failures) = (Vec::new(), Vec::new());
    for job in &jobs {
        match classify(job, args, streams, &model, &mut classifier, talk) {
            Ok((report, broken)) => {
                if !to_stdout {
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
    if let Some(json) = json {
        let document = match &reports[..] {
            [one] => serde_json::to_string_pretty(one),
            several => serde_json::to_string_pretty(several),
        };
        let text =
            document.map_err(|e| Error::Usage(format!("the result cannot be written as JSON: {e}")))? + "\n";
        json.finish(text.as_bytes())?;
    }
    let classified = || reports.iter().filter_map(Entry::classified);
    if let Some(csv) = csv {
        let rows: String = classified().map(segments::csv).collect();
        csv.finish(format!("{}{rows}", segments::CSV_HEADER).as_bytes())?;
    }
    if let Some(report) = classified().next() {
        srt.map_or(Ok(()), |srt| srt.finish(segments::srt(&report.segments).as_bytes()))?;
        vtt.map_or(Ok(()), |vtt| vtt.finish(segments::vtt(&report.segments).as_bytes()))?;
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
    let clip = |path: &Option<PathBuf>, stream| path.clone().map(|path| Part::clip(path, stream)).transpose();
    match (&inputs[..], clip(&args.rgb_clip, Stream::Rgb)?, clip(&args.flow_clip, Stream::Flow)?) {
        ([], None, None) => Err(Error::Usage(
            "nothing to classify; give a video, a GIF, a folder of images, a quoted glob, or a .npy/.npz clip".into(),
        )),
        (_, None, None) => inputs.into_iter().map(|path| Ok(job(vec![Part::new(path)?]))).collect(),
        ([], rgb, flow) => Ok(vec![job(rgb.into_iter().chain(flow).collect())]),
        ([input], None, Some(flow)) => {
            let rgb = Part::new(input.clone())?.expecting(Stream::Rgb);
            Ok(vec![job(vec![rgb, flow])])
        }
        _ => Err(Error::Usage(
            "--rgb-clip goes alone or with --flow-clip, and --flow-clip alone, with --rgb-clip or with one INPUT; leave \
             the others out"
                .into(),
        )),
    }
}

/// What a job comes to.
struct Seen {
    result: Classification,
    segments: Vec<Segment>,
    video: Option<VideoSummary>,
    preprocess: Option<Preprocess>,
    broken: Option<Error>,
    decode_ms: f64,
    flow_ms: f64,
}

/// One job: its report, and what broke the video if anything did.
fn classify(
    job: &Job,
    args: &ClassifyArgs,
    streams: Streams,
    model: &str,
    classifier: &mut Classifier,
    talk: Talk,
) -> Result<(Report, Option<Error>)> {
    let start = Instant::now();
    let timeline = args.timeline.then_some(Windows { window: args.window, step: args.step });
    let seen = match &job.parts[..] {
        [video] if !video.array => {
            let streams: Vec<Stream> = streams.each().collect();
            let options =
                watch::Options { clip: &args.clip, streams: &streams, flow: (&args.tvl1).into(), timeline };
            let Watched { result, segments, video, preprocess, broken, decode_ms, flow_ms } =
                watch::watch(video, &options, classifier, talk)?;
            let (video, preprocess) = (Some(video), Some(preprocess));
            Seen { result, segments, video, preprocess, broken, decode_ms, flow_ms }
        }
        parts => clips(parts, args, timeline, classifier, talk)?,
    };
    let network_ms = |stream| seen.result.stream(stream).map_or(0.0, |s| s.seconds * 1e3);
    let timings = Timings {
        decode_ms: seen.decode_ms,
        flow_ms: seen.flow_ms,
        rgb_ms: network_ms(Stream::Rgb),
        flow_network_ms: network_ms(Stream::Flow),
        total_ms: milliseconds(start),
    };
    let fps = match args.clip.fps {
        Rate::Fps(fps) => fps,
        Rate::Native => seen.video.as_ref().and_then(|v| v.fps).unwrap_or(25.0),
    };
    let parts = Parts {
        input: &job.name,
        model,
        classifier,
        preprocess: seen.preprocess,
        video: seen.video,
        timings,
        broken: seen.broken.as_ref(),
        top_k: args.top_k,
        segments: &seen.segments,
        fps,
    };
    Ok((Report::new(&seen.result, parts), seen.broken))
}

/// Clips that are there already: arrays, or a video's colours beside an array of its flow.
fn clips(
    parts: &[Part],
    args: &ClassifyArgs,
    timeline: Option<Windows>,
    classifier: &mut Classifier,
    talk: Talk,
) -> Result<Seen> {
    let start = Instant::now();
    let load = |part| input::load(part, Stream::Rgb, &args.clip, FlowChoice::default(), classifier, talk);
    let loaded = parts.iter().map(load).collect::<Result<Vec<Loaded>>>()?;
    let decode_ms = milliseconds(start);
    let clips: Vec<&Clip> = loaded.iter().map(|l| &l.clip).collect();
    let (result, segments) = match timeline {
        None => {
            let mut progress = talk.work(classifier.device());
            (pollster::block_on(classifier.classify(&clips, &mut progress))?, Vec::new())
        }
        Some(windows) => {
            let streams: Vec<Stream> = clips.iter().filter_map(|clip| clip.stream()).collect();
            let mut timeline = Timeline::new(classifier, &streams, windows)?;
            for frame in 0..clips.iter().map(|clip| clip.frames).min().unwrap_or(0) {
                for (clip, &stream) in clips.iter().zip(&streams) {
                    let values = &clip.data[frame * clip.frame_len()..][..clip.frame_len()];
                    pollster::block_on(timeline.push(classifier, stream, values, &mut |_| ()))?;
                }
            }
            let (segments, mean) = pollster::block_on(timeline.finish(classifier, &mut |_| ()))?;
            (mean, segments)
        }
    };
    // Only the first part can be a video.
    let (video, preprocess, broken) = match loaded.into_iter().next() {
        Some(Loaded { video, preprocess, broken, .. }) => (video, preprocess, broken),
        None => (None, None, None),
    };
    Ok(Seen { result, segments, video, preprocess, broken, decode_ms, flow_ms: 0.0 })
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
