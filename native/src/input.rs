//! Inputs to clips: arrays as they are, videos sampled and preprocessed.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use i3d::classifier::Classifier;
use i3d::clip::Clip;
use i3d::feed::{Feed, FeedOptions};
use i3d::flow::{Quantize, Tvl1};
use i3d::network::{MIN_FRAMES, Stream};
use i3d::preprocess::Preprocess;
use i3d::report::VideoSummary;
use i3d::video::{self, FrameSource};
use i3d::{Error, Result};

use crate::args::{ClipArgs, FlowArgs, Frames, ResizeArgs};
use crate::checkpoint::read_file;
use crate::spool::Readable;
use crate::talk::{Talk, Unit};

/// Frames of a clip when nobody asks for another number: DeepMind tested on the first 250.
pub const DEFAULT_FRAMES: usize = 250;

/// Length to which a video is looped that is too short for a single logit: the training length.
const LOOP_FRAMES: usize = 64;

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
    /// What it was called.
    name: PathBuf,
    /// Where it is.
    file: Readable,
    /// Whether it is an array, not a video.
    pub array: bool,
    /// The stream that it must be of, where somebody said so.
    pub expected: Option<Stream>,
}

impl Part {
    /// A video or, by its name or by the first bytes of a pipe, an array.
    ///
    /// # Errors
    /// See [`Readable::open`].
    pub fn new(path: PathBuf) -> Result<Part> {
        let file = Readable::open(&path)?;
        let extension = path.extension().map(|e| e.to_ascii_lowercase());
        let array = extension.is_some_and(|e| e == "npy" || e == "npz")
            || (file.path != path && begins_like_an_array(&file.path));
        Ok(Part { name: path, file, array, expected: None })
    }

    /// The same for a stream.
    pub fn expecting(self, stream: Stream) -> Part {
        Part { expected: Some(stream), ..self }
    }

    /// An array for a stream.
    ///
    /// # Errors
    /// See [`Readable::open`].
    pub fn clip(path: PathBuf, stream: Stream) -> Result<Part> {
        let file = Readable::open(&path)?;
        Ok(Part { name: path, file, array: true, expected: Some(stream) })
    }

    /// Where its bytes are.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Its name in messages.
    pub fn name(&self) -> String {
        self.name.display().to_string()
    }

    /// Opens the video.
    ///
    /// # Errors
    /// What is not a video, by the name that was given.
    pub fn open(&self) -> Result<Box<dyn FrameSource + Send>> {
        video::open(self.path()).map_err(|error| self.named(error))
    }

    /// The error of a copy with the name of what it is a copy of.
    fn named(&self, error: Error) -> Error {
        match error {
            Error::Video { place, problem } if place == self.path().display().to_string() => {
                Error::video(self.name(), problem)
            }
            other => other,
        }
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
        Clip::from_bytes(&self.name(), &read_file(self.path())?, self.expected)
    }
}

/// Whether a file begins as `.npy` or `.npz` do.
fn begins_like_an_array(path: &Path) -> bool {
    let mut start = [0; 6];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && (start == *b"\x93NUMPY" || start.starts_with(b"PK\x03\x04"))
}

/// The clip of one part, for a network that is there; a video is seen by `stream`.
pub fn load(
    part: &Part,
    stream: Stream,
    args: &ClipArgs,
    flow: FlowChoice,
    classifier: &Classifier,
    talk: Talk,
) -> Result<Loaded> {
    let loaded = match part.array {
        true => load_array(part, args.frames, talk)?,
        false => {
            let options = feed_options(&[stream], args, flow, classifier)?;
            let mut feed = Feed::new(part.open()?, &[stream], options)?;
            let bar = talk.bar("decoding", feed.info().frames.unwrap_or(0), Unit::Frames);
            let mut progress = |frames| bar.set_position(frames as u64);
            let clips = pollster::block_on(feed.clips(classifier.device(), &mut progress));
            let clips = clips.map_err(|error| about(part, error))?;
            drop(bar);
            let (mut clips, video) = complete(part, clips, &feed, args, talk)?;
            let preprocess = Some(feed.pictures().describe());
            Loaded { clip: clips.remove(0), video: Some(video), preprocess, broken: feed.broken() }
        }
    };
    classifier.network_for(&part.name(), &loaded.clip)?;
    Ok(loaded)
}

/// How flow is computed and rounded.
#[derive(Debug, Clone, Copy)]
pub struct FlowChoice {
    /// Parameters of TV-L1.
    pub tvl1: Tvl1,
    /// Rounding.
    pub quantize: Quantize,
}

