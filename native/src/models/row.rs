//! Lines of `i3d models list` and `i3d models verify`.

use std::fmt;

use i3d::network::Stream;

use super::store::{Health, Store, Stored};
use super::{Named, demo};

/// One line of `i3d models list`; [`fmt::Display`] pads the columns.
#[derive(Debug, Clone)]
pub struct Row {
    /// The model.
    pub model: Named,
    /// Streams on this machine with the length of their files.
    pub installed: Vec<(Stream, u64)>,
    /// Whether a file of it is damaged, as far as lengths tell.
    damaged: bool,
    /// Length of the logits of a model that was not released.
    classes: usize,
    /// Where a model that was not released came from.
    origin: String,
}

/// One line of `i3d models verify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The model's name.
    pub model: String,
    /// Which stream.
    pub stream: Stream,
    /// What was found.
    pub health: Health,
    /// What repairs it.
    pub remedy: String,
}

impl Row {
    /// What the store has of a model.
    pub fn new(model: Named, store: &Store) -> Row {
        let mut row = Row { model, installed: Vec::new(), damaged: false, classes: 0, origin: String::new() };
        for stream in row.model.streams() {
            match store.look(&row.model.name, stream) {
                Stored::Absent => {}
                Stored::Damaged(_) => row.damaged = true,
                Stored::Here(installed) => {
                    row.installed.push((stream, installed.record.size));
                    row.classes = installed.record.classes.unwrap_or(row.classes);
                    row.origin = installed.record.url;
                }
            }
        }
        row
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size: u64 = self.installed.iter().map(|(_, bytes)| bytes).sum();
        let both = self.installed.len() == 2;
        let state = match (self.damaged, self.installed.len(), self.model.released) {
            (true, ..) => "damaged".to_owned(),
            (_, 0, _) => "-".to_owned(),
            (_, here, Some(model)) if here < model.streams().count() => {
                format!("{} only", self.installed[0].0)
            }
            _ => format!("{:.1} MiB", size as f64 / (1 << 20) as f64),
        };
        let name = &self.model.name;
        f.write_str(&match self.model.released {
            Some(model) => {
                let streams = if model.flow.is_some() { "rgb + flow" } else { "rgb" };
                line(name, streams, model.classes, &state, model.licence, model.description)
            }
            None => {
                let one = self.installed.first().map_or("-", |(stream, _)| stream.name());
                let streams = if both { "rgb + flow" } else { one };
                line(name, streams, self.classes, &state, "-", &format!("added from {}", self.origin))
            }
        })
    }
}

/// The line of the demo model.
pub fn demo() -> String {
    let about = "drawn actions (`i3d synth`); part of this program, for a first look";
    line(demo::NAME, "rgb + flow", i3d_synth::CLASSES.len(), "bundled", "as i3d", about)
}

/// A line of `i3d models list`, whose columns stand one below the other.
fn line(name: &str, streams: &str, classes: usize, state: &str, licence: &str, about: &str) -> String {
    format!("{name:<21} {streams:<10} {classes:>4} classes  {state:>10}  {licence:<10}  {about}")
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Check { model, stream, health, remedy } = self;
        match health {
            Health::Good => write!(f, "{model:<21} {stream:<4}  ok"),
            bad => write!(f, "{model:<21} {stream:<4}  damaged: {bad}; repair it with {remedy}"),
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Health::Good => f.write_str("as it was stored"),
            Health::Damaged { expected, found } => write!(f, "expected SHA-256 {expected}, found {found}"),
            Health::Length { expected, found: Some(found) } => {
                write!(f, "expected {expected} bytes, found {found}")
            }
            Health::Length { expected, found: None } => write!(f, "expected {expected} bytes, found no file"),
        }
    }
}
