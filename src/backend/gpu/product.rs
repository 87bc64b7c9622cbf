//! Matrix products to launches, whatever form of the kernel the adapter gets.

use bytemuck::Zeroable;

use super::launch::{Binding, Launch};
use super::manifest;
use super::variants::Products;
use super::weights::{DeviceWeights, OnDevice, Piece};
use crate::backend::params::{GemmParams, Params, PoolParams};

/// Output channels of one unit.
pub(super) struct Range {
    /// Index of the unit.
    pub unit: usize,
    /// First input channel, in fours.
    pub input: usize,
    /// Input channels, in fours.
    pub depth: usize,
    /// Which of the outputs it writes.
    pub output: usize,
    /// First output channel, in fours.
    pub first: usize,
}

/// A product of rows of an input with the weights of some units.
pub(super) struct Product {
    pub rows: usize,
    pub taps: usize,
    /// Rows from one tap to the next.
    pub tap_rows: usize,
    pub points: usize,
    pub input: Binding,
    /// In fours: channels of an input row, and from one point to the next.
    pub strides: [usize; 2],
    /// Outputs and the channels of their rows in fours; two at most.
    pub outputs: Vec<(Binding, usize)>,
    /// From one point of the first output to the next, in fours.
    pub output_point: usize,
    pub bias: bool,
    pub relu: bool,
    pub ranges: Vec<Range>,
    /// Where rows are maxima over a window of the input. Tiled products alone can do that.
    pub pool: Option<PoolParams>,
    pub step: usize,
}

/// Most ranges of one launch of `gemm.wgsl`.
pub(super) const RANGES: usize = 3;

impl Product {
    /// The launches that compute it.
    pub fn launches(&self, weights: &DeviceWeights, products: Products) -> Vec<Launch> {
        match products {
            Products::Tiled(tile) => vec![self.tiled(weights, tile)],
            Products::Uniform => {
                let pieces = self.ranges.iter().flat_map(|range| {
                    let unit = &weights.units[range.unit];
                    unit.pieces.iter().map(move |piece| (range, unit, piece))
                });
                pieces.map(|(range, unit, piece)| self.windowed(range, unit, piece)).collect()
            }
        }
    }

    fn params(&self) -> GemmParams {
        let stride = |output: usize| self.outputs.get(output).map_or(0, |(_, stride)| *stride as u32);
        GemmParams {
            rows: [self.rows as u32, 0, self.taps as u32, self.tap_rows as u32],
            input: [self.strides[0] as u32, self.strides[1] as u32, 1, self.points as u32],
            output: [stride(0), stride(1), self.output_point as u32, u32::from(self.relu)],
            channels: [[0; 4]; RANGES],
            place: [[0; 4]; RANGES],
            ..GemmParams::zeroed()
        }
    }

    fn tiled(&self, weights: &DeviceWeights, tile: usize) -> Launch {
        let units = || self.ranges.iter().map(|range| &weights.units[range.unit]);
        let start = units().map(|unit| unit.bytes.start).min().unwrap_or(0);
        let end = units().map(|unit| unit.bytes.end).max().unwrap_or(0);
        let buffer = units().next().map_or(0, |unit| unit.buffer);
        let mut params = self.params();
        if let Some(pool) = &self.pool {
            params = params.pooling(pool);
        }
        params.input[2] = self.ranges.len() as u32;
        let mut work = 0;
        for (index, (range, unit)) in self.ranges.iter().zip(units()).enumerate() {
            let first = ((unit.bytes.start - start) / (4 * unit.precision.bytes())) as u32;
            params.channels[index] = [range.input as u32, range.depth as u32, unit.columns as u32, first];
            let bias = if self.bias { (unit.bias / 16) as u32 } else { 0 };
            params.place[index] = [range.output as u32, range.first as u32, bias, unit.columns as u32];
            work += 16 * self.rows * self.taps * self.points * range.depth * unit.columns;
        }
        let output = |index: usize| self.outputs.get(index).map_or(Binding::Spare, |(b, _)| b.clone());
        Launch {
            kernel: &manifest::GEMM,
            constants: manifest::GEMM_TILES[usize::from(self.pool.is_some())][tile],
            params: Params::Gemm(params),
            bindings: vec![
                self.input.clone(),
                Binding::Weights(buffer, start..end),
                Binding::Biases,
                output(0),
                output(1),
            ],
            windows: Vec::new(),
            work: work as u64,
            step: self.step,
        }
    }

    fn windowed(&self, range: &Range, unit: &OnDevice, piece: &Piece) -> Launch {
        let begins = piece.taps.start == 0 && piece.rows.start == 0;
        let ends = piece.taps.end == self.taps && piece.rows.end == 4 * range.depth;
        let (output, stride) = &self.outputs[range.output];
        let mut params = self.params();
        params.rows[2] = piece.taps.len() as u32;
        params.input[3] = 1;
        params.output = [*stride as u32, 0, 0, u32::from(self.relu && ends)];
        let input = piece.point * self.strides[1]
            + piece.taps.start * self.tap_rows * self.strides[0]
            + range.input
            + piece.rows.start / 4;
        let first = piece.point * self.output_point + range.first + piece.columns.start;
        params.channels[0] = [input as u32, (piece.rows.len() / 4) as u32, piece.columns.len() as u32, 0];
        params.place[0] = [0, first as u32, 0, piece.wide as u32];
        // Zeros stand before the first unit's bias.
        let bias = if self.bias && begins { unit.bias + piece.bias } else { 0 };
        let variant = 2 * usize::from(piece.wide == 16) + usize::from(!begins);
        let window = |name| manifest::GEMM_UNIFORM.window(name).unwrap_or(0);
        let work = 4 * self.rows * piece.taps.len() * piece.rows.len() * piece.columns.len();
        Launch {
            kernel: &manifest::GEMM_UNIFORM,
            constants: manifest::GEMM_UNIFORM.variants[variant],
            params: Params::Gemm(params),
            bindings: vec![
                self.input.clone(),
                Binding::WeightWindow(unit.buffer, window("weight")),
                Binding::BiasWindow(window("bias")),
                output.clone(),
            ],
            windows: vec![piece.offset, bias],
            work: work as u64,
            step: self.step,
        }
    }
}
