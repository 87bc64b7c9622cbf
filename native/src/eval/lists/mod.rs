//! Which videos are tested, and what they show: the data sets' own lists as they are distributed, or a folder per class.

mod hmdb51;
mod kinetics;
mod ucf101;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use i3d::{Error, Result};
use rayon::prelude::*;

use super::classes;
use crate::args::{DatasetArg, EvalArgs};
use crate::examples::{Choice, Classes, Example, Found, Kind, choose, class_folders, entries, stem};

/// What the only split of a folder is called.
const WHOLE: &str = "all";

/// The test videos of a data set.
#[derive(Debug)]
pub struct Lists {
    /// Names of the classes in the data set's own order.
    pub classes: Vec<String>,
    pub splits: Vec<Split>,
    /// What others are taken in the place of, and what was left out.
    pub notes: Vec<String>,
}

/// The test videos of a split.
#[derive(Debug)]
pub struct Split {
    pub name: String,
    pub videos: Vec<Video>,
    /// Those that the list names and nobody has.
    pub missing: Vec<String>,
}

/// A test video.
#[derive(Debug)]
pub struct Video {
    /// What it is called in results: its class and its name in the list.
    pub name: String,
    pub example: Example,
}

/// The classes and each split's videos, as the lists have them.
#[derive(Debug)]
struct Listed {
    classes: Vec<String>,
    splits: Vec<(String, Vec<Line>)>,
}

/// A video of a list.
#[derive(Debug, PartialEq)]
struct Line {
    /// Index into the classes.
    label: usize,
    /// The name of its file, with or without an ending.
    file: String,
}

/// Reads the lists and finds their videos.
///
/// # Errors
/// Lists that are missing, empty or malformed, and folders without a single one of the videos.
pub fn read(args: &EvalArgs) -> Result<Lists> {
    if !args.data.is_dir() {
        let problem = "this is no folder; give the folder of the videos as --data";
        return Err(Error::Usage(format!("{}: {problem}", args.data.display())));
    }
    let listed = match args.dataset {
        DatasetArg::Folder => return folder(args),
        DatasetArg::Ucf101 => ucf101::read(annotations(args)?, &numbers(args)?)?,
        DatasetArg::Hmdb51 => hmdb51::read(annotations(args)?, &numbers(args)?)?,
        DatasetArg::Kinetics => kinetics::read(annotations(args)?, &name(args)?)?,
    };
    // Copies of UCF-101 disagree about capitals; in the names of Kinetics they tell videos apart.
    let shelf = Shelf::open(&args.data, args.dataset == DatasetArg::Ucf101)?;
    let Listed { classes, splits } = listed;
    let mut notes = BTreeMap::new();
    let splits =
        splits.into_iter().map(|(name, lines)| shelf.find_all(&args.data, &classes, name, lines, &mut notes));
    let splits = splits.collect::<Result<_>>()?;
    Ok(Lists { classes, splits, notes: notes.into_values().collect() })
}

/// Where the lists are.
fn annotations(args: &EvalArgs) -> Result<&Path> {
    let wanted = match args.dataset {
        DatasetArg::Ucf101 => "the folder with classInd.txt and testlist01.txt",
        DatasetArg::Hmdb51 => "the folder with the files CLASS_test_split1.txt",
        DatasetArg::Kinetics | DatasetArg::Folder => "the CSV file that lists the videos",
    };
    let missing = || Error::Usage(format!("the lists are missing; give {wanted} as --annotations"));
    args.annotations.as_deref().ok_or_else(missing)
}

/// The numbers of the splits that are asked for.
fn numbers(args: &EvalArgs) -> Result<Vec<u8>> {
    match args.split.as_deref() {
        Some("1") => Ok(vec![1]),
        Some("2") => Ok(vec![2]),
        Some("3") => Ok(vec![3]),
        Some("all") => Ok(vec![1, 2, 3]),
        Some(other) => Err(Error::Usage(format!("there is no split {other:?}; give --split 1, 2, 3 or all"))),
        None => Err(Error::Usage("which split is missing; give --split 1, 2, 3 or all".into())),
    }
}

