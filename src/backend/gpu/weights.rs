//! The weights on a device: how each unit runs decides how its weights lie.

use std::ops::Range;

use rayon::prelude::*;

use super::Gpu;
use super::numbers::{beyond, encode};
use super::variants::{Products, Variants};
use super::winograd;
use crate::backend::RunOptions;
use crate::backend::params::is_stem;
use crate::backend::winograd::{POINTS, transform_weights};
use crate::error::{Error, Result};
use crate::network::{Form, Unit};
use crate::plan::{ALIGNMENT, Kernel, Plan, Precision};
use crate::weights::{UnitWeights, Weights};

/// Channels of a block of biases: as many as fill the alignment of a dynamic offset.
const BIAS_BLOCK: usize = ALIGNMENT as usize / 4;
/// Most weights, in fours, that a window of uniform memory holds.
const WINDOW: usize = 4096;
/// Bytes behind the last weights, so that a window may begin at any of them.
const BEHIND: u64 = 16 * WINDOW as u64;

/// How a unit runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// `stem.wgsl`.
    Stem,
    /// `conv3d.wgsl`, or `head.wgsl` for the classifier, whose weights lie the same way.
    Direct,
    /// A matrix product, for 1x1x1 convolutions.
    Pointwise,
    /// Winograd's transforms and 36 matrix products.
    Winograd,
    /// `lstm.wgsl`, whose weights have bias and statistics behind them.
    Lstm,
}

/// A part of a unit's weights that one dispatch of `gemm_uniform.wgsl` sees through its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub point: usize,
    pub taps: Range<usize>,
    /// Rows of weights of a tap: input channels, for the stem with its taps in space.
    pub rows: Range<usize>,
    /// Output channels in fours.
    pub columns: Range<usize>,
    /// Columns of the kernel's variant, in fours.
    pub wide: usize,
    /// Where it begins in the buffer.
    pub offset: u64,
    /// Where its bias begins, behind the beginning of the unit's.
    pub bias: u64,
}

/// One unit's weights.
pub(super) struct OnDevice {
    pub algorithm: Algorithm,
    /// How they are stored; the bias has 32 bits.
    pub precision: Precision,
    /// Which of the buffers holds them.
    pub buffer: usize,
    pub bytes: Range<u64>,
    /// The parts for windows; empty where the weights lie as `[points, taps, Ci, Co]`.
    pub pieces: Vec<Piece>,
    /// Where the bias begins, a multiple of the alignment.
    pub bias: u64,
    /// Columns stored, in fours.
    pub columns: usize,
}

/// All weights.
pub(super) struct DeviceWeights {
    /// One buffer per endpoint, so that none grows beyond what a device allows.
    pub buffers: Vec<wgpu::Buffer>,
    pub units: Vec<OnDevice>,
    /// Every bias, padded to blocks; before them zeros for as many channels as the widest unit has.
    pub biases: wgpu::Buffer,
}

