//! The bytes of a file that somebody else may change, replace or never finish writing.
//!
//! They are copied: a map of a file that is cut short while it is read ends the process. Nothing here waits for what may never come.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use i3d::{Error, Result};

/// Bytes of the beginning and of the end by which a checkpoint's format is told.
const ENDS: (usize, usize) = (512, 8);

/// What a pipe may deliver: it does not say how much that is.
#[cfg(unix)]
const MOST_OF_A_PIPE: u64 = 4 << 30;

/// The bytes of a file, or of a pipe that somebody writes to.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    read_checked(path, |_| Ok(()))
}

/// The bytes of a file whose beginning and end `check` accepts; it sees them before the rest is read, so that a file of any size that is
/// something else takes neither time nor memory. Pipes are not checked.
pub fn read_checked(path: &Path, check: impl FnOnce(&[u8]) -> Result<()>) -> Result<Vec<u8>> {
    let failed = |source| Error::io(path.display(), source);
    let kind = std::fs::metadata(path).map_err(failed)?;
    if kind.is_file() {
        let mut file = open(path).map_err(failed)?;
        // What was a file a moment ago may be something else now.
        let about = file.metadata().map_err(failed)?;
        if about.is_file() {
            let ends = ends(&mut file, about.len()).map_err(failed)?;
            if let Some(ends) = ends {
                check(&ends)?;
            }
            return regular(&mut file, about.len()).map_err(failed);
        }
    }
    match kind.is_dir() {
        true => Err(failed(io::Error::other("this is a folder; give a file"))),
        false => pipe(path, &kind).map_err(failed),
    }
}

/// The first and the last bytes of a file that has more than that.
fn ends(file: &mut File, length: u64) -> io::Result<Option<Vec<u8>>> {
    let (first, last) = ENDS;
    if length <= (first + last) as u64 {
        return Ok(None);
    }
    let mut ends = Vec::new();
    file.by_ref().take(first as u64).read_to_end(&mut ends)?;
    file.seek(SeekFrom::End(-(last as i64)))?;
    file.by_ref().take(last as u64).read_to_end(&mut ends)?;
    file.rewind()?;
    Ok(Some(ends))
}

/// As many bytes as the file says it has. One that says it has none is not read at all: those of `/proc` say so, and some of them wait
/// for ever.
fn regular(file: &mut File, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if size == 0 {
        return Ok(bytes);
    }
    bytes.try_reserve_exact(size).map_err(|_| {
        io::Error::other(format!(
            "the file has {length} bytes, more than there is memory for; is it the right one?"
        ))
    })?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // A pipe that is put in the file's place must not make this wait.
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    File::options().read(true).custom_flags(flags as i32).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Whatever a pipe delivers until its writer is done.
#[cfg(unix)]
fn pipe(path: &Path, kind: &std::fs::Metadata) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::FileTypeExt;
    use std::time::{Duration, Instant};
    /// Until somebody opens the other end.
    const PATIENCE: Duration = Duration::from_secs(2);
    /// Between two looks at a pipe that is empty.
    const PAUSE: Duration = Duration::from_millis(5);

    if !kind.file_type().is_fifo() {
        return Err(no_file());
    }
    let mut pipe = open(path)?;
    let start = Instant::now();
    let mut bytes = Vec::new();
    let mut piece = vec![0; 1 << 16];
    // Somebody may hold the pipe open for as long as it takes; only a pipe that nobody writes to ends.
    let mut written = false;
    loop {
        match pipe.read(&mut piece) {
            Ok(0) if written || start.elapsed() > PATIENCE => break,
            Ok(0) => std::thread::sleep(PAUSE),
            Ok(count) => {
                written = true;
                bytes.try_reserve(count).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
                bytes.extend_from_slice(&piece[..count]);
                if bytes.len() as u64 > MOST_OF_A_PIPE {
                    return Err(io::Error::other(format!(
                        "this pipe delivers more than {MOST_OF_A_PIPE} bytes; write them to a file and give that"
                    )));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // A writer is there.
                written = true;
                std::thread::sleep(PAUSE);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    match written {
        true => Ok(bytes),
        false => Err(io::Error::other("nobody writes to this pipe; start the writer first, or give a file")),
    }
}

#[cfg(not(unix))]
fn pipe(_path: &Path, _kind: &std::fs::Metadata) -> io::Result<Vec<u8>> {
    Err(no_file())
}

fn no_file() -> io::Error {
    io::Error::other("this is a device, not a file; give a file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_whole_and_what_is_no_file_is_told() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a");
        let long = "words ".repeat(1000);
        for text in ["", "words", &long] {
            std::fs::write(&path, text).expect("it is written");
            assert_eq!(read(&path).expect("it is there"), text.as_bytes());
        }
        let mut seen = Vec::new();
        let check = |ends: &[u8]| {
            seen = ends.to_vec();
            Err(Error::Usage("no".into()))
        };
        assert!(read_checked(&path, check).is_err());
        assert_eq!(seen, [&long.as_bytes()[..512], &long.as_bytes()[5992..]].concat());
        assert!(read(&folder.path().join("missing")).is_err());
        let said = |path: &Path| read(path).expect_err("it is no file").to_string();
        assert!(said(folder.path()).ends_with("this is a folder; give a file"));
        #[cfg(unix)]
        assert_eq!(said(Path::new("/dev/zero")), "/dev/zero: this is a device, not a file; give a file");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_read_to_its_end_and_one_without_writer_is_told() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .expect("a pipe");
        let said = read(&path).expect_err("nobody writes").to_string();
        assert!(said.contains("nobody writes to this pipe"), "{said}");
        let writer = {
            let path = path.clone();
            std::thread::spawn(move || std::fs::write(path, vec![7; 300_000]))
        };
        assert_eq!(read(&path).expect("somebody writes"), vec![7; 300_000]);
        writer.join().expect("the writer ends").expect("it is written");
    }
}
