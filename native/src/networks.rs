//! Networks on a device: weights by path, by the name of an installed model, or random.

mod choice;

use std::path::{Path, PathBuf};

use i3d::classifier::{Classifier, ModelSource};
use i3d::network::{Input, Network, Stream, System};
use i3d::weights::{Checkpoint, Weights};
use i3d::{Error, Result};
use rayon::prelude::*;

use crate::args::{RunArgs, Streams};
use crate::models::{Models, demo};
use crate::talk::Talk;
use crate::{checkpoint, device};

pub use choice::{Choice, choose};

/// Seed of the stand-in model with random weights.
pub const RANDOM_SEED: u64 = 0;

/// Starts the threads. All that the program computes on the CPU, be it networks, flow or weights, shares one pool, so
/// `--threads` bounds their sum.
pub fn start_threads(threads: usize) -> Result<()> {
    if threads > 0 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        // A second device of one command finds the pool there already, which is an error without a cause.
        if let Some(cause) = pool.as_ref().err().and_then(std::error::Error::source) {
            let problem = format!("{threads} threads cannot be started ({cause}); give a smaller --threads");
            return Err(Error::Usage(problem));
        }
    }
    Ok(())
}

/// Opens the device and loads the networks of the `wanted` streams; also gives the model's name for reports.
pub fn open(choice: &Choice, run: &RunArgs, wanted: Streams, talk: Talk) -> Result<(Classifier, String)> {
    open_with(choice, run, wanted, checkpoint::read, talk)
}

/// As [`open`], for what comes before the classifier: a network may lack one.
pub fn open_trunk(
    choice: &Choice,
    run: &RunArgs,
    wanted: Streams,
    talk: Talk,
) -> Result<(Classifier, String)> {
    open_with(choice, run, wanted, trunk, talk)
}

/// A checkpoint whose classifier, where it has none, says nothing.
pub fn trunk(path: &Path) -> Result<Checkpoint> {
    checkpoint::read(path).map(|checkpoint| checkpoint.with_classifier(1))
}

/// How a file becomes a checkpoint.
type Reader = fn(&Path) -> Result<Checkpoint>;

fn open_with(
    choice: &Choice,
    run: &RunArgs,
    wanted: Streams,
    reader: Reader,
    talk: Talk,
) -> Result<(Classifier, String)> {
    let options = run.options()?;
    start_threads(run.threads)?;
    let name = choice.name().to_string();
    if let Choice::Random = choice {
        talk.note(
            "warning: the weights are random (--model random): everything runs as with a real model, but the labels \
             mean nothing",
        );
        let mut classifier = Classifier::new(device::open(&run.device, 0)?).with_options(options);
        for stream in wanted.each() {
            let random = Weights::random(&Network::i3d(stream, 400), RANDOM_SEED);
            let source = ModelSource { source: format!("random weights, seed {RANDOM_SEED}"), sha256: None };
            classifier = classifier.with_weights(random, source, None)?;
        }
        return Ok((classifier, name));
    }
    let files: Vec<(Stream, Weighed)> = wanted
        .each()
        .filter_map(|stream| match choice {
            Choice::Demo => Some(Ok((stream, Weighed::Demo))),
            Choice::Installed { name, .. } => Some(
                Models::open()
                    .and_then(|models| models.stream_path(name, stream))
                    .map(|path| (stream, Weighed::File(path))),
            ),
            _ => choice.path(stream).map(|path| weighed(stream, path).map(|found| (stream, found))),
        })
        .collect::<Result<_>>()?;
    // A GPU's driver takes its time to start, and so do the files.
    let read = |(stream, file): (Stream, Weighed)| match file {
        Weighed::File(path) => i3d_of(of_input(stream.into(), &path, reader)?),
        Weighed::Demo => demo::checkpoint(stream),
    };
    let read = || files.into_par_iter().map(read).collect();
    let (device, checkpoints): (_, Vec<Result<Checkpoint>>) =
        rayon::join(|| device::open(&run.device, 0), read);
    let mut classifier = Classifier::new(device?).with_options(options);
    for checkpoint in checkpoints {
        classifier = classifier.with_checkpoint(&checkpoint?)?;
    }
    Ok((classifier, name))
}

