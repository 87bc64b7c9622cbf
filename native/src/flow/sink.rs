//! Where flow goes: one array, a folder of JPEG pictures, or an animation. All of them appear when they are complete.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use i3d::clip::npy_bytes;
use i3d::flow::{BOUND, Flow};
use i3d::video::{Rate, Tools};
use i3d::{Error, Result};
use image::codecs::gif::{GifEncoder, Repeat};
use image::codecs::jpeg::JpegEncoder;
use image::{Delay, ExtendedColorType, Frame, RgbImage};
use tempfile::{NamedTempFile, TempDir};

use super::wheel;
use crate::output::Output;

/// Quality of the JPEG pictures, as `cv::imencode` writes them for denseflow.
const JPEG_QUALITY: u8 = 95;

/// Takes flow after flow.
pub trait Sink {
    /// The next flow.
    fn add(&mut self, flow: &Flow) -> Result<()>;

    /// Gives the output its name.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// The sink that a path means: `.npy`, `.gif`, `.mp4`, or else a folder.
pub fn open(path: &Path, fps: Rate) -> Result<Box<dyn Sink>> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let fps = match fps {
        Rate::Fps(fps) => fps,
        Rate::Native => 25.0,
    };
    Ok(match extension.as_deref() {
        Some("npy") => Box::new(Npy { output: Output::create(path)?, file: None, flows: 0, size: (0, 0) }),
        Some("gif") => Box::new(Gif { output: Output::create(path)?, running: None, fps }),
        Some("mp4") => Box::new(Mp4 { output: Output::create(path)?, running: None, fps }),
        Some(other) if !path.is_dir() => {
            let problem = format!("{}: .{other} is none of .npy, .gif, .mp4 and a folder", path.display());
            return Err(Error::Usage(problem));
        }
        _ => Box::new(Folder::create(path)?),
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
            file.write_all(&self.header()).map_err(|e| self.output.error(e))?;
            self.file = Some(file);
        }
        self.flows += 1;
        let bytes: Vec<u8> = flow.data.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(&bytes)).map_err(|e| self.output.error(e))
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let header = self.header();
        let Some(file) = self.file.take() else { return Ok(()) };
        let mut file = file.into_inner().map_err(|e| self.output.error(e.error()))?;
        let patched = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&header));
        patched.map_err(|e| self.output.error(e))?;
        self.output.keep(file)
    }
}

/// `flow_x_00001.jpg` and `flow_y_00001.jpg` and so on, grey, -20 to 20 px as 0 to 255: the layout of denseflow.
struct Folder {
    path: PathBuf,
    folder: TempDir,
    flows: usize,
}

impl Folder {
    fn create(path: &Path) -> Result<Folder> {
        let fail = |source| Error::io(path.display(), source);
        if path.is_dir() && std::fs::read_dir(path).map_err(fail)?.next().is_some() {
            let problem = format!("{}: the folder is not empty; give a new one", path.display());
            return Err(Error::Usage(problem));
        }
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder =
            tempfile::Builder::new().prefix(".i3d-").suffix(".part").tempdir_in(parent).map_err(fail)?;
        crate::output::remember(folder.path());
        Ok(Folder { path: path.to_path_buf(), folder, flows: 0 })
    }
}

