//! Which clips there are: a folder with a folder per class, or a CSV file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use i3d::{Error, Result};

use crate::examples::{Classes, Example, class_folders};

/// Of a folder's clips every so manieth is for validation.
const HELD_OUT: usize = 10;

/// The clips of a data set.
#[derive(Debug, Default)]
pub struct Dataset {
    /// Class names, sorted.
    pub labels: Vec<String>,
    pub train: Vec<Example>,
    pub validation: Vec<Example>,
    /// For the end; a folder has none.
    pub test: Vec<Example>,
    /// What was left out of a folder, and why.
    pub notes: Vec<String>,
}

impl Dataset {
    /// Reads a folder of class folders, or a CSV file with the columns path, label and split.
    ///
    /// # Errors
    /// Classes without a clip, fewer than two classes, and files that are no such list.
    pub fn read(path: &Path) -> Result<Dataset> {
        let place = path.display().to_string();
        let dataset = if path.is_dir() { from_folder(path)? } else { from_csv(path)? };
        let fail = |problem: String| Err(Error::labels(&place, problem));
        if let [only] = &dataset.labels[..] {
            return fail(format!(
                "it has a single class, {only:?}; a network needs two or more to choose from"
            ));
        }
        let empty = |label: &usize| !dataset.train.iter().any(|example| example.label == *label);
        match (0..dataset.labels.len()).find(empty) {
            Some(label) => {
                let name = &dataset.labels[label];
                fail(format!("the class {name:?} has no clip to train on; add some, or remove the class"))
            }
            None => Ok(dataset),
        }
    }
}

fn from_folder(folder: &Path) -> Result<Dataset> {
    let advice = "give a folder with a folder of videos per class, or a CSV file";
    let Classes { classes, notes } = class_folders(folder, advice)?;
    let mut dataset = Dataset { notes, ..Dataset::default() };
    for (label, (name, videos)) in classes.into_iter().enumerate() {
        dataset.labels.push(name);
        for (index, video) in videos.into_iter().enumerate() {
            let held_out = index % HELD_OUT == HELD_OUT - 1;
            let clips = if held_out { &mut dataset.validation } else { &mut dataset.train };
            clips.push(video.example(label));
        }
    }
    Ok(dataset)
}

fn from_csv(path: &Path) -> Result<Dataset> {
    let place = path.display();
    let failed = |e: csv::Error| {
        Error::labels(place.to_string(), format!("it is no CSV file ({e}); its columns are path,label,split"))
    };
    let file = fs::File::open(path).map_err(|e| Error::io(place.to_string(), e))?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
    let header = reader.headers().map_err(failed)?.clone();
    let column = |name: &str| {
        header.iter().position(|found| found == name).ok_or_else(|| {
            let found = header.iter().collect::<Vec<_>>().join(",");
            let problem = format!("its first line is {found:?}, without {name}; it must be path,label,split");
            Error::labels(place.to_string(), problem)
        })
    };
    let columns = [column("path")?, column("label")?, column("split")?];
    let mut rows: Vec<(usize, [String; 3])> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(failed)?;
        let line = record.position().map_or(0, |position| position.line() as usize);
        rows.push((line, columns.map(|column| record.get(column).unwrap_or_default().to_string())));
    }
    let labels: BTreeSet<&String> = rows.iter().map(|(_, [_, label, _])| label).collect();
    let labels: Vec<String> = labels.into_iter().cloned().collect();
    let mut dataset = Dataset { labels, ..Dataset::default() };
    let folder = path.parent().unwrap_or(Path::new("."));
    for (line, [clip, label, split]) in &rows {
        let at = |problem: String| Error::labels(format!("{place}, line {line}"), problem);
        if label.is_empty() || clip.is_empty() {
            return Err(at("it lacks a path or a label; give both".into()));
        }
        // Paths are relative to the list.
        let path = folder.join(clip);
        let label = dataset.labels.iter().position(|known| known == label).unwrap_or(0);
        // The list says which file it is, so nothing stands in for it.
        let example = Example { path, others: Vec::new(), label };
        match split.as_str() {
            "train" => dataset.train.push(example),
            "val" | "validation" => dataset.validation.push(example),
            "test" => dataset.test.push(example),
            other => return Err(at(format!("its split is {other:?}; it must be train, val or test"))),
        }
    }
    Ok(dataset)
}
