//! What a run leaves to read: a line of JSON per step and validation, and the learning curve as a picture.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use i3d::{Error, Result};
use plotters::prelude::*;
use serde::{Deserialize, Serialize};

use crate::output::Output;

/// The file's name.
pub const JOURNAL: &str = "train.jsonl";

/// The name of the picture.
pub const CURVE: &str = "curve.svg";

/// A line of `train.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Steps so far.
    pub step: u64,
    /// What the clips were: `train` or `validation`.
    pub split: Split,
    /// Mean loss.
    pub loss: f64,
    /// Share of the clips whose best class was theirs.
    pub accuracy: f64,
    /// Learning rate of the step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rate: Option<f32>,
}

/// Which clips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    Train,
    Validation,
}

/// `train.jsonl` of a run.
pub struct Journal {
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
}

impl Journal {
    /// The journal in `folder`, with what it says up to `step`; later lines are of steps that were lost.
    ///
    /// # Errors
    /// Folders that cannot be written.
    pub fn open(folder: &Path, step: u64) -> Result<Journal> {
        let path = folder.join(JOURNAL);
        let (mut entries, mut text): (Vec<Entry>, _) = (Vec::new(), String::new());
        if let Ok(file) = File::open(&path) {
            for line in BufReader::new(file).lines().map_while(std::result::Result::ok) {
                // The last line may be half a line. The others stay as they are: a number that is read and written again
                // may not be the same.
                match serde_json::from_str::<Entry>(&line) {
                    Ok(entry) if entry.step <= step => entries.push(entry),
                    _ => continue,
                }
                text += &(line + "\n");
            }
        }
        Output::create(&path)?.finish(text.as_bytes())?;
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.map_err(|e| Error::io(path.display(), e))?;
        Ok(Journal { path, file, entries })
    }

    /// The lines of one kind of clips.
    pub fn entries(&self, split: Split) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.split == split)
    }

    /// Adds a line.
    pub fn note(&mut self, entry: Entry) -> Result<()> {
        self.file.write_all(line(&entry).as_bytes()).map_err(|e| Error::io(self.path.display(), e))?;
        self.entries.push(entry);
        Ok(())
    }

    /// Writes the losses over the steps as `curve.svg`.
    pub fn draw(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join(CURVE);
        let mut svg = String::new();
        draw(&self.entries, &mut svg).map_err(|problem| {
            Error::io(path.display(), std::io::Error::other(format!("cannot be drawn ({problem})")))
        })?;
        Output::create(&path)?.finish(svg.as_bytes())?;
        Ok(path)
    }
}

/// Points of the line of mean training losses.
const MEANS: usize = 150;

fn line(entry: &Entry) -> String {
    serde_json::to_string(entry).map(|text| text + "\n").unwrap_or_default()
}

fn draw(entries: &[Entry], svg: &mut String) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let steps = entries.iter().map(|entry| entry.step).max().unwrap_or(1) as f64;
    // As high as training needs: batch norm's averages lag behind at first, and validation begins far above.
    let training = entries.iter().filter(|entry| entry.split == Split::Train);
    let most = training.map(|entry| entry.loss).fold(0.1, f64::max);
    let area = SVGBackend::with_string(svg, (800, 480)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..steps, 0.0..1.05 * most)?;
    let whole = |number: &f64| format!("{number:.0}");
    let mut mesh = chart.configure_mesh();
    mesh.x_desc("step").y_desc("loss").x_label_formatter(&whole).light_line_style(WHITE).draw()?;
    let losses = |split| -> Vec<(f64, f64)> {
        let of = entries.iter().filter(|entry| entry.split == split);
        of.map(|entry| (entry.step as f64, entry.loss.min(1.05 * most))).collect()
    };
    let (training, validation) = (losses(Split::Train), losses(Split::Validation));
    // Batches differ more than steps do, so a line of means stands before the losses themselves.
    let mean = |part: &[(f64, f64)]| {
        let sums = part.iter().fold((0.0, 0.0), |sums, point| (sums.0 + point.0, sums.1 + point.1));
        (sums.0 / part.len() as f64, sums.1 / part.len() as f64)
    };
    let means = training.chunks(training.len().div_ceil(MEANS).max(1)).map(mean).collect();
    let (blue, red) = (RGBColor(40, 110, 190), RGBColor(200, 80, 30));
    chart.draw_series(LineSeries::new(training, blue.mix(0.25).stroke_width(1)))?;
    for (points, name, color) in [(means, "training", blue), (validation, "validation", red)] {
        let points: Vec<(f64, f64)> = points;
        if points.is_empty() {
            continue;
        }
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(3)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(3)));
    }
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}
