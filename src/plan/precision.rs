//! How many bits a stored number has.

use super::{Buffer, Kernel, Plan, arena};
use crate::error::{Error, Result};
use crate::network::Unit;

/// How activations and weights are stored. Sums, biases and the network's head always have 32 bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// 16-bit floats of IEEE 754: 11 bits of significand, values up to 65504.
    F16,
}

impl Precision {
    /// Bytes of a number.
    pub const fn bytes(self) -> u64 {
        match self {
            Precision::F32 => 4,
            Precision::F16 => 2,
        }
    }

    /// How the weights of `unit` are stored. What has no batch norm behind it, the classifier and an LSTM, keeps 32 bits: the
    /// classifier is small, and its outputs are the result.
    pub fn of_weights(self, unit: &Unit) -> Precision {
        if unit.batch_norm() { self } else { Precision::F32 }
    }
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Precision::F32 => "f32",
            Precision::F16 => "f16",
        })
    }
}

impl Buffer {
    /// Bytes of so many of its channels.
    pub fn bytes(&self, channels: usize) -> u64 {
        self.precision.bytes() * self.shape.with_channels(channels).len() as u64
    }
}

impl Plan {
    /// The same plan with activations stored as `precision` says, but for those of the head: what the average pool gives
    /// and all that follows keeps 32 bits.
    pub fn with_precision(mut self, precision: Precision) -> Plan {
        self.precision = precision;
        self.buffers.iter_mut().for_each(|buffer| buffer.precision = precision);
        for step in &self.steps {
            let head = match step.kernel {
                Kernel::AvgPool(_) => &[step.output][..],
                Kernel::TimeMean(_) | Kernel::Lstm { .. } | Kernel::Conv { relu: false, .. } => {
                    &[step.input, step.output]
                }
                Kernel::MaxPool(_) | Kernel::Conv { .. } => &[],
            };
            head.iter().for_each(|&id| self.buffers[id].precision = Precision::F32);
        }
        arena::assign(&self.steps, &mut self.buffers);
        self
    }

    /// Fails where the plan is not one for a model that stores its weights as `precision` says.
    pub(crate) fn require(&self, precision: Precision) -> Result<()> {
        if self.precision == precision {
            return Ok(());
        }
        let problem = format!(
            "the plan is one for {}, the model stores {precision}; give the plan the model's precision",
            self.precision
        );
        Err(Error::Usage(problem))
    }
}
