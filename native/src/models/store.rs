//! Models on this machine: `<cache>/i3d/models/<name>/{rgb,flow}.safetensors`, each with a record of its origin.
//!
//! A stream counts as installed when its record is there and agrees with the file. Files are written under a
//! temporary name and renamed, the record last, so whatever interrupts a pull leaves nothing that looks installed.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use i3d::network::Stream;
use i3d::{Error, Result};
use serde::{Deserialize, Serialize};

use super::download::cannot_write;
use super::hash;
use crate::{cache, output};

/// The folder that holds one folder per model.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// What `rgb.source.json` and `flow.source.json` say about the file beside them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where the weights came from.
    pub url: String,
    /// Git blob id of the file that holds the weights.
    pub blob: String,
    /// SHA-256 of the stored file.
    pub sha256: String,
    /// Length of the stored file in bytes.
    pub size: u64,
    /// Version of the program that converted it.
    pub version: String,
    /// Length of the logits; of models that were added, and not released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
}

/// Where a stream's weights came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Their address.
    pub url: String,
    /// Git blob id of the file that holds the weights.
    pub blob: String,
    /// Length of the logits, of models that were not released.
    pub classes: Option<usize>,
}

/// What there is of a stream, as far as its record and the length of its file tell.
#[derive(Debug, Clone)]
pub enum Stored {
    /// Nothing that was ever whole.
    Absent,
    /// All of it.
    Here(Installed),
    /// It was installed, and its file is gone or has another length.
    Damaged(Health),
}

/// A stream that is on this machine.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The safetensors file.
    pub path: PathBuf,
    /// Its origin and fingerprint.
    pub record: Record,
}

/// What a look at every byte of a stored file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// The bytes are those that were stored.
    Good,
    /// The bytes are others.
    Damaged {
        /// SHA-256 in the record.
        expected: String,
        /// SHA-256 of the file.
        found: String,
    },
    /// The file has another length, or is gone.
    Length {
        /// Bytes that were stored.
        expected: u64,
        /// Bytes that are there.
        found: Option<u64>,
    },
}

impl Store {
    /// The store in the cache folder.
    pub fn open() -> Result<Store> {
        Ok(Store::at(&cache::folder()?))
    }

    /// The store in the folder `cache` of this program; nothing is created yet.
    pub fn at(cache: &Path) -> Store {
        Store { root: cache.join("models") }
    }

    /// The folder of a model.
    pub fn folder(&self, model: &str) -> PathBuf {
        self.root.join(model)
    }

    /// The folder that a model's downloads pass through.
    pub fn downloads(&self, model: &str) -> PathBuf {
        self.folder(model).join("downloads")
    }

    /// Where the weights of a stream lie or would lie.
    pub fn weights(&self, model: &str, stream: Stream) -> PathBuf {
        self.folder(model).join(format!("{stream}.safetensors"))
    }

    fn record(&self, model: &str, stream: Stream) -> PathBuf {
        self.folder(model).join(format!("{stream}.source.json"))
    }

    /// The stream, if it is here; see [`Store::look`].
    pub fn installed(&self, model: &str, stream: Stream) -> Option<Installed> {
        match self.look(model, stream) {
            Stored::Here(installed) => Some(installed),
            _ => None,
        }
    }

    /// What there is of a stream: cheap, compares the length alone. [`Store::health`] reads every byte.
    pub fn look(&self, model: &str, stream: Stream) -> Stored {
        let record = fs::read(self.record(model, stream)).ok();
        let Some(record) = record.and_then(|text| serde_json::from_slice::<Record>(&text).ok()) else {
            return Stored::Absent;
        };
        let path = self.weights(model, stream);
        match fs::metadata(&path).ok().map(|about| about.len()) {
            Some(size) if size == record.size => Stored::Here(Installed { path, record }),
            found => Stored::Damaged(Health::Length { expected: record.size, found }),
        }
    }

