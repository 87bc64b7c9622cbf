//! Decoded clips, small enough to keep, and the pieces of them that a network is trained on.

use half::f16;

use super::Sampling;
use crate::error::{Error, Result};
use crate::flow::{Flow, Quantize};
use crate::random::SplitMix64;

/// A decoded clip at the size from which crops are taken: the whole picture, its short side as `RgbPreprocess` says.
#[derive(Debug, Clone, PartialEq)]
pub struct Footage {
    /// Number of frames, T.
    pub frames: usize,
    /// Height in pixels, H.
    pub height: usize,
    /// Width in pixels, W.
    pub width: usize,
    /// What the frames show.
    pub pixels: Pixels,
}

/// Frames of one stream.
///
/// # Shapes
/// `[T, H, W, C]`
#[derive(Debug, Clone, PartialEq)]
pub enum Pixels {
    /// Colours, 0 to 255, C = 3.
    Rgb(Vec<u8>),
    /// Network input of flow in `[-1, 1]`, C = 2.
    Flow(Vec<f16>),
}

/// A piece of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crop {
    /// The first frame; after the last one the clip begins again.
    pub start: usize,
    /// The leftmost column.
    pub left: usize,
    /// The topmost row.
    pub top: usize,
    /// Left and right swapped, in all frames; then flow to the right becomes flow to the left.
    pub flipped: bool,
}

impl Footage {
    /// Colour frames, rounded to whole numbers.
    ///
    /// # Shapes
    /// Every frame `[H, W, 3]` in `[0, 255]`.
    ///
    /// # Errors
    /// No frames, and frames of another size.
    pub fn rgb(height: usize, width: usize, frames: &[Vec<f32>]) -> Result<Footage> {
        check(height * width * 3, frames.iter().map(Vec::len))?;
        let bytes = frames.iter().flatten().map(|value| value.round_ties_even() as u8).collect();
        Ok(Footage { frames: frames.len(), height, width, pixels: Pixels::Rgb(bytes) })
    }

    /// Flow as the flow network sees it, rounded to 11 bits.
    ///
    /// # Errors
    /// No flow, and flow of different sizes.
    pub fn flow(flows: &[Flow], quantize: Quantize) -> Result<Footage> {
        let (height, width) = flows.first().map_or((0, 0), |flow| (flow.height, flow.width));
        check(height * width * 2, flows.iter().map(|flow| flow.data.len()))?;
        let values = flows.iter().flat_map(|flow| &flow.data);
        let values = values.map(|&value| f16::from_f32(quantize.apply(value))).collect();
        Ok(Footage { frames: flows.len(), height, width, pixels: Pixels::Flow(values) })
    }

    /// The frames of colours, one by one; of flow none.
    ///
    /// # Shapes
    /// Every frame `[H, W, 3]` in `[0, 255]`.
    pub fn rgb_frames(&self) -> impl Iterator<Item = Vec<f32>> {
        let bytes: &[u8] = match &self.pixels {
            Pixels::Rgb(bytes) => bytes,
            Pixels::Flow(_) => &[],
        };
        bytes
            .chunks_exact(self.height * self.width * 3)
            .map(|frame| frame.iter().map(|&v| f32::from(v)).collect())
    }

    /// Channels per pixel.
    pub fn channels(&self) -> usize {
        match self.pixels {
            Pixels::Rgb(_) => 3,
            Pixels::Flow(_) => 2,
        }
    }

    /// One of its frames, as a clip that stands still when it is repeated.
    pub fn still(&self, frame: usize) -> Footage {
        let values = self.height * self.width * self.channels();
        let range = frame * values..(frame + 1) * values;
        let pixels = match &self.pixels {
            Pixels::Rgb(bytes) => Pixels::Rgb(bytes[range].to_vec()),
            Pixels::Flow(flow) => Pixels::Flow(flow[range].to_vec()),
        };
        Footage { frames: 1, pixels, ..*self }
    }

    /// The middle of the picture from the first frame on: what a network is tested with.
    pub fn centre(&self, size: usize) -> Crop {
        let margin = |side: usize| side.saturating_sub(size) / 2;
        Crop { start: 0, left: margin(self.width), top: margin(self.height), flipped: false }
    }

    /// The augmentations of the paper for `frames` frames of `size` pixels: a random place, a random start among those early
    /// enough, and a flip half of the time. A clip that is too short begins at its start.
    pub fn augmented(&self, size: usize, frames: usize, random: &mut SplitMix64) -> Crop {
        let mut below = |end: usize| random.below(end.max(1));
        Crop {
            start: below((self.frames + 1).saturating_sub(frames)),
            left: below((self.width + 1).saturating_sub(size)),
            top: below((self.height + 1).saturating_sub(size)),
            flipped: below(2) == 1,
        }
    }

    /// Network input of `frames` frames of `size` pixels; a clip that is too short is repeated from its start.
    ///
    /// # Shapes
    /// Returns `[frames, size, size, C]` in `[-1, 1]`. The crop must lie inside the picture.
    pub fn crop(&self, crop: Crop, size: usize, frames: usize) -> Vec<f32> {
        let channels = self.channels();
        let mut values = vec![0.0; frames * size * size * channels];
        let sampling = Sampling { steps: frames, every: 1, stack: 1 };
        self.crop_into(crop, size, (sampling, self.frames), (&mut values, channels, 0));
        values
    }

    /// Channels of a time step: colours, or u and v of every stacked frame.
    pub(super) fn step_channels(&self, sampling: Sampling) -> usize {
        match self.pixels {
            Pixels::Rgb(_) => 3,
            Pixels::Flow(_) => 2 * sampling.stack,
        }
    }

