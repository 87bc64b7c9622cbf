//! Inputs that can be read once, as files that can be read again: standard input, pipes and `<(...)`.
//!
//! A video is looked at more than once (what is in it, how long it is, its frames), and most containers keep their index at the end. So
//! what comes through a pipe is written to a temporary file first.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use i3d::{Error, Result};
use tempfile::TempPath;

use crate::output;

/// How long a pipe may give nothing: a FIFO that nobody writes to would be waited for without end.
const PATIENCE: Duration = Duration::from_secs(20);

/// What `-` stands for.
const STANDARD_INPUT: &str = "/dev/stdin";

/// A path that can be opened as often as is needed.
#[derive(Debug, Clone)]
pub struct Readable {
    /// The file or folder.
    pub path: PathBuf,
    /// Keeps the copy of a pipe until nobody reads it any more.
    _copy: Option<Arc<TempPath>>,
}

impl Readable {
    /// A file or folder as it is; `-` and pipes as a temporary copy.
    ///
    /// # Errors
    /// Devices, pipes that nobody writes to, and disks without room.
    pub fn open(path: &Path) -> Result<Readable> {
        let named = if path == Path::new("-") { Path::new(STANDARD_INPUT) } else { path };
        match std::fs::metadata(named) {
            Ok(meta) if is_pipe(&meta) => copy(path, named),
            // `program - < file`: the decoder has a standard input of its own, so it needs the file's name, unless that is gone.
            Ok(meta) if meta.is_file() && is_of_this_process(named) => match named.canonicalize() {
                Ok(file) if file.is_file() => Ok(Readable { path: file, _copy: None }),
                _ => copy(path, named),
            },
            Ok(meta) if !meta.is_file() && !meta.is_dir() => {
                let problem = "this is a device or a socket; give a file, a folder of images, or `-` for standard input";
                Err(Error::video(path.display(), problem))
            }
            Err(error) if path != named => Err(Error::io(path.display(), error)),
            // What is not there is told by whoever opens it, and may be a pattern.
            _ => Ok(Readable { path: path.to_owned(), _copy: None }),
        }
    }
}

/// Whether a path means something else to every process.
fn is_of_this_process(path: &Path) -> bool {
    path.starts_with("/dev") || path.starts_with("/proc")
}

fn is_pipe(meta: &Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::FileTypeExt::is_fifo(&meta.file_type());
    #[cfg(not(unix))]
    return !meta.is_file() && !meta.is_dir();
}

fn copy(place: &Path, pipe: &Path) -> Result<Readable> {
    let failed = |problem: String| Error::video(place.display(), problem);
    let (sender, pieces) = sync_channel(4);
    let own = pipe.to_owned();
    std::thread::spawn(move || read(&own, &sender));
    let file = output::temporary_file(&std::env::temp_dir());
    let mut file = file.map_err(|e| failed(format!("it cannot be copied to a temporary file ({e})")))?;
    loop {
        match pieces.recv_timeout(PATIENCE) {
            Ok(Ok(bytes)) => file.write_all(&bytes).map_err(|e| {
                failed(format!("it cannot be copied to a temporary file ({e}); set TMPDIR to a larger disk"))
            })?,
            Ok(Err(error)) => return Err(Error::io(place.display(), error)),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let seconds = PATIENCE.as_secs();
                return Err(failed(format!(
                    "nothing came through this pipe for {seconds} s; start the program that writes to it, or give a file"
                )));
            }
        }
    }
    let copy = file.into_temp_path();
    Ok(Readable { path: copy.to_path_buf(), _copy: Some(Arc::new(copy)) })
}

/// Sends what comes through the pipe, until its end or until nobody takes it. Opening a FIFO waits for its writer, so it happens here.
fn read(pipe: &Path, sender: &SyncSender<std::io::Result<Vec<u8>>>) {
    let mut file = match File::open(pipe) {
        Ok(file) => file,
        Err(error) => {
            // Nobody may be waiting any more.
            let _ = sender.send(Err(error));
            return;
        }
    };
    let mut buffer = vec![0; 1 << 18];
    loop {
        let piece = match file.read(&mut buffer) {
            Ok(0) => return,
            Ok(bytes) => Ok(buffer[..bytes].to_vec()),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = piece.is_err();
        if sender.send(piece).is_err() || failed {
            return;
        }
    }
}
