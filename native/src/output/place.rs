//! What the path of an output leads to.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// As many links in a row as Linux follows.
const MOST_LINKS: usize = 40;

/// Where content goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `-`, and `/dev/stdout` by any of its names.
    StandardOutput,
    /// A file that this process was given open, as in `/dev/fd/3`. It may have no other name.
    Descriptor(i32),
    /// A device or a pipe.
    Special(PathBuf),
    /// A file, there or not, with links followed: whoever links to a file means the file.
    File(PathBuf),
}

/// The place of an output, or why there is none.
pub fn of(path: &Path) -> Result<Place, String> {
    if path == Path::new("-") {
        return Ok(Place::StandardOutput);
    }
    let mut at = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match descriptor(&at) {
            Some(1) => return Ok(Place::StandardOutput),
            Some(number) => return Ok(Place::Descriptor(number)),
            None => {}
        }
        match fs::symlink_metadata(&at) {
            Ok(link) if link.is_symlink() => {
                let target = folder(&at).join(fs::read_link(&at).map_err(|e| e.to_string())?);
                // What a link of /proc says is no path if it leads to a pipe.
                let nowhere = fs::symlink_metadata(&target).is_err();
                if nowhere && fs::metadata(&at).is_ok_and(|found| is_special(&found)) {
                    return Ok(Place::Special(at));
                }
                at = target;
            }
            Ok(found) if found.is_dir() => return Err("it is a folder; give the name of a file".into()),
            Ok(found) if is_socket(&found) => {
                return Err("it is a socket; give the name of a file, a pipe or a device".into());
            }
            Ok(found) if is_special(&found) => return Ok(Place::Special(at)),
            Ok(_) => return Ok(Place::File(at)),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.to_string()),
            Err(_) if !folder(&at).is_dir() => {
                return Err("its folder does not exist; create that first".into());
            }
            Err(_) if at.as_os_str().as_encoded_bytes().ends_with(b"/") => {
                return Err("its name ends as that of a folder does; give the name of a file".into());
            }
            Err(_) => return Ok(Place::File(at)),
        }
    }
    Err("it is a link that leads to itself; give another name".into())
}

/// Fails for the name of a folder that means standard output, to which no folder goes.
pub fn check_folder_name(path: &Path) -> i3d::Result<()> {
    match path == Path::new("-") {
        true => Err(i3d::Error::Usage(
            "-: a folder of files does not go to standard output; give the name of a folder, be it ./-"
                .into(),
        )),
        false => Ok(()),
    }
}

/// The folder of a file.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Opens what is no file of its own, and makes sure that it can be written.
pub fn open(place: &Place) -> Result<File, String> {
    let opened = match place {
        Place::Descriptor(number) => duplicate(*number),
        Place::Special(path) => open_special(path),
        Place::StandardOutput | Place::File(_) => return Err("it is not a device".into()),
    };
    let mut file = opened.map_err(|e| e.to_string())?;
    // Nothing is written, and yet a full device and one that is open for reading alone say so.
    file.write(&[]).map_err(|e| e.to_string())?;
    Ok(file)
}

#[cfg(unix)]
mod system {
    use std::fs::{File, Metadata, OpenOptions};
    use std::io;
    use std::os::fd::BorrowedFd;
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    use std::path::Path;
    use std::time::{Duration, Instant};

    use nix::libc::{ENXIO, O_NONBLOCK};

    /// How long a pipe may be without a reader: whoever starts both at once needs a moment.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// The number of an open file of this process, if the path is one of the names that systems have for such.
    pub fn descriptor(path: &Path) -> Option<i32> {
        let number = path.file_name()?.to_str()?.parse().ok().filter(|&number| number >= 0)?;
        let folder = super::folder(path);
        let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
        let own = Path::new("/proc").join(std::process::id().to_string());
        let ours = folder == Path::new("/dev/fd") || (folder.starts_with(own) && folder.ends_with("fd"));
        ours.then_some(number)
    }

    pub fn is_special(found: &Metadata) -> bool {
        !found.is_file() && !found.is_dir()
    }

