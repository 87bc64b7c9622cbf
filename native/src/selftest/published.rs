//! Numbers that others published for the released models, or compute with them: `published.json`, and what stands in it.

use i3d::network::Stream;
use i3d::{Error, Result};
use serde::Deserialize;

/// Everything that can be checked.
#[derive(Debug, Deserialize)]
pub struct Published {
    /// Logits of the sample clips.
    pub outputs: Vec<Expected>,
    /// Distances between a black and a white clip.
    pub fvd: Fvd,
}

/// The logits of a model for the sample clips.
#[derive(Debug, Clone, Deserialize)]
pub struct Expected {
    /// The model's name here.
    pub model: String,
    /// One stream, or both, whose logits are added.
    pub streams: Vec<Stream>,
    /// Who printed the numbers, and into which file.
    pub source: String,
    /// Euclidean norm over all classes.
    pub norm: f64,
    /// The best classes and their logits, best first.
    pub top: Vec<(f64, String)>,
    /// What known mistakes print instead.
    #[serde(default)]
    pub mistakes: Vec<Fingerprint>,
}

impl Expected {
    /// `rgb`, `flow` or `joint`.
    pub fn streams(&self) -> &'static str {
        match self.streams[..] {
            [one] => one.name(),
            _ => "joint",
        }
    }
}

/// The numbers of a mistake.
#[derive(Debug, Clone, Deserialize)]
pub struct Fingerprint {
    /// Which one.
    pub mistake: Mistake,
    /// Norm of the logits, where somebody wrote it down.
    pub norm: Option<f64>,
    /// The largest logit.
    pub top: f64,
}

/// A mistake that others made, and whose numbers are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mistake {
    /// Batch norm's epsilon is 1e-5, the default of PyTorch and of Sonnet 2, instead of 1e-3.
    Epsilon,
    /// The same, and padding in time is 2 and 3 whatever the clip's length is: ports of before April 2019.
    FixedPadding,
    /// Padding is the same on both sides everywhere.
    SymmetricPadding,
}

impl Mistake {
    /// As a sentence's predicate.
    pub const fn says(self) -> &'static str {
        match self {
            Mistake::Epsilon => {
                "these are the numbers of batch norm with an epsilon of 1e-5 instead of 1e-3 (the default of PyTorch and of \
                 Sonnet 2)"
            }
            Mistake::FixedPadding => {
                "these are the numbers of padding in time that does not follow the clip's length, and of an epsilon of \
                 1e-5 (PyTorch ports of before April 2019)"
            }
            Mistake::SymmetricPadding => {
                "these are the numbers of PyTorch's padding, the same on both sides, where TensorFlow's puts the odd element \
                 behind"
            }
        }
    }
}

/// Frechet video distances of clips that are all -1 (black) to clips that are all 1 (white). Clips of a set being equal,
/// the distance is the squared one between two vectors of logits. The values are Flax's; what a TorchScript port printed for the same
/// clips is up to 0.35 % off.
#[derive(Debug, Deserialize)]
pub struct Fvd {
    /// The model's name here; its RGB network.
    pub model: String,
    /// Who printed the numbers.
    pub source: String,
    /// Frames and distance.
    pub values: Vec<(usize, f64)>,
}

impl Published {
    /// The published numbers.
    ///
    /// # Errors
    /// None, unless the program was built from a damaged file.
    pub fn load() -> Result<Published> {
        serde_json::from_str(include_str!("published.json"))
            .map_err(|e| Error::Usage(format!("published.json of this program cannot be read: {e}")))
    }
}
