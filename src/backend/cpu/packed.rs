//! Weights as the CPU backend reads them, prepared once when a model is loaded.

use rayon::prelude::*;

use crate::backend::RunOptions;
use crate::backend::params::is_stem;
use crate::backend::winograd::{transform_stem, transform_weights};
use crate::error::Result;
use crate::network::{Form, Network, Unit, same_padding};
use crate::plan::{Group, Kernel, Plan};
use crate::weights::{Moments, UnitParameters, UnitWeights, Weights};

/// The weights of a unit.
pub(super) enum Packed {
    /// For direct convolution.
    Direct {
        /// `[taps * C, channels]`
        kernel: Vec<f32>,
        /// `[channels]`
        bias: Vec<f32>,
    },
    /// For Winograd's algorithm.
    Winograd {
        /// `[36, 3 * C, channels]`
        kernel: Vec<f32>,
        /// `[channels]`
        bias: Vec<f32>,
    },
    /// For Winograd's algorithm on the phases of the input of the opening convolution.
    Stem {
        /// `[36, 7 * 4 * C, channels]`
        kernel: Vec<f32>,
        /// `[channels]`
        bias: Vec<f32>,
    },
    /// Long short-term memory.
    Lstm(UnitParameters),
    /// Columns of the unit before, which has the same input and writes the channels before: one matrix product for both.
    Merged,
}

/// Packs the weights of every unit, in the order of [`Network::units`](crate::network::Network::units).
///
/// # Errors
/// Networks that cannot be planned.
pub(super) fn pack(weights: Weights, options: &RunOptions) -> Result<Vec<Packed>> {
    let plan = Plan::new(&weights.network, 1, weights.network.min_frames())?;
    let units = weights.network.units();
    // Which units continue the output of the unit before.
    let mut merged = vec![false; units.len()];
    for group in plan.groups(&[]) {
        if let Group::Siblings(steps) = group {
            for pair in plan.steps[steps].windows(2) {
                if let Kernel::Conv { unit, .. } = pair[1].kernel {
                    merged[unit] = pair[0].output == pair[1].output;
                }
            }
        }
    }
    let network = &weights.network;
    let mut rest = weights.units.into_iter().zip(&units).zip(&merged).peekable();
    let mut runs = Vec::new();
    while let Some(((first, unit), _)) = rest.next() {
        let mut run = vec![first];
        while let Some(((next, _), _)) = rest.next_if(|(_, merged)| **merged) {
            run.push(next);
        }
        runs.push((unit, run));
    }
    let packed = runs.into_par_iter().flat_map_iter(|(unit, run)| {
        let more = run.len() - 1;
        std::iter::once(unit_weights(network, unit, run, options)).chain((0..more).map(|_| Packed::Merged))
    });
    Ok(packed.collect())
}

/// Whether it is a convolution that Winograd's algorithm takes four channels of at a time.
fn by_fours(unit: &Unit) -> bool {
    unit.kernel == [3; 3] && unit.stride == [1; 3] && unit.in_channels.is_multiple_of(4)
}

fn unit_weights(network: &Network, unit: &Unit, run: Vec<UnitWeights>, options: &RunOptions) -> Packed {
    let bias: Vec<f32> = run.iter().flat_map(|weights| &weights.bias).copied().collect();
    let mut kernels = run.into_iter().map(|weights| weights.kernel);
    match (kernels.next(), kernels.len()) {
        (Some(kernel), 0) if by_fours(unit) && options.winograd() => {
            Packed::Winograd { kernel: transform_weights(&kernel, unit.in_channels, unit.out_channels), bias }
        }
        (Some(kernel), 0) if is_stem(unit.kernel, unit.stride, unit.in_channels) && options.winograd() => {
            let (_, pad, _) = same_padding(network.input_size, unit.kernel[1], unit.stride[1]);
            let (ci, co) = (unit.in_channels, unit.out_channels);
            Packed::Stem { kernel: transform_stem(&kernel, ci, co, [pad as isize; 2]), bias }
        }
        (Some(kernel), 0) if unit.form == Form::Lstm => {
            let (offset, fixed) = bias.split_at(unit.out_channels);
            let (mean, variance) = fixed.split_at(unit.statistics());
            let moments = Moments { mean: mean.to_vec(), variance: variance.to_vec() };
            Packed::Lstm(UnitParameters { kernel, offset: offset.to_vec(), moments: Some(moments) })
        }
        (Some(kernel), 0) => Packed::Direct { kernel, bias },
        (first, _) => {
            let kernels: Vec<Vec<f32>> = first.into_iter().chain(kernels).collect();
            let rows = unit.kernel.iter().product::<usize>() * unit.in_channels;
            let row = |i: usize| kernels.iter().flat_map(move |k| &k[i * k.len() / rows..][..k.len() / rows]);
            Packed::Direct { kernel: (0..rows).flat_map(row).copied().collect(), bias }
        }
    }
}