impl DeviceWeights {
    /// Transforms and uploads.
    pub fn new(gpu: &Gpu, weights: &Weights, options: &RunOptions) -> Result<DeviceWeights> {
        let units = weights.network.units();
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let create = |label, size| {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage,
                mapped_at_creation: false,
            })
        };
        let variants = &gpu.variants;
        let products = variants.products(options.precision);
        let mut biases = vec![0.0; units.iter().map(|u| padded(u.out_channels)).max().unwrap_or(0)];
        let mut made = DeviceWeights { buffers: Vec::new(), units: Vec::new(), biases: create("bias", 4) };
        let sizes = sizes(&Plan::new(&weights.network, 1, weights.network.min_frames())?);
        for endpoint in endpoints(&units) {
            let mut packed = Vec::new();
            let mut end = 0;
            for index in endpoint {
                let description = &units[index];
                let algorithm = algorithm(description, sizes[index], options, variants);
                let precision = options.precision.of_weights(description);
                let values = &weights.units[index];
                if let Some(value) = beyond(&values.kernel, precision) {
                    let problem =
                        format!("a weight is {value}, f16 holds at most 65504; use --precision f32");
                    return Err(Error::checkpoint(&description.name, problem));
                }
                let (data, pieces) = pack(description, values, algorithm, products, end);
                let bytes = end..end + precision.bytes() * data.len() as u64;
                fits(gpu, &description.name, bytes.end - bytes.start, bytes.end + BEHIND)?;
                end = bytes.end.next_multiple_of(ALIGNMENT);
                // Neighbours that run Winograd's way have one output transform, which reads their biases as one. Those of
                // a piece begin with a block.
                let (block, span) = match algorithm {
                    Algorithm::Winograd => (4, usize::MAX),
                    _ if pieces.is_empty() => (BIAS_BLOCK, usize::MAX),
                    _ => (BIAS_BLOCK, 4 * widest(algorithm)),
                };
                biases.resize(biases.len().next_multiple_of(block), 0.0);
                let first = 4 * biases.len() as u64;
                let bias = &values.bias[..description.out_channels];
                for part in bias.chunks(span) {
                    biases.resize(biases.len().next_multiple_of(block), 0.0);
                    biases.extend(part);
                }
                let columns = description.out_channels.div_ceil(4);
                let buffer = made.buffers.len();
                packed.push((bytes.start, precision, data));
                made.units.push(OnDevice {
                    algorithm,
                    precision,
                    buffer,
                    bytes,
                    pieces,
                    bias: first,
                    columns,
                });
            }
            let buffer = create("weights", end + BEHIND);
            for (start, precision, data) in packed {
                gpu.queue.write_buffer(&buffer, start, &encode(&data, precision));
            }
            // What was written is copied once more by the queue; it goes before the next endpoint comes.
            gpu.queue.submit([]);
            made.buffers.push(buffer);
        }
        biases.resize(biases.len().next_multiple_of(BIAS_BLOCK) + BIAS_BLOCK, 0.0);
        made.biases = create("bias", 4 * biases.len() as u64);
        gpu.queue.write_buffer(&made.biases, 0, bytemuck::cast_slice(&biases));
        Ok(made)
    }
}

/// Fails where weights of so many bytes, in a buffer of so many, are more than the device allows: a fully connected layer may be.
fn fits(gpu: &Gpu, unit: &str, bytes: u64, buffer: u64) -> Result<()> {
    let limits = &gpu.adapter.limits;
    if bytes <= limits.max_binding_bytes && buffer <= limits.max_buffer_bytes {
        return Ok(());
    }
    let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
    Err(Error::Limits(format!(
        "the weights of {unit} need {:.1} MiB, this device allows {:.1} MiB in one binding and {:.1} MiB in one buffer; use \
         --device cpu",
        mib(bytes),
        mib(limits.max_binding_bytes),
        mib(limits.max_buffer_bytes)
    )))
}

/// Units with the same endpoint, as ranges of indices.
fn endpoints(units: &[Unit]) -> Vec<Range<usize>> {
    let name = |unit: &Unit| unit.name.split("/Branch_").next().unwrap_or_default().to_string();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        match ranges.last_mut() {
            Some(range) if name(&units[range.start]) == name(unit) => range.end += 1,
            _ => ranges.push(index..index + 1),
        }
    }
    ranges
}

/// Height and width of every unit's output.
fn sizes(plan: &Plan) -> Vec<[usize; 2]> {
    let unit = |kernel| matches!(kernel, Kernel::Conv { .. } | Kernel::Lstm { .. });
    let steps = plan.steps.iter().filter(|step| unit(step.kernel));
    steps.map(|step| plan.buffers[step.output].shape).map(|shape| [shape.h, shape.w]).collect()
}

fn algorithm(unit: &Unit, size: [usize; 2], options: &RunOptions, variants: &Variants) -> Algorithm {
    if unit.form == Form::Lstm {
        Algorithm::Lstm
    } else if is_stem(unit.kernel, unit.stride, unit.in_channels) {
        Algorithm::Stem
    } else if unit.kernel == [1; 3]
        && unit.stride == [1; 3]
        && unit.form != Form::Bias
        && variants.pointwise(options.precision)
    {
        Algorithm::Pointwise
    } else if options.winograd() && winograd::pays(unit, size) {
        Algorithm::Winograd
    } else {
        Algorithm::Direct
    }
}

