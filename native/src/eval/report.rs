//! What an evaluation leaves: `results.json`, and per split and stream the confusion matrix as CSV and as a picture.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use i3d::fusion::Fusion;
use i3d::network::{Input, Stream};
use i3d::{Error, Result};
use serde::Serialize;

use super::lists::Split;
use super::picture;
use super::record::{Record, Settings};
use super::score::{Column, Confusion, Mean, Score};
use crate::output::Output;

/// The file's name.
pub const RESULTS: &str = "results.json";

/// How the names of confusion matrices begin.
pub const CONFUSION: &str = "confusion-";

/// `results.json`.
#[derive(Serialize)]
pub struct Results<'a> {
    /// How it was made.
    pub settings: &'a Settings,
    pub splits: Vec<SplitResult>,
    /// Over the splits, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mean: BTreeMap<Column, Mean>,
}

/// A split.
#[derive(Serialize)]
pub struct SplitResult {
    pub split: String,
    pub streams: BTreeMap<Column, Score>,
    /// Videos that could not be decoded.
    pub skipped: Vec<Skipped>,
    /// Videos that the list names and that are not there.
    pub missing: Vec<String>,
    #[serde(skip)]
    confusions: BTreeMap<Column, Confusion>,
}

/// A video that could not be decoded.
#[derive(Debug, Clone, Serialize)]
pub struct Skipped {
    pub path: String,
    pub problem: String,
}

impl SplitResult {
    /// What the record says of a split.
    pub fn new(split: &Split, classes: &[String], record: &Record, skipped: Vec<Skipped>) -> SplitResult {
        let mut confusions: BTreeMap<Column, Confusion> = BTreeMap::new();
        for video in &split.videos {
            let Some(prediction) = record.find(&split.name, &video.name) else { continue };
            for (column, logits) in columns(&prediction.logits) {
                let confusion = confusions.entry(column).or_insert_with(|| Confusion::new(classes.len()));
                confusion.add(video.example.label, &logits);
            }
        }
        let streams = confusions.iter().map(|(&column, confusion)| (column, confusion.score(classes)));
        SplitResult {
            split: split.name.clone(),
            streams: streams.collect(),
            skipped,
            missing: split.missing.clone(),
            confusions,
        }
    }
}

/// The models' logits, and the sum of the streams' where there are two.
pub fn columns(logits: &BTreeMap<Input, Vec<f32>>) -> Vec<(Column, Vec<f32>)> {
    let column = |input: &Input| match input {
        Input::One(Stream::Rgb) => Column::Rgb,
        Input::One(Stream::Flow) => Column::Flow,
        Input::Both => Column::Fused,
    };
    let mut columns: Vec<(Column, Vec<f32>)> =
        logits.iter().map(|(stream, logits)| (column(stream), logits.clone())).collect();
    if let [(_, rgb), (_, flow)] = &columns[..] {
        let (fused, _) = Fusion::LogitSum.fuse(rgb, flow);
        columns.push((Column::Fused, fused));
    }
    columns
}

impl Results<'_> {
    /// The results of all splits.
    pub fn new(settings: &Settings, splits: Vec<SplitResult>) -> Results<'_> {
        let mut of: BTreeMap<Column, Vec<&Score>> = BTreeMap::new();
        for (&column, score) in splits.iter().flat_map(|split| &split.streams) {
            of.entry(column).or_default().push(score);
        }
        let several = splits.len() > 1;
        let mean =
            of.iter().filter(|_| several).map(|(&column, scores)| (column, Mean::of(scores))).collect();
        Results { settings, splits, mean }
    }

    /// Writes every file into `folder`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(RESULTS);
        let failed = |e| Error::io(path.display(), std::io::Error::other(e));
        let text = serde_json::to_string_pretty(self).map_err(failed)? + "\n";
        let classes = &self.settings.classes;
        for split in &self.splits {
            for (column, confusion) in &split.confusions {
                let stem = format!("{CONFUSION}{}-{}", split.split, column.name());
                let file = |ending: &str| folder.join(format!("{stem}.{ending}"));
                Output::create(&file("csv"))?.finish(&csv(&stem, classes, confusion)?)?;
                let title = self.title(split, *column);
                let svg = picture::svg(&stem, &title, classes, confusion)?;
                Output::create(&file("svg"))?.finish(svg.as_bytes())?;
            }
        }
        // Last, so that whoever finds it finds the others too.
        Output::create(&path)?.finish(text.as_bytes())
    }

    fn title(&self, split: &SplitResult, column: Column) -> String {
        let score = &split.streams[&column];
        let (right, count) = (100.0 * score.top1, score.count);
        format!("split {}, {}: {right:.1} % of {count} videos right", split.split, column.name())
    }

    /// A row per split and stream, and the means.
    pub fn table(&self) -> String {
        let share = |share: f64| format!("{:.1} %", 100.0 * share);
        let five = |top5: Option<f64>| top5.map_or("-".to_string(), share);
        let mut table = String::new();
        let mut row = |cells: [&str; 6]| {
            let [split, stream, videos, top1, top5, mean] = cells;
            // Writing to a string cannot fail.
            let _ = writeln!(table, "{split:<8}{stream:<8}{videos:>7}{top1:>10}{top5:>10}{mean:>14}");
        };
        row(["split", "stream", "videos", "top-1", "top-5", "mean of class"]);
        for split in &self.splits {
            for (column, score) in &split.streams {
                let (top1, mean) = (share(score.top1), share(score.mean_class));
                let count = score.count.to_string();
                row([&split.split, column.name(), &count, &top1, &five(score.top5), &mean]);
            }
        }
        for (column, mean) in &self.mean {
            row(["mean", column.name(), "", &share(mean.top1), &five(mean.top5), &share(mean.mean_class)]);
        }
        table
    }
}

/// A row per class, a column for what its videos were taken for.
fn csv(place: &str, classes: &[String], confusion: &Confusion) -> Result<Vec<u8>> {
    let failed = |e: String| Error::io(place, std::io::Error::other(e));
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = std::iter::once("class").chain(classes.iter().map(String::as_str));
    writer.write_record(header).map_err(|e| failed(e.to_string()))?;
    for (class, row) in classes.iter().zip(confusion.rows()) {
        let cells = std::iter::once(class.clone()).chain(row.iter().map(u64::to_string));
        writer.write_record(cells).map_err(|e| failed(e.to_string()))?;
    }
    writer.into_inner().map_err(|e| failed(e.to_string()))
}
