//! From a checkpoint's variables to the folded weights of a network.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;

use rayon::prelude::*;

use super::{Checkpoint, Tensor, names};
use crate::error::{Error, Result};
use crate::network::{BATCH_NORM_EPSILON, Form, LOGITS_PER_STEP, Network, Stream, System, Unit};
use crate::random::SplitMix64;

/// Folded parameters of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// The network they belong to.
    pub network: Network,
    /// One entry per unit, in the order of [`Network::units`].
    pub units: Vec<UnitWeights>,
}

/// Folded parameters of one convolution: `y = kernel * x + bias`, then ReLU where the unit has batch norm.
///
/// # Shapes
///
/// `kernel` `[kT, kH, kW, Cin, Cout]`, `bias` `[Cout]`. Of an LSTM `kernel` `[inputs + hidden, 4 hidden]`; behind the bias
/// stand means and variances, `[steps, 9 hidden]` each.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitWeights {
    /// Convolution weights, batch norm folded in.
    pub kernel: Vec<f32>,
    /// What is added to every output channel.
    pub bias: Vec<f32>,
}

/// What became of a checkpoint's tensors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Variables that went into the weights.
    pub used: Vec<String>,
    /// Variables that the network needs and the checkpoint lacks; empty after a successful load.
    pub missing: Vec<String>,
    /// Tensors that the network does not know; empty after a successful load.
    pub unused: Vec<String>,
    /// Source names of what is not part of a model.
    pub skipped: Vec<String>,
}

impl Display for LoadReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let LoadReport { used, missing, unused, skipped } = self;
        write!(f, "{} used, {} missing, {} unused", used.len(), missing.len(), unused.len())?;
        write!(f, ", {} skipped", skipped.len())?;
        let mut kinds: Vec<&str> = skipped.iter().map(|name| names::skipped_kind(name)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        if !kinds.is_empty() {
            write!(f, " ({})", kinds.join(", "))?;
        }
        Ok(())
    }
}

/// See [`Checkpoint::load`].
pub(super) fn load(checkpoint: &Checkpoint, network: &Network) -> Result<(Weights, LoadReport)> {
    let Checkpoint { tensors, place, .. } = checkpoint;
    network.validate()?;
    let variables = network.variables();
    let mut report = LoadReport { skipped: checkpoint.skipped.clone(), ..LoadReport::default() };
    let mut other_shape = Vec::new();
    for (name, shape) in &variables {
        match tensors.get(name) {
            None => report.missing.push(name.clone()),
            Some(tensor) if tensor.shape != *shape => other_shape.push((name, shape, &tensor.shape)),
            Some(_) => report.used.push(name.clone()),
        }
    }
    let known: HashSet<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
    report.unused = tensors.keys().filter(|name| !known.contains(name.as_str())).cloned().collect();

    // From the most telling complaint to the least.
    whole_network_mismatch(checkpoint, network)?;
    if let Some(first) = report.missing.first() {
        return Err(Error::checkpoint(
            place,
            format!(
                "lacks the tensor {first}{}: {} of {} are there; it is incomplete or of another network, \
                 download or convert it again",
                and_others(report.missing.len()),
                variables.len() - report.missing.len(),
                variables.len()
            ),
        ));
    }
    if let Some((name, expected, found)) = other_shape.first() {
        return Err(Error::checkpoint(
            format!("{place}: tensor {name}"),
            format!(
                "has shape {found:?}, expected {expected:?}{}: the checkpoint is of another network \
                 (this one has width {}, {} input channels, {} classes)",
                and_others(other_shape.len()),
                network.width,
                network.in_channels,
                network.classes
            ),
        ));
    }
    if let Some(first) = report.unused.first() {
        return Err(Error::checkpoint(
            place,
            format!(
                "holds the tensor {first}{}, which the network does not have: it is of another one, or save the model's \
                 variables alone",
                and_others(report.unused.len())
            ),
        ));
    }
    // Of several problems the first is told, whichever thread finds one first.
    let units: Vec<_> = network.units().par_iter().map(|unit| fold(place, tensors, unit)).collect();
    let units = units.into_iter().collect::<Result<_>>()?;
    Ok((Weights { network: *network, units }, report))
}

