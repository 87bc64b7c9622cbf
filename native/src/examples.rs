//! Videos of which it is known what they show: a folder with a folder per class.

use std::fs;
use std::path::{Path, PathBuf};

use i3d::{Error, Result};

/// A video and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    pub path: PathBuf,
    /// Index into the list of classes.
    pub label: usize,
}

/// What lies in a folder, sorted.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Error::io(folder.display(), e);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    // Names that begin with a dot are the system's.
    paths.retain(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
    paths.sort();
    Ok(paths)
}

/// The names of the class folders, sorted, and what lies in each.
///
/// # Errors
/// Folders without a folder; `advice` says what would do.
pub fn class_folders(folder: &Path, advice: &str) -> Result<Vec<(String, Vec<PathBuf>)>> {
    let folders: Vec<PathBuf> = entries(folder)?.into_iter().filter(|path| path.is_dir()).collect();
    if folders.is_empty() {
        return Err(Error::labels(folder.display(), format!("it has no folders; {advice}")));
    }
    let class = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        entries(&path).map(|videos| (name, videos))
    };
    folders.into_iter().map(class).collect()
}
