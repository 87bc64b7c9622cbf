//! Videos of which it is known what they show: what stands for a video where files of several kinds bear its name, and
//! folders with a folder per class.
//!
//! One rule holds wherever a video is looked for by its name. A video file is taken by its content, whatever its ending,
//! then an animation, then a folder of frames; a picture that stands still is only taken where there are no videos at all.
//! What cannot be read gives way to the next, and is told. Text, sound and the like are never taken.

mod kind;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use i3d::{Error, Result};
use rayon::prelude::*;

pub use kind::Kind;

/// A video and its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    pub path: PathBuf,
    /// What also bears its name, for the case that it cannot be decoded.
    pub others: Vec<PathBuf>,
    /// Index into the list of classes.
    pub label: usize,
}

/// What stands for a video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub kind: Kind,
    pub path: PathBuf,
    /// The next best, best first.
    pub others: Vec<PathBuf>,
}

impl Choice {
    /// Whether it is a video of more than one picture, beside which pictures are something else.
    pub fn moves(&self) -> bool {
        match self.kind {
            Kind::Video | Kind::Animation | Kind::Unknown => true,
            Kind::Folder => kind::opens(&self.path).is_ok(),
            Kind::Broken | Kind::Picture | Kind::Other => false,
        }
    }

    /// The example of a class.
    pub fn example(self, label: usize) -> Example {
        Example { path: self.path, others: self.others, label }
    }
}

/// What is chosen, and what is said of files that others are taken in the place of.
#[derive(Debug, Default)]
pub struct Found {
    pub choices: Vec<Choice>,
    pub notes: BTreeMap<PathBuf, String>,
}

/// Why something in a class folder is left out.
const NO_VIDEO: &str = "is not a video or lies beside one of";

