//! Unfinished files and folders: under names of their own, deleted when the program is told to end, and recognised as
//! nobody's when it was killed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{Builder, NamedTempFile, TempDir};

/// How temporary names begin and end.
const PREFIX: &str = ".i3d-";
const SUFFIX: &str = ".part";

/// Attempts to make a file that nobody takes for a leftover in the moment before it is locked.
const TRIES: usize = 10;

/// Attempts to delete a folder into which other threads still write.
const DELETIONS: usize = 1000;

/// What is unfinished.
struct Unfinished {
    /// Temporary files and folders that exist now.
    paths: Vec<PathBuf>,
    /// Programs that write into them.
    writers: Vec<u32>,
}

/// Whoever makes or renames something unfinished holds this, so that nothing appears any more once
/// [`remove_temporaries`] has it.
static UNFINISHED: Mutex<Unfinished> = Mutex::new(Unfinished { paths: Vec::new(), writers: Vec::new() });

fn unfinished() -> MutexGuard<'static, Unfinished> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Deletes everything that is not complete; for the moment in which the program is told to end. Whoever wants a
/// temporary file afterwards waits for that end.
pub fn remove_temporaries() {
    let mut unfinished = unfinished();
    // They would make the files anew.
    unfinished.writers.drain(..).for_each(end);
    for path in unfinished.paths.drain(..) {
        if path.is_dir() {
            // A file may have come into it since it was looked through.
            let gone = || fs::remove_dir_all(&path).is_ok() || !path.exists();
            let _ = (0..DELETIONS).any(|_| gone());
        } else {
            // What cannot be deleted is gone already: it was renamed.
            let _ = fs::remove_file(&path);
        }
    }
    std::mem::forget(unfinished);
}

/// Waits for the end if the program was told to end: an error that comes of deleted files is none to be told.
pub fn wait_if_ending() {
    drop(unfinished());
}

/// Starts a program that writes into a temporary file. It is ended, should this one be told to end.
pub fn start_writer(command: &mut Command) -> io::Result<Child> {
    let mut unfinished = unfinished();
    let child = command.spawn()?;
    unfinished.writers.push(child.id());
    Ok(child)
}

/// Waits for the end of such a program, which has all of its input.
pub fn wait_for_writer(child: Child) -> io::Result<Output> {
    // Once it has ended, its number may be that of another program.
    unfinished().writers.retain(|known| *known != child.id());
    child.wait_with_output()
}

fn end(writer: u32) {
    #[cfg(unix)]
    {
        use nix::sys::signal::{Signal, kill};
        // It may have ended by itself.
        let _ = i32::try_from(writer).map(|id| kill(nix::unistd::Pid::from_raw(id), Signal::SIGKILL));
    }
    #[cfg(not(unix))]
    let _ = writer;
}

/// A temporary file in `folder`.
pub fn file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut unfinished = unfinished();
    for _ in 0..TRIES {
        let file = builder(0o666).tempfile_in(folder)?;
        if hold(file.as_file(), file.path()) {
            unfinished.paths.push(file.path().to_path_buf());
            return Ok(file);
        }
    }
    Err(io::Error::other("temporary files vanish as soon as they are made"))
}

/// A temporary folder in `folder`, and what keeps others from taking it for a leftover.
pub fn directory(folder: &Path) -> io::Result<(TempDir, Option<File>)> {
    let mut unfinished = unfinished();
    for _ in 0..TRIES {
        let directory = builder(0o777).tempdir_in(folder)?;
        // Not every system opens folders; leftovers are looked for on those that do.
        let open = File::open(directory.path()).ok();
        if open.as_ref().is_none_or(|open| hold(open, directory.path())) {
            unfinished.paths.push(directory.path().to_path_buf());
            return Ok((directory, open));
        }
    }
    Err(io::Error::other("temporary folders vanish as soon as they are made"))
}

/// Names like no others, and the permissions of any new file, less what the user's mask takes away.
fn builder(mode: u32) -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

/// Locks what was just made: a lock ends with its process, however that ends. False where somebody took it for a
/// leftover in between.
fn hold(file: &File, path: &Path) -> bool {
    // Elsewhere a lock also keeps other programs from writing, and one of them may be the encoder of a film.
    if cfg!(not(unix)) {
        return true;
    }
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) && path.exists()
}

/// What an error says, without the name of a temporary file, which nobody knows and which is gone.
pub fn reason(error: io::Error) -> String {
    let text = error.to_string();
    // As the crate puts it that makes temporary files.
    text.split_once(" at path \"").map_or(text.as_str(), |(reason, _)| reason).to_string()
}

/// Gives a complete temporary file its name. A file that had the name leaves its owner and permissions.
pub fn rename(file: NamedTempFile, path: &Path) -> io::Result<()> {
    if let Ok(old) = fs::metadata(path) {
        inherit(file.as_file(), &old);
        // What is on the disk already must not be lost for something that is not yet there, should the power fail.
        file.as_file().sync_all()?;
    }
    let mut unfinished = unfinished();
    let name = file.path().to_path_buf();
    file.persist(path).map_err(|e| e.error)?;
    unfinished.paths.retain(|known| *known != name);
    Ok(())
}

fn inherit(file: &File, old: &fs::Metadata) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        // Neither is everybody's to give, and the file is as good without.
        let _ = std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()));
    }
    let _ = file.set_permissions(old.permissions());
}

/// Gives a complete temporary folder its name.
pub fn rename_directory(directory: TempDir, path: &Path) -> io::Result<()> {
    let mut unfinished = unfinished();
    // A folder may take the place of an empty one, but not everywhere.
    if cfg!(not(unix)) && path.is_dir() {
        fs::remove_dir(path)?;
    }
    fs::rename(directory.path(), path)?;
    unfinished.paths.retain(|known| known != directory.path());
    // The temporary name is gone; nothing is left to clean up.
    let _ = directory.keep();
    Ok(())
}

/// Moves everything in a complete temporary folder up into the one that it lies in.
pub fn move_up(directory: TempDir, path: &Path) -> io::Result<()> {
    let mut unfinished = unfinished();
    for entry in fs::read_dir(directory.path())? {
        let entry = entry?;
        fs::rename(entry.path(), path.join(entry.file_name()))?;
    }
    unfinished.paths.retain(|known| known != directory.path());
    directory.close()
}

/// Whether a path has the name of something unfinished.
pub fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// Deletes what programs that were killed left unfinished in `folder`. What a running program holds stays.
pub fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if !is_temporary(&path) || !is_abandoned(&path) {
            continue;
        }
        // What stays does no harm.
        let _ = match entry.file_type() {
            Ok(kind) if kind.is_dir() => fs::remove_dir_all(&path),
            _ => fs::remove_file(&path),
        };
    }
}

fn is_abandoned(path: &Path) -> bool {
    // Where temporary files are not locked, they cannot be deleted while somebody has them open either.
    cfg!(not(unix)) || File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}
