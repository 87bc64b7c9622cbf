//! Shrinking without aliasing: every output is the mean of the pixels around it, weighted by a triangle that is as wide as
//! the scale, as Pillow's and swscale's bilinear filters have it.
//!
//! Y'CbCr planes are filtered as they are and become RGB afterwards, clamped once, as swscale does it: that takes a fraction of
//! the work. Going from chroma of half size to full size and then to the output's size is one filter.

#![allow(
    clippy::needless_range_loop,
    reason = "loops over lanes and columns of several arrays become vectors"
)]

use std::ops::Range;

use super::color::Coefficients;
use crate::video::{Frame, Pixels};

/// Weights of an output are stored in fours, which vectors of every processor hold.
const LANES: usize = 4;

/// The samples of an axis that make each output: `count` in a row from `first`, with their weights.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Taps {
    /// The first sample of each output.
    first: Vec<usize>,
    /// Samples of each output.
    count: usize,
    /// `[outputs, count]`
    weights: Vec<f32>,
}

impl Taps {
    /// The taps of the outputs `start..start + outputs` when `source` pixels become `resized`. Outputs beyond the last repeat it;
    /// pixels beyond the edge do not count.
    pub fn triangle(source: usize, resized: usize, start: usize, outputs: usize) -> Taps {
        let scale = source as f64 / resized.max(1) as f64;
        let reach = scale.max(1.0);
        let count = ((2.0 * reach).ceil() as usize + 1).min(source);
        let mut taps =
            Taps { first: Vec::with_capacity(outputs), count, weights: vec![0.0; outputs * count] };
        let mut window = vec![0.0; count];
        for (output, weights) in (start..start + outputs).zip(taps.weights.chunks_exact_mut(count)) {
            let center = (output.min(resized.saturating_sub(1)) as f64 + 0.5) * scale;
            let first = ((center - reach + 0.5).max(0.0) as usize).min(source - count);
            for (i, weight) in window.iter_mut().enumerate() {
                *weight = (1.0 - ((first + i) as f64 + 0.5 - center).abs() / reach).max(0.0);
            }
            let sum: f64 = window.iter().sum();
            for (weight, share) in weights.iter_mut().zip(&window) {
                *weight = (share / sum) as f32;
            }
            taps.first.push(first);
        }
        taps
    }

    /// The same taps counted from the other end of an axis of `length` samples.
    pub fn mirrored(mut self, length: usize) -> Taps {
        for first in &mut self.first {
            *first = length - self.count - *first;
        }
        self.weights.chunks_exact_mut(self.count).for_each(<[f32]>::reverse);
        self
    }

    /// Taps of chroma from those of luma: `parts` are the two of `length` chroma samples that make a luma sample, with their shares.
    fn chroma(&self, length: usize, parts: impl Fn(usize) -> [(usize, f32); 2]) -> Taps {
        let count = (self.count / 2 + 3).min(length);
        let mut weights = vec![0.0; self.first.len() * count];
        let mut firsts = Vec::with_capacity(self.first.len());
        let luma = self.first.iter().zip(self.weights.chunks_exact(self.count));
        for ((&luma_first, luma), weights) in luma.zip(weights.chunks_exact_mut(count)) {
            let first = (luma_first / 2).saturating_sub(1).min(length - count);
            for (i, &weight) in luma.iter().enumerate() {
                for (sample, share) in parts(luma_first + i) {
                    // What lies beyond the window is a sample of weight zero.
                    if let Some(sum) = sample.checked_sub(first).and_then(|at| weights.get_mut(at)) {
                        *sum += weight * share;
                    }
                }
            }
            firsts.push(first);
        }
        Taps { first: firsts, count, weights }
    }

    /// The samples that any output needs.
    fn span(&self) -> Range<usize> {
        let first = self.first.iter().min().copied().unwrap_or(0);
        first..self.first.iter().max().map_or(first, |last| last + self.count)
    }

    /// The weights of an output, without the zeros at both ends, and the first sample.
    fn of(&self, output: usize) -> (usize, &[f32]) {
        let weights = &self.weights[output * self.count..][..self.count];
        let some = |weight: &f32| *weight != 0.0;
        let from = weights.iter().position(some).unwrap_or(0);
        let to = weights.iter().rposition(some).map_or(from, |last| last + 1);
        (self.first[output] + from, &weights[from..to])
    }

