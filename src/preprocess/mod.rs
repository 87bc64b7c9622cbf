//! Frames to network input: colour conversion, rotation, resizing and cropping in one pass.
//!
//! All arithmetic is in f32 without rounding in between. The steps, in this order:
//!
//! 1. Chroma to full size: bilinear, chroma sited as in MPEG-2 and H.264 (horizontally on even luma columns,
//!    vertically between two luma rows), the outermost samples repeated.
//! 2. Y'CbCr to RGB with the frame's matrix and range, clamped to `[0, 255]`.
//! 3. Rotation; from here on width and height are those of the upright picture, as it is shown: pixels that are not square
//!    count by their width.
//! 4. Resize to a given short side, keeping the aspect ratio, the long side even: half-pixel centres, and for each axis
//!    a triangle that is as wide as the scale where the axis shrinks ([`Resize`]).
//! 5. Centre crop, `x / 127.5 - 1`.
//!
//! Only the source pixels that an output needs are touched, and nothing but the crop is ever in memory. Where a picture
//! shrinks, steps 2 and 4 change places, which differs only where colours are clamped.

mod bilinear;
mod color;
mod filtered;

use crate::error::{Error, Result};
use crate::flow::FlowPreprocess;
use crate::video::{Color, Frame, Orientation, PixelAspect, Rate, Rotation, VideoInfo};
use filtered::Taps;

/// The RGB preprocessing of I3D: resize the short side, crop the centre, scale to `[-1, 1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RgbPreprocess {
    /// Short side of the resized picture in pixels.
    pub short_side: usize,
    /// Height and width of the crop in pixels, at most the short side.
    pub crop: usize,
    /// How pixels are interpolated.
    pub resize: Resize,
    /// Takes pixels for square whatever the video says.
    pub ignore_aspect: bool,
}

/// How a picture is made smaller. What becomes larger is interpolated between the two nearest pixels of each axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// By a triangle that is as wide as the scale, so that every pixel counts: what Pillow and ffmpeg call bilinear.
    #[default]
    Antialias,
    /// Between the two nearest pixels of each axis, whatever lies between them and the next: what OpenCV and PyTorch
    /// call bilinear.
    Bilinear,
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

