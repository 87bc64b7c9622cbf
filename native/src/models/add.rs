//! Models from files of this machine: released ones, which are known by their hashes, and the user's own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use i3d::models::{Format, Model, REPACKED, SourceData, to_safetensors};
use i3d::network::{Input, Stream};
use i3d::plan::Precision;
use i3d::weights::Checkpoint;
use i3d::{Error, Result};

use super::store::{Health, Installed, Origin};
use super::{Convert, Event, Models, demo, hash, released};
use crate::checkpoint::{self, tensorflow_index};

/// Names that mean something else where a model's name can stand.
const RESERVED: [&str; 5] = [demo::NAME, "random", "custom", "none", "samples"];

/// Longest name of a model.
const MAX_NAME: usize = 64;

/// How deep below a given folder checkpoints are looked for; DeepMind's lie three folders deep.
const DEPTH: usize = 6;

/// Entries of folders that are looked at; a folder with more is not one of checkpoints.
const MAX_ENTRIES: usize = 20_000;

/// What to add, and how.
#[derive(Debug, Default)]
pub struct Added<'a> {
    /// Files, and folders that hold such.
    pub paths: &'a [PathBuf],
    /// Which streams, where not all that are found.
    pub only: Option<Stream>,
    /// Whether every stream that was released must be there.
    pub complete: bool,
    /// Names of the classes, of models that were not released.
    pub labels: Option<Vec<String>>,
    /// Whether streams that are there are replaced.
    pub overwrite: bool,
}

/// A checkpoint on this machine.
struct Candidate {
    /// The file that holds the weights; its hash is the checkpoint's identity.
    weights: PathBuf,
    /// The index of a TensorFlow checkpoint.
    index: Option<PathBuf>,
    /// Whether it was come across in a folder, so that it need not be what is looked for.
    found: bool,
}

/// A stream that is ready to be stored.
struct Ready {
    origin: Origin,
    weights: Vec<u8>,
    place: String,
}

impl Models {
    /// Installs checkpoints of this machine as the model `name`. Nothing is stored before all of them are read and converted.
    ///
    /// # Errors
    /// Names that cannot be, weights that are not those of a released name, two checkpoints of one stream, damaged files, and
    /// streams that are there already and not to be replaced.
    pub fn add(
        &self,
        name: &str,
        what: &Added,
        convert: Convert,
        report: &mut dyn FnMut(Event),
    ) -> Result<Vec<Installed>> {
        let model = self.registry.iter().find(|model| model.name == name);
        if model.is_none() {
            check_name(name, self.registry)?;
        } else if what.labels.is_some() {
            let problem =
                format!("the classes of {name} are known; leave --labels out, or choose another name");
            return Err(Error::Usage(problem));
        }
        let mut ready: BTreeMap<usize, Ready> = BTreeMap::new();
        for candidate in candidates(what.paths)? {
            let blob = blob(&candidate.weights)?;
            let known = self.released_by(&candidate, &blob)?;
            let (stream, made) = match model {
                Some(model) => match self.matching(model, known, &candidate, &blob)? {
                    // Another file with the hash of a released one holds the same weights.
                    Some(stream) if ready.contains_key(&usize::from(stream == Stream::Flow)) => continue,
                    Some(stream) if what.only.is_none_or(|only| only == stream) => {
                        report(Event::Converting(stream));
                        (stream, self.released_ready(model, stream, &candidate, convert)?)
                    }
                    _ => continue,
                },
                None => own(name, &candidate, blob, what.labels.clone())?,
            };
            let place = made.place.clone();
            if let Some(other) = ready.insert(usize::from(stream == Stream::Flow), made)
                && other.place != place
            {
                let problem = format!("{} and {place} are both weights of the {stream} stream", other.place);
                return Err(Error::Usage(format!("{problem}; give one of them")));
            }
        }
        self.check_found(name, model, what, &ready)?;
        self.store_ready(name, what.overwrite || model.is_some(), ready, report)
    }

    /// The released stream that a file is, by its hash.
    fn released_by(&self, candidate: &Candidate, blob: &str) -> Result<Option<(&'static Model, Stream)>> {
        for model in self.registry {
            for stream in model.streams() {
                let Some(source) = model.source(stream).filter(|source| source.weights().blob == blob) else {
                    continue;
                };
                if let (Format::TensorFlow { index, .. }, Some(path)) = (&source.format, &candidate.index) {
                    let found = self::blob(path)?;
                    if found != index.blob {
                        let problem = format!(
                            "its data file is the released one of {} ({stream}), and the index beside it is another: \
                             expected git blob id {}, found {found}; take both from one place",
                            model.name, index.blob
                        );
                        return Err(Error::checkpoint(path.display(), problem));
                    }
                }
                return Ok(Some((model, stream)));
            }
        }
        let repacked = REPACKED.iter().find(|(id, ..)| *id == blob);
        Ok(repacked.and_then(|(_, name, stream)| {
            self.registry.iter().find(|model| model.name == *name).map(|model| (model, *stream))
        }))
    }

