//! What training changes: a network's variables, batch norm not folded.

use std::collections::BTreeMap;

use super::{Checkpoint, Format, Metadata, Tensor, Weights};
use crate::error::{Error, Result};
use crate::network::{Form, Network, Unit};
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
/// `kernel` `[kT, kH, kW, Cin, Cout]`, the rest `[Cout]`, moments as [`Unit::variables`] has them.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitParameters {
    /// Convolution weights.
    pub kernel: Vec<f32>,
    /// Batch norm's beta, or the classifier's bias.
    pub offset: Vec<f32>,
    /// Moving averages of batch norm's statistics; none where there is no batch norm.
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
            let vector = |value: f32| vec![value; unit.statistics()];
            let kernel = (0..unit.weights()).map(|_| deviation * random.truncated_normal()).collect();
            let mut offset = vec![0.0; unit.out_channels];
            if unit.form == Form::Lstm {
                // Forget gates begin open, as in TensorFlow and Sonnet.
                offset.iter_mut().skip(1).step_by(4).for_each(|bias| *bias = 1.0);
            }
            let moments = Moments { mean: vector(0.0), variance: vector(1.0) };
            UnitParameters { kernel, offset, moments: (unit.form != Form::Bias).then_some(moments) }
        };
        Parameters { network: *network, units: network.units().iter().enumerate().map(unit).collect() }
    }

    /// The variables of a checkpoint, which must be complete, finite and of `network`.
    pub fn from_checkpoint(checkpoint: &Checkpoint, network: &Network) -> Result<Parameters> {
        // Loading is the check of names, shapes and values.
        checkpoint.load(network)?;
        let values = |(name, _): &(String, Vec<usize>)| {
            let missing = || Error::checkpoint(&checkpoint.place, format!("lacks the tensor {name}"));
            checkpoint.tensors.get(name).map(|tensor| tensor.data.clone()).ok_or_else(missing)
        };
        let unit = |unit: &Unit| {
            let variables = unit.variables();
            let moments = match &variables[2..] {
                [mean, variance, ..] => Some(Moments { mean: values(mean)?, variance: values(variance)? }),
                _ => None,
            };
            Ok(UnitParameters { kernel: values(&variables[0])?, offset: values(&variables[1])?, moments })
        };
        let units = network.units().iter().map(unit).collect::<Result<_>>()?;
        Ok(Parameters { network: *network, units })
    }

    /// The same parameters with another classifier, new as in [`Parameters::new`].
    #[must_use]
    pub fn with_classes(mut self, classes: usize, seed: u64) -> Parameters {
        self.network.classes = classes;
        let fresh = Parameters::new(&self.network, seed).units;
        for ((own, new), unit) in self.units.iter_mut().zip(fresh).zip(self.network.units()) {
            // A network of two streams may have two.
            if unit.form == Form::Bias {
                *own = new;
            }
        }
        self
    }

    /// As a checkpoint under DeepMind's names; `place` names it in errors.
    pub fn to_checkpoint(&self, place: &str, metadata: Metadata) -> Checkpoint {
        let mut tensors = BTreeMap::new();
        for (unit, values) in self.network.units().iter().zip(&self.units) {
            let own = [Some(&values.kernel), Some(&values.offset)].into_iter();
            let moments = values.moments.as_ref();
            let moments = [moments.map(|own| &own.mean), moments.map(|own| &own.variance)];
            for ((name, shape), data) in unit.variables().into_iter().zip(own.chain(moments).flatten()) {
                tensors.insert(name, Tensor { shape, data: data.clone() });
            }
        }
        let metadata = Metadata {
            architecture: Some(super::architecture(self.network.system).into()),
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
