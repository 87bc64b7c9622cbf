//! Where flow goes: one array, a folder of JPEG pictures, or an animation. All of them appear when they are complete.

use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use i3d::clip::npy_bytes;
use i3d::flow::{BOUND, Flow, wheel};
use i3d::video::Rate;
use i3d::{Error, Result};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use tempfile::NamedTempFile;

use crate::film::{Film, Format};
use crate::output::kind::Kind;
use crate::output::place::{self, Place};
use crate::output::{Output, OutputFolder};

/// Quality of the JPEG pictures, as `cv::imencode` writes them for denseflow.
const JPEG_QUALITY: u8 = 95;

/// Takes flow after flow.
pub trait Sink {
    /// The next flow.
    fn add(&mut self, flow: &Flow) -> Result<()>;

    /// Gives the output its name.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// What is written to a path; none for a folder of pictures.
pub fn kind(path: &Path) -> Option<Kind> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("npy") => Some(Kind::Npy),
        Some("gif") => Some(Kind::Gif),
        Some("mp4") => Some(Kind::Mp4),
        // Numbers are what other programs take from a pipe.
        _ => matches!(place::of(path), Ok(Place::StandardOutput | Place::Descriptor(_) | Place::Special(_)))
            .then_some(Kind::Npy),
    }
}

/// The sink that a path means: `.npy`, `.gif`, `.mp4`, a pipe or a device for an array, or else a folder, in which
/// pictures are numbered from `start`.
pub fn open(path: &Path, fps: Rate, start: Option<u32>) -> Result<Box<dyn Sink>> {
    let fps = match fps {
        Rate::Fps(fps) => fps,
        Rate::Native => 25.0,
    };
    let fail = |problem: String| Error::Usage(format!("{}: {problem}", path.display()));
    let kind = kind(path);
    if start.is_some() && kind.is_some() {
        return Err(fail(
            "it is one file, and --start-index numbers pictures in a folder; leave it out".into(),
        ));
    }
    Ok(match (kind, path.extension()) {
        (Some(Kind::Gif), _) => Box::new(Film::create(path, Format::Gif, fps)?),
        (Some(Kind::Mp4), _) => Box::new(Film::create(path, Format::Mp4, fps)?),
        (Some(_), _) => Box::new(Npy { output: Output::create(path)?, file: None, flows: 0, size: (0, 0) }),
        (None, Some(other)) if !path.is_dir() => {
            let other = other.to_string_lossy().to_ascii_lowercase();
            return Err(fail(format!(".{other} is none of .npy, .gif, .mp4 and a folder")));
        }
        (None, _) => Box::new(Folder { folder: OutputFolder::create(path)?, next: start.unwrap_or(1) }),
    })
}

/// `[T-1, H, W, 2]` float32. The number of flows is known at the end only, so the header is written twice.
struct Npy {
    output: Output,
    file: Option<BufWriter<NamedTempFile>>,
    flows: usize,
    size: (usize, usize),
}

impl Npy {
    fn header(&self) -> Vec<u8> {
        let (height, width) = self.size;
        npy_bytes(&[self.flows, height, width, 2], &[])
    }
}

impl Sink for Npy {
    fn add(&mut self, flow: &Flow) -> Result<()> {
        if self.file.is_none() {
            self.size = (flow.height, flow.width);
            let mut file = BufWriter::new(self.output.temporary()?);
            file.write_all(&self.header()).map_err(|e| self.output.failed(e))?;
            self.file = Some(file);
        }
        self.flows += 1;
        let bytes: Vec<u8> = flow.data.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(&bytes)).map_err(|e| self.output.failed(e))
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let header = self.header();
        let Some(file) = self.file.take() else { return Ok(()) };
        let mut file = file.into_inner().map_err(|e| self.output.failed(e.into_error()))?;
        let patched = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&header));
        patched.map_err(|e| self.output.failed(e))?;
        self.output.keep(file)
    }
}

/// `flow_x_00001.jpg` and `flow_y_00001.jpg` and so on, grey, -20 to 20 px as 0 to 255: the layout of yjxiong/dense_flow,
/// whose first number is 1, and of open-mmlab/denseflow, whose is 0.
struct Folder {
    folder: OutputFolder,
    /// Number of the next flow.
    next: u32,
}

impl Sink for Folder {
    fn add(&mut self, flow: &Flow) -> Result<()> {
        let scale =
            |v: &f32| (255.0 * (v.clamp(-BOUND, BOUND) + BOUND) / (2.0 * BOUND)).round_ties_even() as u8;
        for (component, name) in ["x", "y"].into_iter().enumerate() {
            let gray: Vec<u8> = flow.data.iter().skip(component).step_by(2).map(scale).collect();
            let file = self.folder.path().join(format!("flow_{name}_{:05}.jpg", self.next));
            let mut jpeg = Vec::new();
            JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
                .encode(&gray, flow.width as u32, flow.height as u32, ExtendedColorType::L8)
                .map_err(|e| self.folder.error(std::io::Error::other(e)))?;
            std::fs::write(&file, jpeg).map_err(|e| self.folder.error(e))?;
        }
        self.next += 1;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        self.folder.finish()
    }
}

/// A film of colour wheels.
impl Sink for Film {
    fn add(&mut self, flow: &Flow) -> Result<()> {
        Film::add(self, flow.width, flow.height, wheel::picture(flow))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Film::finish(*self)
    }
}
