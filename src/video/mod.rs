//! Video in, frames out: every decoder hands over the planes as they were coded, with their time, colour
//! description and rotation, so that all decoders lead to the same numbers.
//!
//! [`open`] picks the decoder: the `ffmpeg` program for video files, the `image` crate for pictures, animations and
//! folders of pictures. [`Sampler`] turns any frame rate into a steady one.

mod animation;
#[cfg(not(target_arch = "wasm32"))]
mod ffmpeg;
#[cfg(not(target_arch = "wasm32"))]
mod folder;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(not(target_arch = "wasm32"))]
mod nut;
#[cfg(not(target_arch = "wasm32"))]
mod probe;
mod sampler;

pub use animation::{Animation, from_image_bytes};
#[cfg(not(target_arch = "wasm32"))]
pub use ffmpeg::Tools;
pub use sampler::{Rate, Sampled, Sampler, Samples};

#[cfg(not(target_arch = "wasm32"))]
use crate::error::Error;
use crate::error::Result;
#[cfg(not(target_arch = "wasm32"))]
use std::path::Path;

/// One decoded picture: its planes as coded, and what is needed to show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Width of the planes in pixels, before rotation.
    pub width: usize,
    /// Height of the planes in pixels, before rotation.
    pub height: usize,
    /// Presentation time.
    pub seconds: f64,
    /// The samples.
    pub pixels: Pixels,
    /// How Y'CbCr samples become RGB; without meaning for [`Pixels::Rgb`].
    pub color: Color,
    /// The turn that brings the planes upright.
    pub rotation: Rotation,
}

/// The samples of a frame, 8 bits each, rows without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pixels {
    /// Planar Y'CbCr with chroma of half size in both directions.
    ///
    /// # Shapes
    /// `y` `[height, width]`; `u` and `v` `[(height + 1) / 2, (width + 1) / 2]`.
    I420 {
        /// Luma.
        y: Vec<u8>,
        /// Blue difference, Cb.
        u: Vec<u8>,
        /// Red difference, Cr.
        v: Vec<u8>,
    },
    /// Interleaved red, green, blue.
    ///
    /// # Shapes
    /// `[height, width, 3]`.
    Rgb(Vec<u8>),
}

/// The matrix between Y'CbCr and RGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Matrix {
    /// ITU-R BT.601, standard definition.
    Bt601,
    /// ITU-R BT.709, high definition.
    Bt709,
    /// ITU-R BT.2020 with non-constant luminance, ultra-high definition.
    Bt2020,
}

impl Matrix {
    /// The matrix of a stream that does not say: BT.601 below 720 lines, else BT.709. `lines` is the coded height.
    pub const fn unspecified(lines: usize) -> Matrix {
        if lines < 720 { Matrix::Bt601 } else { Matrix::Bt709 }
    }

    /// The weights of red and blue in luma, `(kr, kb)`; green has the rest.
    pub const fn luma_weights(self) -> (f64, f64) {
        match self {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
            Matrix::Bt2020 => (0.2627, 0.0593),
        }
    }
}

/// How Y'CbCr samples become RGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Color {
    /// The matrix.
    pub matrix: Matrix,
    /// True where luma and chroma use 0 to 255; false for the limited range, 16 to 235 and 16 to 240.
    pub full_range: bool,
}

impl Color {
    /// The colour of a stream that says nothing: matrix by the coded height `lines`, limited range.
    pub const fn unspecified(lines: usize) -> Color {
        Color { matrix: Matrix::unspecified(lines), full_range: false }
    }
}

/// The clockwise turn that brings a frame upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub enum Rotation {
    /// Upright already.
    #[default]
    R0,
    /// A quarter turn clockwise.
    R90,
    /// Upside down.
    R180,
    /// A quarter turn counter-clockwise.
    R270,
}

impl Rotation {
    /// The nearest of the four turns to `degrees` clockwise; any number of degrees, also negative.
    pub fn from_degrees(degrees: f64) -> Rotation {
        match (degrees / 90.0).round().rem_euclid(4.0) as u32 {
            1 => Rotation::R90,
            2 => Rotation::R180,
            3 => Rotation::R270,
            _ => Rotation::R0,
        }
    }

    /// Clockwise degrees: 0, 90, 180 or 270.
    pub const fn degrees(self) -> u32 {
        match self {
            Rotation::R0 => 0,
            Rotation::R90 => 90,
            Rotation::R180 => 180,
            Rotation::R270 => 270,
        }
    }

    /// True where width and height change places.
    pub const fn swaps_axes(self) -> bool {
        matches!(self, Rotation::R90 | Rotation::R270)
    }
}

impl Frame {
    /// Width and height of the upright picture.
    pub const fn upright_size(&self) -> (usize, usize) {
        if self.rotation.swaps_axes() { (self.height, self.width) } else { (self.width, self.height) }
    }
}

/// What a container promises about its video; a broken file can promise wrongly.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct VideoInfo {
    /// Number of frames, where the container says so.
    pub frames: Option<u64>,
    /// Average frames per second, where known. Frame times decide, never this.
    pub fps: Option<f64>,
    /// Width of the planes in pixels, before rotation.
    pub width: usize,
    /// Height of the planes in pixels, before rotation.
    pub height: usize,
    /// Clockwise degrees that bring the picture upright: 0, 90, 180 or 270.
    pub rotation: u32,
    /// Length, where known.
    pub duration_seconds: Option<f64>,
    /// Name of the codec, such as `h264`, `gif` or `png`.
    pub codec: Option<String>,
    /// Name of the sample format before conversion, such as `yuv420p10le`, where known.
    pub pixel_format: Option<String>,
}

/// Something that yields frames in presentation order.
pub trait FrameSource {
    /// What is known before the first frame.
    fn info(&self) -> &VideoInfo;

    /// The next frame, or `None` after the last. A source that breaks in the middle yields the frames before the
    /// break, then one error, then `None`.
    fn next_frame(&mut self) -> Result<Option<Frame>>;
}

impl<S: FrameSource + ?Sized> FrameSource for Box<S> {
    fn info(&self) -> &VideoInfo {
        (**self).info()
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        (**self).next_frame()
    }
}

/// Opens a video file, a picture or animation (GIF, PNG, JPEG, WebP, BMP), a folder of pictures, or a glob pattern
/// that matches pictures. Files are recognised by their content, not by their name.
#[cfg(not(target_arch = "wasm32"))]
pub fn open(path: &Path) -> Result<Box<dyn FrameSource + Send>> {
    open_with(&Tools::from_env(), path)
}

/// [`open`] with `ffmpeg` and `ffprobe` at given places.
#[cfg(not(target_arch = "wasm32"))]
pub fn open_with(tools: &Tools, path: &Path) -> Result<Box<dyn FrameSource + Send>> {
    let place = path.display();
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        // Only a name that no file has is a pattern: "clip[1].mp4" is a fine file name.
        Err(_) if path.to_string_lossy().contains(['*', '?', '[']) => {
            return Ok(Box::new(folder::Folder::glob(path)?));
        }
        Err(source) => return Err(Error::io(place, source)),
    };
    if meta.is_dir() {
        return Ok(Box::new(folder::Folder::open(path)?));
    }
    if meta.is_file() && meta.len() == 0 {
        return Err(Error::video(place, "the file is empty (0 bytes); copy or download it again"));
    }
    if meta.is_file() && animation::is_image(path)? {
        return animation::open(path);
    }
    Ok(Box::new(ffmpeg::Ffmpeg::open(tools, path)?))
}
