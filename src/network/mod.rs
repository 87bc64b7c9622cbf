//! The networks of the paper as data: endpoints, units, shapes. Describes; computes nothing.
//!
//! Names are DeepMind's, verbatim, without the `RGB/inception_i3d/` or `Flow/inception_i3d/` scope prefix
//! (source: deepmind/kinetics-i3d, `i3d.py`).

mod heads;
mod inception;
mod node;
mod shape;
mod system;

pub use inception::{
    BATCH_NORM_EPSILON, Block, ENDPOINTS, Endpoint, FEATURES, LOGITS, LOGITS_PER_STEP, MIN_FRAMES, Mixed,
};
pub use node::{Form, Node, Operation, Place, Pool, Unit};
pub use shape::{Shape, same_padding};
pub use system::{Input, Protocol, System};

use crate::error::{Error, Result};

/// Which of the two networks: one sees colour frames, the other optical flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Colour frames, 3 channels.
    Rgb,
    /// Optical flow (u, v), 2 channels.
    Flow,
}

impl Stream {
    /// Input channels: 3 for RGB, 2 for flow.
    pub const fn channels(self) -> usize {
        match self {
            Stream::Rgb => 3,
            Stream::Flow => 2,
        }
    }

    /// The stream with that many input channels.
    pub const fn from_channels(channels: usize) -> Option<Stream> {
        match channels {
            3 => Some(Stream::Rgb),
            2 => Some(Stream::Flow),
            _ => None,
        }
    }

    /// `rgb` or `flow`.
    pub const fn name(self) -> &'static str {
        match self {
            Stream::Rgb => "rgb",
            Stream::Flow => "flow",
        }
    }
}

impl std::fmt::Display for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One stream's trunk in a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tower {
    /// What its units' names begin with.
    pub scope: &'static str,
    /// First channel of the clip that it reads.
    pub first: usize,
    /// Channels that it reads.
    pub channels: usize,
}

/// One network: everything that decides its shapes.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Network {
    /// Which of the paper's systems it belongs to.
    pub system: System,
    /// Channels of the input clip: 3 (RGB) or 2 (flow) in the released models; any number works.
    pub in_channels: usize,
    /// Number of classes, the length of the logits.
    pub classes: usize,
    /// Multiplier of all channel counts; 1.0 is the paper's network.
    pub width: f64,
    /// Height and width of the input clip in pixels; 224 in the paper.
    pub input_size: usize,
}

/// More input channels or classes than any network has; a file may say anything.
const MOST: usize = 1_000_000;

impl Network {
    /// The paper's I3D for a stream: width 1.0, 224x224 pixels.
    pub const fn i3d(stream: Stream, classes: usize) -> Network {
        let in_channels = stream.channels();
        Network { system: System::I3d, in_channels, classes, width: 1.0, input_size: 224 }
    }

    /// A system's network of the paper's size for what it sees.
    pub const fn new(system: System, input: Input, classes: usize) -> Network {
        let (in_channels, input_size) = (system.channels(input), system.input_size());
        Network { system, in_channels, classes, width: 1.0, input_size }
    }

    /// What this network sees, where its channel count says so.
    pub fn input(&self) -> Option<Input> {
        self.system.input(self.in_channels)
    }

    /// The stream this network belongs to, where its channel count says so.
    pub fn stream(&self) -> Option<Stream> {
        match self.input()? {
            Input::One(stream) => Some(stream),
            Input::Both => None,
        }
    }

    /// The trunks of a network that has one per stream, or its only one.
    pub fn towers(&self) -> Vec<Tower> {
        let channels = self.in_channels;
        if self.input() != Some(Input::Both) {
            return vec![Tower { scope: "", first: 0, channels }];
        }
        let first = system::BESIDE;
        let rgb = Tower { scope: "RGB/", first: 0, channels: Stream::Rgb.channels() };
        vec![rgb, Tower { scope: "Flow/", first, channels: channels - first }]
    }

    /// The shortest clip, in time steps, that yields a logit.
    pub const fn min_frames(&self) -> usize {
        match self.system {
            System::I3d => MIN_FRAMES,
            _ => 1,
        }
    }

    /// The tensor that the classifier reads, one vector per time step, where there is a single one.
    pub fn features(&self) -> Option<&'static str> {
        match self.system {
            System::ConvNetLstm => Some("LSTM"),
            System::ConvNet3d => Some("fc7"),
            System::TwoStream if self.input() == Some(Input::Both) => None,
            System::TwoStream | System::Fused | System::I3d => Some(FEATURES),
        }
    }

    /// The endpoint whose logits the loss is taken of: those of every time step where an LSTM gives them, else the result.
    pub const fn scored(&self) -> &'static str {
        match self.system {
            System::ConvNetLstm => LOGITS_PER_STEP,
            _ => LOGITS,
        }
    }

    /// Fails with a sentence where the description cannot be built.
    pub fn validate(&self) -> Result<()> {
        if self.in_channels == 0 || self.classes == 0 {
            return Err(Error::Usage("a network needs at least one input channel and one class".into()));
        }
        if self.in_channels > MOST || self.classes > MOST {
            return Err(Error::Usage(format!("a network has at most {MOST} input channels and classes")));
        }
        if !(self.width > 0.0 && self.width <= 16.0) {
            return Err(Error::Usage(format!(
                "width {} is out of range: give a number in (0, 16]",
                self.width
            )));
        }
        if !(16..=4096).contains(&self.input_size) {
            return Err(Error::Usage(format!(
                "input size {} is out of range: give 16 to 4096 pixels (the paper uses 224)",
                self.input_size
            )));
        }
        Ok(())
    }

    /// The channel count `paper_channels` scaled by `width`: rounded to a multiple of 4 and at least 4, so that
    /// every activation can be read and written four channels at a time.
    pub fn channels(&self, paper_channels: usize) -> usize {
        (((paper_channels as f64 * self.width / 4.0).round() as usize) * 4).max(4)
    }

    /// Every operation of the network in the order in which it runs.
    pub fn nodes(&self) -> Vec<Node> {
        heads::nodes(self)
    }

    /// Every layer with parameters in the order in which it runs, the classifier last.
    pub fn units(&self) -> Vec<Unit> {
        let unit = |node: Node| match node.operation {
            Operation::Conv(unit) | Operation::Linear(unit) | Operation::Lstm(unit) => Some(unit),
            _ => None,
        };
        self.nodes().into_iter().filter_map(unit).collect()
    }

    /// Every stored variable with its shape, in the order of units: see [`Unit::variables`].
    pub fn variables(&self) -> Vec<(String, Vec<usize>)> {
        self.units().iter().flat_map(Unit::variables).collect()
    }

    /// Trainable parameters: weights, batch-norm offsets and biases (moving averages are statistics, not parameters). 12,689,984 for RGB and 12,668,032 for flow with 400 classes.
    pub fn parameters(&self) -> usize {
        self.units().iter().map(|u| u.weights() + u.out_channels).sum()
    }

    /// Time steps of I3D's logits for a clip of `frames`: `ceil(frames / 8) - 1`, zero for clips below 9 frames.
    pub fn logit_steps(&self, frames: usize) -> usize {
        frames.div_ceil(2).div_ceil(2).div_ceil(2).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests;