/// The name of the split that is asked for, which also names files.
fn name(args: &EvalArgs) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match &args.split {
        Some(name) if !name.is_empty() && name.chars().all(plain) => Ok(name.clone()),
        Some(name) => Err(Error::Usage(format!("there is no split {name:?}; give a word such as val"))),
        None => Err(Error::Usage("which split is missing; give it as --split, such as val".into())),
    }
}

fn folder(args: &EvalArgs) -> Result<Lists> {
    if let Some((option, _)) =
        [("--annotations", args.annotations.is_some()), ("--split", args.split.is_some())]
            .into_iter()
            .find(|(_, given)| *given)
    {
        return Err(Error::Usage(format!("--dataset folder has no lists and no splits; leave {option} out")));
    }
    let found = class_folders(&args.data, "give a folder with a folder of videos per class")?;
    let Classes { classes: found, notes } = found;
    let mut split = Split { name: WHOLE.into(), videos: Vec::new(), missing: Vec::new() };
    let mut classes = Vec::new();
    for (label, (class, paths)) in found.into_iter().enumerate() {
        split.videos.extend(paths.into_iter().map(|choice| {
            let name = format!("{class}/{}", choice.path.file_name().unwrap_or_default().to_string_lossy());
            Video { name, example: choice.example(label) }
        }));
        classes.push(class);
    }
    if split.videos.is_empty() {
        let problem = "its folders hold no videos; give a folder with a folder of videos per class";
        return Err(Error::labels(args.data.display(), problem));
    }
    Ok(Lists { classes, splits: vec![split], notes })
}

/// What lies in a folder and in the folders in it, by its name without ending.
struct Shelf {
    /// Whether capitals do not count.
    any_case: bool,
    /// Class, as it is compared, to names to all that is called so; the folder itself has no class.
    folders: HashMap<String, HashMap<String, Vec<PathBuf>>>,
}

impl Shelf {
    fn open(root: &Path, any_case: bool) -> Result<Shelf> {
        let mut shelf = Shelf { any_case, folders: HashMap::new() };
        for path in entries(root)? {
            if path.is_dir() {
                let class = classes::plain(&path.file_name().unwrap_or_default().to_string_lossy());
                for video in entries(&path)? {
                    shelf.add(class.clone(), video);
                }
            } else {
                shelf.add(String::new(), path);
            }
        }
        Ok(shelf)
    }

    fn add(&mut self, class: String, path: PathBuf) {
        let mut keys = vec![self.key(&stem(&path))];
        // A folder of frames may keep the ending of its video.
        keys.extend(path.file_stem().map(|stem| self.key(&stem.to_string_lossy())));
        keys.dedup();
        let of_class = self.folders.entry(class).or_default();
        keys.into_iter().for_each(|key| of_class.entry(key).or_default().push(path.clone()));
    }

    fn key(&self, stem: &str) -> String {
        if self.any_case { stem.to_lowercase() } else { stem.to_string() }
    }

    /// What stands for a video of a list, whether it lies in the folder of its class or beside it.
    fn find(&self, class: &str, file: &str) -> Found {
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let key = self.key(stem);
        let of = |class: &str| self.folders.get(class).and_then(|names| names.get(&key));
        let class = classes::plain(class);
        let beside = of("").filter(|_| !class.is_empty());
        let paths: Vec<PathBuf> = of(&class).into_iter().chain(beside).flatten().cloned().collect();
        choose(&paths, Some(file))
    }

