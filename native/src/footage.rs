//! Decoded clips, kept on disk where that is wanted: decoding and flow cost far more than a step of training.
//!
//! A file holds one [`Footage`]; its name is a hash of the video's path, size and time of change, and of everything that
//! decides what is decoded. Files are written whole or not at all, and one that cannot be read is made again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use half::f16;
use i3d::backend::Device;
use i3d::flow::{FlowEngine, Gray};
use i3d::network::Stream;
use i3d::preprocess::RgbPreprocess;
use i3d::train::{Footage, Pixels};
use i3d::video::{self, Rate, Samples};
use i3d::{Error, Result};

use crate::cache;
use crate::examples::{Example, entries};
use crate::input::FlowChoice;
use crate::models::hash;
use crate::output::{Output, remove_leftovers};

/// Counts the changes of how a file becomes frames that its parameters do not show, so that no clip of an older program is
/// taken for one of this.
const FORM: u32 = 2;

/// How clips are decoded.
#[derive(Debug, Clone, Copy)]
pub struct Decoding {
    pub preprocess: RgbPreprocess,
    pub rate: Rate,
    /// The longest clip, one frame more of colours, between which lie so many flows.
    pub most: usize,
    pub flow: FlowChoice,
}

/// Decoded clips, as many on disk as the budget allows.
pub struct Library {
    decoding: Decoding,
    /// Where flow is computed.
    device: Device,
    /// None without a place for such.
    folder: Option<PathBuf>,
    /// Bytes that may still be written.
    budget: AtomicU64,
}

/// What could be decoded of an example.
pub struct Seen {
    /// One per stream.
    pub clips: Vec<Footage>,
    /// Where they are from.
    pub path: PathBuf,
    /// What is wrong with what would have come before that.
    pub notes: Vec<String>,
}

/// Whether an error is about one video, without which the others can be seen.
pub fn costs_itself_alone(error: &Error) -> bool {
    matches!(error, Error::Video { .. } | Error::Clip { .. } | Error::Io { .. })
}

impl Library {
    /// Clips decoded so, their flow computed on `device`; `budget` bytes of them are kept on disk.
    ///
    /// Without a folder that can be written they are decoded every time, which is no reason to fail.
    pub fn open(decoding: Decoding, device: Device, budget: u64) -> Library {
        let (folder, used) = match (budget > 0).then(footage) {
            Some(Ok((folder, used))) => (Some(folder), used),
            Some(Err(error)) => {
                log::warn!("{error}; so clips are not kept and are decoded every time");
                (None, 0)
            }
            None => (cache::folder().ok().map(|cache| cache.join(FOLDER)), 0),
        };
        Library { decoding, device, folder, budget: AtomicU64::new(budget.saturating_sub(used)) }
    }

    /// The clips of some streams of an example: of its video, or of the first that can be decoded of those that bear its
    /// name.
    ///
    /// # Errors
    /// That of the video, where nothing else can be decoded either.
    pub fn seen(&self, example: &Example, streams: &[Stream]) -> Result<Seen> {
        let mut problems = Vec::new();
        for path in std::iter::once(&example.path).chain(&example.others) {
            match self.clips(path, streams.iter().copied()) {
                Ok(clips) => {
                    let taken = path.display();
                    let note = |problem: &Error| format!("{problem}; {taken} is taken in its place");
                    let notes = problems.iter().map(note).collect();
                    return Ok(Seen { clips, path: path.clone(), notes });
                }
                Err(error) if costs_itself_alone(&error) => problems.push(error),
                Err(error) => return Err(error),
            }
        }
        Err(problems.swap_remove(0))
    }

    /// The clips of some streams of a video, decoded now, and once, or before.
    ///
    /// # Errors
    /// Videos that cannot be decoded.
    pub fn clips(&self, video: &Path, streams: impl Iterator<Item = Stream>) -> Result<Vec<Footage>> {
        let mut clips: Vec<Footage> = Vec::new();
        for stream in streams {
            clips.push(self.clip_beside(video, stream, clips.last())?);
        }
        Ok(clips)
    }

    /// The clip of a video, of which `colours` may be there already.
    fn clip_beside(&self, video: &Path, stream: Stream, colours: Option<&Footage>) -> Result<Footage> {
        if let Some(footage) = self.cached(video, stream)? {
            return Ok(footage);
        }
        let footage = match stream {
            Stream::Rgb => self.colours(video)?,
            Stream::Flow => self.flow(video, colours)?,
        };
        self.keep(video, stream, &footage)?;
        Ok(footage)
    }