    /// The stream of a released model that a file is; none for one in a folder that is something else.
    fn matching(
        &self,
        model: &Model,
        known: Option<(&'static Model, Stream)>,
        candidate: &Candidate,
        blob: &str,
    ) -> Result<Option<Stream>> {
        let place = candidate.weights.display();
        match known {
            Some((known, stream)) if known.name == model.name => Ok(Some(stream)),
            _ if candidate.found => Ok(None),
            Some((known, stream)) => {
                let problem =
                    format!("these are the {stream} weights of {}; install them under that name", known.name);
                Err(Error::checkpoint(place, problem))
            }
            None => {
                let problem = format!(
                    "these are not the weights that were released as {} (git blob id {blob}); choose another name for them",
                    model.name
                );
                Err(Error::checkpoint(place, problem))
            }
        }
    }

    /// A released stream, in the very form that a pull stores.
    fn released_ready(
        &self,
        model: &'static Model,
        stream: Stream,
        candidate: &Candidate,
        convert: Convert,
    ) -> Result<Ready> {
        let read = |path: &Path| fs::read(path).map_err(|e| Error::io(path.display(), e));
        let place = candidate.weights.display().to_string();
        let weights = read(&candidate.weights)?;
        let data = match &candidate.index {
            Some(index) => SourceData::TensorFlow { index: read(index)?, shards: vec![weights] },
            None => SourceData::File(weights),
        };
        let source = model
            .source(stream)
            .map(|source| (source.weights().blob, source.url(i3d::models::RAW_GITHUB, source.weights())));
        let (blob, url) = source.unwrap_or_default();
        let weights = released(model, stream, url.clone(), data, convert)?;
        Ok(Ready { origin: Origin { url, blob: blob.to_owned(), classes: None }, weights, place })
    }

    /// Fails where nothing was found, or not everything that was asked for.
    fn check_found(
        &self,
        name: &str,
        model: Option<&Model>,
        what: &Added,
        ready: &BTreeMap<usize, Ready>,
    ) -> Result<()> {
        let places: Vec<_> = what.paths.iter().map(|path| path.display().to_string()).collect();
        let places = places.join(", ");
        let here = |stream: Stream| ready.contains_key(&usize::from(stream == Stream::Flow));
        if ready.is_empty() {
            let problem = match (model, what.only) {
                (None, _) => "no checkpoint was found there; give the files themselves".to_owned(),
                (Some(_), None) => format!("no file there has the hash of a released file of {name}"),
                (Some(_), Some(only)) => {
                    format!("no file there has the hash of the released {only} weights of {name}")
                }
            };
            return Err(Error::Usage(format!("{places}: {problem}")));
        }
        let wanted = model.filter(|_| what.complete).into_iter().flat_map(Model::streams);
        let wanted = wanted.filter(|&stream| what.only.is_none_or(|only| only == stream));
        let Some(missing) = wanted.into_iter().find(|&stream| !here(stream)) else { return Ok(()) };
        let other = if missing == Stream::Rgb { Stream::Flow } else { Stream::Rgb };
        Err(Error::Usage(format!(
            "{places}: the {missing} weights of {name} are not there; add --streams {other} to install the {other} weights alone"
        )))
    }

    /// Stores streams, all of them or none.
    fn store_ready(
        &self,
        name: &str,
        overwrite: bool,
        ready: BTreeMap<usize, Ready>,
        report: &mut dyn FnMut(Event),
    ) -> Result<Vec<Installed>> {
        let mut classes = ready.values().map(|ready| ready.origin.classes);
        let first = classes.next().flatten();
        let beside =
            [Stream::Rgb, Stream::Flow].into_iter().enumerate().filter(|(i, _)| !ready.contains_key(i));
        let beside = beside.filter_map(|(_, stream)| self.store.installed(name, stream)?.record.classes);
        if let (Some(first), Some(other)) =
            (first, classes.flatten().chain(beside).find(|n| Some(*n) != first))
        {
            let problem =
                format!("two streams of one model have the same classes, and these have {first} and {other}");
            return Err(Error::Usage(format!("{problem}; give them two names")));
        }
        let streams: Vec<(Stream, Ready)> = ready
            .into_iter()
            .map(|(i, ready)| (if i == 0 { Stream::Rgb } else { Stream::Flow }, ready))
            .collect();
        let mut new = Vec::new();
        let mut installed = Vec::new();
        for (stream, ready) in streams {
            match self.store.installed(name, stream) {
                Some(here)
                    if here.record.sha256 == hash::sha256_bytes(&ready.weights)
                        && self.store.health(&here)? == Health::Good =>
                {
                    report(Event::Present(stream));
                    installed.push(here);
                }
                Some(_) if !overwrite => {
                    return Err(Error::Usage(format!(
                        "{name} has other weights of the {stream} stream; add --overwrite to replace them, or choose another name"
                    )));
                }
                here => new.push((stream, ready, here.is_none())),
            }
        }
        let guard = self.store.lock(name)?;
        let mut fresh = Vec::new();
        for (stream, ready, is_fresh) in new {
            match self.store.put(name, stream, ready.origin, &ready.weights) {
                Ok(put) => {
                    fresh.extend(is_fresh.then_some(stream));
                    report(Event::Stored(stream, put.path.clone()));
                    installed.push(put);
                }
                Err(error) => {
                    // One stream of two would not be what was asked for.
                    fresh.push(stream);
                    for stream in fresh {
                        self.store.remove_stream(name, stream)?;
                    }
                    drop(guard);
                    self.store.tidy(name);
                    return Err(error);
                }
            }
        }
        drop(guard);
        self.store.tidy(name);
        Ok(installed)
    }
}

/// A stream of the user's own.
fn own(
    name: &str,
    candidate: &Candidate,
    blob: String,
    labels: Option<Vec<String>>,
) -> Result<(Stream, Ready)> {
    let path = candidate.index.as_deref().unwrap_or(&candidate.weights);
    let mut checkpoint: Checkpoint = checkpoint::read(path)?;
    let place = checkpoint.place.clone();
    let network = checkpoint.network()?;
    let Some(Input::One(stream)) = network.input() else {
        let problem = format!(
            "its first convolution takes {} channels, and streams have 3 (rgb) or 2 (flow); give such a file by its path",
            network.in_channels
        );
        return Err(Error::checkpoint(place, problem));
    };
    if let Some(labels) = &labels {
        i3d::labels::check("--labels", labels, network.classes)?;
    }
    let url = std::path::absolute(&candidate.weights).unwrap_or_else(|_| candidate.weights.clone());
    let url = url.display().to_string();
    checkpoint.metadata.source = Some(url.clone());
    checkpoint.metadata.name = Some(name.to_owned());
    let (weights, report) = to_safetensors(&checkpoint, labels, Precision::F32)?;
    log::info!("{place} ({}): {report}", checkpoint.format);
    let origin = Origin { url, blob, classes: Some(network.classes) };
    Ok((stream, Ready { origin, weights, place: candidate.weights.display().to_string() }))
}

/// Fails for names that are no file names everywhere, or that mean something else.
fn check_name(name: &str, registry: &[Model]) -> Result<()> {
    let taken = |other: &str| name.eq_ignore_ascii_case(other);
    if RESERVED.iter().any(|reserved| taken(reserved)) || registry.iter().any(|model| taken(model.name)) {
        return Err(Error::Usage(format!(
            "a model cannot be called {name:?}, which means something else; choose another name"
        )));
    }
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !first || !name.bytes().all(good) || name.len() > MAX_NAME || name.ends_with('.') {
        return Err(Error::Usage(format!(
            "a model cannot be called {name:?}; give up to {MAX_NAME} letters, digits, `.`, `-` and `_`, a letter or digit first"
        )));
    }
    Ok(())
}

fn blob(path: &Path) -> Result<String> {
    hash::git_blob(path).map_err(|e| Error::io(path.display(), e))
}

/// The checkpoints that files and folders are, each once.
fn candidates(paths: &[PathBuf]) -> Result<Vec<Candidate>> {
    let mut found: Vec<(PathBuf, bool)> = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => {
                let mut entries = 0;
                walk(path, DEPTH, &mut entries, &mut found)?;
            }
            false => found.push((path.clone(), false)),
        }
    }
    let mut seen = Vec::new();
    let mut candidates = Vec::new();
    for (path, found) in found {
        let index = tensorflow_index(&path)?;
        let weights = match &index {
            Some(index) => index.with_extension("data-00000-of-00001"),
            None => path,
        };
        let known = fs::canonicalize(&weights).map_err(|e| Error::io(weights.display(), e))?;
        if !seen.contains(&known) {
            seen.push(known);
            candidates.push(Candidate { weights, index, found });
        }
    }
    Ok(candidates)
}

/// Files below a folder that look like checkpoints.
fn walk(folder: &Path, depth: usize, entries: &mut usize, found: &mut Vec<(PathBuf, bool)>) -> Result<()> {
    let failed = |e| Error::io(folder.display(), e);
    let listed = fs::read_dir(folder).map_err(failed)?;
    let mut paths: Vec<PathBuf> =
        listed.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>().map_err(failed)?;
    paths.sort();
    *entries += paths.len();
    if *entries > MAX_ENTRIES {
        let problem = "more files than a folder of checkpoints has; name the folder that they lie in";
        return Err(Error::Usage(format!("{}: {problem}", folder.display())));
    }
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let checkpoint =
            matches!(extension.as_deref(), Some("index" | "pt" | "pth" | "safetensors" | "ckpt"));
        match path.is_dir() {
            true if depth > 0 && !hidden => walk(&path, depth - 1, entries, found)?,
            // Git's own index lies in a hidden folder.
            false if checkpoint && !hidden => found.push((path, true)),
            _ => {}
        }
    }
    Ok(())
}
