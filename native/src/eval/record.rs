//! `predictions.jsonl`: the settings of an evaluation, then a line per video, written as it goes, from which an
//! interrupted evaluation goes on.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use i3d::flow::{Quantize, Tvl1};
use i3d::network::Input;
use i3d::plan::Precision;
use i3d::video::Rate;
use i3d::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::args::DatasetArg;
use crate::output::Output;

/// The file's name.
pub const PREDICTIONS: &str = "predictions.jsonl";

/// Everything that decides what a line says.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    pub dataset: DatasetArg,
    pub splits: Vec<String>,
    pub models: Vec<ModelUsed>,
    pub frames: usize,
    pub fps: Rate,
    pub flow: Option<Tvl1>,
    pub quantize: Option<Quantize>,
    pub precise: bool,
    pub precision: Precision,
    pub classes: Vec<String>,
}

/// A model and what it was used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelUsed {
    pub split: String,
    /// What it sees.
    pub stream: Input,
    /// Of its file.
    pub sha256: String,
}

/// A line: what the networks say of a video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    pub split: String,
    /// The video, as results call it.
    pub path: String,
    /// What it shows.
    pub label: String,
    /// What it is taken for, by both networks where there are two.
    pub best: String,
    /// Per model one number per class, in the order of the settings' classes.
    pub logits: BTreeMap<Input, Vec<f32>>,
}

/// The file, open for more lines.
pub struct Record {
    path: PathBuf,
    file: File,
    /// By split and video.
    done: HashMap<(String, String), Prediction>,
}

impl Record {
    /// Begins the file in `folder`, or goes on with it.
    ///
    /// # Errors
    /// A file that is there though nobody wants to go on, one of other settings, and lines that are no predictions.
    pub fn open(folder: &Path, settings: &Settings, resume: bool) -> Result<Record> {
        let path = folder.join(PREDICTIONS);
        let failed = |e| Error::io(path.display(), e);
        if path.exists() && !resume {
            let problem = "there is an evaluation already; go on with --resume, or give another folder";
            return Err(Error::Usage(format!("{}: {problem}", folder.display())));
        }
        let mut text = match path.exists() {
            true => std::fs::read_to_string(&path).map_err(failed)?,
            false => String::new(),
        };
        // The last line may be half a line.
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        match text.lines().next() {
            None => text = line(settings)?,
            Some(header) => compare(&path, header, settings)?,
        }
        let mut done = HashMap::new();
        for (index, text) in text.lines().enumerate().skip(1) {
            let fail = |problem: String| {
                let problem = format!("{problem}; delete the line, and its video is tested again");
                Error::Usage(format!("{}, line {}: {problem}", path.display(), index + 1))
            };
            let prediction: Prediction =
                serde_json::from_str(text).map_err(|e| fail(format!("it is no prediction ({e})")))?;
            let whole = prediction.logits.values().all(|logits| logits.len() == settings.classes.len());
            if !whole {
                return Err(fail(format!("it has not {} numbers per stream", settings.classes.len())));
            }
            done.insert((prediction.split.clone(), prediction.path.clone()), prediction);
        }
        Output::create(&path)?.finish(text.as_bytes())?;
        let file = OpenOptions::new().append(true).open(&path).map_err(failed)?;
        Ok(Record { path, file, done })
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.done.len()
    }

    /// What was said of a video.
    pub fn find(&self, split: &str, video: &str) -> Option<&Prediction> {
        self.done.get(&(split.to_string(), video.to_string()))
    }

    /// Adds a line.
    pub fn add(&mut self, prediction: Prediction) -> Result<()> {
        let text = line(&prediction)?;
        self.file.write_all(text.as_bytes()).map_err(|e| Error::io(self.path.display(), e))?;
        self.done.insert((prediction.split.clone(), prediction.path.clone()), prediction);
        Ok(())
    }
}

fn line(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string(value);
    Ok(text.map_err(|e| Error::io(PREDICTIONS, std::io::Error::other(e)))? + "\n")
}

/// Fails where the first line is about other settings; says which.
fn compare(path: &Path, header: &str, settings: &Settings) -> Result<()> {
    let fail =
        |problem: String| Err(Error::Usage(format!("{}: {problem}, or another folder", path.display())));
    let Ok(found) = serde_json::from_str::<serde_json::Value>(header) else {
        return fail("its first line says no settings; give the folder of an evaluation".into());
    };
    let wanted: serde_json::Value = serde_json::from_str(&line(settings)?).unwrap_or_default();
    let fields = wanted.as_object().into_iter().flatten();
    let mut different = fields.filter(|(name, value)| found.get(name) != Some(value));
    match different.next() {
        None => Ok(()),
        Some((name, value)) => {
            let short = |value: &serde_json::Value| match value.to_string() {
                text if text.len() <= 60 => text,
                _ => "others".to_string(),
            };
            let was = found.get(name).map_or("missing".to_string(), short);
            fail(format!(
                "it was made with other settings: {name} was {was} and is {} now; give --resume with the same settings",
                short(value)
            ))
        }
    }
}