impl Sink for Folder {
    fn add(&mut self, flow: &Flow) -> Result<()> {
        self.flows += 1;
        let scale =
            |v: &f32| (255.0 * (v.clamp(-BOUND, BOUND) + BOUND) / (2.0 * BOUND)).round_ties_even() as u8;
        for (component, name) in ["x", "y"].into_iter().enumerate() {
            let gray: Vec<u8> = flow.data.iter().skip(component).step_by(2).map(scale).collect();
            let file = self.folder.path().join(format!("flow_{name}_{:05}.jpg", self.flows));
            let mut jpeg = Vec::new();
            JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
                .encode(&gray, flow.width as u32, flow.height as u32, ExtendedColorType::L8)
                .map_err(|e| Error::io(self.path.display(), std::io::Error::other(e)))?;
            std::fs::write(&file, jpeg).map_err(|e| Error::io(self.path.display(), e))?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let fail = |source| Error::io(self.path.display(), source);
        if self.path.is_dir() {
            std::fs::remove_dir(&self.path).map_err(fail)?;
        }
        crate::output::share_folder(self.folder.path());
        std::fs::rename(self.folder.path(), &self.path).map_err(fail)?;
        // The temporary name is gone; nothing is left to clean up.
        let _ = self.folder.keep();
        Ok(())
    }
}

/// An animated GIF of colour wheels.
struct Gif {
    output: Output,
    /// The encoder, and the file under its temporary name.
    running: Option<(GifEncoder<File>, NamedTempFile)>,
    fps: f64,
}

impl Sink for Gif {
    fn add(&mut self, flow: &Flow) -> Result<()> {
        let fail = |e: image::ImageError| self.output.error(e);
        if self.running.is_none() {
            let file = self.output.temporary()?;
            let handle = file.reopen().map_err(|e| self.output.error(e))?;
            // The fastest palette search: these pictures are to look at.
            let mut encoder = GifEncoder::new_with_speed(handle, 30);
            encoder.set_repeat(Repeat::Infinite).map_err(fail)?;
            self.running = Some((encoder, file));
        }
        let picture = RgbImage::from_raw(flow.width as u32, flow.height as u32, wheel::picture(flow));
        let Some(picture) = picture else { return Ok(()) };
        let delay = Delay::from_numer_denom_ms((1000.0 / self.fps).round() as u32, 1);
        let frame = Frame::from_parts(image::DynamicImage::from(picture).into_rgba8(), 0, 0, delay);
        self.running.as_mut().map_or(Ok(()), |(encoder, _)| encoder.encode_frame(frame)).map_err(fail)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let Some((encoder, file)) = self.running.take() else { return Ok(()) };
        // Dropped, the encoder writes the end of the animation.
        drop(encoder);
        self.output.keep(file)
    }
}

/// An MP4 of colour wheels, encoded by ffmpeg.
struct Mp4 {
    output: Output,
    running: Option<(Child, ChildStdin, NamedTempFile)>,
    fps: f64,
}

impl Mp4 {
    fn start(&self, flow: &Flow) -> Result<(Child, ChildStdin, NamedTempFile)> {
        let file = self.output.temporary()?;
        let size = format!("{}x{}", flow.width, flow.height);
        let program = Tools::from_env().ffmpeg;
        let mut command = Command::new(&program);
        command.args([
            "-hide_banner",
            "-loglevel",
            "error",
            "-y",
            "-f",
            "rawvideo",
            "-pix_fmt",
            "rgb24",
            "-s",
            &size,
        ]);
        command.args(["-r", &self.fps.to_string(), "-i", "-"]);
        // H.264 players want 4:2:0, which needs even sides.
        command.args(["-vf", "crop=trunc(iw/2)*2:trunc(ih/2)*2", "-pix_fmt", "yuv420p", "-f", "mp4"]);
        command.arg(file.path()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| {
            self.output.error(format!(
                "{} cannot be started ({e}); install ffmpeg, or write a .gif",
                program.display()
            ))
        })?;
        let input = child.stdin.take().ok_or_else(|| self.output.error("ffmpeg takes no input"))?;
        Ok((child, input, file))
    }
}

impl Sink for Mp4 {
    fn add(&mut self, flow: &Flow) -> Result<()> {
        if self.running.is_none() {
            self.running = Some(self.start(flow)?);
        }
        let picture = wheel::picture(flow);
        let written = self.running.as_mut().map_or(Ok(()), |(_, input, _)| input.write_all(&picture));
        written.map_err(|e| self.output.error(format!("ffmpeg stopped ({e})")))
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let Some((child, input, file)) = self.running.take() else { return Ok(()) };
        drop(input);
        let ended = child.wait_with_output().map_err(|e| self.output.error(e))?;
        if !ended.status.success() {
            let words = String::from_utf8_lossy(&ended.stderr);
            return Err(self.output.error(format!("ffmpeg failed: {}", words.trim())));
        }
        self.output.keep(file)
    }
}
