//! What goes into optical flow and what comes out: grey frames and flow fields.

use crate::error::{Error, Result};
use crate::preprocess::{Region, RgbPreprocess, Size};
use crate::video::Frame;

/// A grey frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Gray {
    size: Size,
    /// `[H, W]`, values in `[0, 255]`.
    data: Vec<f32>,
}

impl Gray {
    /// A frame of `width` by `height` pixels.
    ///
    /// # Shapes
    /// `data` `[H, W]`, values in `[0, 255]`.
    ///
    /// # Errors
    /// No pixels, another number of values, and values that are no numbers.
    pub fn new(width: usize, height: usize, data: Vec<f32>) -> Result<Gray> {
        if width * height == 0 || data.len() != width * height {
            let problem =
                format!("{} values were given for {width}x{height} pixels; give one per pixel", data.len());
            return Err(Error::clip("grey frame", problem));
        }
        if let Some(bad) = data.iter().find(|v| !v.is_finite()) {
            let problem = format!("a pixel is {bad}; every pixel must be a number from 0 to 255");
            return Err(Error::clip("grey frame", problem));
        }
        Ok(Gray { size: Size { width, height }, data })
    }

    /// A frame from bytes.
    ///
    /// # Shapes
    /// `data` `[H, W]`.
    pub fn from_bytes(width: usize, height: usize, data: &[u8]) -> Result<Gray> {
        Gray::new(width, height, data.iter().map(|&v| f32::from(v)).collect())
    }

    /// Luma of an RGB picture, rounded to whole numbers: every pipeline that flow networks were trained with hands
    /// TV-L1 8-bit grey pictures, so the finer steps of unrounded ones would be a difference without a gain.
    /// The weights are those of BT.601, as in OpenCV's `COLOR_RGB2GRAY`.
    ///
    /// # Shapes
    /// `rgb` `[H, W, 3]`, values in `[0, 255]`.
    pub fn from_rgb(width: usize, height: usize, rgb: &[f32]) -> Result<Gray> {
        let (pixels, rest) = rgb.as_chunks::<3>();
        if !rest.is_empty() {
            let problem = format!("{} values were given; RGB has three per pixel", rgb.len());
            return Err(Error::clip("grey frame", problem));
        }
        let luma = |&[r, g, b]: &[f32; 3]| (0.299 * r + 0.587 * g + 0.114 * b).round_ties_even();
        Gray::new(width, height, pixels.iter().map(luma).collect())
    }

    /// A region of a video frame, resized as for the RGB network.
    pub fn from_frame(frame: &Frame, preprocess: &RgbPreprocess, region: Region) -> Result<Gray> {
        let Size { width, height } = region.size;
        Gray::from_rgb(width, height, &preprocess.resized_rgb(frame, region))
    }

    /// Width and height in pixels.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The values, `[H, W]`.
    pub fn data(&self) -> &[f32] {
        &self.data
    }
}

/// A flow field: for every pixel of a frame, how far it moves until the next frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `[H, W, 2]`: to the right, then down, in pixels.
    pub data: Vec<f32>,
}

impl Flow {
    /// The mean distance in pixels between the end points of two flow fields of one size.
    pub fn mean_distance(&self, other: &Flow) -> f64 {
        let (a, b) = (self.data.as_chunks::<2>().0, other.data.as_chunks::<2>().0);
        let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from((a[0] - b[0]).hypot(a[1] - b[1]))).sum();
        sum / a.len().max(1) as f64
    }
}