    /// Every folder that holds a stream's record, in the order of the names.
    pub fn names(&self) -> Vec<String> {
        let folders = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let names = folders.filter_map(|folder| folder.file_name().into_string().ok());
        let holds =
            |name: &String| [Stream::Rgb, Stream::Flow].iter().any(|s| self.record(name, *s).is_file());
        let mut names: Vec<String> = names.filter(holds).collect();
        names.sort();
        names
    }

    /// Reads every byte of an installed stream and compares.
    pub fn health(&self, installed: &Installed) -> Result<Health> {
        let found = hash::sha256(&installed.path).map_err(|e| Error::io(installed.path.display(), e))?;
        Ok(match &installed.record.sha256 {
            expected if *expected == found => Health::Good,
            expected => Health::Damaged { expected: expected.clone(), found },
        })
    }

    /// Stores a stream's weights and the record of their origin.
    pub fn put(&self, model: &str, stream: Stream, origin: Origin, weights: &[u8]) -> Result<Installed> {
        let path = self.weights(model, stream);
        let Origin { url, blob, classes } = origin;
        let record = Record {
            url,
            blob,
            classes,
            sha256: hash::sha256_bytes(weights),
            size: weights.len() as u64,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let text = serde_json::to_vec_pretty(&record)
            .map_err(|e| Error::io(self.record(model, stream).display(), e.into()))?;
        // An older record must not vouch for the new file, not even for a moment.
        remove_file(&self.record(model, stream))?;
        write(&path, weights)?;
        write(&self.record(model, stream), &text)?;
        Ok(Installed { path, record })
    }

    /// Removes everything of a model, unfinished downloads included; gives the bytes that became free.
    pub fn remove(&self, model: &str) -> Result<u64> {
        let folder = self.folder(model);
        let bytes = size(&folder).map_err(|e| Error::io(folder.display(), e))?;
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(folder.display(), error)),
            _ => Ok(bytes),
        }
    }

    /// Removes one stream; nothing happens where it is not there.
    pub fn remove_stream(&self, model: &str, stream: Stream) -> Result<()> {
        remove_file(&self.record(model, stream))?;
        remove_file(&self.weights(model, stream))
    }

    /// Removes a model's folder where nothing is in it, and the lock that somebody left.
    pub fn tidy(&self, model: &str) {
        // A folder that still holds something cannot be removed, which is as it should be.
        let _ = fs::remove_file(self.downloads(model).join("lock"));
        let _ = fs::remove_dir(self.downloads(model));
        let _ = fs::remove_dir(self.folder(model));
    }

    /// Creates the folders of a model and keeps other pulls of it away for as long as the guard lives: two of them
    /// would write into the same part file.
    pub fn lock(&self, model: &str) -> Result<Guard> {
        let folder = self.downloads(model);
        fs::create_dir_all(&folder).map_err(|e| Error::io(folder.display(), e))?;
        let path = folder.join("lock");
        let file = File::create(&path).map_err(|e| Error::io(path.display(), e))?;
        match file.try_lock() {
            Ok(()) => Ok(Guard { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Usage(format!(
                "{model} is being pulled by another i3d; wait until that one is done"
            ))),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                // Some network file systems know no locks; pulling once is still fine there.
                Ok(Guard { _file: file })
            }
            Err(TryLockError::Error(error)) => Err(Error::io(path.display(), error)),
        }
    }
}

/// Keeps a model locked; see [`Store::lock`].
#[derive(Debug)]
pub struct Guard {
    _file: File,
}

/// Writes a file under a temporary name in the same folder, then renames it.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: io::Error| cannot_write(path, Some(bytes.len() as u64), error);
    let folder = path.parent().unwrap_or(Path::new("."));
    // What a pull that was killed left unfinished.
    output::remove_leftovers(folder);
    let mut file = output::temporary_file(folder).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(path.display(), error)),
        _ => Ok(()),
    }
}

/// Bytes in all files below a folder; 0 where it does not exist.
fn size(folder: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
