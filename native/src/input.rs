//! Inputs to clips: arrays as they are, videos sampled and preprocessed.

use std::path::{Path, PathBuf};

use i3d::classifier::Classifier;
use i3d::clip::{Clip, RgbClip};
use i3d::network::{I3d, MIN_FRAMES, Stream};
use i3d::preprocess::{Preprocess, RgbPreprocess};
use i3d::video::{self, FrameSource};
use i3d::{Error, Result};

use crate::args::ClipArgs;
use crate::checkpoint::read_file;
use crate::talk::{Talk, Unit};

/// Frames of a clip when nobody asks for another number: DeepMind tested on the first 250.
const DEFAULT_FRAMES: usize = 250;

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

/// One file or folder that becomes one clip.
#[derive(Debug, Clone)]
pub struct Part {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is an array, not a video.
    pub array: bool,
    /// The stream that it must be of, where somebody said so.
    pub expected: Option<Stream>,
}

impl Part {
    /// A video or, by its name, an array.
    pub fn new(path: PathBuf) -> Part {
        let extension = path.extension().map(|e| e.to_ascii_lowercase());
        let array = extension.is_some_and(|e| e == "npy" || e == "npz");
        Part { path, array, expected: None }
    }

    /// An array for a stream.
    pub fn clip(path: PathBuf, stream: Stream) -> Part {
        Part { path, array: true, expected: Some(stream) }
    }

    /// Its name in messages.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The stream it is of; of a video RGB. An array that nobody said anything about is read for it, and one that
    /// cannot be read has none: what is wrong is told when its turn comes.
    pub fn stream(&self) -> Option<Stream> {
        match (self.expected, self.array) {
            (None, true) => self.read().ok()?.stream(),
            (expected, _) => expected.or(Some(Stream::Rgb)),
        }
    }

    fn read(&self) -> Result<Clip> {
        Clip::from_bytes(&self.name(), &read_file(&self.path)?, self.expected)
    }
}

/// The clip of one part, for a network that is there.
pub fn load(part: &Part, args: &ClipArgs, classifier: &Classifier, talk: Talk) -> Result<Loaded> {
    let loaded = match (part.array, classifier.network(Stream::Rgb)) {
        (true, _) => load_array(part, args.frames, talk)?,
        (false, Some(network)) => load_video(part, args, network, talk)?,
        (false, None) => {
            let problem = "a video has colours, and only flow weights are loaded; give --rgb PATH";
            return Err(Error::Usage(format!("{}: {problem}", part.name())));
        }
    };
    classifier.network_for(&part.name(), &loaded.clip)?;
    Ok(loaded)
}

/// A `.npy` or `.npz` clip as it is, cut or looped to `frames` where that is given.
fn load_array(part: &Part, frames: Option<usize>, talk: Talk) -> Result<Loaded> {
    let clip = part.read()?;
    if let Some(stream) = part.expected.filter(|&stream| clip.stream() != Some(stream)) {
        let (found, wanted) = (clip.channels, stream.channels());
        let other = if stream == Stream::Rgb { Stream::Flow } else { Stream::Rgb };
        let problem = format!(
            "this is a clip for {other} ({found} channels) where one for {stream} ({wanted} channels) is expected; give \
             it as --{other}-clip"
        );
        return Err(Error::clip(part.name(), problem));
    }
    let clip = match frames {
        Some(frames) => looped(part, clip.first(frames), frames, talk),
        None => clip,
    };
    if clip.frames < MIN_FRAMES {
        let problem = format!(
            "the clip has {} frames, the network needs at least {MIN_FRAMES}; loop it with --frames {MIN_FRAMES}",
            clip.frames
        );
        return Err(Error::clip(part.name(), problem));
    }
    Ok(Loaded { clip, video: None, preprocess: None, broken: None })
}

/// Decodes, samples and preprocesses the RGB clip of a video.
fn load_video(part: &Part, args: &ClipArgs, network: &I3d, talk: Talk) -> Result<Loaded> {
    let most = args.frames.unwrap_or(DEFAULT_FRAMES);
    let source = video::open(&part.path)?;
    let preprocess = RgbPreprocess::for_input(network.input_size);
    let bar = talk.bar("decoding", source.info().frames.unwrap_or(0).min(most as u64), Unit::Frames);
    let mut progress = |frames| bar.set_position(frames as u64);
    let decoded = RgbClip::from_video(source, args.fps, preprocess, most, &mut progress)?;
    drop(bar);
    let RgbClip { clip, info, decoded, color, broken } = decoded;
    let sampled_frames = clip.frames;
    if sampled_frames == 0 {
        return Err(Error::video(part.name(), "no frame could be decoded; copy or download the file again"));
    }
    let target = match args.frames {
        Some(frames) => frames,
        None if sampled_frames < MIN_FRAMES => LOOP_FRAMES,
        None => sampled_frames,
    };
    let clip = looped(part, clip, target, talk);
    let video = VideoSummary {
        frames: info.frames.unwrap_or(decoded),
        fps: info.fps,
        width: info.width,
        height: info.height,
        rotation: info.rotation,
        duration_seconds: info.duration_seconds,
        sampled_frames,
        clip_frames: clip.frames,
        looped: clip.frames > sampled_frames,
    };
    let preprocess = Some(preprocess.describe(args.fps, color));
    Ok(Loaded { clip, video: Some(video), preprocess, broken })
}

/// The clip repeated until it has so many frames, and a note if it had fewer.
fn looped(part: &Part, clip: Clip, frames: usize, talk: Talk) -> Clip {
    if clip.frames < frames {
        talk.note(format!("{}: {} frames, looped to {frames}", part.name(), clip.frames));
    }
    clip.looped_to(frames)
}

/// The inputs that a list of arguments means: a glob that matches videos stands for each of them, one that matches
/// pictures alone for a single video made of them.
pub fn expand(arguments: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut inputs = Vec::new();
    for argument in arguments {
        let text = argument.to_string_lossy();
        if argument.exists() || !text.contains(['*', '?', '[']) {
            inputs.push(argument.clone());
            continue;
        }
        let paths = glob::glob(&text)
            .map_err(|e| Error::Usage(format!("{text}: this is no pattern for files ({e})")))?;
        let matches: Vec<PathBuf> = paths.filter_map(|path| path.ok()).collect();
        if matches.is_empty() {
            let problem = "no file matches this pattern; check its folder and its ending";
            return Err(Error::Usage(format!("{text}: {problem}")));
        }
        if matches.iter().all(|path| is_still_picture(path)) {
            inputs.push(argument.clone());
        } else {
            inputs.extend(matches);
        }
    }
    Ok(inputs)
}

/// By its name; a GIF may move.
fn is_still_picture(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_ascii_lowercase());
    extension.is_some_and(|e| ["png", "jpg", "jpeg", "webp", "bmp"].iter().any(|known| e == *known))
}
