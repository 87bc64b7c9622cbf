//! Interpolation between the two nearest pixels of each axis, in full colour: what is enlarged, and what OpenCV does to
//! pictures that become smaller.
//!
//! Every source pixel that an output needs becomes RGB first, clamped to `[0, 255]`.

use super::color::Coefficients;
use crate::video::{Frame, Pixels};

/// The two source pixels of an output pixel along one axis, and the share of the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tap {
    first: usize,
    second: usize,
    share: f32,
}

/// The taps of the outputs `start..start + count` when `source` pixels become `resized`.
pub(super) fn taps(source: usize, resized: usize, start: usize, count: usize) -> Vec<Tap> {
    let scale = source as f64 / resized.max(1) as f64;
    let last = source.saturating_sub(1);
    let tap = |output: usize| {
        let center = ((output as f64 + 0.5) * scale - 0.5).clamp(0.0, last as f64);
        let first = center as usize;
        Tap { first, second: (first + 1).min(last), share: (center - first as f64) as f32 }
    };
    (start..start + count).map(tap).collect()
}

/// The same taps counted from the other end of an axis of `length` pixels.
pub(super) fn mirrored(mut taps: Vec<Tap>, length: usize) -> Vec<Tap> {
    for tap in &mut taps {
        tap.first = length - 1 - tap.first;
        tap.second = length - 1 - tap.second;
    }
    taps
}

/// Interpolates at every crossing of `rows` and `columns`, both in the planes' own coordinates.
///
/// # Shapes
/// Returns `[rows, columns, 3]`, or `[columns, rows, 3]` for a frame on its side.
pub(super) fn resample(frame: &Frame, rows: &[Tap], columns: &[Tap]) -> Vec<f32> {
    // Neighbouring outputs share source columns; each needed one is converted once, in ascending order.
    let mut needed: Vec<usize> = columns.iter().flat_map(|tap| [tap.first, tap.second]).collect();
    needed.sort_unstable();
    needed.dedup();
    let slot = |column: usize| needed.partition_point(|&other| other < column) * 3;
    let columns: Vec<(usize, usize, f32)> =
        columns.iter().map(|tap| (slot(tap.first), slot(tap.second), tap.share)).collect();

    let on_side = frame.orientation.rotation.swaps_axes();
    let (row_stride, column_stride) = if on_side { (3, 3 * rows.len()) } else { (3 * columns.len(), 3) };
    let mut output = vec![0.0; rows.len() * columns.len() * 3];
    let mut converter = Converter::new(frame, needed);
    let mut lines = [Line::default(), Line::default()];
    let mut mixed = vec![0.0; converter.columns.len() * 3];
    for (r, tap) in rows.iter().enumerate() {
        // Rows go steadily up or down, so the last two suffice to convert each row once.
        let first = fetch(&mut lines, tap.first, tap.second, &mut converter);
        let second = fetch(&mut lines, tap.second, tap.first, &mut converter);
        let pairs = lines[first].rgb.iter().zip(&lines[second].rgb);
        for (mixed, (a, b)) in mixed.iter_mut().zip(pairs) {
            *mixed = a + (b - a) * tap.share;
        }
        for (c, &(a, b, share)) in columns.iter().enumerate() {
            let out = &mut output[r * row_stride + c * column_stride..][..3];
            let (a, b) = (&mixed[a..a + 3], &mixed[b..b + 3]);
            for channel in 0..3 {
                out[channel] = a[channel] + (b[channel] - a[channel]) * share;
            }
        }
    }
    output
}

/// A converted row of a frame: RGB of the needed columns.
#[derive(Debug, Default)]
struct Line {
    row: Option<usize>,
    rgb: Vec<f32>,
}

/// The place in `lines` of the converted row `row`, converting it over a line other than that of row `keep`.
fn fetch(lines: &mut [Line; 2], row: usize, keep: usize, converter: &mut Converter) -> usize {
    if let Some(found) = lines.iter().position(|line| line.row == Some(row)) {
        return found;
    }
    let place = usize::from(lines[0].row == Some(keep));
    lines[place].row = Some(row);
    converter.convert(row, &mut lines[place].rgb);
    place
}

/// Turns rows of a frame into RGB at some columns.
struct Converter<'a> {
    frame: &'a Frame,
    /// The columns, ascending.
    columns: Vec<usize>,
    /// Chroma of the row at hand, mixed from two chroma rows, `[2, chroma width]`.
    chroma: [Vec<f32>; 2],
    coefficients: Coefficients,
}

impl<'a> Converter<'a> {
    fn new(frame: &'a Frame, columns: Vec<usize>) -> Self {
        let chroma = [vec![0.0; frame.width.div_ceil(2)], vec![0.0; frame.width.div_ceil(2)]];
        Converter { frame, columns, chroma, coefficients: Coefficients::new(frame.color) }
    }

    /// Writes the RGB of `row` at the needed columns, `[columns, 3]`.
    fn convert(&mut self, row: usize, rgb: &mut Vec<f32>) {
        let width = self.frame.width;
        rgb.clear();
        match &self.frame.pixels {
            Pixels::Rgb(pixels) => {
                let line = &pixels[row * width * 3..][..width * 3];
                rgb.extend(
                    self.columns
                        .iter()
                        .flat_map(|&x| [line[3 * x], line[3 * x + 1], line[3 * x + 2]])
                        .map(f32::from),
                );
            }
            Pixels::I420 { y, u, v } => {
                self.mix_chroma(row, u, v);
                let Converter { columns, chroma: [u, v], coefficients: k, .. } = self;
                let line = &y[row * width..][..width];
                let last = u.len() - 1;
                rgb.extend(columns.iter().flat_map(|&x| {
                    // Chroma lies on even columns; an odd one takes the mean of its neighbours.
                    let (a, b) = (x / 2, x.div_ceil(2).min(last));
                    let (u, v) = ((u[a] + u[b]) * 0.5, (v[a] + v[b]) * 0.5);
                    k.rgb(f32::from(line[x]), u, v)
                }));
            }
        }
    }

    /// Chroma lies between luma rows `2m` and `2m + 1`: each luma row has three quarters of the near chroma row and
    /// one quarter of the next.
    fn mix_chroma(&mut self, row: usize, u: &[u8], v: &[u8]) {
        let (Some(&from), Some(&to)) = (self.columns.first(), self.columns.last()) else {
            return;
        };
        let width = self.frame.width.div_ceil(2);
        let last = self.frame.height.div_ceil(2) - 1;
        let near = row / 2;
        let far = if row.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(last) };
        let span = from / 2..(to.div_ceil(2) + 1).min(width);
        for (mixed, plane) in self.chroma.iter_mut().zip([u, v]) {
            let near = &plane[near * width..][..width][span.clone()];
            let far = &plane[far * width..][..width][span.clone()];
            for (mixed, (&near, &far)) in mixed[span.clone()].iter_mut().zip(near.iter().zip(far)) {
                *mixed = f32::from(near) * 0.75 + f32::from(far) * 0.25 - 128.0;
            }
        }
    }
}