/// A unit's weights as its kernel reads them, and its pieces where that is through windows; they begin at byte `start`.
fn pack(
    unit: &Unit,
    values: &UnitWeights,
    algorithm: Algorithm,
    products: Products,
    start: u64,
) -> (Vec<f32>, Vec<Piece>) {
    let stored = |channels: usize| channels.next_multiple_of(4);
    let (ci, co) = (stored(unit.in_channels), stored(unit.out_channels));
    let widened = |rows| pad(&values.kernel, unit.in_channels, unit.out_channels, rows, co);
    let (kernel, points, taps) = match algorithm {
        // The stem skips the channel that does not exist.
        Algorithm::Stem if products == Products::Uniform => {
            let rows = unit.kernel[1] * unit.kernel[2] * unit.in_channels;
            let shape = [1, unit.kernel[0], rows, co / 4];
            return windows(&widened(unit.in_channels), shape, widest(algorithm), start);
        }
        Algorithm::Stem => return (widened(unit.in_channels), Vec::new()),
        Algorithm::Direct => return (widened(ci), Vec::new()),
        Algorithm::Lstm => return ([&values.kernel[..], &values.bias].concat(), Vec::new()),
        Algorithm::Pointwise => (widened(ci), 1, 1),
        Algorithm::Winograd => (transform_weights(&widened(ci), ci, co), POINTS, 3),
    };
    match products {
        Products::Tiled(_) => (kernel, Vec::new()),
        Products::Uniform => windows(&kernel, [points, taps, ci, co / 4], widest(algorithm), start),
    }
}

/// Most columns of a piece, in fours. Half of the window's for the stem leave room for three taps in time at once.
fn widest(algorithm: Algorithm) -> usize {
    if algorithm == Algorithm::Stem { 8 } else { 16 }
}

/// `[points, taps, rows, Co]`, the last given in fours, cut into pieces that fit a window each, of at most `widest`
/// columns in fours.
fn windows(
    kernel: &[f32],
    [points, taps, rows, co]: [usize; 4],
    widest: usize,
    start: u64,
) -> (Vec<f32>, Vec<Piece>) {
    let mut pieces = Vec::new();
    let mut end = start;
    for (block, first) in (0..co).step_by(widest).enumerate() {
        let columns = first..(first + widest).min(co);
        let wide = if columns.len() > 8 { 16 } else { 8 };
        // As many taps as fit; where not even one does, some of its rows.
        let most = WINDOW / wide;
        let (taps_each, rows_each) = ((most / rows).max(1), rows.min(most));
        for (tap, point) in
            (0..taps).step_by(taps_each).flat_map(|tap| (0..points).map(move |point| (tap, point)))
        {
            for row in (0..rows).step_by(rows_each) {
                let taps = tap..(tap + taps_each).min(taps);
                let rows = row..(row + rows_each).min(rows);
                let bytes = (16 * taps.len() * rows.len() * wide) as u64;
                let (columns, bias) = (columns.clone(), ALIGNMENT * block as u64);
                pieces.push(Piece { point, taps, rows, columns, wide, offset: end, bias });
                // Offsets of windows are aligned.
                end += bytes.next_multiple_of(ALIGNMENT);
            }
        }
    }
    let mut packed = vec![0.0; ((end - start) / 4) as usize];
    let mut parts: Vec<(&Piece, &mut [f32])> = Vec::new();
    let mut rest = packed.as_mut_slice();
    for (index, piece) in pieces.iter().enumerate() {
        let next = pieces.get(index + 1).map_or(end, |next| next.offset);
        let (part, behind) = rest.split_at_mut(((next - piece.offset) / 4) as usize);
        parts.push((piece, part));
        rest = behind;
    }
    parts.into_par_iter().for_each(|(piece, part)| {
        let from = piece
            .taps
            .clone()
            .flat_map(|tap| piece.rows.clone().map(move |row| (piece.point * taps + tap) * rows + row));
        let length = 4 * piece.columns.len();
        for (row, to) in from.zip(part.chunks_mut(4 * piece.wide)) {
            to[..length].copy_from_slice(&kernel[4 * (row * co + piece.columns.start)..][..length]);
        }
    });
    (packed, pieces)
}

fn padded(channels: usize) -> usize {
    channels.next_multiple_of(BIAS_BLOCK)
}

/// `[taps, rows, columns]` to `[taps, to_rows, to_columns]`, filled with zeros.
fn pad(values: &[f32], rows: usize, columns: usize, to_rows: usize, to_columns: usize) -> Vec<f32> {
    let taps = values.len() / (rows * columns);
    let mut padded = vec![0.0; taps * to_rows * to_columns];
    for (from, to) in values.chunks_exact(rows * columns).zip(padded.chunks_exact_mut(to_rows * to_columns)) {
        for (from, to) in from.chunks_exact(columns).zip(to.chunks_exact_mut(to_columns)) {
            to[..columns].copy_from_slice(from);
        }
    }
    padded
}
