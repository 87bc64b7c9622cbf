//! Folders out: filled under a temporary name, or one after the other's turn.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use i3d::{Error, Result};
use tempfile::TempDir;

use super::place;
use super::temporary;

/// A folder to be filled, under a temporary name until it is complete.
pub struct OutputFolder {
    /// As it was given.
    path: PathBuf,
    /// The same with links followed, where it is there.
    place: PathBuf,
    folder: TempDir,
    /// What keeps others from taking the temporary folder for a leftover.
    _lock: Option<File>,
    /// Whether the temporary folder lies in the one to be filled, rather than beside it.
    inside: bool,
}

impl OutputFolder {
    /// Makes sure that `path` is free: not there, or an empty folder.
    pub fn create(path: &Path) -> Result<OutputFolder> {
        let fail = |source: std::io::Error| Error::io(path.display(), source);
        place::check_folder_name(path)?;
        let there = path.is_dir();
        match fs::symlink_metadata(path) {
            Ok(_) if !there => {
                let what = if path.is_file() { "a file" } else { "not a folder" };
                let problem = "give a new folder, or a name that ends in .mp4 or .gif";
                return Err(Error::Usage(format!("{}: it is {what}; {problem}", path.display())));
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(super::unwritable(path, error)),
            _ => {}
        }
        if there {
            temporary::remove_leftovers(path);
            if fs::read_dir(path).map_err(fail)?.next().is_some() {
                let problem = format!("{}: the folder is not empty; give a new one", path.display());
                return Err(Error::Usage(problem));
            }
        }
        let place = if there { fs::canonicalize(path).map_err(fail)? } else { path.to_path_buf() };
        let parent = place::folder(&place);
        if !parent.is_dir() {
            return Err(super::unwritable(path, "its folder does not exist; create that first"));
        }
        temporary::remove_leftovers(parent);
        // Another file system begins at the folder, or what lies around it is somebody else's.
        let (made, inside) = match same_device(&place, parent).then(|| temporary::directory(parent)) {
            None => (temporary::directory(&place), true),
            Some(Err(_)) if there => (temporary::directory(&place), true),
            Some(beside) => (beside, false),
        };
        let (folder, lock) = made.map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => {
                super::unwritable(path, "its folder is write-protected; choose another")
            }
            _ => super::unwritable(path, temporary::reason(error)),
        })?;
        Ok(OutputFolder { path: path.to_path_buf(), place, folder, _lock: lock, inside })
    }

    /// Where its files are written.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the folder its name.
    pub fn finish(self) -> Result<()> {
        let done = match self.inside {
            true => temporary::move_up(self.folder, &self.place),
            false => temporary::rename_directory(self.folder, &self.place),
        };
        done.map_err(|e| Error::io(self.path.display(), e))
    }

    /// An error about this folder.
    pub fn error(&self, source: std::io::Error) -> Error {
        Error::io(self.path.display(), source)
    }
}

/// Whether a folder, if it is there, lies on the device of the one that it lies in.
fn same_device(folder: &Path, parent: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
        device(folder).is_none_or(|own| device(parent) == Some(own))
    }
    #[cfg(not(unix))]
    {
        let _ = (folder, parent);
        true
    }
}

/// A folder in which files are written and replaced for as long as a command runs, by this process alone.
pub struct FolderLock {
    _folder: Option<File>,
}

impl FolderLock {
    /// Makes the folder where it is not there, and deletes what a killed command left unfinished in it.
    ///
    /// # Errors
    /// Folders that cannot be made, and those in which another process writes.
    pub fn take(path: &Path) -> Result<FolderLock> {
        fs::create_dir_all(path).map_err(|e| super::unwritable(path, e))?;
        // Not every system opens folders, nor locks them.
        let folder = File::open(path).ok();
        if let Some(Err(TryLockError::WouldBlock)) = folder.as_ref().map(File::try_lock) {
            let problem = "another i3d is writing there; wait until it ends, or give another folder";
            return Err(Error::Usage(format!("{}: {problem}", path.display())));
        }
        temporary::remove_leftovers(path);
        Ok(FolderLock { _folder: folder })
    }
}