    /// The videos of a split, each once; what is said of them is added to `notes`.
    fn find_all(
        &self,
        root: &Path,
        classes: &[String],
        name: String,
        lines: Vec<Line>,
        notes: &mut BTreeMap<PathBuf, String>,
    ) -> Result<Split> {
        let mut seen = HashSet::new();
        let called = |line: &Line| format!("{}/{}", classes[line.label], line.file);
        let lines: Vec<Line> = lines.into_iter().filter(|line| seen.insert(called(line))).collect();
        let found: Vec<Found> =
            lines.par_iter().map(|line| self.find(&classes[line.label], &line.file)).collect();
        // The thumbnail of a video that vanished is not the video; but a data set may be of pictures.
        let videos_only = found.iter().flat_map(|found| &found.choices).any(Choice::moves);
        let pictures =
            found.iter().flat_map(|found| &found.choices).filter(|c| c.kind == Kind::Picture).count();
        if pictures > 0 && !videos_only {
            let place = root.display();
            let note = format!(
                "{place}: split {name} has no videos but {pictures} pictures, each a video of one frame"
            );
            notes.insert(root.join(&name), note);
        }
        let (mut videos, mut missing) = (Vec::new(), Vec::new());
        for (line, found) in lines.iter().zip(found) {
            notes.extend(found.notes);
            let taken = |choice: &Choice| !videos_only || choice.kind != Kind::Picture;
            match found.choices.into_iter().find(taken) {
                Some(choice) => {
                    videos.push(Video { name: called(line), example: choice.example(line.label) });
                }
                None => missing.push(called(line)),
            }
        }
        match (&videos[..], &missing[..]) {
            ([], [first, ..]) => {
                let count = missing.len();
                let problem = format!(
                    "none of the {count} videos of split {name} is there, neither in a folder of its class nor beside it; \
                     the first is {first}; give their folder as --data"
                );
                Err(Error::labels(root.display(), problem))
            }
            _ => Ok(Split { name, videos, missing }),
        }
    }
}

/// The lines of a text file and their numbers, without empty ones.
fn lines(path: &Path) -> Result<Vec<(usize, String)>> {
    let bytes = fs::read(path).map_err(|e| Error::io(path.display(), e))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::labels(path.display(), "this is no UTF-8 text; give the list as the data set has it")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim().to_string()));
    let lines: Vec<_> = numbered.filter(|(_, line)| !line.is_empty()).collect();
    match lines.is_empty() {
        true => Err(Error::labels(path.display(), "the list is empty; give the list as the data set has it")),
        false => Ok(lines),
    }
}

/// The error about a line of a list.
fn at(path: &Path, line: usize, problem: impl std::fmt::Display) -> Error {
    Error::labels(format!("{}, line {line}", path.display()), problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn videos_are_found_in_a_folder_of_their_class_and_beside_it_whatever_their_ending() -> Result<()> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            fs::write(path, "").expect("it is written");
        };
        write("HandStandPushups/v_HandStandPushups_g01_c01.avi");
        write("massaging_person's_head/aB-_1234567_000001_000011.webm");
        write("v_flat.mp4");
        write(".hidden/v.avi");
        let find = |any_case: bool, class: &str, file: &str| -> Result<Option<String>> {
            let shelf = Shelf::open(folder.path(), any_case)?;
            let name = |path: &PathBuf| {
                path.strip_prefix(folder.path()).expect("inside").to_string_lossy().into_owned()
            };
            Ok(shelf.find(class, file).choices.first().map(|choice| name(&choice.path)))
        };
        let pushups = "HandStandPushups/v_HandStandPushups_g01_c01.avi";
        let other = "v_HandstandPushups_g01_c01.avi";
        assert_eq!(find(true, "HandstandPushups", other)?.as_deref(), Some(pushups));
        assert_eq!(find(false, "HandstandPushups", other)?, None);
        let head = "aB-_1234567_000001_000011";
        assert!(find(false, "massaging person's head", head)?.is_some());
        assert_eq!(find(false, "massaging person's head", &head.to_lowercase())?, None);
        assert_eq!(find(true, "any", "v_flat.avi")?.as_deref(), Some("v_flat.mp4"));
        Ok(())
    }
}
