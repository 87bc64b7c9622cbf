//! The networks of the paper as data: endpoints, units, shapes. Describes; computes nothing.
//!
//! Names are DeepMind's, verbatim, without the `RGB/inception_i3d/` or `Flow/inception_i3d/` scope prefix
//! (source: deepmind/kinetics-i3d, `i3d.py`).

mod inception;
mod shape;
mod system;

pub use inception::{
    BATCH_NORM_EPSILON, Block, ENDPOINTS, Endpoint, FEATURES, LOGITS, LOGITS_PER_STEP, MIN_FRAMES, Mixed,
    Node, Operation, Pool, Source, Target, Unit,
};
pub use shape::{Shape, same_padding};
pub use system::System;

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

impl Network {
    /// The paper's I3D for a stream: width 1.0, 224x224 pixels.
    pub const fn i3d(stream: Stream, classes: usize) -> Network {
        let in_channels = stream.channels();
        Network { system: System::I3d, in_channels, classes, width: 1.0, input_size: 224 }
    }

    /// The stream this network belongs to, where its channel count says so.
    pub const fn stream(&self) -> Option<Stream> {
        Stream::from_channels(self.in_channels)
    }

    /// Fails with a sentence where the description cannot be built.
    pub fn validate(&self) -> Result<()> {
        if self.in_channels == 0 || self.classes == 0 {
            return Err(Error::Usage("a network needs at least one input channel and one class".into()));
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
        inception::nodes(self)
    }

    /// Every convolution of the network in the order in which it runs, the classifier last.
    pub fn units(&self) -> Vec<Unit> {
        let conv = |node: Node| match node.operation {
            Operation::Conv(unit) => Some(unit),
            _ => None,
        };
        self.nodes().into_iter().filter_map(conv).collect()
    }

    /// Every stored variable with its shape, DeepMind's names without scope prefix, in unit order:
    /// `<unit>/conv_3d/w` `[kT, kH, kW, Cin, Cout]`, then `<unit>/batch_norm/{beta,moving_mean,moving_variance}` `[Cout]`,
    /// or `<unit>/conv_3d/b` `[Cout]` for the classifier.
    pub fn variables(&self) -> Vec<(String, Vec<usize>)> {
        let mut variables = Vec::new();
        for unit in self.units() {
            let [kt, kh, kw] = unit.kernel;
            variables.push((
                format!("{}/conv_3d/w", unit.name),
                vec![kt, kh, kw, unit.in_channels, unit.out_channels],
            ));
            if unit.batch_norm {
                for vector in ["beta", "moving_mean", "moving_variance"] {
                    variables.push((format!("{}/batch_norm/{vector}", unit.name), vec![unit.out_channels]));
                }
            } else {
                variables.push((format!("{}/conv_3d/b", unit.name), vec![unit.out_channels]));
            }
        }
        variables
    }

    /// Trainable parameters: convolution weights, batch-norm offsets and the classifier's bias (moving averages
    /// are statistics, not parameters). 12,689,984 for RGB and 12,668,032 for flow with 400 classes.
    pub fn parameters(&self) -> usize {
        self.units().iter().map(|u| u.weights() + u.out_channels).sum()
    }

    /// Time steps of the logits for a clip of `frames`: `ceil(frames / 8) - 1`, zero for clips below 9 frames.
    pub fn logit_steps(&self, frames: usize) -> usize {
        frames.div_ceil(2).div_ceil(2).div_ceil(2).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests;
