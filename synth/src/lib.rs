//! A synthetic set of actions: drawn people who open doors, sit down, throw balls and walk, to train and test networks on
//! video with.
//!
//! ```
//! use i3d_synth::{CLASSES, Clip, Options, REVERSED, Split};
//!
//! # fn main() -> Result<(), i3d_synth::Invalid> {
//! let options = Options::default();
//! let clip = Clip::new(Split::Train, 0, 7, &options)?;
//! println!("{}: {} frames", CLASSES[0], clip.len());
//! let first = clip.frame(0); // [height, width, 3], red, green, blue
//! # assert_eq!(first.len(), 128 * 96 * 3);
//! # Ok(())
//! # }
//! ```
//!
//! **Time.** Most classes come in pairs ([`REVERSED`]) of which the second is the first played backwards, frame by frame,
//! with camera, background, light and noise. So their single frames have the same distribution, and only motion tells
//! them apart. Camera and background move one way as often as the other, so nothing but the action tells the direction.
//! Actions of pairs go one way and fill the clip, whatever its length: one to four seconds look natural. Others
//! (waving, walking, ...) repeat, and a single frame tells them.
//!
//! **Splits.** Seeds are disjoint, and so are people and places: every hue, proportion and skin tone comes from cells of its range
//! that belong to one split alone. What a thing is (a skirt, a tiled wall, a top hat) is shared by all.
//!
//! **The same everywhere.** The same seed gives the same bytes on every platform with IEEE 754 `f32` (all but x87). Drawing is
//! tiny-skia without SIMD, whose rasteriser uses nothing that is rounded in two ways for the straight lines and circles
//! drawn here; angles go through a polynomial instead of the platform's `sin`. A test compares with stored hashes.

mod action;
mod body;
mod camera;
mod canvas;
mod classes;
mod clip;
mod colour;
mod draw;
mod geometry;
mod scene;

pub use classes::{CLASSES, REVERSED};
pub use clip::{Clip, Invalid, SIDES};

/// What a clip is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Training.
    Train,
    /// Validation while training.
    Val,
    /// The final test.
    Test,
}

impl Split {
    /// `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Val => "val",
            Split::Test => "test",
        }
    }
}

/// The form of clips.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Frames per clip, at least 2.
    pub frames: usize,
    /// Frames per second.
    pub fps: f32,
    /// Another seed, another set.
    pub seed: u64,
}

impl Default for Options {
    /// 48 frames of 128x96 pixels at 25 a second.
    fn default() -> Options {
        Options { width: 128, height: 96, frames: 48, fps: 25.0, seed: 0 }
    }
}
