//! The files that an input of a command stands for.

use std::fs;
use std::path::{Path, PathBuf};

use i3d::video::{PICTURES, matches};

use crate::output::place;

/// An input as it was given.
#[derive(Debug)]
pub enum Input {
    File(PathBuf),
    /// A video, an array, a folder of pictures, or a pattern for any of them.
    Clip(PathBuf),
    /// A weights file, or a TensorFlow checkpoint by its folder, its prefix or one of its files; `{split}` stands for any
    /// split. The name of an installed model stands for no file that a command may write.
    Checkpoint(PathBuf),
    /// A folder of videos or lists, or a list.
    Data(PathBuf),
}

/// Folders below the folder of a data set: one per class, and in it one of pictures per video.
const DEPTH: usize = 2;

impl Input {
    /// Every file that is read for it. What lies in the folder `but`, into which a command writes, is of its own making.
    pub fn files(&self, but: Option<&Path>) -> Vec<PathBuf> {
        let mut files = Vec::new();
        match self {
            Input::File(path) => files.push(path.clone()),
            Input::Clip(path) if path.exists() => clip(path, &mut files),
            Input::Clip(pattern) => {
                let found = matches(pattern).unwrap_or_default();
                found.iter().for_each(|path| clip(path, &mut files));
            }
            Input::Checkpoint(path) => checkpoint(path, &mut files),
            Input::Data(path) if path.is_dir() => {
                let but = but.and_then(|folder| fs::canonicalize(folder).ok());
                below(path, but.as_deref(), DEPTH, &mut files);
            }
            Input::Data(path) => list(path, &mut files),
        }
        files
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn clip(path: &Path, files: &mut Vec<PathBuf>) {
    if !path.is_dir() {
        files.push(path.to_path_buf());
        return;
    }
    // A result that lies beside the pictures is none of them.
    let picture = |path: &PathBuf| {
        path.extension().is_some_and(|e| PICTURES.iter().any(|known| e.eq_ignore_ascii_case(known)))
    };
    files.extend(entries(path).filter(picture));
}

fn checkpoint(path: &Path, files: &mut Vec<PathBuf>) {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if path.is_dir() {
        // What else lies there, such as an earlier result, is not read.
        let part = |name: &str| name.ends_with(".index") || name.contains(".data-");
        files.extend(entries(path).filter(|entry| part(&name(entry))));
        return;
    }
    files.push(path.to_path_buf());
    let given = name(path);
    let prefix = match given.rfind(".data-") {
        Some(at) => &given[..at],
        None => given.strip_suffix(".index").unwrap_or(&given),
    };
    let split = given.split_once("{split}");
    let part = |name: &str| {
        let rest = name.strip_prefix(prefix).unwrap_or_default();
        let of_split = split.is_some_and(|(start, end)| name.starts_with(start) && name.ends_with(end));
        rest == ".index" || rest.starts_with(".data-") || of_split
    };
    files.extend(entries(place::folder(path)).filter(|entry| part(&name(entry))));
}

fn below(folder: &Path, but: Option<&Path>, depth: usize, files: &mut Vec<PathBuf>) {
    if but.is_some() && fs::canonicalize(folder).ok().as_deref() == but {
        return;
    }
    for entry in entries(folder) {
        match entry.is_dir() {
            true if depth > 0 => below(&entry, but, depth - 1, files),
            true => {}
            false => files.push(entry),
        }
    }
}

/// A list, and what it names: whatever column that is in.
fn list(path: &Path, files: &mut Vec<PathBuf>) {
    files.push(path.to_path_buf());
    let rows =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_path(path);
    let Ok(mut rows) = rows else { return };
    for row in rows.records().map_while(Result::ok) {
        files.extend(
            row.iter().filter(|field| !field.is_empty()).map(|field| place::folder(path).join(field)),
        );
    }
}
