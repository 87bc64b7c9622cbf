//! Checkpoints from paths: which files make one up.

use std::fs::File;
use std::io::Read;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use i3d::weights::Checkpoint;
use i3d::{Error, Result};

/// Reads a safetensors file, a PyTorch file, or a TensorFlow checkpoint given by folder, prefix or one of its files.
pub fn read(path: &Path) -> Result<Checkpoint> {
    let place = path.display().to_string();
    if let Some(index) = tensorflow_index(path)? {
        return read_tensorflow(&index);
    }
    Checkpoint::from_bytes(&place, &read_file(path)?)
}

/// A labels file.
pub fn read_labels(path: &Path) -> Result<Vec<String>> {
    let place = path.display().to_string();
    let text = String::from_utf8(read_file(path)?.to_vec()).map_err(|_| {
        Error::labels(&place, "this is no UTF-8 text; give a list with one class name per line")
    })?;
    i3d::labels::parse(&place, &text)
}

/// The bytes of a file.
pub enum FileBytes {
    /// Mapped into memory: nothing is copied, and several threads read from the disk at once.
    Mapped(Mmap),
    /// Read, because it is a pipe or the like.
    Read(Vec<u8>),
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            FileBytes::Mapped(bytes) => bytes,
            FileBytes::Read(bytes) => bytes,
        }
    }
}

/// The bytes of a file.
pub fn read_file(path: &Path) -> Result<FileBytes> {
    let failed = |source| Error::io(path.display(), source);
    let mut file = File::open(path).map_err(failed)?;
    // SAFETY: nobody may change the file while it is mapped. Whoever rewrites weights or clips in place while they are
    // being loaded gets no good result by reading either; files that this program writes appear whole, by renaming. The
    // map ends where the values have been copied out, a moment later.
    if let Ok(bytes) = unsafe { Mmap::map(&file) } {
        return Ok(FileBytes::Mapped(bytes));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    Ok(FileBytes::Read(bytes))
}

/// The `.index` file, if the path means a TensorFlow checkpoint.
fn tensorflow_index(path: &Path) -> Result<Option<PathBuf>> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(|source| Error::io(path.display(), source))?;
        let mut found: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|p| p.extension().is_some_and(|e| e == "index"))
            .collect();
        found.sort();
        return match &found[..] {
            [index] => Ok(Some(index.clone())),
            [] => {
                let problem = "the folder holds no .index file, so no TensorFlow checkpoint; give one that does, or a \
                               weights file";
                Err(Error::checkpoint(path.display(), problem))
            }
            several => {
                let names: Vec<_> =
                    several.iter().map(|p| p.with_extension("").display().to_string()).collect();
                let problem = format!("the folder holds several checkpoints; name one: {}", names.join(", "));
                Err(Error::checkpoint(path.display(), problem))
            }
        };
    }
    let text = path.to_string_lossy();
    let prefix = match text.rfind(".data-") {
        Some(at) => text[..at].to_string(),
        None => text.strip_suffix(".index").unwrap_or(&text).to_string(),
    };
    let index = PathBuf::from(format!("{prefix}.index"));
    Ok(index.is_file().then_some(index))
}

fn read_tensorflow(index: &Path) -> Result<Checkpoint> {
    let prefix = index.with_extension("");
    let bytes = read_file(index)?;
    let count = i3d::weights::tf_bundle::read_index(&index.display().to_string(), &bytes)?.shards;
    let shards: Vec<FileBytes> = (0..count)
        .map(|shard| read_file(Path::new(&format!("{}.data-{shard:05}-of-{count:05}", prefix.display()))))
        .collect::<Result<_>>()?;
    let shards: Vec<&[u8]> = shards.iter().map(|shard| &**shard).collect();
    Checkpoint::from_tensorflow(&prefix.display().to_string(), &bytes, &shards)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_mapped_and_everything_else_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a");
        for text in ["", "words"] {
            std::fs::write(&path, text).expect("it is written");
            assert_eq!(&*read_file(&path).expect("it is there"), text.as_bytes());
        }
        assert!(matches!(read_file(&path), Ok(FileBytes::Mapped(_))));
        assert!(read_file(&folder.path().join("missing")).is_err());
        assert!(read_file(folder.path()).is_err(), "a folder has no bytes");
        #[cfg(unix)]
        assert!(matches!(read_file(Path::new("/dev/null")), Ok(FileBytes::Read(bytes)) if bytes.is_empty()));
    }
}
