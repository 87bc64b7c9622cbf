//! Models by name, released ones and the user's own: `i3d models list|pull|add|verify|path|remove`.
//!
//! Everything here returns data or a sentence that says what is wrong; printing is that of `command`.

mod add;
pub mod command;
pub mod demo;
mod download;
pub mod hash;
mod row;
mod samples;
mod store;
#[cfg(test)]
mod tests;
mod tls;

use std::fs;
use std::path::PathBuf;

use i3d::models::{MODELS, Model, RAW_GITHUB, SourceData, SourceFiles};
use i3d::network::Stream;
use i3d::{Error, Result};

pub use add::Added;
pub use download::{Downloader, Options};
pub use row::{Check, Row};
pub use store::{Health, Installed, Origin, Store, Stored};

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

/// The files of an installed model, of one stream or two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Weights of the RGB stream.
    pub rgb: Option<PathBuf>,
    /// Weights of the flow stream.
    pub flow: Option<PathBuf>,
}

/// A model with a name: one of the registry, or one that the user gave it.
#[derive(Debug, Clone)]
pub struct Named {
    /// What the user types.
    pub name: String,
    /// Its entry in the registry.
    pub released: Option<&'static Model>,
}

impl Named {
    /// The streams that it can have.
    pub fn streams(&self) -> Vec<Stream> {
        match self.released {
            Some(model) => model.streams().collect(),
            None => vec![Stream::Rgb, Stream::Flow],
        }
    }

    /// What brings a stream here, or the whole model.
    fn remedy(&self, stream: Option<Stream>) -> String {
        let name = &self.name;
        match (self.released, stream) {
            (Some(_), None) => format!("`i3d models pull {name}`"),
            (Some(_), Some(stream)) => format!("`i3d models pull {name} --streams {stream}`"),
            (None, _) => format!("`i3d models add {name} FILE --overwrite`"),
        }
    }
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

