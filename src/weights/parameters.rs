//! What training changes: a network's variables, batch norm not folded.

use std::collections::BTreeMap;

use super::{Checkpoint, Format, Metadata, Tensor, Weights};
use crate::error::{Error, Result};
use crate::network::{Network, Unit};
use crate::random::SplitMix64;

/// Every variable of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// The network they belong to.
    pub network: Network,
    /// One entry per unit, in the order of [`Network::units`].
    pub units: Vec<UnitParameters>,
}

/// The variables of one unit.
///
/// # Shapes
/// `kernel` `[kT, kH, kW, Cin, Cout]`, the rest `[Cout]`.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitParameters {
    /// Convolution weights.
    pub kernel: Vec<f32>,
    /// Batch norm's beta, or the classifier's bias.
    pub offset: Vec<f32>,
    /// Moving averages of batch norm's statistics; none for the classifier, which has no batch norm.
    pub moments: Option<Moments>,
}

/// Mean and variance of every channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// Mean.
    pub mean: Vec<f32>,
    /// Variance, of all values rather than estimated from a sample.
    pub variance: Vec<f32>,
}

impl Parameters {
    /// Parameters before any training, as in Sonnet 1: weights from a normal distribution of deviation `1 / sqrt(kT * kH *
    /// kW * Cin)` cut off at two deviations, offsets zero, moving mean 0 and variance 1.
    pub fn new(network: &Network, seed: u64) -> Parameters {
        let unit = |(index, unit): (usize, &Unit)| {
            let mut random = SplitMix64::with_path(seed, &[index as u64]);
            let fan_in = unit.weights() / unit.out_channels;
            let deviation = 1.0 / (fan_in as f32).sqrt();
            let vector = |value: f32| vec![value; unit.out_channels];
            UnitParameters {
                kernel: (0..unit.weights()).map(|_| deviation * random.truncated_normal()).collect(),
                offset: vector(0.0),
                moments: unit.batch_norm.then(|| Moments { mean: vector(0.0), variance: vector(1.0) }),
            }
        };
        Parameters { network: *network, units: network.units().iter().enumerate().map(unit).collect() }
    }

    /// The variables of a checkpoint, which must be complete, finite and of `network`.
    pub fn from_checkpoint(checkpoint: &Checkpoint, network: &Network) -> Result<Parameters> {
        // Loading is the check of names, shapes and values.
        checkpoint.load(network)?;
        let values = |unit: &Unit, variable: &str| {
            let name = format!("{}/{variable}", unit.name);
            let missing = || Error::checkpoint(&checkpoint.place, format!("lacks the tensor {name}"));
            checkpoint.tensors.get(&name).map(|tensor| tensor.data.clone()).ok_or_else(missing)
        };
        let unit = |unit: &Unit| {
            let kernel = values(unit, KERNEL)?;
            if !unit.batch_norm {
                return Ok(UnitParameters { kernel, offset: values(unit, BIAS)?, moments: None });
            }
            let moments = Moments { mean: values(unit, MEAN)?, variance: values(unit, VARIANCE)? };
            Ok(UnitParameters { kernel, offset: values(unit, BETA)?, moments: Some(moments) })
        };
        let units = network.units().iter().map(unit).collect::<Result<_>>()?;
        Ok(Parameters { network: *network, units })
    }

    /// The same parameters with another classifier, new as in [`Parameters::new`].
    #[must_use]
    pub fn with_classes(mut self, classes: usize, seed: u64) -> Parameters {
        self.network.classes = classes;
        let mut fresh = Parameters::new(&self.network, seed);
        if let (Some(own), Some(new)) = (self.units.last_mut(), fresh.units.pop()) {
            *own = new;
        }
        self
    }

    /// As a checkpoint under DeepMind's names; `place` names it in errors.
    pub fn to_checkpoint(&self, place: &str, metadata: Metadata) -> Checkpoint {
        let mut tensors = BTreeMap::new();
        for (unit, values) in self.network.units().iter().zip(&self.units) {
            let [kt, kh, kw] = unit.kernel;
            let mut add = |name: &str, shape: &[usize], data: &[f32]| {
                let tensor = Tensor { shape: shape.to_vec(), data: data.to_vec() };
                tensors.insert(format!("{}/{name}", unit.name), tensor);
            };
            let vector = [unit.out_channels];
            add(KERNEL, &[kt, kh, kw, unit.in_channels, unit.out_channels], &values.kernel);
            match &values.moments {
                Some(Moments { mean, variance }) => {
                    add(BETA, &vector, &values.offset);
                    add(MEAN, &vector, mean);
                    add(VARIANCE, &vector, variance);
                }
                None => add(BIAS, &vector, &values.offset),
            }
        }
        let metadata = Metadata {
            stream: self.network.stream(),
            width: Some(self.network.width),
            input_size: Some(self.network.input_size),
            classes: Some(self.network.classes),
            ..metadata
        };
        let (place, format, sha256) = (place.to_string(), Format::Safetensors, String::new());
        Checkpoint { place, format, sha256, tensors, metadata, skipped: Vec::new() }
    }

    /// What inference runs: batch norm with its moving averages, folded.
    ///
    /// # Errors
    /// Parameters that are not finite.
    pub fn folded(&self) -> Result<Weights> {
        let checkpoint = self.to_checkpoint("the network in training", Metadata::default());
        checkpoint.load(&self.network).map(|(weights, _)| weights)
    }
}

const KERNEL: &str = "conv_3d/w";
const BIAS: &str = "conv_3d/b";
const BETA: &str = "batch_norm/beta";
const MEAN: &str = "batch_norm/moving_mean";
const VARIANCE: &str = "batch_norm/moving_variance";
