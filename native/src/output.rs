//! Data out: standard output, and files that appear whole or not at all.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use i3d::{Error, Result};
use serde::Serialize;
use tempfile::{NamedTempFile, TempDir};

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
        Ok(match path {
            None => Json::Nowhere,
            Some(path) if path == Path::new("-") => Json::StandardOutput,
            Some(path) => Json::File(Output::create(path)?),
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

/// Temporary files and folders that exist now, for [`remove_temporaries`].
static TEMPORARIES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn temporaries() -> MutexGuard<'static, Vec<PathBuf>> {
    TEMPORARIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers a temporary file or folder until it gets its name or is deleted.
pub fn remember(path: &Path) {
    temporaries().push(path.to_path_buf());
}

/// Deletes everything that is not complete; for the moment in which the program is told to end.
pub fn remove_temporaries() {
    for path in temporaries().drain(..) {
        // What cannot be deleted is gone already: it was renamed.
        let _ = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
    }
}

/// Deletes the unfinished files in `folder` that a program left which was killed.
pub fn remove_leftovers(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            // What stays does no harm.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// How temporary names begin and end.
const PREFIX: &str = ".i3d-";
const SUFFIX: &str = ".part";

/// A file to be written. It is tried before the work starts, so that a path which cannot be written is found at once;
/// its content goes to a temporary name and is renamed when it is complete.
pub struct Output(PathBuf);

impl Output {
    /// Makes sure that `path` can be written; nothing of the trial stays.
    pub fn create(path: &Path) -> Result<Output> {
        let output = Output(path.to_path_buf());
        if path.is_dir() {
            return Err(output.error("it is a folder; give the name of a file"));
        }
        if !output.folder().is_dir() {
            return Err(output.error("its folder does not exist; create that first"));
        }
        output.temporary().map(|_| output)
    }

    /// Writes the content and gives the file its name.
    pub fn finish(self, content: &[u8]) -> Result<()> {
        let mut file = self.temporary()?;
        file.write_all(content).and_then(|()| file.flush()).map_err(|e| self.error(e))?;
        self.keep(file)
    }

    /// Gives a complete temporary file its name.
    pub fn keep(self, file: NamedTempFile) -> Result<()> {
        share(file.path(), 0o644);
        file.persist(&self.0).map(drop).map_err(|e| self.error(e.error))
    }

    /// A file beside the output, for content that comes in pieces; dropped, it is deleted.
    pub fn temporary(&self) -> Result<NamedTempFile> {
        let file = tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).tempfile_in(self.folder());
        let file = file.inspect(|file| remember(file.path()));
        file.map_err(|e| match e.kind() {
            ErrorKind::PermissionDenied => self.error("its folder is write-protected; choose another"),
            _ => self.error(e),
        })
    }

    fn folder(&self) -> &Path {
        self.0.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// An error about this output.
    pub fn error(&self, reason: impl std::fmt::Display) -> Error {
        Error::io(self.0.display(), std::io::Error::other(format!("cannot be written, because {reason}")))
    }
}

/// A folder to be filled, under a temporary name until it is complete.
pub struct OutputFolder {
    path: PathBuf,
    folder: TempDir,
}

impl OutputFolder {
    /// Makes sure that `path` is free: not there, or an empty folder.
    pub fn create(path: &Path) -> Result<OutputFolder> {
        let fail = |source| Error::io(path.display(), source);
        if path.is_file() {
            let problem = "it is a file; give a new folder, or a name that ends in .mp4 or .gif";
            return Err(Error::Usage(format!("{}: {problem}", path.display())));
        }
        if path.is_dir() && std::fs::read_dir(path).map_err(fail)?.next().is_some() {
            let problem = format!("{}: the folder is not empty; give a new one", path.display());
            return Err(Error::Usage(problem));
        }
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder =
            tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).tempdir_in(parent).map_err(fail)?;
        remember(folder.path());
        Ok(OutputFolder { path: path.to_path_buf(), folder })
    }

    /// Where its files are written.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the folder its name.
    pub fn finish(self) -> Result<()> {
        if self.path.is_dir() {
            std::fs::remove_dir(&self.path).map_err(|e| self.error(e))?;
        }
        share(self.folder.path(), 0o755);
        std::fs::rename(self.folder.path(), &self.path).map_err(|e| self.error(e))?;
        // The temporary name is gone; nothing is left to clean up.
        let _ = self.folder.keep();
        Ok(())
    }

    /// An error about this folder.
    pub fn error(&self, source: std::io::Error) -> Error {
        Error::io(self.path.display(), source)
    }
}

/// Temporary files are private; a result should be as readable as any new file.
fn share(path: &Path, mode: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A file system without permissions is no reason to fail.
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
}