/// A folder per class.
#[derive(Debug, Default)]
pub struct Classes {
    /// Their names, sorted, and the videos of each in the order of their names.
    pub classes: Vec<(String, Vec<Choice>)>,
    /// What was left out.
    pub notes: Vec<String>,
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

/// The name of a video without its ending, which a folder does not have.
pub fn stem(path: &Path) -> String {
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// What stands for one video, of all that bears its name; `named` is its name where a list tells the ending. Nothing where
/// nothing there shows anything.
pub fn choose(paths: &[PathBuf], named: Option<&str>) -> Found {
    let mut ranked = rank(paths, named);
    let videos = ranked.iter().take_while(|(kind, _)| *kind == Kind::Video).count();
    let mut found = Found::default();
    if videos > 1 {
        let opened = ranked[..videos].iter().position(|(_, path)| found.opens(path));
        // Where none opens, the first has the word.
        ranked[..videos].rotate_left(opened.unwrap_or(0));
        found.give_way(&ranked[0].1);
    }
    found.take_best(ranked);
    found
}

impl Found {
    /// Whether the decoder takes it; if not, what it says is kept.
    fn opens(&mut self, path: &Path) -> bool {
        let problem = kind::opens(path).err().map(|error| error.to_string());
        problem.map(|problem| self.notes.insert(path.into(), problem)).is_none()
    }

    /// Says that `taken` is there for what cannot be opened; unless it is one of those, for then its own turn comes.
    fn give_way(&mut self, taken: &Path) {
        if self.notes.contains_key(taken) {
            self.notes.clear();
        }
        for problem in self.notes.values_mut() {
            *problem += &format!("; {} is taken in its place", taken.display());
        }
    }

    /// Takes the first, and keeps what can stand in for it.
    fn take_best(&mut self, ranked: Vec<(Kind, PathBuf)>) {
        let mut ranked = ranked.into_iter();
        let Some((kind, path)) = ranked.next().filter(|(kind, _)| *kind != Kind::Other) else { return };
        let mut others = Vec::new();
        for (other, place) in ranked {
            match other {
                // A picture never stands in for a video, nor does what may be sound.
                Kind::Video | Kind::Animation | Kind::Folder => others.push(place),
                Kind::Broken if kind < Kind::Broken => {
                    let mut said = Found::default();
                    said.opens(&place);
                    said.give_way(&path);
                    self.notes.append(&mut said.notes);
                }
                _ => {}
            }
        }
        self.choices.push(Choice { kind, path, others });
    }
}

/// The kinds of `paths`, the best first; of equals the one that is called as the list calls it.
fn rank(paths: &[PathBuf], named: Option<&str>) -> Vec<(Kind, PathBuf)> {
    let mut ranked: Vec<(Kind, PathBuf)> =
        paths.iter().map(|path| (kind::kind(path), path.clone())).collect();
    let other =
        |path: &Path| path.file_name().is_none_or(|name| Some(name.to_string_lossy().as_ref()) != named);
    ranked.sort_by_key(|(kind, path)| (*kind, other(path)));
    // The decoder is only asked where it matters: what stands before a folder of frames must move.
    let folder = ranked.iter().any(|(kind, _)| *kind == Kind::Folder);
    while let Some((kind, path)) = ranked.first() {
        let asked = match kind {
            Kind::Animation if !folder => *kind,
            Kind::Unknown | Kind::Animation => kind::ask(path, *kind),
            _ => *kind,
        };
        if asked == *kind {
            break;
        }
        ranked[0].0 = asked;
        ranked.sort_by_key(|(kind, path)| (*kind, other(path)));
    }
    ranked
}

/// The videos of every class folder.
///
/// # Errors
/// Folders without a folder; `advice` says what would do.
pub fn class_folders(folder: &Path, advice: &str) -> Result<Classes> {
    let folders: Vec<PathBuf> = entries(folder)?.into_iter().filter(|path| path.is_dir()).collect();
    if folders.is_empty() {
        return Err(Error::labels(folder.display(), format!("it has no folders; {advice}")));
    }
    let mut classes = Classes::default();
    let mut left_out: Vec<PathBuf> = Vec::new();
    for path in folders {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let all = entries(&path)?;
        let Found { choices, notes } = class_folder(&all);
        let taken: BTreeSet<&PathBuf> = choices.iter().map(|choice| &choice.path).collect();
        left_out.extend(all.into_iter().filter(|path| !taken.contains(path) && !notes.contains_key(path)));
        classes.notes.extend(notes.into_values());
        classes.classes.push((name, choices));
    }
    if let Some(first) = left_out.first() {
        let (place, first) = (folder.display(), first.display());
        classes.notes.push(match left_out.len() {
            1 => format!("{place}: {first} is left out, because it {NO_VIDEO} its name"),
            count => format!("{place}: {count} files or folders are left out, because each {NO_VIDEO} its name, such as {first}"),
        });
    }
    Ok(classes)
}

/// The videos among what lies in the folder of a class.
fn class_folder(paths: &[PathBuf]) -> Found {
    let mut stems: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in paths {
        stems.entry(stem(path)).or_default().push(path.clone());
    }
    let stems: Vec<Vec<PathBuf>> = stems.into_values().collect();
    let found: Vec<Found> = stems.par_iter().map(|paths| of_stem(paths)).collect();
    let mut all = Found::default();
    for found in found {
        all.choices.extend(found.choices);
        all.notes.extend(found.notes);
    }
    // Pictures beside videos are thumbnails and covers; pictures alone are videos of one frame.
    let picture = |choice: &Choice| choice.kind == Kind::Picture;
    if all.choices.iter().any(picture) && all.choices.iter().any(Choice::moves) {
        all.choices.retain(|choice| !picture(choice));
    }
    all.choices.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

/// The videos of one name in a class. Nobody says that two video files must be one video here, so every one counts, except
/// for those that cannot be opened where another can.
fn of_stem(paths: &[PathBuf]) -> Found {
    let mut ranked = rank(paths, None);
    let videos = ranked.iter().take_while(|(kind, _)| *kind == Kind::Video).count();
    let mut found = Found::default();
    if videos < 2 {
        found.take_best(ranked);
        return found;
    }
    ranked.truncate(videos);
    let (mut opened, closed): (Vec<_>, Vec<_>) = ranked.into_iter().partition(|(_, path)| found.opens(path));
    match opened.first() {
        Some((_, first)) => found.give_way(first),
        None => (found.notes, opened) = (BTreeMap::new(), closed),
    }
    let choice = |(kind, path)| Choice { kind, path, others: Vec::new() };
    found.choices = opened.into_iter().map(choice).collect();
    found
}
