//! Networks on a device: weights by path, by the name of a pulled model, or random.

use std::path::{Path, PathBuf};

use i3d::classifier::{Classifier, ModelSource};
use i3d::network::{Input, Network, Stream, System};
use i3d::weights::{Checkpoint, Weights};
use i3d::{Error, Result};
use rayon::prelude::*;

use crate::args::{RunArgs, Streams, WeightArgs};
use crate::input::Part;
use crate::models::{Models, demo};
use crate::talk::Talk;
use crate::{checkpoint, device};

/// The model that runs when none is named and it is installed; otherwise the demo model runs.
const DEFAULT_MODEL: &str = "kinetics-400";

/// Name of the stand-in model with random weights, and its seed.
const RANDOM_MODEL: &str = "random";
pub const RANDOM_SEED: u64 = 0;

/// Which networks to load: those whose weights are given by path; of a model by name, those that the inputs need. I3D is
/// a two-stream network, so a video runs through both where both are installed; random weights gain nothing by a second stream.
pub fn wanted<'a>(weights: &WeightArgs, parts: impl IntoIterator<Item = &'a Part>) -> Streams {
    if by_path(weights) {
        return Streams::of(weights.rgb.is_some(), weights.flow.is_some());
    }
    let parts: Vec<&Part> = parts.into_iter().collect();
    // Asked once: an array is read for its stream.
    let needed: Vec<Stream> = parts.iter().filter_map(|part| part.stream()).collect();
    let has_flow = match model(weights) {
        demo::NAME => true,
        name => Models::open().is_ok_and(|models| models.stream_path(name, Stream::Flow).is_ok()),
    };
    let both = has_flow && parts.iter().any(|part| !part.array && part.expected.is_none());
    Streams::of(needed.contains(&Stream::Rgb), needed.contains(&Stream::Flow) || both)
}

/// Fails where weights are given by path, but not for every stream that `--streams` names.
pub fn check_streams(weights: &WeightArgs, asked: Streams) -> Result<()> {
    let lacks = |stream| by_path(weights) && asked.contains(stream) && path_of(weights, stream).is_none();
    match asked.each().find(|&stream| lacks(stream)) {
        Some(stream) => {
            Err(Error::Usage(format!("--streams {asked} needs {stream} weights; give --{stream} PATH")))
        }
        None => Ok(()),
    }
}

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
pub fn open(
    weights: &WeightArgs,
    run: &RunArgs,
    wanted: Streams,
    talk: Talk,
) -> Result<(Classifier, String)> {
    open_with(weights, run, wanted, checkpoint::read, talk)
}

/// As [`open`], for what comes before the classifier: a network may lack one.
pub fn open_trunk(
    weights: &WeightArgs,
    run: &RunArgs,
    wanted: Streams,
    talk: Talk,
) -> Result<(Classifier, String)> {
    open_with(weights, run, wanted, trunk, talk)
}

/// A checkpoint whose classifier, where it has none, says nothing.
pub fn trunk(path: &Path) -> Result<Checkpoint> {
    checkpoint::read(path).map(|checkpoint| checkpoint.with_classifier(1))
}

/// How a file becomes a checkpoint.
type Reader = fn(&Path) -> Result<Checkpoint>;

fn open_with(
    weights: &WeightArgs,
    run: &RunArgs,
    wanted: Streams,
    reader: Reader,
    talk: Talk,
) -> Result<(Classifier, String)> {
    let name = model(weights);
    let options = run.options()?;
    start_threads(run.threads)?;
    if !by_path(weights) && name == RANDOM_MODEL {
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
        return Ok((classifier, name.to_string()));
    }
    if !by_path(weights) && name == demo::NAME && weights.model.is_none() {
        talk.note(format!(
            "no model is installed, so this is the demo model, which knows {} drawn actions and nothing of the world; \
             `i3d models pull {DEFAULT_MODEL}` once for videos of people",
            i3d_synth::CLASSES.len()
        ));
    }
    // A stream without a file is the demo model's, which is in the program.
    let (name, files) = match by_path(weights) {
        true => {
            let file = |stream| path_of(weights, stream).map(|path| (stream, Some(path.to_path_buf())));
            ("custom", wanted.each().filter_map(file).collect())
        }
        false if name == demo::NAME => (name, wanted.each().map(|stream| (stream, None)).collect()),
        false => (name, installed(weights, name, wanted)?),
    };
    // A GPU's driver takes its time to start, and so do the files.
    let read = |(stream, file): (Stream, Option<PathBuf>)| match file {
        Some(path) => i3d_of(stream, &path, reader),
        None => demo::checkpoint(stream),
    };
    let read = || files.into_par_iter().map(read).collect();
    let (device, checkpoints): (_, Vec<Result<Checkpoint>>) =
        rayon::join(|| device::open(&run.device, 0), read);
    let mut classifier = Classifier::new(device?).with_options(options);
    for checkpoint in checkpoints {
        classifier = classifier.with_checkpoint(&checkpoint?)?;
    }
    Ok((classifier, name.to_string()))
}

/// The model that is named, or that runs where none is.
fn model(weights: &WeightArgs) -> &str {
    let installed =
        |stream| Models::open().is_ok_and(|models| models.stream_path(DEFAULT_MODEL, stream).is_ok());
    match weights.model.as_deref() {
        Some(name) => name,
        None if [Stream::Rgb, Stream::Flow].into_iter().any(installed) => DEFAULT_MODEL,
        None => demo::NAME,
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
    let text = name.to_string_lossy();
    let Input::One(stream) = input else {
        return of_input(input, name, reader);
    };
    if name.exists() {
        return of_input(input, name, reader);
    }
    if text == demo::NAME {
        return demo::checkpoint(stream);
    }
    let pulled = Models::open().and_then(|models| models.stream_path(&text, stream)).ok();
    of_input(input, pulled.as_deref().unwrap_or(name), reader)
}

/// The files of an installed model.
fn installed(weights: &WeightArgs, name: &str, wanted: Streams) -> Result<Vec<(Stream, Option<PathBuf>)>> {
    let models = Models::open()?;
    let path = |stream| {
        let path = models.stream_path(name, stream).map_err(|error| match weights.model {
            Some(_) => error,
            None => Error::Usage(format!(
                "no weights; give --{stream} PATH, or run `i3d models pull {DEFAULT_MODEL}` once, or try --model \
                 {RANDOM_MODEL}"
            )),
        })?;
        Ok((stream, Some(path)))
    };
    wanted.each().map(path).collect()
}

/// A checkpoint, which must be one of I3D's `stream`.
pub fn read(stream: Stream, path: &Path) -> Result<Checkpoint> {
    i3d_of(stream, path, checkpoint::read)
}

fn i3d_of(stream: Stream, path: &Path, reader: Reader) -> Result<Checkpoint> {
    let checkpoint = of_input(stream.into(), path, reader)?;
    let system = checkpoint.metadata.system();
    if system == System::I3d {
        return Ok(checkpoint);
    }
    let problem = format!("is a {system}, and this command runs I3D; `i3d eval` and `i3d train` take it");
    Err(Error::checkpoint(path.display(), problem))
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

fn by_path(weights: &WeightArgs) -> bool {
    weights.rgb.is_some() || weights.flow.is_some()
}

fn path_of(weights: &WeightArgs, stream: Stream) -> Option<&Path> {
    match stream {
        Stream::Rgb => weights.rgb.as_deref(),
        Stream::Flow => weights.flow.as_deref(),
    }
}
