//! Released models by name: `i3d models list|pull|verify|path|remove`.
//!
//! Everything here returns data or a sentence that says what is wrong; printing is the caller's.

pub mod demo;
mod download;
pub mod hash;
mod samples;
mod store;
#[cfg(test)]
mod tests;
mod tls;

use std::fmt;
use std::fs;
use std::path::PathBuf;

use i3d::models::{MODELS, Model, RAW_GITHUB, SourceFiles};
use i3d::network::Stream;
use i3d::{Error, Result};

pub use download::{Downloader, Options};
pub use store::{Health, Installed, Store};

use download::Expected;

/// The registry, the store and the way between them.
pub struct Models {
    registry: &'static [Model],
    store: Store,
    downloader: Downloader,
}

/// Turns a checkpoint into safetensors.
pub type Convert<'a> = &'a dyn Fn(&SourceFiles) -> Result<Vec<u8>>;

/// What a pull is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The stream is here already and intact.
    Present(Stream),
    /// Bytes arrive.
    Downloading {
        /// For which stream.
        stream: Stream,
        /// Name of the file.
        file: &'static str,
        /// Bytes so far, those of an earlier attempt included.
        bytes: u64,
        /// Bytes in all, where known.
        total: Option<u64>,
    },
    /// The checkpoint becomes safetensors.
    Converting(Stream),
    /// The stream is installed.
    Stored(Stream, PathBuf),
}

/// The files of an installed model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Weights of the RGB stream.
    pub rgb: PathBuf,
    /// Weights of the flow stream, where the model has one.
    pub flow: Option<PathBuf>,
}

/// One line of `i3d models list`; [`fmt::Display`] pads the columns.
#[derive(Debug, Clone)]
pub struct Row {
    /// The model.
    pub model: &'static Model,
    /// Streams on this machine with the length of their files.
    pub installed: Vec<(Stream, u64)>,
}

/// One line of `i3d models verify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The model's name.
    pub model: &'static str,
    /// Which stream.
    pub stream: Stream,
    /// What was found.
    pub health: Health,
}

impl Models {
    /// The released models, the user's cache folder and GitHub, as the environment variables have it.
    pub fn open() -> Result<Models> {
        let downloader = Downloader::new(Options::from_environment());
        Ok(Models::new(MODELS, Store::open()?, downloader))
    }

    /// Models with their parts given one by one.
    pub fn new(registry: &'static [Model], store: Store, downloader: Downloader) -> Models {
        Models { registry, store, downloader }
    }