    /// The taps for rows of samples that begin at `start`, in fours, as few as hold all weights.
    fn packed(&self, start: usize) -> Packed {
        let outputs = 0..self.first.len();
        let fours = outputs.clone().map(|output| self.of(output).1.len().div_ceil(LANES)).max().unwrap_or(0);
        let mut packed =
            Packed { first: Vec::new(), fours, weights: vec![[0.0; LANES]; outputs.len() * fours] };
        for output in outputs {
            let (first, weights) = self.of(output);
            packed.first.push(first - start);
            packed.weights[output * fours..][..fours].as_flattened_mut()[..weights.len()]
                .copy_from_slice(weights);
        }
        packed
    }
}

/// Taps of the columns of a row that is padded with zeros.
struct Packed {
    first: Vec<usize>,
    fours: usize,
    weights: Vec<[f32; LANES]>,
}

impl Packed {
    /// The weighted sum of an output.
    #[inline(always)]
    fn sum(&self, row: &[f32], output: usize) -> f32 {
        let weights = &self.weights[output * self.fours..][..self.fours];
        let samples = row[self.first[output]..].as_chunks::<LANES>().0;
        let mut sums = [0.0; LANES];
        for (weights, samples) in weights.iter().zip(samples) {
            for lane in 0..LANES {
                sums[lane] += weights[lane] * samples[lane];
            }
        }
        (sums[0] + sums[1]) + (sums[2] + sums[3])
    }

    /// The weighted sums of an output of three interleaved channels.
    #[inline(always)]
    fn sum_rgb(&self, row: &[f32], output: usize) -> [f32; 3] {
        let weights = &self.weights[output * self.fours..][..self.fours];
        let row = &row[3 * self.first[output]..];
        // Four lanes are one vector; the fourth is the next pixel's red and is dropped. Two sums, so that none waits for itself.
        let (mut even, mut odd) = ([0.0; LANES], [0.0; LANES]);
        for (i, weights) in weights.iter().enumerate() {
            let pixels = &row[3 * LANES * i..][..4 * LANES];
            for lane in 0..LANES {
                even[lane] += weights[0] * pixels[lane] + weights[2] * pixels[6 + lane];
                odd[lane] += weights[1] * pixels[3 + lane] + weights[3] * pixels[9 + lane];
            }
        }
        [even[0] + odd[0], even[1] + odd[1], even[2] + odd[2]]
    }
}

/// One plane, and the rows and columns that are made of it.
struct Plane<'a> {
    samples: &'a [u8],
    width: usize,
    channels: usize,
    rows: Taps,
    span: Range<usize>,
    columns: Packed,
    /// The row at hand, of the columns in `span`, padded with zeros.
    row: Vec<f32>,
}