    /// Writes a piece as `sampling` looks at it; after `frames` frames the clip begins again.
    ///
    /// # Shapes
    /// Into the channels from `first` on of `values` `[steps, size, size, stride]`.
    pub(super) fn crop_into(
        &self,
        crop: Crop,
        size: usize,
        (sampling, frames): (Sampling, usize),
        (values, stride, first): (&mut [f32], usize, usize),
    ) {
        let channels = self.channels();
        let stack = self.step_channels(sampling) / channels;
        for (row, to) in values.chunks_exact_mut(size * stride).enumerate() {
            let (step, y) = (row / size, crop.top + row % size);
            for layer in 0..stack {
                let frame = (crop.start + step * sampling.every + layer) % frames;
                let row = ((frame * self.height + y) * self.width + crop.left) * channels;
                for (x, pixel) in to.chunks_exact_mut(stride).enumerate() {
                    let x = if crop.flipped { size - 1 - x } else { x };
                    let (at, to) = (row + x * channels, &mut pixel[first + layer * channels..][..channels]);
                    match &self.pixels {
                        Pixels::Rgb(bytes) => {
                            to.iter_mut()
                                .zip(&bytes[at..])
                                .for_each(|(to, &v)| *to = f32::from(v) / 127.5 - 1.0);
                        }
                        Pixels::Flow(flow) => {
                            let u = flow[at].to_f32();
                            to.copy_from_slice(&[if crop.flipped { -u } else { u }, flow[at + 1].to_f32()]);
                        }
                    }
                }
            }
        }
    }
}

fn check(expected: usize, lengths: impl Iterator<Item = usize>) -> Result<()> {
    let lengths: Vec<usize> = lengths.collect();
    if expected == 0 || lengths.is_empty() {
        return Err(Error::clip("clip", "it has no frames; give at least one"));
    }
    match lengths.iter().find(|&&length| length != expected) {
        Some(length) => Err(Error::clip(
            "clip",
            format!("a frame has {length} values, expected {expected}; resize all frames to one size"),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgb() -> Footage {
        // Three frames of 4x5 whose values tell frame, row and column.
        let frame = |t: usize| {
            (0..4 * 5).flat_map(|i| [(50 * t) as f32, (10 * (i / 5)) as f32, (10 * (i % 5)) as f32]).collect()
        };
        Footage::rgb(4, 5, &[frame(0), frame(1), frame(2)]).expect("frames of one size")
    }

    fn bytes(values: &[f32]) -> Vec<[u8; 3]> {
        values.as_chunks::<3>().0.iter().map(|p| p.map(|v| ((v + 1.0) * 127.5).round() as u8)).collect()
    }

    #[test]
    fn crops_flip_and_start_again() {
        let clip = rgb();
        let crop = Crop { start: 2, left: 1, top: 2, flipped: false };
        let want = [[100, 20, 10], [100, 20, 20], [100, 30, 10], [100, 30, 20]];
        let begins_again = want.map(|[_, y, x]| [0, y, x]);
        assert_eq!(bytes(&clip.crop(crop, 2, 2)), [want, begins_again].concat());
        let flipped = clip.crop(Crop { flipped: true, ..crop }, 2, 1);
        assert_eq!(bytes(&flipped), [[100, 20, 20], [100, 20, 10], [100, 30, 20], [100, 30, 10]]);
        assert_eq!(clip.centre(4), Crop { start: 0, left: 0, top: 0, flipped: false });
    }

    #[test]
    fn stills_are_one_frame_again_and_again() {
        let still = rgb().still(2);
        let crop = |frames| still.crop(Crop { start: 0, left: 1, top: 2, flipped: false }, 2, frames);
        let want = [[100, 20, 10], [100, 20, 20], [100, 30, 10], [100, 30, 20]];
        assert_eq!(bytes(&crop(3)), [want, want, want].concat());
        let frames: Vec<Vec<f32>> = rgb().rgb_frames().collect();
        assert_eq!((frames.len(), frames[2].len(), &frames[2][..3]), (3, 60, &[100.0, 0.0, 0.0][..]));
    }

    #[test]
    fn flipped_flow_changes_its_direction() {
        let flow = Flow { width: 2, height: 1, data: vec![4.0, 1.0, -30.0, 10.0] };
        let clip = Footage::flow(&[flow], Quantize::None).expect("a flow");
        let crop = |flipped| clip.crop(Crop { start: 0, left: 0, top: 0, flipped }, 1, 1);
        assert_eq!(crop(false).len(), 2);
        let Pixels::Flow(values) = &clip.pixels else { panic!("it is flow") };
        assert_eq!(values.iter().map(|v| v.to_f32()).collect::<Vec<_>>()[2..], [-1.0, 0.5]);
        assert_eq!(crop(true), [-f16::from_f32(0.2).to_f32(), f16::from_f32(0.05).to_f32()]);
    }

    #[test]
    fn augmentations_reach_every_place_and_no_further() {
        let clip = rgb();
        let mut random = SplitMix64::new(1);
        let crops: Vec<Crop> = (0..200).map(|_| clip.augmented(3, 2, &mut random)).collect();
        for (what, most) in [(0, 1), (1, 2), (2, 1), (3, 1)] {
            let of = |crop: &Crop| [crop.start, crop.left, crop.top, usize::from(crop.flipped)][what];
            let mut found: Vec<usize> = crops.iter().map(of).collect();
            found.sort_unstable();
            found.dedup();
            assert_eq!(found, (0..=most).collect::<Vec<_>>(), "{what}");
        }
        assert_eq!(clip.augmented(3, 9, &mut random).start, 0, "too short to choose");
        assert!(Footage::rgb(1, 1, &[]).is_err());
        assert!(Footage::rgb(1, 2, &[vec![0.0; 6], vec![0.0; 3]]).is_err());
    }
}
