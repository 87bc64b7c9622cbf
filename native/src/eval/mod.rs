//! `i3d eval`: how often a model is right on the test videos of UCF-101, HMDB-51, Kinetics, or of a folder per class.
//!
//! `lists/` says which videos there are, `entrant.rs` which models, `classes.rs` brings the names of both together,
//! `record.rs` keeps what was said of each video, `score.rs` counts, and `report.rs` and `picture.rs` write what there is to
//! read. How a network sees a video is the protocol's affair, as it is when one is tested in training.

mod classes;
mod entrant;
mod lists;
mod picture;
mod record;
mod report;
mod score;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::sync_channel;

use clap::ValueEnum;
use i3d::backend::{Device, RunOptions};
use i3d::network::{Input, Stream};
use i3d::preprocess::RgbPreprocess;
use i3d::train::Views;
use i3d::{Error, Result};
use indicatif::ProgressBar;

use crate::args::{DatasetArg, EvalArgs};
use crate::footage::{Decoding, Library, Seen, costs_itself_alone};
use crate::input::FlowChoice;
use crate::output::kind::Kind;
use crate::output::{FolderLock, print};
use crate::protocol::Tested;
use crate::run::Outcome;
use crate::talk::{Talk, Unit};
use crate::{device, networks};
use entrant::Entrant;
use lists::{Lists, Split, Video};
use record::{ModelUsed, Prediction, Record, Settings};
use report::{RESULTS, Results, Skipped, SplitResult, columns};

/// An evaluation: on what, by what, and where it is kept.
struct Evaluation<'a> {
    args: &'a EvalArgs,
    options: RunOptions,
    device: Device,
    classes: Vec<String>,
    record: Record,
    talk: Talk,
}

/// What an evaluation leaves in its folder: of files with the names of splits, those that are there.
pub fn files(folder: &Path) -> impl Iterator<Item = (String, Kind)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let matrices = entries.filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let ending = name.strip_prefix(report::CONFUSION)?.rsplit('.').next()?;
        let kind =
            [("csv", Kind::Csv), ("svg", Kind::Svg)].into_iter().find(|(known, _)| *known == ending)?.1;
        Some((name, kind))
    });
    let others = [(RESULTS, Kind::Json), (record::PREDICTIONS, Kind::Lines)];
    others.into_iter().map(|(name, kind)| (name.to_string(), kind)).chain(matrices)
}

/// Runs the command.
pub fn run(args: &EvalArgs, talk: Talk) -> Result<Outcome> {
    if args.models().next().is_none() {
        return Err(Error::Usage(
            "no model; give --rgb MODEL, --flow MODEL, the two of them, or --both MODEL".into(),
        ));
    }
    let options = args.run.options()?;
    networks::start_threads(args.run.threads)?;
    let Lists { classes, splits, notes } = lists::read(args)?;
    let dataset = args.dataset.to_possible_value().map_or(String::new(), |v| v.get_name().to_string());
    let entrants = |split: &Split| Entrant::read(args, &split.name, &dataset, &classes);
    let entrants: Vec<Vec<Entrant>> = splits.iter().map(entrants).collect::<Result<_>>()?;
    let device = device::open(&args.run.device, 0)?;
    let settings = settings(args, &options, &classes, &splits, &entrants);
    let _lock = FolderLock::take(&args.output)?;
    let record = Record::open(&args.output, &settings, args.resume)?;
    notes.iter().for_each(|note| talk.note(note));
    talk.note(format!("running on {}", device.info()));
    if record.len() > 0 {
        talk.note(format!("going on after {} videos", record.len()));
    }
    let bar = talk.bar("testing", splits.iter().map(|s| s.videos.len() as u64).sum(), Unit::Clips);
    let mut evaluation = Evaluation { args, options, device, classes, record, talk };
    let mut results = Vec::new();
    for (split, entrants) in splits.iter().zip(&entrants) {
        results.push(evaluation.test(split, entrants, &bar)?);
    }
    drop(bar);
    let results = Results::new(&settings, results);
    results.write(&args.output)?;
    print(results.table())?;
    talk.note(args.output.join(RESULTS).display());
    Ok(tell(&results, args, talk))
}

/// Says what was left out, and whether that counts as a failure.
fn tell(results: &Results<'_>, args: &EvalArgs, talk: Talk) -> Outcome {
    // Videos of Kinetics vanish from where they lay, and who has most of them has done what can be done.
    let may_vanish = args.dataset == DatasetArg::Kinetics;
    let mut outcome = Outcome::Done;
    for SplitResult { split, skipped, missing, streams, .. } in &results.splits {
        if !missing.is_empty() {
            let (count, first) = (missing.len(), &missing[0]);
            let all = count + skipped.len() + streams.values().next().map_or(0, |score| score.count as usize);
            let text = format!(
                "{count} of {all} videos of split {split} are not there, such as {first}; see {RESULTS}"
            );
            if may_vanish {
                talk.note(text);
            } else {
                talk.error(text);
                outcome = Outcome::SomeFailed;
            }
        }
        if !skipped.is_empty() {
            outcome = Outcome::SomeFailed;
        }
    }
    outcome
}