/// ` and 3 others`, where there are more than one.
fn and_others(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        2 => " and 1 other".into(),
        n => format!(" and {} others", n - 1),
    }
}

/// The mistakes that deserve a sentence of their own: a 2-D network, the other stream, another number of classes.
fn whole_network_mismatch(checkpoint: &Checkpoint, network: &Network) -> Result<()> {
    let Checkpoint { place, tensors, .. } = checkpoint;
    let dimension = |name: &str, axis: usize, rank: usize| {
        tensors.get(name).filter(|t| t.shape.len() == rank).and_then(|t| t.shape.get(axis)).copied()
    };
    let name_of = |channels: usize| match Stream::from_channels(channels) {
        Some(stream) => format!("{stream} ({channels} input channels)"),
        None => format!("{channels} input channels"),
    };
    if network.system == System::I3d && dimension("Conv3d_1a_7x7/conv_3d/w", 0, 5) == Some(1) {
        return Err(Error::checkpoint(
            place,
            "is a 2-D network: its kernels have no time, those of I3D have; inflate it first (`i3d inflate`)",
        ));
    }
    match dimension("Conv3d_1a_7x7/conv_3d/w", 3, 5) {
        Some(found) if found != network.in_channels => {
            return Err(Error::checkpoint(
                place,
                format!(
                    "is a checkpoint of another stream: expected {}, found {}: give it for that stream instead",
                    name_of(network.in_channels),
                    name_of(found)
                ),
            ));
        }
        _ => {}
    }
    match dimension(&format!("{LOGITS_PER_STEP}/conv_3d/b"), 0, 1) {
        Some(found) if found != network.classes => Err(Error::checkpoint(
            place,
            format!(
                "has {found} classes, expected {}: give the checkpoint and the labels of the same data set",
                network.classes
            ),
        )),
        _ => Ok(()),
    }
}

/// Batch norm without scale, `(conv - mean) / sqrt(variance + eps) + beta`, and its convolution as one convolution. That of
/// an LSTM, which differs from step to step, stays as it is.
fn fold(place: &str, tensors: &BTreeMap<String, Tensor>, unit: &Unit) -> Result<UnitWeights> {
    let variables = unit.variables();
    let values = |index: usize| {
        let (name, _) = &variables[index];
        let at = |problem: String| Error::checkpoint(format!("{place}: tensor {name}"), problem);
        let data =
            tensors.get(name).map(|tensor| tensor.data.as_slice()).ok_or_else(|| at("is missing".into()))?;
        match data.iter().position(|x| !x.is_finite()) {
            None => Ok(data),
            Some(i) => Err(at(format!(
                "holds {} at index {i}, expected finite numbers: the training diverged or the file is damaged; \
                 use an earlier checkpoint or download it again",
                data[i]
            ))),
        }
    };
    let (weights, offset) = (values(0)?, values(1)?);
    if unit.form == Form::Bias {
        return Ok(UnitWeights { kernel: weights.to_vec(), bias: offset.to_vec() });
    }
    let (mean, variance) = (values(2)?, values(3)?);
    if let Some(i) = variance.iter().position(|&v| v < 0.0) {
        return Err(Error::checkpoint(
            format!("{place}: tensor {}", variables[3].0),
            format!("holds {} at index {i}, expected no negative variance: download it again", variance[i]),
        ));
    }
    if unit.form == Form::Lstm {
        return Ok(UnitWeights { kernel: weights.to_vec(), bias: [offset, mean, variance].concat() });
    }
    // In f64, so that folding rounds once.
    let epsilon = f64::from(BATCH_NORM_EPSILON);
    let inverse: Vec<f64> = variance.iter().map(|&v| 1.0 / (f64::from(v) + epsilon).sqrt()).collect();
    let mut kernel = Vec::with_capacity(weights.len());
    for channels in weights.chunks_exact(unit.out_channels) {
        kernel.extend(channels.iter().zip(&inverse).map(|(&w, s)| (f64::from(w) * s) as f32));
    }
    let bias = offset
        .iter()
        .zip(mean)
        .zip(&inverse)
        .map(|((&beta, &mean), s)| (f64::from(beta) - f64::from(mean) * s) as f32)
        .collect();
    Ok(UnitWeights { kernel, bias })
}