    /// The model called `name`.
    pub fn find(&self, name: &str) -> Result<&'static Model> {
        if name == demo::NAME {
            let problem =
                "demo is part of this program: it is always here, and there is no file to fetch or to remove";
            return Err(Error::Usage(problem.into()));
        }
        self.registry.iter().find(|model| model.name == name).ok_or_else(|| {
            let names: Vec<_> = self.registry.iter().map(|model| model.name).collect();
            Error::Usage(format!("there is no model called {name:?}; choose one of {}", names.join(", ")))
        })
    }

    /// Every model of the registry, and what of it is here.
    pub fn list(&self) -> Vec<Row> {
        let row = |model: &'static Model| {
            let size = |stream| Some((stream, self.store.installed(model.name, stream)?.record.size));
            Row { model, installed: model.streams().filter_map(size).collect() }
        };
        self.registry.iter().map(row).collect()
    }

    /// Brings a model here: downloads, verifies, converts and stores each stream, and removes what was downloaded.
    /// A stream that is here and intact costs no request. `only` restricts it to one stream.
    pub fn pull(
        &self,
        name: &str,
        only: Option<Stream>,
        convert: Convert,
        report: &mut dyn FnMut(Event),
    ) -> Result<Vec<Installed>> {
        let model = self.find(name)?;
        if let Some(stream) = only.filter(|&stream| model.source(stream).is_none()) {
            return Err(Error::Usage(format!("{name} has no {stream} stream; none was released")));
        }
        let _guard = self.store.lock(name)?;
        let wanted = model.streams().filter(|&stream| only.is_none_or(|only| only == stream));
        let pulled: Result<Vec<_>> =
            wanted.map(|stream| self.pull_stream(model, stream, convert, report)).collect();
        if pulled.is_ok() {
            drop(_guard);
            let downloads = self.store.downloads(name);
            fs::remove_dir_all(&downloads).map_err(|e| Error::io(downloads.display(), e))?;
        }
        pulled
    }

    fn pull_stream(
        &self,
        model: &'static Model,
        stream: Stream,
        convert: Convert,
        report: &mut dyn FnMut(Event),
    ) -> Result<Installed> {
        let Some(source) = model.source(stream) else {
            return Err(Error::Usage(format!("{} has no {stream} stream", model.name)));
        };
        let weights = source.weights();
        if let Some(installed) = self.store.installed(model.name, stream)
            && installed.record.blob == weights.blob
            && self.store.health(&installed)? == Health::Good
        {
            report(Event::Present(stream));
            return Ok(installed);
        }
        let mut contents = Vec::new();
        let mut paths = Vec::new();
        for file in source.files() {
            // Named by its hash, so that a part file of another version can never be continued by mistake.
            let path = self.store.downloads(model.name).join(file.blob);
            if !path.exists() {
                let expected = Expected { blob: file.blob, size: file.size };
                let mut progress = |bytes, total| {
                    report(Event::Downloading { stream, file: file.name(), bytes, total });
                };
                self.downloader.fetch(
                    &source.url(self.downloader.base(), file),
                    expected,
                    &path,
                    &mut progress,
                )?;
            }
            contents.push(fs::read(&path).map_err(|e| Error::io(path.display(), e))?);
            paths.push(path);
        }
        report(Event::Converting(stream));
        // The record names the origin itself, also when a mirror gave the bytes.
        let place = source.url(RAW_GITHUB, weights);
        let files = SourceFiles {
            model: model.name.to_string(),
            stream,
            place: place.clone(),
            labels: model.class_labels(),
            data: source.assemble(contents),
        };
        let converted = convert(&files)?;
        drop(files);
        let installed = self.store.put(model.name, stream, place, weights.blob, &converted)?;
        for path in paths {
            fs::remove_file(&path).map_err(|e| Error::io(path.display(), e))?;
        }
        report(Event::Stored(stream, installed.path.clone()));
        Ok(installed)
    }

    /// Reads every byte of one model, or of all that are here, and compares with what was stored.
    pub fn verify(&self, name: Option<&str>) -> Result<Vec<Check>> {
        let models: Vec<_> = match name {
            Some(name) => vec![self.find(name)?],
            None => self.registry.iter().collect(),
        };
        let mut checks = Vec::new();
        for model in models {
            for stream in model.streams() {
                if let Some(installed) = self.store.installed(model.name, stream) {
                    let health = self.store.health(&installed)?;
                    checks.push(Check { model: model.name, stream, health });
                }
            }
        }
        match name {
            Some(name) if checks.is_empty() => Err(not_installed(name)),
            _ => Ok(checks),
        }
    }

    /// The files of an installed model.
    pub fn path(&self, name: &str) -> Result<Paths> {
        let model = self.find(name)?;
        let here = |stream| self.store.installed(name, stream).map(|installed| installed.path);
        let flow = match &model.flow {
            Some(_) => Some(here(Stream::Flow).ok_or_else(|| not_installed(name))?),
            None => None,
        };
        Ok(Paths { rgb: here(Stream::Rgb).ok_or_else(|| not_installed(name))?, flow })
    }

    /// The file of one stream of an installed model.
    pub fn stream_path(&self, name: &str, stream: Stream) -> Result<PathBuf> {
        if self.find(name)?.source(stream).is_none() {
            return Err(Error::Usage(format!("{name} has no {stream} stream; none was released")));
        }
        let installed = self.store.installed(name, stream).ok_or_else(|| not_installed(name))?;
        Ok(installed.path)
    }

    /// Removes a model from this machine, unfinished downloads included; gives the bytes that became free.
    pub fn remove(&self, name: &str) -> Result<u64> {
        let model = self.find(name)?;
        match self.store.folder(model.name).exists() {
            true => self.store.remove(model.name),
            false => Err(not_installed(name)),
        }
    }
}

/// A line of `i3d models list`, whose columns stand one below the other.
fn line(name: &str, flow: bool, classes: usize, state: &str, licence: &str, about: &str) -> String {
    let streams = if flow { "rgb + flow" } else { "rgb" };
    format!("{name:<21} {streams:<10} {classes:>4} classes  {state:>10}  {licence:<10}  {about}")
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size: u64 = self.installed.iter().map(|(_, bytes)| bytes).sum();
        let state = match self.installed.len() {
            0 => "-".to_owned(),
            here if here == self.model.streams().count() => mebibytes(size),
            _ => format!("{} only", self.installed[0].0),
        };
        let Model { name, classes, licence, description, .. } = self.model;
        f.write_str(&line(name, self.model.flow.is_some(), *classes, &state, licence, description))
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Check { model, stream, health } = self;
        match health {
            Health::Good => write!(f, "{model:<21} {stream:<4}  ok"),
            Health::Damaged { expected, found } => write!(
                f,
                "{model:<21} {stream:<4}  damaged: expected SHA-256 {expected}, found {found}; pull it again with \
                 `i3d models pull {model}`"
            ),
        }
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / (1 << 20) as f64)
}

fn not_installed(name: &str) -> Error {
    Error::Usage(format!("{name} is not on this machine; fetch it with `i3d models pull {name}`"))
}
