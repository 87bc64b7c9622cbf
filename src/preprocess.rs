//! Frames to network input: colour conversion, rotation, resizing and cropping in one pass.
//!
//! All arithmetic is in f32 without rounding in between. Only the source pixels that an output pixel needs are
//! converted. The steps, in this order:
//!
//! 1. Chroma to full size: bilinear, chroma sited as in MPEG-2 and H.264 (horizontally on even luma columns,
//!    vertically between two luma rows), the outermost samples repeated.
//! 2. Y'CbCr to RGB with the frame's matrix and range, clamped to `[0, 255]`.
//! 3. Rotation; from here on width and height are those of the upright picture.
//! 4. Resize to a given short side, keeping the aspect ratio: bilinear between the two nearest pixels of each axis,
//!    half-pixel centres, edges repeated, no antialiasing.
//! 5. Centre crop, `x / 127.5 - 1`.

use crate::error::{Error, Result};
use crate::flow::FlowPreprocess;
use crate::video::{Color, Frame, Pixels, Rate, Rotation};

/// The RGB preprocessing of I3D: resize the short side, crop the centre, scale to `[-1, 1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RgbPreprocess {
    /// Short side of the resized picture in pixels.
    pub short_side: usize,
    /// Height and width of the crop in pixels, at most the short side.
    pub crop: usize,
}

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
}

/// A rectangle of the resized, upright picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region {
    /// The leftmost column.
    pub left: usize,
    /// The topmost row.
    pub top: usize,
    /// Width and height.
    pub size: Size,
}

/// Every parameter of the way from a video to RGB input, for results that can be repeated.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Preprocess {
    /// Sampling rate: frames per second, or `native`.
    pub fps: Rate,
    /// How frames are chosen.
    pub sampling: &'static str,
    /// Short side of the resized picture in pixels.
    pub short_side: usize,
    /// How pixels are interpolated.
    pub resize: &'static str,
    /// Height and width of the crop in pixels.
    pub crop: usize,
    /// Where the crop is taken.
    pub crop_position: &'static str,
    /// How chroma planes of half size are brought to full size.
    pub chroma: &'static str,
    /// The matrix and range of the video's Y'CbCr; none for RGB sources.
    pub color: Option<Color>,
    /// Order of the channels.
    pub channels: &'static str,
    /// Smallest and largest input value.
    pub range: [f32; 2],
    /// How optical flow was made, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowPreprocess>,
}

impl RgbPreprocess {
    /// The preprocessing for a network with inputs of `input_size` pixels, in the proportion 256 to 224 of the paper.
    pub const fn for_input(input_size: usize) -> Self {
        RgbPreprocess { short_side: (256 * input_size + 112) / 224, crop: input_size }
    }

    /// Fails with a sentence where the crop does not fit.
    pub fn validate(&self) -> Result<()> {
        let RgbPreprocess { short_side, crop } = *self;
        if crop == 0 || crop > short_side {
            return Err(Error::Usage(format!(
                "a crop of {crop} pixels does not fit into a short side of {short_side}: give 1 to {short_side} pixels"
            )));
        }
        Ok(())
    }

    /// The size of the whole picture after resizing.
    pub fn resized_size(&self, frame: &Frame) -> Size {
        let (width, height) = frame.upright_size();
        self.resized(width, height)
    }

    /// The size of a picture of `width` by `height` pixels after resizing. The long side is rounded to the nearest pixel,
    /// halves up.
    pub fn resized(&self, width: usize, height: usize) -> Size {
        let short = width.min(height).max(1);
        let long = |side: usize| (2 * side * self.short_side + short) / (2 * short);
        match width <= height {
            true => Size { width: self.short_side, height: long(height) },
            false => Size { width: long(width), height: self.short_side },
        }
    }

    /// The centre crop of the resized picture; odd margins are rounded down at the left and top.
    pub fn crop_region(&self, frame: &Frame) -> Region {
        let Size { width, height } = self.resized_size(frame);
        let size = Size { width: self.crop, height: self.crop };
        Region { left: width.saturating_sub(self.crop) / 2, top: height.saturating_sub(self.crop) / 2, size }
    }

    /// The whole resized picture.
    pub fn full_region(&self, frame: &Frame) -> Region {
        Region { left: 0, top: 0, size: self.resized_size(frame) }
    }