/// Where a stream's weights are.
enum Weighed {
    File(PathBuf),
    /// In the program.
    Demo,
}

/// What a path or the name of a model means for a stream. A file or a TensorFlow checkpoint of that name comes first; a folder
/// without one, as somebody's folder of videos may be, does not stand in a model's way.
fn weighed(stream: Stream, given: &Path) -> Result<Weighed> {
    let is_model = given.to_str().and_then(|name| Some((name, Models::open().ok()?)));
    let is_model = is_model.filter(|(name, models)| *name == demo::NAME || models.named(name).is_ok());
    let is_file = given.is_file() || matches!(checkpoint::tensorflow_index(given), Ok(Some(_)));
    match is_model {
        Some((name, _)) if is_file => {
            log::warn!("warning: {name} is a file here and the name of a model; this is the file");
            Ok(Weighed::File(given.to_path_buf()))
        }
        Some((demo::NAME, _)) => Ok(Weighed::Demo),
        Some((name, models)) => models.stream_path(name, stream).map(Weighed::File),
        // Whatever cannot be read says so itself, but a word is as likely to be a name.
        None if !given.exists() && given.components().count() == 1 && given.extension().is_none() => {
            let given = given.display();
            Err(Error::Usage(format!(
                "{given}: there is no such file, folder or model; check the name, or see `i3d models list`"
            )))
        }
        None => Ok(Weighed::File(given.to_path_buf())),
    }
}

/// A checkpoint of any of the paper's systems, by path or by the name of a model.
///
/// # Errors
/// Files that are no checkpoint of a network that sees `input`.
pub fn named(input: Input, name: &Path) -> Result<Checkpoint> {
    named_by(input, name, checkpoint::read)
}

/// As [`named`], for a network that gets another classifier and may lack one.
pub fn named_trunk(input: Input, name: &Path) -> Result<Checkpoint> {
    named_by(input, name, trunk)
}

fn named_by(input: Input, name: &Path, reader: Reader) -> Result<Checkpoint> {
    let Input::One(stream) = input else {
        return of_input(input, name, reader);
    };
    match weighed(stream, name)? {
        Weighed::File(path) => of_input(input, &path, reader),
        Weighed::Demo => demo::checkpoint(stream),
    }
}

/// A checkpoint by path or by the name of a model, which must be one of I3D's `stream`.
pub fn read(stream: Stream, path: &Path) -> Result<Checkpoint> {
    i3d_of(named(stream.into(), path)?)
}

fn i3d_of(checkpoint: Checkpoint) -> Result<Checkpoint> {
    let system = checkpoint.metadata.system();
    if system == System::I3d {
        return Ok(checkpoint);
    }
    let problem = format!("is a {system}, and this command runs I3D; `i3d eval` and `i3d train` take it");
    Err(Error::checkpoint(&checkpoint.place, problem))
}

/// A checkpoint, which must be one of a network that sees `input`.
fn of_input(input: Input, path: &Path, reader: Reader) -> Result<Checkpoint> {
    let checkpoint = reader(path)?;
    let found = checkpoint.network()?;
    let own = found.input();
    if own == Some(input) {
        return Ok(checkpoint);
    }
    let advice = own.map_or("give another model".to_string(), |own| format!("give it as --{own}"));
    let (channels, wanted) = (found.in_channels, found.system.channels(input));
    let who = match input {
        Input::One(stream) => format!("the {stream} stream has"),
        Input::Both => "both streams have".into(),
    };
    let problem = format!("its first convolution takes {channels} channels, {who} {wanted}; {advice}");
    Err(Error::checkpoint(path.display(), problem))
}
