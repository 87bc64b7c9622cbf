//! A video's frames, sampled and preprocessed, as one clip.

use super::Clip;
use crate::error::{Error, Result};
use crate::preprocess::RgbPreprocess;
use crate::video::{Color, FrameSource, Pixels, Rate, Samples, VideoInfo};

/// An RGB clip and what is known of the video behind it.
#[derive(Debug)]
pub struct RgbClip {
    /// The network's input, as many frames as were sampled.
    pub clip: Clip,
    /// What the container says.
    pub info: VideoInfo,
    /// Frames that were decoded.
    pub decoded: u64,
    /// The colour description of the frames; none for RGB sources.
    pub color: Option<Color>,
    /// What broke the video in the middle; the clip holds the frames before the break.
    pub broken: Option<Error>,
}

impl RgbClip {
    /// Samples `source` at `rate` and preprocesses at most `most` frames; decoding stops there. `progress` hears of the
    /// number of frames so far.
    ///
    /// # Errors
    /// Sources that break before the first frame. A later break is no error: see [`RgbClip::broken`].
    pub fn from_video(
        source: impl FrameSource,
        rate: Rate,
        preprocess: RgbPreprocess,
        most: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<RgbClip> {
        preprocess.validate()?;
        let mut samples = Samples::new(source, rate)?;
        let mut clip = Clip::empty(preprocess.crop, preprocess.crop, 3);
        let (mut color, mut broken) = (None, None);
        while clip.frames < most {
            let sample = match samples.next_sample() {
                Ok(Some(sample)) => sample,
                Ok(None) => break,
                Err(error) if clip.frames > 0 => {
                    broken = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            };
            let planar = matches!(sample.frame.pixels, Pixels::I420 { .. });
            color = color.or(planar.then_some(sample.frame.color));
            let frame = preprocess.rgb_from_frame(&sample.frame);
            for _ in 0..sample.times.min(most - clip.frames) {
                clip.push_frame(&frame)?;
            }
            progress(clip.frames);
        }
        Ok(RgbClip { clip, info: samples.info().clone(), decoded: samples.decoded(), color, broken })
    }
}