impl Default for FlowChoice {
    fn default() -> FlowChoice {
        FlowChoice { tvl1: Tvl1::REFERENCE, quantize: Quantize::None }
    }
}

impl From<&FlowArgs> for FlowChoice {
    fn from(args: &FlowArgs) -> FlowChoice {
        FlowChoice { tvl1: args.preset.into(), quantize: args.quantize.into() }
    }
}

/// The error of a feed, which does not know the name of its video, with that name.
pub fn about(part: &Part, error: Error) -> Error {
    match error {
        Error::Video { place, problem } if place == "video" => Error::video(part.name(), problem),
        other => part.named(other),
    }
}

/// A video, decoded by whatever is right for it.
pub type VideoFeed = Feed<Box<dyn FrameSource + Send>>;

/// How to make the inputs of `streams`, whose networks must take pictures of one size.
pub fn feed_options(
    streams: &[Stream],
    args: &ClipArgs,
    flow: FlowChoice,
    classifier: &Classifier,
) -> Result<FeedOptions> {
    let size = |&stream: &Stream| match classifier.network(stream) {
        Some(network) => Ok(network.input_size),
        None => Err(Error::Usage(format!("the {stream} stream has no weights; give --{stream} PATH"))),
    };
    let sizes = streams.iter().map(size).collect::<Result<Vec<usize>>>()?;
    let input_size = one_size(sizes)?.unwrap_or(224);
    let most = match args.frames {
        None => DEFAULT_FRAMES,
        Some(Frames::First(frames)) => frames,
        Some(Frames::All) => usize::MAX,
    };
    let FlowChoice { tvl1, quantize } = flow;
    let ResizeArgs { resize, ignore_aspect } = args.resize;
    Ok(FeedOptions { rate: args.fps, input_size, resize: resize.into(), ignore_aspect, most, tvl1, quantize })
}

/// The height and width that the networks take, RGB first; none without a network.
///
/// # Errors
/// Two networks of different sizes.
pub fn one_size(sizes: impl IntoIterator<Item = usize>) -> Result<Option<usize>> {
    let sizes: Vec<usize> = sizes.into_iter().collect();
    match sizes[..] {
        [rgb, flow] if rgb != flow => Err(Error::Usage(format!(
            "the rgb network takes {rgb}x{rgb} pixels and the flow network {flow}x{flow}; give two networks of one size"
        ))),
        _ => Ok(sizes.first().copied()),
    }
}

/// Frames of the clip that is made of so many sampled frames; where it has more, they are looped.
pub fn clip_frames(sampled: usize, args: &ClipArgs) -> usize {
    match args.frames {
        Some(Frames::First(frames)) => frames,
        _ if sampled < MIN_FRAMES => LOOP_FRAMES,
        _ => sampled,
    }
}

/// The clips of a video, looped where they are too short, and what there is to say about the video.
pub fn complete(
    part: &Part,
    clips: Vec<Clip>,
    feed: &VideoFeed,
    args: &ClipArgs,
    talk: Talk,
) -> Result<(Vec<Clip>, VideoSummary)> {
    let sampled = feed.frames();
    if sampled == 0 {
        return Err(Error::video(part.name(), "no frame could be decoded; copy or download the file again"));
    }
    let target = clip_frames(sampled, args);
    if sampled < target {
        talk.note(format!("{}: {sampled} frames, looped to {target}", part.name()));
    }
    let clips = clips.into_iter().map(|clip| clip.looped_to(target)).collect();
    Ok((clips, VideoSummary::new(feed, target.max(sampled))))
}

/// A `.npy` or `.npz` clip as it is, cut or looped to `frames` where that is given.
pub fn load_array(part: &Part, frames: Option<Frames>, talk: Talk) -> Result<Loaded> {
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
    if let Some(range) = clip.range_outside() {
        talk.note(format!("warning: {}: {range}", part.name()));
    }
    let clip = match frames {
        Some(Frames::First(frames)) => looped(part, clip.first(frames), frames, talk),
        Some(Frames::All) | None => clip,
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
        if argument == Path::new("-") || argument.exists() || !video::is_pattern(argument) {
            inputs.push(argument.clone());
            continue;
        }
        let text = argument.display();
        let matches = video::matches(argument)
            .map_err(|e| Error::Usage(format!("{text}: this is no pattern for files ({e})")))?;
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