    /// Keeps a clip where there is room for it.
    fn keep(&self, video: &Path, stream: Stream, footage: &Footage) -> Result<()> {
        if self.budget.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let Some(file) = self.file(video, stream)? else { return Ok(()) };
        let bytes = pack(footage);
        let length = bytes.len() as u64;
        let fits =
            self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(length));
        if fits.is_ok() {
            // A full disk is no reason to stop: the clip is decoded again next time.
            if let Err(error) = Output::create(&file).and_then(|output| output.finish(&bytes)) {
                log::debug!("{error}");
            }
        }
        Ok(())
    }

    /// The clip as it was kept, if it was.
    fn cached(&self, video: &Path, stream: Stream) -> Result<Option<Footage>> {
        let Some(file) = self.file(video, stream)? else { return Ok(None) };
        Ok(fs::read(&file).ok().and_then(|bytes| unpack(&bytes, stream)))
    }

    /// Where the clip of a stream is kept.
    fn file(&self, video: &Path, stream: Stream) -> Result<Option<PathBuf>> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let failed = |e| Error::io(video.display(), e);
        let metadata = fs::metadata(video).map_err(failed)?;
        let mut state = state_of(&metadata);
        if metadata.is_dir() {
            // A folder does not change when a frame in it does. What is no frame may be unreadable.
            for frame in entries(video)? {
                let of_frame = fs::metadata(&frame).map(|metadata| state_of(&metadata)).unwrap_or_default();
                state += &format!(" {:?} {of_frame}", frame.file_name());
            }
        }
        let path = fs::canonicalize(video).map_err(failed)?;
        let Decoding { preprocess, rate, most, flow } = self.decoding;
        let how = match stream {
            Stream::Rgb => format!("{preprocess:?} {rate:?} {most}"),
            Stream::Flow => format!("{preprocess:?} {rate:?} {most} {flow:?}"),
        };
        let key = format!("{FORM} {path:?} {state} {how}");
        Ok(Some(folder.join(&hash::sha256_bytes(key.as_bytes())[..32])))
    }

    /// Colours of a video.
    fn colours(&self, video: &Path) -> Result<Footage> {
        let Decoding { preprocess, rate, most, .. } = self.decoding;
        let mut samples = Samples::new(video::open(video)?, rate)?;
        let (mut frames, mut size) = (Vec::new(), None);
        while let Some(sample) = samples.next_sample()? {
            let region = preprocess.wide_region(&sample.frame);
            size = size.or(Some(region.size));
            let rgb = preprocess.resized_rgb(&sample.frame, region);
            frames.extend(std::iter::repeat_n(rgb, sample.times));
            // A flow more than frames that a flow clip has.
            if frames.len() > most {
                break;
            }
        }
        let Some(size) = size else {
            return Err(Error::video(video.display(), "the video has no frames; give another"));
        };
        frames.truncate(most + 1);
        Footage::rgb(size.height, size.width, &frames)
    }

    /// Flow of a video, from its colours where the other stream has left them: starting a decoder costs more than all the
    /// rest.
    fn flow(&self, video: &Path, colours: Option<&Footage>) -> Result<Footage> {
        let decoded;
        let colours = match colours {
            Some(colours) => colours,
            None => {
                let kept = self.cached(video, Stream::Rgb)?;
                decoded = kept.map_or_else(|| self.colours(video), Ok)?;
                &decoded
            }
        };
        let grays = colours.rgb_frames().map(|rgb| Gray::from_rgb(colours.width, colours.height, &rgb));
        let grays = grays.collect::<Result<Vec<_>>>()?;
        let FlowChoice { tvl1, quantize } = self.decoding.flow;
        let mut engine = FlowEngine::new(&self.device, &tvl1)?;
        Footage::flow(&pollster::block_on(engine.flows(&grays))?, quantize)
    }
}

/// The folder of clips in the cache.
const FOLDER: &str = "footage";

/// That folder, made where it is not there, and the bytes in it.
fn footage() -> Result<(PathBuf, u64)> {
    let folder = cache::folder()?.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|e| Error::io(folder.display(), e))?;
    remove_leftovers(&folder);
    let sizes = fs::read_dir(&folder).into_iter().flatten().flatten();
    let used = sizes.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum();
    Ok((folder, used))
}

/// Length and time of change, by which it is noticed that a file is another.
fn state_of(metadata: &fs::Metadata) -> String {
    let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("{} {changed:?}", metadata.len())
}

/// Frames, height and width as 32-bit numbers, then the pixels.
fn pack(footage: &Footage) -> Vec<u8> {
    let sizes = [footage.frames, footage.height, footage.width].map(|n| (n as u32).to_le_bytes());
    let mut bytes = sizes.concat();
    match &footage.pixels {
        Pixels::Rgb(values) => bytes.extend(values),
        Pixels::Flow(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
    }
    bytes
}

fn unpack(bytes: &[u8], stream: Stream) -> Option<Footage> {
    let (sizes, pixels) = bytes.split_at_checked(12)?;
    let size = |index: usize| Some(u32::from_le_bytes(*sizes[4 * index..].first_chunk()?) as usize);
    let (frames, height, width) = (size(0)?, size(1)?, size(2)?);
    let values = frames.checked_mul(height)?.checked_mul(width)?.checked_mul(stream.channels())?;
    let pixels = match stream {
        Stream::Rgb => Pixels::Rgb(pixels.to_vec()),
        Stream::Flow => {
            let (pairs, _) = pixels.as_chunks::<2>();
            Pixels::Flow(pairs.iter().map(|pair| f16::from_le_bytes(*pair)).collect())
        }
    };
    let found = match &pixels {
        Pixels::Rgb(bytes) => bytes.len(),
        Pixels::Flow(flow) => flow.len(),
    };
    (found == values && values > 0).then_some(Footage { frames, height, width, pixels })
}
