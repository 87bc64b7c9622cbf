//! Data out: standard output, devices and pipes as they are, and files that appear whole or not at all.
//!
//! `place.rs` says what a path leads to, `temporary.rs` keeps unfinished files under names of their own, `folder.rs` fills
//! folders, and `kind.rs` tells by its content what lies at a path already. Which outputs a command has, and whether
//! they may be written, is checked in `claims.rs` before any work.

mod folder;
pub mod kind;
pub mod place;
mod temporary;

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use i3d::{Error, Result};
use serde::Serialize;
use tempfile::NamedTempFile;

pub use folder::{FolderLock, OutputFolder};
use place::Place;
pub use temporary::{
    file as temporary_file, remove_leftovers, remove_temporaries, start_writer, wait_for_writer,
    wait_if_ending,
};

/// What errors call standard output.
const STANDARD_OUTPUT: &str = "standard output";

/// Writes to standard output.
pub fn print(text: impl std::fmt::Display) -> Result<()> {
    let mut out = anstream::stdout().lock();
    write!(out, "{text}").and_then(|()| out.flush()).map_err(|e| Error::io(STANDARD_OUTPUT, e))
}

/// Whether standard output ended because its reader, such as `head`, has seen enough.
pub fn reader_is_gone(error: &Error) -> bool {
    matches!(error, Error::Io { place, source }
        if place == STANDARD_OUTPUT && source.kind() == ErrorKind::BrokenPipe)
}

/// Where `--json` goes.
pub enum Json {
    /// Nobody asked for it.
    Nowhere,
    /// `--json -`
    StandardOutput,
    /// `--json PATH`
    File(Output),
}

impl Json {
    /// Makes sure that the path, if there is one, can be written.
    pub fn open(path: Option<&Path>) -> Result<Json> {
        Ok(match path.map(Output::create).transpose()? {
            None => Json::Nowhere,
            Some(output) if output.is_standard_output() => Json::StandardOutput,
            Some(output) => Json::File(output),
        })
    }

    /// Writes the document; gives whether standard output is free for text.
    pub fn write(self, document: &impl Serialize) -> Result<bool> {
        let text = serde_json::to_string_pretty(document);
        let text = text.map_err(|e| Error::Usage(format!("the numbers are no JSON: {e}")))? + "\n";
        match self {
            Json::Nowhere => Ok(true),
            Json::StandardOutput => print(text).map(|()| false),
            Json::File(output) => output.finish(text.as_bytes()).map(|()| true),
        }
    }
}

/// Something to be written. It is tried before the work starts, so that a path which cannot be written is found at once.
/// A file's content goes to a temporary name and is renamed when it is complete; a device or a pipe is written to as it is.
pub struct Output {
    /// As it was given.
    path: PathBuf,
    way: Way,
}

/// How content gets there.
enum Way {
    /// To a file, which is made or replaced; links are followed.
    File(PathBuf),
    StandardOutput,
    /// Into a device, a pipe, or a file that somebody else has opened.
    Open(File),
}

impl Output {
    /// Makes sure that `path` can be written; nothing of the trial stays. `-` is standard output.
    pub fn create(path: &Path) -> Result<Output> {
        let fail = |reason: String| unwritable(path, reason);
        let way = match place::of(path).map_err(fail)? {
            Place::File(file) => Way::File(file),
            Place::StandardOutput => Way::StandardOutput,
            opened => Way::Open(place::open(&opened).map_err(fail)?),
        };
        let output = Output { path: path.to_path_buf(), way };
        if let Way::File(_) = output.way {
            output.temporary()?;
        }
        Ok(output)
    }

    /// Whether it goes to standard output, where there must be nothing else then.
    pub fn is_standard_output(&self) -> bool {
        matches!(self.way, Way::StandardOutput)
    }

    /// Writes the content and gives the file its name.
    pub fn finish(self, content: &[u8]) -> Result<()> {
        let whole = |out: &mut dyn Write| out.write_all(content).and_then(|()| out.flush());
        match &self.way {
            Way::File(_) => {
                let mut file = self.temporary()?;
                whole(&mut file).map_err(|e| self.failed(e))?;
                self.keep(file)
            }
            Way::StandardOutput => whole(&mut io::stdout().lock()).map_err(|e| Error::io(STANDARD_OUTPUT, e)),
            Way::Open(file) => whole(&mut &*file).map_err(|e| self.failed(e)),
        }
    }

    /// Gives a complete temporary file its name, or copies it to where it has none.
    pub fn keep(self, file: NamedTempFile) -> Result<()> {
        let copy = |out: &mut dyn Write| {
            io::copy(&mut file.reopen()?, out)?;
            out.flush()
        };
        match &self.way {
            Way::File(path) => temporary::rename(file, path).map_err(|e| self.failed(e)),
            Way::StandardOutput => copy(&mut io::stdout().lock()).map_err(|e| Error::io(STANDARD_OUTPUT, e)),
            Way::Open(open) => copy(&mut &*open).map_err(|e| self.failed(e)),
        }
    }

    /// A file beside the output, for content that comes in pieces; dropped, it is deleted.
    pub fn temporary(&self) -> Result<NamedTempFile> {
        let file = match &self.way {
            Way::File(path) => temporary::file(place::folder(path)),
            // A film or an array is not written from its beginning to its end.
            Way::StandardOutput | Way::Open(_) => temporary::file(&std::env::temp_dir()),
        };
        file.map_err(|e| match e.kind() {
            ErrorKind::PermissionDenied => self.error("its folder is write-protected; choose another"),
            _ => self.failed(e),
        })
    }

    /// The error of a write that failed.
    pub fn failed(&self, error: io::Error) -> Error {
        self.error(temporary::reason(error))
    }

    /// An error about this output.
    pub fn error(&self, reason: impl std::fmt::Display) -> Error {
        match self.way {
            Way::StandardOutput => unwritable(Path::new(STANDARD_OUTPUT), reason),
            _ => unwritable(&self.path, reason),
        }
    }
}

/// The error about a path that cannot be written.
pub fn unwritable(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::io(path.display(), io::Error::other(format!("cannot be written, because {reason}")))
}
