//! Inputs to clips: arrays as they are, videos sampled and preprocessed.

use std::path::{Path, PathBuf};

use i3d::clip::Clip;
use i3d::network::MIN_FRAMES;
use i3d::preprocess::{Preprocess, RgbPreprocess};
use i3d::video::{self, Rate, Samples};
use i3d::{Error, Result};

use crate::checkpoint::read_file;
use crate::talk::{Talk, Unit};

/// Frames of a clip when nobody asks for another number: DeepMind tested on the first 250.
pub const DEFAULT_FRAMES: usize = 250;

/// Length to which a video is looped that is too short for a single logit: the training length.
const LOOP_FRAMES: usize = 64;

/// What a result says about the video behind it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct VideoSummary {
    /// Frames in the file, where it says so; else those that were decoded.
    pub frames: u64,
    /// Average frames per second, where known.
    pub fps: Option<f64>,
    /// Width in pixels, before rotation.
    pub width: usize,
    /// Height in pixels, before rotation.
    pub height: usize,
    /// Clockwise degrees that bring the picture upright.
    pub rotation: u32,
    /// Length, where known.
    pub duration_seconds: Option<f64>,
    /// Frames taken at the sampling rate.
    pub sampled_frames: usize,
    /// Frames of the clip that the network saw.
    pub clip_frames: usize,
    /// Whether the video was repeated to fill the clip.
    pub looped: bool,
}

/// One clip, and where it came from.
pub struct Loaded {
    /// The network's input.
    pub clip: Clip,
    /// About the video; none for arrays.
    pub video: Option<VideoSummary>,
    /// How it was made; none for arrays.
    pub preprocess: Option<Preprocess>,
    /// What broke the video in the middle, after frames that are in the clip.
    pub broken: Option<Error>,
}

/// How to make a clip of a video.
#[derive(Debug, Clone, Copy)]
pub struct Sampling {
    /// Rate.
    pub rate: Rate,
    /// Exactly so many frames, or as many as there are.
    pub frames: Option<usize>,
    /// At most so many, where `frames` is not given.
    pub most: usize,
    /// Height and width of the network's input in pixels.
    pub input_size: usize,
}

/// Whether a path means an array file, by its name.
pub fn is_array(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_ascii_lowercase());
    extension.is_some_and(|e| e == "npy" || e == "npz")
}

/// A `.npy` or `.npz` clip as it is, cut or looped to `frames` where that is given.
pub fn load_array(path: &Path, frames: Option<usize>) -> Result<Loaded> {
    let place = path.display().to_string();
    let clip = Clip::from_bytes(&place, &read_file(path)?, None)?;
    let clip = match frames {
        Some(frames) => clip.first(frames).looped_to(frames),
        None => clip,
    };
    if clip.frames < MIN_FRAMES {
        let problem = format!(
            "the clip has {} frames, the network needs at least {MIN_FRAMES}; loop it with --frames {MIN_FRAMES}",
            clip.frames
        );
        return Err(Error::clip(place, problem));
    }
    Ok(Loaded { clip, video: None, preprocess: None, broken: None })
}

/// Decodes, samples and preprocesses the RGB clip of a video.
pub fn load_video(path: &Path, sampling: Sampling, talk: Talk) -> Result<Loaded> {
    let place = path.display().to_string();
    let mut samples = Samples::new(video::open(path)?, sampling.rate)?;
    let info = samples.info().clone();
    let wanted = sampling.frames.unwrap_or(sampling.most);
    let preprocess = RgbPreprocess::for_input(sampling.input_size);
    let mut clip = Clip::empty(preprocess.crop, preprocess.crop, 3);
    let (mut color, mut broken) = (None, None);
    let bar = talk.bar("decoding", info.frames.unwrap_or(0).min(wanted as u64), Unit::Frames);
    while clip.frames < wanted {
        match samples.next_sample() {
            Ok(Some(sample)) => {
                let frame = preprocess.rgb_from_frame(&sample.frame);
                color = color.or_else(|| preprocess_color(&sample.frame));
                for _ in 0..sample.times.min(wanted - clip.frames) {
                    clip.push_frame(&frame)?;
                }
                bar.set_position(clip.frames as u64);
            }
            Ok(None) => break,
            Err(error) if clip.frames > 0 => {
                broken = Some(error);
                break;
            }
            Err(error) => return Err(error),
        }
    }
    bar.finish_and_clear();
    let sampled_frames = clip.frames;
    if sampled_frames == 0 {
        return Err(Error::video(place, "no frame could be decoded"));
    }
    let target = match sampling.frames {
        Some(frames) => frames.max(MIN_FRAMES),
        None if sampled_frames < MIN_FRAMES => LOOP_FRAMES.min(sampling.most),
        None => sampled_frames,
    };
    let clip = clip.looped_to(target);
    let looped = clip.frames > sampled_frames;
    let video = VideoSummary {
        frames: info.frames.unwrap_or_else(|| samples.decoded()),
        fps: info.fps,
        width: info.width,
        height: info.height,
        rotation: info.rotation,
        duration_seconds: info.duration_seconds,
        sampled_frames,
        clip_frames: clip.frames,
        looped,
    };
    if looped {
        talk.note(format!("{place}: {sampled_frames} frames, looped to {}", clip.frames));
    }
    let preprocess = Some(preprocess.describe(sampling.rate, color));
    Ok(Loaded { clip, video: Some(video), preprocess, broken })
}

/// The colour description of frames that have one.
fn preprocess_color(frame: &video::Frame) -> Option<video::Color> {
    matches!(frame.pixels, video::Pixels::I420 { .. }).then_some(frame.color)
}

/// The inputs that a list of arguments means: a glob that matches videos stands for each of them, one that matches
/// pictures for a single folder-like input.
pub fn expand(arguments: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut inputs = Vec::new();
    for argument in arguments {
        let text = argument.to_string_lossy();
        if argument.exists() || !text.contains(['*', '?', '[']) {
            inputs.push(argument.clone());
            continue;
        }
        let paths = glob::glob(&text).map_err(|e| Error::Usage(format!("{text} is no glob pattern: {e}")))?;
        let matches: Vec<PathBuf> = paths.filter_map(|path| path.ok()).collect();
        if matches.is_empty() {
            return Err(Error::Usage(format!("{text} matches no file")));
        }
        let picture = |p: &PathBuf| {
            let extension = p.extension().map(|e| e.to_ascii_lowercase());
            extension.is_some_and(|e| ["png", "jpg", "jpeg", "webp", "bmp"].iter().any(|known| e == *known))
        };
        if matches.iter().all(picture) {
            inputs.push(argument.clone());
        } else {
            inputs.extend(matches);
        }
    }
    Ok(inputs)
}