/// Pixels around the crop that flow of long pictures is computed with.
pub const FLOW_MARGIN: usize = 128;

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
    /// Whether the shape of pixels is `applied` or `ignored`.
    pub pixel_aspect: &'static str,
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
    /// A short side and a crop; every pixel counts, and has the shape that the video says.
    pub const fn new(short_side: usize, crop: usize) -> Self {
        RgbPreprocess { short_side, crop, resize: Resize::Antialias, ignore_aspect: false }
    }

    /// The preprocessing for a network with inputs of `input_size` pixels, in the proportion 256 to 224 of the paper.
    pub const fn for_input(input_size: usize) -> Self {
        RgbPreprocess::new((256 * input_size + 112) / 224, input_size)
    }

    /// Fails with a sentence where the crop does not fit.
    pub fn validate(&self) -> Result<()> {
        let RgbPreprocess { short_side, crop, .. } = *self;
        if crop == 0 || crop > short_side {
            return Err(Error::Usage(format!(
                "a crop of {crop} pixels does not fit into a short side of {short_side}: give 1 to {short_side} pixels"
            )));
        }
        Ok(())
    }

    /// The size of the whole picture after resizing.
    pub fn resized_size(&self, frame: &Frame) -> Size {
        self.resized(frame.width, frame.height, frame.pixel_aspect, frame.orientation)
    }

    /// The size of the whole picture after resizing, by what the container says.
    pub fn resized_size_of(&self, info: &VideoInfo) -> Size {
        let rotation = Rotation::from_degrees(f64::from(info.rotation));
        let orientation = Orientation { mirrored: info.mirrored, rotation };
        self.resized(info.width, info.height, info.pixel_aspect, orientation)
    }

    /// The size of a picture of `width` by `height` pixels of some shape after resizing and turning. The long side is the nearest even
    /// number of pixels, halves up, as ffmpeg's `scale=-2:256` has it: DeepMind's sample clip is 342 pixels wide at a height of
    /// 256 before the crop, made of 320x240. A square stays one.
    fn resized(&self, width: usize, height: usize, aspect: PixelAspect, orientation: Orientation) -> Size {
        let aspect = if self.ignore_aspect { PixelAspect::SQUARE } else { aspect };
        let shown = |pixels: usize, share: u32| pixels.max(1) as u128 * u128::from(share.max(1));
        let (width, height) = (shown(width, aspect.width), shown(height, aspect.height));
        let (short, long) = (width.min(height), width.max(height));
        let side = self.short_side as u128;
        let long = if short == long { side } else { 2 * ((side * long + short) / (2 * short)) };
        let (short, long) = (self.short_side, usize::try_from(long).unwrap_or(usize::MAX));
        match (width <= height) != orientation.rotation.swaps_axes() {
            true => Size { width: short, height: long },
            false => Size { width: long, height: short },
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

    /// The part of the resized picture in which flow is computed and from which crops for training are taken: all of it up to
    /// a proportion of 5 to 2, else the centre crop with [`FLOW_MARGIN`] on either side of it. So the cost of a frame does not
    /// grow with the length of a strip.
    pub fn wide_region(&self, frame: &Frame) -> Region {
        self.wide_region_of(self.resized_size(frame))
    }

    /// [`RgbPreprocess::wide_region`] of a resized picture of this size.
    pub fn wide_region_of(&self, size: Size) -> Region {
        let whole = Region { left: 0, top: 0, size };
        if 2 * size.width.max(size.height) <= 5 * size.width.min(size.height) {
            return whole;
        }
        let part = |length: usize| {
            let start = (length.saturating_sub(self.crop) / 2).saturating_sub(FLOW_MARGIN);
            (start, (self.crop + 2 * FLOW_MARGIN).min(length))
        };
        let ((left, width), (top, height)) = (part(size.width), part(size.height));
        Region { left, top, size: Size { width, height } }
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
        let shrinks = resized.width < width || resized.height < height;
        if self.resize == Resize::Bilinear || !shrinks {
            let across = bilinear::taps(width, resized.width, region.left, region.size.width);
            let down = bilinear::taps(height, resized.height, region.top, region.size.height);
            let (rows, columns) = in_planes(frame, down, across, bilinear::mirrored);
            return bilinear::resample(frame, &rows, &columns);
        }
        let across = Taps::triangle(width, resized.width, region.left, region.size.width);
        let down = Taps::triangle(height, resized.height, region.top, region.size.height);
        let (rows, columns) = in_planes(frame, down, across, Taps::mirrored);
        filtered::resample(frame, rows, columns)
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
            resize: match self.resize {
                Resize::Antialias => {
                    "triangle as wide as the scale, half-pixel centres; bilinear where larger"
                }
                Resize::Bilinear => "bilinear, half-pixel centres, edges repeated, no antialiasing",
            },
            pixel_aspect: if self.ignore_aspect { "ignored" } else { "applied" },
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

/// The taps of the rows and columns of the planes, from those down and across the upright picture: the taps move into the
/// planes instead of the planes being turned. What runs down the upright picture runs along a row of a picture on its side.
fn in_planes<T>(frame: &Frame, down: T, across: T, mirrored: impl Fn(T, usize) -> T) -> (T, T) {
    let (width, height) = frame.upright_size();
    let (rows, columns) = match frame.orientation.rotation {
        Rotation::R0 => (down, across),
        Rotation::R90 => (mirrored(across, width), down),
        Rotation::R180 => (mirrored(down, height), mirrored(across, width)),
        Rotation::R270 => (across, mirrored(down, height)),
    };
    // The mirror comes before the turn, so it swaps the columns of the planes.
    let columns = if frame.orientation.mirrored { mirrored(columns, frame.width) } else { columns };
    (rows, columns)
}
