//! Which model runs: the one that is named, the one that is installed, or the one that somebody agrees to fetch.

use std::path::{Path, PathBuf};

use i3d::network::Stream;
use i3d::{Error, Result};

use crate::args::{Streams, WeightArgs};
use crate::input::Part;
use crate::models::{Models, command, demo};
use crate::talk::Talk;

/// The model that runs when none is named and it is installed, and that is offered where none is.
const DEFAULT_MODEL: &str = "kinetics-400";

/// Name of the stand-in model with random weights.
const RANDOM_MODEL: &str = "random";

/// Environment variable with the model to run where the command line names none.
const MODEL_VARIABLE: &str = "I3D_MODEL";

/// Environment variable that forbids fetching what was not asked for by `i3d models pull`.
const OFFLINE_VARIABLE: &str = "I3D_OFFLINE";

/// A model that runs, not yet read.
#[derive(Debug)]
pub enum Choice {
    /// Weights given stream by stream, by path or by the name of a model.
    Weights {
        /// For the RGB stream.
        rgb: Option<PathBuf>,
        /// For the flow stream.
        flow: Option<PathBuf>,
    },
    /// Random weights.
    Random,
    /// The demo model.
    Demo,
    /// An installed model, or one that is not there, which opening it tells.
    Installed {
        /// Its name.
        name: String,
        /// Those of its streams that are here.
        streams: Vec<Stream>,
    },
}

/// The model that runs for these inputs. Where none is named and none is installed, a person at a terminal is asked, and the
/// demo model runs for the clips that come with the program.
///
/// # Errors
/// No model, or several of which none is the default; and what fetching one says.
pub fn choose(weights: &WeightArgs, parts: &[&Part], talk: Talk) -> Result<Choice> {
    if weights.rgb.is_some() || weights.flow.is_some() {
        return Ok(Choice::Weights { rgb: weights.rgb.clone(), flow: weights.flow.clone() });
    }
    let variable = || std::env::var(MODEL_VARIABLE).ok().filter(|name| !name.is_empty());
    let models = Models::open();
    if let Some(name) = weights.model.clone().or_else(variable) {
        return Ok(match name.as_str() {
            RANDOM_MODEL => Choice::Random,
            demo::NAME => Choice::Demo,
            _ => Choice::Installed { streams: models?.streams(&name), name },
        });
    }
    let installed = models.as_ref().map(Models::installed).unwrap_or_default();
    let name = match &installed[..] {
        names if names.iter().any(|name| name == DEFAULT_MODEL) => DEFAULT_MODEL,
        [] if !parts.is_empty() && parts.iter().all(|part| demo::is_sample(part.path())) => {
            talk.note(format!(
                "no model is installed, so this is the demo model, which knows {} drawn actions and nothing of the world; \
                 `i3d models pull {DEFAULT_MODEL}` once for videos of people",
                i3d_synth::CLASSES.len()
            ));
            return Ok(Choice::Demo);
        }
        [] => {
            // Nobody fetches 102 MB to hear that a name was mistyped.
            there(parts)?;
            let models = models?;
            offer(&models, weights.yes, talk)?;
            let streams = models.streams(DEFAULT_MODEL);
            return Ok(Choice::Installed { name: DEFAULT_MODEL.into(), streams });
        }
        [one] => {
            talk.note(format!("the model is {one}, the only one that is installed"));
            one
        }
        several => {
            let problem =
                format!("several models are installed; choose one with --model: {}", several.join(", "));
            return Err(Error::Usage(problem));
        }
    };
    Ok(Choice::Installed { name: name.to_string(), streams: models?.streams(name) })
}

/// Fails where none of the inputs is there, with the first one.
fn there(parts: &[&Part]) -> Result<()> {
    let missing = |part: &&&Part| std::fs::metadata(part.path()).err();
    if parts.iter().any(|part| i3d::video::is_pattern(part.path()) || missing(&part).is_none()) {
        return Ok(());
    }
    let first = parts.first().and_then(|part| Some((part, missing(&part)?)));
    first.map_or(Ok(()), |(part, error)| Err(Error::io(part.name(), error)))
}

/// Fetches the default model, if somebody at the terminal wants it.
fn offer(models: &Models, yes: bool, talk: Talk) -> Result<()> {
    let none = || {
        Error::Usage(format!(
            "no model is installed; run `i3d models pull {DEFAULT_MODEL}` once (102 MB), or give --rgb PATH; `--model {}` knows \
             {} drawn actions and nothing of the world",
            demo::NAME,
            i3d_synth::CLASSES.len()
        ))
    };
    let offline = std::env::var_os(OFFLINE_VARIABLE).is_some_and(|value| !value.is_empty() && value != "0");
    let question = "No model is installed. Fetch Kinetics-400 (102 MB, once)?";
    if offline || !(yes || talk.agrees(question)) {
        return Err(none());
    }
    command::pull(models, DEFAULT_MODEL, None, talk).map(drop)
}

impl Choice {
    /// Which networks to load: those whose weights are given; of a model by name, those that the inputs need. I3D is a
    /// two-stream network, so a video runs through both where both are installed, and through the one that is where one is;
    /// random weights gain nothing by a second stream.
    pub fn wanted(&self, parts: &[&Part]) -> Streams {
        let (rgb, flow) = match self {
            Choice::Weights { rgb, flow } => return Streams::of(rgb.is_some(), flow.is_some()),
            Choice::Random => (true, false),
            Choice::Demo => (true, true),
            Choice::Installed { streams, .. } => {
                (streams.contains(&Stream::Rgb), streams.contains(&Stream::Flow))
            }
        };
        let is_video = |part: &&&Part| !part.array && part.expected.is_none();
        let video = parts.iter().any(|part| is_video(&part));
        // Asked once: an array is read for its stream.
        let arrays = parts.iter().filter(|part| !is_video(part));
        let needed: Vec<Stream> = arrays.filter_map(|part| part.stream()).collect();
        // A video without any network needs one all the same, and hears what is missing.
        Streams::of(
            needed.contains(&Stream::Rgb) || video && (rgb || !flow),
            needed.contains(&Stream::Flow) || video && flow,
        )
    }

    /// Fails where weights are given, but not for every stream that `--streams` names.
    pub fn check_streams(&self, asked: Streams) -> Result<()> {
        let Choice::Weights { rgb, flow } = self else { return Ok(()) };
        let lacks = |stream: &Stream| match stream {
            Stream::Rgb => rgb.is_none(),
            Stream::Flow => flow.is_none(),
        };
        match asked.each().find(lacks) {
            Some(stream) => {
                Err(Error::Usage(format!("--streams {asked} needs {stream} weights; give --{stream} PATH")))
            }
            None => Ok(()),
        }
    }

    /// Its name for reports.
    pub fn name(&self) -> &str {
        match self {
            Choice::Weights { .. } => "custom",
            Choice::Random => RANDOM_MODEL,
            Choice::Demo => demo::NAME,
            Choice::Installed { name, .. } => name,
        }
    }

    /// The weights that were given for a stream.
    pub fn path(&self, stream: Stream) -> Option<&Path> {
        match (self, stream) {
            (Choice::Weights { rgb, .. }, Stream::Rgb) => rgb.as_deref(),
            (Choice::Weights { flow, .. }, Stream::Flow) => flow.as_deref(),
            _ => None,
        }
    }
}