impl<'a> Plane<'a> {
    fn new(samples: &'a [u8], width: usize, channels: usize, rows: Taps, columns: &Taps) -> Plane<'a> {
        let span = columns.span();
        let columns = columns.packed(span.start);
        let row = vec![0.0; channels * (span.len() + LANES * columns.fours) + LANES];
        Plane { samples, width, channels, rows, span, columns, row }
    }

    /// Makes the row of an output.
    #[inline(always)]
    fn mix(&mut self, output: usize) {
        let (first, weights) = self.rows.of(output);
        let (from, length) = (self.channels * self.span.start, self.channels * self.span.len());
        let rows = &self.samples[self.channels * self.width * first + from..];
        let mut rows = rows.chunks(self.channels * self.width).map(|row| &row[..length]);
        let mixed = &mut self.row[..length];
        mixed.fill(0.0);
        let (fours, rest) = weights.as_chunks::<4>();
        for weights in fours {
            if let (Some(a), Some(b), Some(c), Some(d)) = (rows.next(), rows.next(), rows.next(), rows.next())
            {
                add_rows([a, b, c, d], *weights, mixed);
            }
        }
        for (weight, row) in rest.iter().zip(rows) {
            add_rows([row], [*weight], mixed);
        }
    }
}

/// Adds weighted rows. The compiler makes vectors of it where it sees that lengths agree and no closure is between.
#[inline(always)]
fn add_rows<const N: usize>(rows: [&[u8]; N], weights: [f32; N], sum: &mut [f32]) {
    let length = sum.len();
    let rows = rows.map(|row| &row[..length]);
    for x in 0..length {
        let mut value = weights[0] * f32::from(rows[0][x]);
        for i in 1..N {
            value += weights[i] * f32::from(rows[i][x]);
        }
        sum[x] += value;
    }
}

/// Filters at every crossing of `rows` and `columns`, both in the planes' own coordinates.
///
/// # Shapes
/// Returns `[rows, columns, 3]`, or `[columns, rows, 3]` for a frame on its side.
pub(super) fn resample(frame: &Frame, rows: Taps, columns: Taps) -> Vec<f32> {
    let (heights, widths) = (rows.first.len(), columns.first.len());
    let on_side = frame.orientation.rotation.swaps_axes();
    let strides = if on_side { (3, 3 * heights) } else { (3 * widths, 3) };
    let mut output = vec![0.0; heights * widths * 3];
    let colors = match &frame.pixels {
        Pixels::Rgb(rgb) => Colors::Rgb(Plane::new(rgb, frame.width, 3, rows, &columns)),
        Pixels::I420 { y, u, v } => {
            let (width, height) = (frame.width.div_ceil(2), frame.height.div_ceil(2));
            let chroma_rows = rows.chroma(height, |row| chroma_rows(row, height));
            let chroma_columns = columns.chroma(width, |column| chroma_columns(column, width));
            let chroma = |plane| Plane::new(plane, width, 1, chroma_rows.clone(), &chroma_columns);
            Colors::Ycc {
                planes: [Plane::new(y, frame.width, 1, rows, &columns), chroma(u), chroma(v)],
                coefficients: Coefficients::new(frame.color),
            }
        }
    };
    let filter = Filter { colors, heights, widths, strides, output: &mut output };
    // Compiled once for each width of vectors that a processor may have.
    pulp::Arch::new().dispatch(filter);
    output
}

/// Chroma lies between luma rows `2m` and `2m + 1`: each luma row has three quarters of the near chroma row and one
/// quarter of the next.
fn chroma_rows(row: usize, height: usize) -> [(usize, f32); 2] {
    let near = row / 2;
    let far = if row.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(height - 1) };
    [(near, 0.75), (far, 0.25)]
}

/// Chroma lies on even luma columns; an odd one takes the mean of its neighbours.
fn chroma_columns(column: usize, width: usize) -> [(usize, f32); 2] {
    [(column / 2, 0.5), (column.div_ceil(2).min(width - 1), 0.5)]
}

/// The planes of a frame.
#[allow(clippy::large_enum_variant, reason = "there is one of it per frame")]
enum Colors<'a> {
    Rgb(Plane<'a>),
    Ycc { planes: [Plane<'a>; 3], coefficients: Coefficients },
}

struct Filter<'a> {
    colors: Colors<'a>,
    heights: usize,
    widths: usize,
    /// Of a row and a column in the output.
    strides: (usize, usize),
    output: &'a mut [f32],
}

impl pulp::WithSimd for Filter<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Filter { mut colors, heights, widths, strides: (row_stride, column_stride), output } = self;
        for r in 0..heights {
            match &mut colors {
                Colors::Rgb(plane) => {
                    plane.mix(r);
                    for c in 0..widths {
                        let rgb = plane.columns.sum_rgb(&plane.row, c);
                        output[r * row_stride + c * column_stride..][..3].copy_from_slice(&rgb);
                    }
                }
                Colors::Ycc { planes: [y, u, v], coefficients } => {
                    y.mix(r);
                    u.mix(r);
                    v.mix(r);
                    for c in 0..widths {
                        let (u, v) = (u.columns.sum(&u.row, c), v.columns.sum(&v.row, c));
                        let rgb = coefficients.rgb(y.columns.sum(&y.row, c), u - 128.0, v - 128.0);
                        output[r * row_stride + c * column_stride..][..3].copy_from_slice(&rgb);
                    }
                }
            }
        }
    }
}