    /// The released model called `name`.
    pub fn find(&self, name: &str) -> Result<&'static Model> {
        if name == demo::NAME {
            let problem =
                "demo is part of this program: it is always here, and there is no file to fetch or to remove";
            return Err(Error::Usage(problem.into()));
        }
        self.registry.iter().find(|model| model.name == name).ok_or_else(|| {
            let own = self.own();
            let names = self.registry.iter().map(|model| model.name).chain(own.iter().map(String::as_str));
            let names: Vec<_> = names.collect();
            match own.iter().any(|own| own == name) {
                true => Error::Usage(format!(
                    "{name} was not released, so it cannot be fetched; add its files with `i3d models add {name} FILES`"
                )),
                false => Error::Usage(format!(
                    "there is no model called {name:?}; choose one of {}",
                    names.join(", ")
                )),
            }
        })
    }

    /// The model called `name`, released or the user's own.
    pub fn named(&self, name: &str) -> Result<Named> {
        let released = match self.own().iter().any(|own| own == name) {
            true => None,
            false => Some(self.find(name)?),
        };
        Ok(Named { name: name.to_owned(), released })
    }

    /// Names of installed models that were not released.
    fn own(&self) -> Vec<String> {
        let released = |name: &String| self.registry.iter().any(|model| model.name == name);
        self.store.names().into_iter().filter(|name| !released(name)).collect()
    }

    /// Every model with a name: those of the registry, then the user's own.
    fn all(&self) -> Vec<Named> {
        let released =
            self.registry.iter().map(|model| Named { name: model.name.into(), released: Some(model) });
        released.chain(self.own().into_iter().map(|name| Named { name, released: None })).collect()
    }

    /// Every model of the registry and of the user, and what of it is here.
    pub fn list(&self) -> Vec<Row> {
        self.all().into_iter().map(|named| Row::new(named, &self.store)).collect()
    }

    /// Names of the models of which a stream is here.
    pub fn installed(&self) -> Vec<String> {
        let here = |named: &Named| !self.streams(&named.name).is_empty();
        self.all().into_iter().filter(here).map(|named| named.name).collect()
    }

    /// The streams of a model that are here, RGB first; none of a name that no model has.
    pub fn streams(&self, name: &str) -> Vec<Stream> {
        let Ok(named) = self.named(name) else { return Vec::new() };
        let here = |stream: &Stream| self.store.installed(name, *stream).is_some();
        named.streams().into_iter().filter(here).collect()
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
        let guard = self.store.lock(name)?;
        let wanted = model.streams().filter(|&stream| only.is_none_or(|only| only == stream));
        let pulled: Result<Vec<_>> =
            wanted.map(|stream| self.pull_stream(model, stream, convert, report)).collect();
        if pulled.is_ok() {
            drop(guard);
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
        let url = source.url(RAW_GITHUB, weights);
        let converted = released(model, stream, url.clone(), source.assemble(contents), convert)?;
        let origin = Origin { url, blob: weights.blob.to_owned(), classes: None };
        let installed = self.store.put(model.name, stream, origin, &converted)?;
        for path in paths {
            fs::remove_file(&path).map_err(|e| Error::io(path.display(), e))?;
        }
        report(Event::Stored(stream, installed.path.clone()));
        Ok(installed)
    }

    /// Reads every byte of one model, or of all that are here, and compares with what was stored.
    pub fn verify(&self, name: Option<&str>) -> Result<Vec<Check>> {
        let models = match name {
            Some(name) => vec![self.named(name)?],
            None => self.all(),
        };
        let mut checks = Vec::new();
        for model in models {
            for stream in model.streams() {
                let health = match self.store.look(&model.name, stream) {
                    Stored::Absent => continue,
                    Stored::Here(installed) => self.store.health(&installed)?,
                    Stored::Damaged(health) => health,
                };
                checks.push(Check {
                    model: model.name.clone(),
                    stream,
                    health,
                    remedy: model.remedy(Some(stream)),
                });
            }
        }
        match name {
            Some(name) if checks.is_empty() => Err(self.not_installed(name)),
            _ => Ok(checks),
        }
    }

    /// The files of an installed model, of which one stream is enough.
    pub fn path(&self, name: &str) -> Result<Paths> {
        let model = self.named(name)?;
        let here = |stream| self.store.installed(name, stream).map(|installed| installed.path);
        let paths = Paths { rgb: here(Stream::Rgb), flow: here(Stream::Flow) };
        match (&paths.rgb, &paths.flow) {
            (None, None) => Err(self.missing(&model, model.streams()[0])),
            _ => Ok(paths),
        }
    }

    /// What there is of a stream of a released model.
    pub fn stream(&self, name: &str, stream: Stream) -> Stored {
        self.store.look(name, stream)
    }

    /// The file of one stream of an installed model.
    pub fn stream_path(&self, name: &str, stream: Stream) -> Result<PathBuf> {
        let model = self.named(name)?;
        match self.store.installed(name, stream) {
            Some(installed) if model.streams().contains(&stream) => Ok(installed.path),
            _ => Err(self.missing(&model, stream)),
        }
    }

    /// Why a stream of a model cannot be had, and what to do.
    fn missing(&self, model: &Named, stream: Stream) -> Error {
        let name = &model.name;
        let remedy = model.remedy(Some(stream));
        if !model.streams().contains(&stream) {
            return Error::Usage(format!("{name} has no {stream} stream; none was released"));
        }
        if let Stored::Damaged(health) = self.store.look(name, stream) {
            return Error::Usage(format!(
                "the {stream} stream of {name} is damaged: {health}; repair it with {remedy}"
            ));
        }
        match self.streams(name).is_empty() {
            true => self.not_installed(name),
            false => Error::Usage(format!(
                "the {stream} stream of {name} is not on this machine; {} it with {}",
                if model.released.is_some() { "fetch" } else { "add" },
                remedy.replace(" --overwrite", "")
            )),
        }
    }

    fn not_installed(&self, name: &str) -> Error {
        Error::Usage(format!("{name} is not on this machine; fetch it with `i3d models pull {name}`"))
    }

    /// Removes a model from this machine, unfinished downloads included; gives the bytes that became free.
    pub fn remove(&self, name: &str) -> Result<u64> {
        let model = self.named(name)?;
        match self.store.folder(&model.name).exists() {
            true => self.store.remove(&model.name),
            false => Err(self.not_installed(name)),
        }
    }
}

/// The stored form of a released checkpoint; `place` says where it came from.
fn released(
    model: &Model,
    stream: Stream,
    place: String,
    data: SourceData,
    convert: Convert,
) -> Result<Vec<u8>> {
    convert(&SourceFiles { model: model.name.to_string(), stream, place, labels: model.class_labels(), data })
}