    /// Network input from a frame.
    ///
    /// # Shapes
    /// Returns `[crop, crop, 3]`, values in `[-1, 1]`.
    pub fn rgb_from_frame(&self, frame: &Frame) -> Vec<f32> {
        let mut rgb = self.resized_rgb(frame, self.crop_region(frame));
        for value in &mut rgb {
            *value = *value / 127.5 - 1.0;
        }
        rgb
    }

    /// A region of the resized, upright picture.
    ///
    /// # Shapes
    /// Returns `[region.size.height, region.size.width, 3]`, values in `[0, 255]`. Parts of the region outside the
    /// picture repeat its edge.
    pub fn resized_rgb(&self, frame: &Frame, region: Region) -> Vec<f32> {
        let (width, height) = frame.upright_size();
        let resized = self.resized_size(frame);
        let across = taps(width, resized.width, region.left, region.size.width);
        let down = taps(height, resized.height, region.top, region.size.height);
        // The taps move into the planes instead of the planes being turned: what runs down the upright picture runs
        // along a row of a picture on its side.
        let (rows, columns) = match frame.orientation.rotation {
            Rotation::R0 => (down, across),
            Rotation::R90 => (mirrored(across, width), down),
            Rotation::R180 => (mirrored(down, height), mirrored(across, width)),
            Rotation::R270 => (across, mirrored(down, height)),
        };
        // The mirror comes before the turn, so it swaps the columns of the planes.
        let columns = if frame.orientation.mirrored { mirrored(columns, frame.width) } else { columns };
        resample(frame, &rows, &columns)
    }

    /// The description of this preprocessing at a sampling rate and for a video whose Y'CbCr is `color`.
    pub fn describe(&self, fps: Rate, color: Option<Color>) -> Preprocess {
        let sampling = match fps {
            Rate::Fps(_) => "nearest frame in time, ties to the earlier",
            Rate::Native => "every frame",
        };
        Preprocess {
            fps,
            sampling,
            short_side: self.short_side,
            resize: "bilinear, half-pixel centres, edges repeated, no antialiasing",
            crop: self.crop,
            crop_position: "centre",
            chroma: "bilinear, left-sited",
            color,
            channels: "rgb",
            range: [-1.0, 1.0],
            flow: None,
        }
    }
}

/// The two source pixels of an output pixel along one axis, and the share of the second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tap {
    first: usize,
    second: usize,
    share: f32,
}

/// The taps of the outputs `start..start + count` when `source` pixels become `resized`.
fn taps(source: usize, resized: usize, start: usize, count: usize) -> Vec<Tap> {
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
fn mirrored(mut taps: Vec<Tap>, length: usize) -> Vec<Tap> {
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
fn resample(frame: &Frame, rows: &[Tap], columns: &[Tap]) -> Vec<f32> {
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

/// `r = y·luma + offset + v·v_to_r` and so on, with chroma centred at zero.
#[derive(Debug, Clone, Copy)]
struct Coefficients {
    luma: f32,
    offset: f32,
    v_to_r: f32,
    u_to_g: f32,
    v_to_g: f32,
    u_to_b: f32,
}

impl Coefficients {
    fn new(color: Color) -> Self {
        let (kr, kb) = color.matrix.luma_weights();
        let kg = 1.0 - kr - kb;
        let (luma, black, chroma) =
            if color.full_range { (1.0, 0.0, 1.0) } else { (255.0 / 219.0, 16.0, 255.0 / 224.0) };
        Coefficients {
            luma: luma as f32,
            offset: (-black * luma) as f32,
            v_to_r: (2.0 * (1.0 - kr) * chroma) as f32,
            u_to_g: (-2.0 * (1.0 - kb) * kb / kg * chroma) as f32,
            v_to_g: (-2.0 * (1.0 - kr) * kr / kg * chroma) as f32,
            u_to_b: (2.0 * (1.0 - kb) * chroma) as f32,
        }
    }
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
                    let luma = f32::from(line[x]) * k.luma + k.offset;
                    let r = luma + v * k.v_to_r;
                    let g = luma + u * k.u_to_g + v * k.v_to_g;
                    let b = luma + u * k.u_to_b;
                    [r.clamp(0.0, 255.0), g.clamp(0.0, 255.0), b.clamp(0.0, 255.0)]
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