/// The width whose channel counts are those of the tensors: the simplest of all that fit, or the first unit's
/// ratio where none does (loading then says which tensor disagrees).
pub(super) fn width(tensors: &BTreeMap<String, Tensor>, stem_channels: usize) -> f64 {
    let fallback = stem_channels as f64 / 64.0;
    let (mut low, mut high) = (0f64, 16f64);
    for unit in Network::i3d(Stream::Rgb, 1).units().iter().filter(|unit| unit.batch_norm()) {
        let tensor = tensors.get(&format!("{}/conv_3d/w", unit.name));
        let Some(&found) = tensor.and_then(|tensor| tensor.shape.last()) else {
            continue;
        };
        // Channels are rounded to fours, and at least four, so each unit allows an interval of widths.
        let (paper, found) = (unit.out_channels as f64, found as f64);
        if found > 4.0 {
            low = low.max((found - 2.0) / paper);
        }
        high = high.min((found + 2.0) / paper);
    }
    let denominators = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 10.0, 20.0, 100.0, 1000.0, 10000.0];
    let candidates = denominators.iter().map(|d| (((low + high) / 2.0) * d).round() / d);
    candidates.into_iter().find(|&w| w > 0.0 && w >= low && w < high).unwrap_or(fallback)
}

impl Weights {
    /// Random weights that keep activations of order one; the same seed gives the same bits on every platform.
    pub fn random(network: &Network, seed: u64) -> Weights {
        let mut random = SplitMix64::new(seed);
        let units = network
            .units()
            .iter()
            .map(|unit| {
                let fan_in = (unit.weights() / unit.out_channels.max(1)).max(1);
                // Uniform on [-a, a] has variance a^2 / 3; ReLU halves the second moment, the classifier has none.
                let variance = if unit.batch_norm() { 2.0 } else { 1.0 } / fan_in as f64;
                let bound = (3.0 * variance).sqrt() as f32;
                let kernel = (0..unit.weights()).map(|_| bound * random.symmetric()).collect();
                let mut bias: Vec<f32> = (0..unit.out_channels).map(|_| 0.1 * random.symmetric()).collect();
                if unit.form == Form::Lstm {
                    bias.resize(bias.len() + unit.statistics(), 0.0);
                    bias.extend((0..unit.statistics()).map(|_| 1.0 + 0.5 * random.symmetric()));
                }
                UnitWeights { kernel, bias }
            })
            .collect();
        Weights { network: *network, units }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_weights_have_every_shape_and_repeat() {
        let network = Network { width: 0.0625, ..Network::i3d(Stream::Flow, 3) };
        let weights = Weights::random(&network, 7);
        for (unit, weights) in network.units().iter().zip(&weights.units) {
            assert_eq!(weights.kernel.len(), unit.weights());
            assert_eq!(weights.bias.len(), unit.out_channels);
        }
        assert_eq!(weights, Weights::random(&network, 7));
        assert_ne!(weights, Weights::random(&network, 8));
    }

    #[test]
    fn the_width_is_found_from_channel_counts() {
        for width in [0.0625, 0.125, 0.25, 0.3, 0.5, 0.75, 1.0, 1.25, 2.0] {
            let network = Network { width, ..Network::i3d(Stream::Rgb, 5) };
            let tensors = network
                .variables()
                .into_iter()
                .map(|(name, shape)| (name, Tensor { shape, data: Vec::new() }))
                .collect::<BTreeMap<_, _>>();
            let found = Network { width: super::width(&tensors, network.channels(64)), ..network };
            assert_eq!(found.variables(), network.variables(), "width {width}, found {}", found.width);
            if width.fract() == 0.0 || (width * 16.0).fract() == 0.0 {
                assert_eq!(found.width, width);
            }
        }
    }
}
