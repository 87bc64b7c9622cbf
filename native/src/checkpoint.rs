//! Checkpoints from paths: which files make one up.

mod file;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use i3d::weights::Checkpoint;
use i3d::{Error, Result};

pub use file::read as read_file;

/// Reads a safetensors file, a PyTorch file, a Flax pickle, or a TensorFlow checkpoint given by folder, prefix or one of its files.
pub fn read(path: &Path) -> Result<Checkpoint> {
    let place = path.display().to_string();
    if let Some(index) = tensorflow_index(path)? {
        return read_tensorflow(&index);
    }
    let bytes = file::read_checked(path, |ends| i3d::weights::check_format(&place, ends))?;
    Checkpoint::from_bytes(&place, &bytes)
}

/// A labels file.
pub fn read_labels(path: &Path) -> Result<Vec<String>> {
    let place = path.display().to_string();
    let text = String::from_utf8(read_file(path)?).map_err(|_| {
        Error::labels(&place, "this is no UTF-8 text; give a list with one class name per line")
    })?;
    i3d::labels::parse(&place, &text)
}

/// The `.index` file, if the path means a TensorFlow checkpoint.
pub fn tensorflow_index(path: &Path) -> Result<Option<PathBuf>> {
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
    // The file's own name alone says what it is: folders may be called anything, and in any encoding.
    let whole = with_ending(path, ".index");
    let extension = path.extension().map(|extension| extension.to_string_lossy());
    let of_the_index = extension.as_deref() == Some("index");
    let of_the_data = extension.as_deref().is_some_and(is_data_extension);
    let index = match of_the_index || of_the_data {
        true if !whole.is_file() => with_ending(&path.with_extension(""), ".index"),
        _ => whole,
    };
    Ok(index.is_file().then_some(index))
}

/// A path with something behind its name.
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut whole = OsString::from(path);
    whole.push(ending);
    whole.into()
}

/// `data-SSSSS-of-NNNNN`.
fn is_data_extension(extension: &str) -> bool {
    let numbers = extension.strip_prefix("data-").and_then(|numbers| numbers.split_once("-of-"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(shard, count)| digits(shard) && digits(count))
}

fn read_tensorflow(index: &Path) -> Result<Checkpoint> {
    let prefix = index.with_extension("");
    let bytes = read_file(index)?;
    let count = i3d::weights::tf_bundle::read_index(&index.display().to_string(), &bytes)?.shards;
    let shard = |shard| read_file(&with_ending(&prefix, &format!(".data-{shard:05}-of-{count:05}")));
    let shards: Vec<Vec<u8>> = (0..count).map(shard).collect::<Result<_>>()?;
    let shards: Vec<&[u8]> = shards.iter().map(Vec::as_slice).collect();
    Checkpoint::from_tensorflow(&prefix.display().to_string(), &bytes, &shards)
}
