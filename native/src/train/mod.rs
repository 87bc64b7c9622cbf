//! `i3d train`: a network from a folder of videos.
//!
//! `dataset.rs` says which clips there are, the library of clips decodes them once, `fit.rs` trains, `evaluate.rs` tests, and
//! `journal.rs` keeps what there is to read afterwards. The folder of a run holds `state.safetensors`, from which the run goes
//! on, `best.safetensors` and `model.safetensors`, which are models, `train.jsonl`, `curve.svg`, and
//! `test.jsonl` where there are clips to test on.

mod dataset;
mod evaluate;
mod fit;
mod journal;

use std::collections::BTreeSet;
use std::path::Path;

use i3d::backend::Device;
use i3d::network::{Input, Network, System};
use i3d::plan::Precision;
use i3d::preprocess::RgbPreprocess;
use i3d::train::Views;
use i3d::weights::{Checkpoint, Metadata, Parameters};
use i3d::{Error, Result};
use rayon::prelude::*;

use crate::args::{ModeArg, SystemArg, TrainArgs};
use crate::examples::Example;
use crate::footage::{Decoding, Library};
use crate::input::DEFAULT_FRAMES;
use crate::output::Output;
use crate::run::Outcome;
use crate::talk::{Talk, Unit};
use crate::{device, networks};
use dataset::Dataset;

/// A run: what is trained, on what, and where it is kept.
struct Run<'a> {
    args: &'a TrainArgs,
    mode: ModeArg,
    input: Input,
    clips: Library,
    dataset: Dataset,
    network: Network,
    device: Device,
    talk: Talk,
}

/// Runs the command.
pub fn run(args: &TrainArgs, talk: Talk) -> Result<Outcome> {
    networks::start_threads(args.threads)?;
    let device = device::open(&args.device, 0)?;
    let input = Input::from(args.stream);
    let dataset = Dataset::read(&args.data)?;
    let from = start(args, input)?;
    let mode = args.mode.unwrap_or(if from.is_some() { ModeArg::Full } else { ModeArg::Original });
    match (mode, &from) {
        (ModeArg::Original, Some(_)) => {
            let problem = "--mode original begins with random weights; leave --from out, or take --mode full";
            return Err(Error::Usage(problem.into()));
        }
        (ModeArg::Fixed | ModeArg::Full, None) => {
            let problem = "--mode fixed and full begin with a model; give it as --from MODEL";
            return Err(Error::Usage(problem.into()));
        }
        _ => {}
    }
    let classes = dataset.labels.len();
    let parameters = match from {
        Some(checkpoint) => {
            let found = checkpoint.network()?.system;
            if let Some(wanted) = args.system.map(System::from).filter(|wanted| *wanted != found) {
                let problem =
                    format!("it is a {found}, not a {wanted}; leave --system out, or give another model");
                return Err(Error::checkpoint(&checkpoint.place, problem));
            }
            let parameters = Parameters::from_checkpoint(&checkpoint, &checkpoint.network()?)?;
            // The same labels keep their classifier: that is training on, not transfer.
            let same = checkpoint.metadata.labels.as_ref() == Some(&dataset.labels);
            if same && mode == ModeArg::Full {
                parameters
            } else {
                parameters.with_classes(classes, args.seed)
            }
        }
        None => {
            let (width, input_size) = (args.width, args.input_size);
            let system = args.system.unwrap_or(SystemArg::I3d);
            let network = Network { width, input_size, ..system.network(args.stream, classes)? };
            network.validate()?;
            Parameters::new(&network, args.seed)
        }
    };
    let network = parameters.network;
    std::fs::create_dir_all(&args.output).map_err(|e| Error::io(args.output.display(), e))?;
    talk.note(format!("training on {}", device.info()));
    let decoding = Decoding {
        preprocess: RgbPreprocess::for_input(network.input_size),
        rate: args.fps,
        most: DEFAULT_FRAMES,
        flow: (&args.flow).into(),
    };
    // A run that goes on on another device must see the same flow.
    let clips = Library::open(decoding, Device::Cpu { threads: 0 }, args.cache_mb << 20)?;
    let mut run = Run { args, mode, input, clips, dataset, network, device, talk };
    run.check()?;
    let broken = run.decode()?;
    match mode {
        ModeArg::Fixed => run.fit_head(parameters)?,
        ModeArg::Original | ModeArg::Full => run.fit(parameters)?,
    }
    Ok(if broken { Outcome::SomeFailed } else { Outcome::Done })
}

/// The model to begin with, by path or by the name of a pulled model.
fn start(args: &TrainArgs, input: Input) -> Result<Option<Checkpoint>> {
    if args.from == Path::new("none") {
        return Ok(None);
    }
    networks::named_trunk(input, &args.from).map(Some)
}

impl Run<'_> {
    /// Decodes every clip; those that cannot be are told, listed in `skipped.txt`, and left out. Gives whether there are such.
    fn decode(&mut self) -> Result<bool> {
        let Dataset { labels, train, validation, test } = &self.dataset;
        let count = train.len() + validation.len() + test.len();
        let bar = self.talk.bar("decoding", count as u64, Unit::Clips);
        let decode = |example: &Example| {
            let clip = self.views(example);
            bar.inc(1);
            clip.err().map(|error| (example.clone(), error.to_string()))
        };
        let all = train.par_iter().chain(validation).chain(test);
        let broken: Vec<(Example, String)> = all.filter_map(decode).collect();
        drop(bar);
        let list: String = broken.iter().map(|(_, problem)| format!("{problem}\n")).collect();
        broken.iter().for_each(|(_, problem)| self.talk.error(problem));
        Output::create(&self.args.output.join("skipped.txt"))?.finish(list.as_bytes())?;
        let lost: BTreeSet<_> = broken.iter().map(|(example, _)| &example.path).collect();
        let labels = labels.clone();
        let keep = |examples: &[Example]| -> Vec<Example> {
            examples.iter().filter(|example| !lost.contains(&example.path)).cloned().collect()
        };
        let (train, validation, test) = (keep(train), keep(validation), keep(test));
        let gone = |label: &usize| !train.iter().any(|example| example.label == *label);
        if let Some(label) = (0..labels.len()).find(gone) {
            let problem =
                format!("no clip of the class {:?} can be decoded; see what was said of them", labels[label]);
            return Err(Error::labels(self.args.data.display(), problem));
        }
        if !broken.is_empty() {
            self.talk.note(format!("{} of {count} clips were left out", broken.len()));
        }
        self.dataset = Dataset { labels, train, validation, test };
        Ok(!broken.is_empty())
    }

    /// What the network sees of an example, decoded now or before.
    fn views(&self, example: &Example) -> Result<Views> {
        Views::new(self.clips.clips(&example.path, self.input.streams())?)
    }

    /// What models of this run say about themselves.
    fn metadata(&self) -> Metadata {
        Metadata { labels: Some(self.dataset.labels.clone()), ..Metadata::default() }
    }

    /// Writes a model into the folder of the run.
    fn write_model(&self, name: &str, parameters: &Parameters) -> Result<()> {
        let path = self.args.output.join(name);
        let checkpoint = parameters.to_checkpoint(&path.display().to_string(), self.metadata());
        Output::create(&path)?.finish(&checkpoint.to_safetensors(Some(&self.dataset.labels), Precision::F32)?)
    }
}