/// Everything that decides what is predicted.
fn settings(
    args: &EvalArgs,
    options: &RunOptions,
    classes: &[String],
    splits: &[Split],
    entrants: &[Vec<Entrant>],
) -> Settings {
    let model = |split: &Split, entrant: &Entrant| ModelUsed {
        split: split.name.clone(),
        stream: entrant.input,
        sha256: entrant.sha256.clone(),
    };
    let models = splits.iter().zip(entrants);
    let models = models.flat_map(|(split, entrants)| entrants.iter().map(move |e| model(split, e)));
    let FlowChoice { tvl1, quantize } = (&args.tvl1).into();
    let flow = args.models().any(|(input, _)| input != Input::One(Stream::Rgb));
    Settings {
        dataset: args.dataset,
        splits: splits.iter().map(|split| split.name.clone()).collect(),
        models: models.collect(),
        frames: args.frames,
        fps: args.fps,
        flow: flow.then_some(tvl1),
        quantize: flow.then_some(quantize),
        precise: options.precise,
        precision: options.precision,
        classes: classes.to_vec(),
    }
}

impl Evaluation<'_> {
    /// Tests the videos of a split that nothing is known of yet, and gives what is known then.
    fn test(&mut self, split: &Split, entrants: &[Entrant], bar: &ProgressBar) -> Result<SplitResult> {
        let known = |video: &&Video| self.record.find(&split.name, &video.name).is_some();
        let (done, open): (Vec<&Video>, Vec<&Video>) = split.videos.iter().partition(known);
        bar.inc(done.len() as u64);
        let skipped = if open.is_empty() { Vec::new() } else { self.watch(split, open, entrants, bar)? };
        if skipped.len() == split.videos.len() {
            let problem = "none of its videos can be decoded; see what was said of them";
            return Err(Error::video(format!("split {}", split.name), problem));
        }
        Ok(SplitResult::new(split, &self.classes, &self.record, skipped))
    }

    /// Shows videos to the networks, while the next one is being decoded; gives those that cannot be.
    fn watch(
        &mut self,
        split: &Split,
        videos: Vec<&Video>,
        entrants: &[Entrant],
        bar: &ProgressBar,
    ) -> Result<Vec<Skipped>> {
        let networks = entrants.iter().map(|entrant| entrant.open(&self.device, self.options));
        let mut networks: Vec<Tested> = networks.collect::<Result<_>>()?;
        let input_size = entrants.first().map_or(0, |entrant| entrant.network.input_size);
        let decoding = Decoding {
            preprocess: RgbPreprocess::for_input(input_size),
            rate: self.args.fps,
            most: self.args.frames,
            flow: (&self.args.tvl1).into(),
        };
        let streams: Vec<Stream> = entrants.iter().flat_map(|entrant| entrant.input.streams()).collect();
        let library = Library::open(decoding, self.device.clone(), self.args.cache_mb << 20);
        let mut skipped = Vec::new();
        std::thread::scope(|scope| {
            let (sender, received) = sync_channel(0);
            scope.spawn(move || {
                for video in videos {
                    let clips = library.seen(&video.example, &streams);
                    // Nobody listens any more where a network failed.
                    if sender.send((video, clips)).is_err() {
                        break;
                    }
                }
            });
            for (video, clips) in received {
                match clips {
                    Ok(Seen { clips, notes, .. }) => {
                        bar.suspend(|| notes.iter().for_each(|note| self.talk.note(note)));
                        let mut logits = BTreeMap::new();
                        // No two models see the same stream.
                        let mut clips = clips.into_iter();
                        for (entrant, network) in entrants.iter().zip(&mut networks) {
                            let own = clips.by_ref().take(entrant.input.streams().count());
                            let views = Views::new(own.collect())?;
                            let seen = network.logits(&views, self.args.frames)?;
                            logits.insert(entrant.input, entrant.in_order(&seen));
                        }
                        self.note(split, video, logits)?;
                    }
                    Err(error) if costs_itself_alone(&error) => {
                        bar.suspend(|| self.talk.error(&error));
                        skipped.push(Skipped { path: video.name.clone(), problem: error.to_string() });
                    }
                    Err(error) => return Err(error),
                }
                bar.inc(1);
            }
            Ok(skipped)
        })
    }

    /// Keeps what the networks say of a video.
    fn note(&mut self, split: &Split, video: &Video, logits: BTreeMap<Input, Vec<f32>>) -> Result<()> {
        // The last is that of both networks, where there are two.
        let best = columns(&logits).pop().map_or(0, |(_, logits)| score::best(&logits));
        self.record.add(Prediction {
            split: split.name.clone(),
            path: video.name.clone(),
            label: self.classes[video.example.label].clone(),
            best: self.classes[best].clone(),
            logits,
        })
    }
}