    pub fn is_socket(found: &Metadata) -> bool {
        found.file_type().is_socket()
    }

    pub fn duplicate(number: i32) -> io::Result<File> {
        // SAFETY: the number is borrowed for one call, which fails if nothing is open under it.
        let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
        borrowed.try_clone_to_owned().map(File::from)
    }

    pub fn open_special(path: &Path) -> io::Result<File> {
        if std::fs::metadata(path)?.file_type().is_fifo() {
            let start = Instant::now();
            // To open a pipe that nobody reads would wait without end. While it is held open here, opening it again waits for
            // nobody.
            let _reader = loop {
                match OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(path) {
                    Err(e) if e.raw_os_error() == Some(ENXIO) && start.elapsed() < PATIENCE => {
                        std::thread::sleep(Duration::from_millis(10));
                    }
                    Err(e) if e.raw_os_error() == Some(ENXIO) => {
                        let problem = "it is a pipe that nobody reads; start the program that reads it first";
                        return Err(io::Error::other(problem));
                    }
                    opened => break opened?,
                }
            };
            return File::options().write(true).open(path);
        }
        File::options().write(true).open(path)
    }
}

#[cfg(not(unix))]
mod system {
    use std::fs::{File, Metadata};
    use std::io;
    use std::path::Path;

    pub fn descriptor(_: &Path) -> Option<i32> {
        None
    }

    pub fn is_special(found: &Metadata) -> bool {
        !found.is_file() && !found.is_dir()
    }

    pub fn is_socket(_: &Metadata) -> bool {
        false
    }

    pub fn duplicate(_: i32) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn open_special(path: &Path) -> io::Result<File> {
        File::options().write(true).open(path)
    }
}

use system::{descriptor, duplicate, is_socket, is_special, open_special};

/// Whether it is a disk or the like: a device that keeps what is written.
pub fn is_block_device(path: &Path) -> bool {
    #[cfg(unix)]
    return fs::metadata(path)
        .is_ok_and(|found| std::os::unix::fs::FileTypeExt::is_block_device(&found.file_type()));
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// What tells one file from another: two names of one file have one identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    StandardOutput,
    /// Device and number on it.
    #[cfg(unix)]
    File(u64, u64),
    /// A path without links.
    Path(PathBuf),
}

impl Place {
    /// Which file it is; none where several may use it at once, as a terminal.
    pub fn identity(&self) -> Option<Identity> {
        match self {
            Place::StandardOutput => Some(Identity::StandardOutput),
            Place::Descriptor(number) => of_open(&duplicate(*number).ok()?),
            Place::Special(path) => identity(path),
            Place::File(path) => identity(path).or_else(|| {
                let folder = fs::canonicalize(folder(path)).ok()?;
                Some(Identity::Path(folder.join(path.file_name()?)))
            }),
        }
    }
}

/// Which file a path leads to, if there is one of which anything can be lost.
pub fn identity(path: &Path) -> Option<Identity> {
    #[cfg(unix)]
    return of_metadata(&fs::metadata(path).ok()?);
    #[cfg(not(unix))]
    fs::canonicalize(path).ok().map(Identity::Path)
}

#[cfg(unix)]
fn of_metadata(found: &fs::Metadata) -> Option<Identity> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    (!found.file_type().is_char_device()).then(|| Identity::File(found.dev(), found.ino()))
}

/// Which file standard output or error goes to.
pub fn of_open(file: &File) -> Option<Identity> {
    #[cfg(unix)]
    return of_metadata(&file.metadata().ok()?);
    #[cfg(not(unix))]
    {
        let _ = file;
        None
    }
}

/// The files that standard output and standard error are, where they are files.
pub fn standard_streams() -> impl Iterator<Item = (&'static str, Identity)> {
    let streams = [(1, "standard output"), (2, "standard error")];
    streams.into_iter().filter_map(|(number, name)| {
        let file = duplicate(number).ok()?;
        file.metadata().ok()?.is_file().then(|| of_open(&file).map(|identity| (name, identity)))?
    })
}
