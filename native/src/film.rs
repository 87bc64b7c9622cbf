//! Films out: frames as an animated GIF, or through ffmpeg as an MP4.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use i3d::Result;
use i3d::video::Tools;
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, ImageError, RgbImage};
use tempfile::NamedTempFile;

use crate::output::kind::Kind;
use crate::output::{Output, start_writer, wait_for_writer};

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// H.264, or what else ffmpeg can put in an MP4.
    Mp4,
    /// An endless animation.
    Gif,
}

impl Format {
    /// The format that the name of a file asks for.
    pub fn of(path: &Path) -> Option<Format> {
        match path.extension()?.to_string_lossy().to_ascii_lowercase().as_str() {
            "mp4" => Some(Format::Mp4),
            "gif" => Some(Format::Gif),
            _ => None,
        }
    }

    /// What its files are.
    pub fn kind(self) -> Kind {
        match self {
            Format::Mp4 => Kind::Mp4,
            Format::Gif => Kind::Gif,
        }
    }

    /// How the names of its files end.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Mp4 => "mp4",
            Format::Gif => "gif",
        }
    }
}

/// The last byte of every GIF.
const GIF_TRAILER: [u8; 1] = *b";";

/// A film that appears under its name when it is complete.
pub struct Film {
    output: Output,
    format: Format,
    fps: f64,
    /// The encoder, and the file under its temporary name; from the first frame on.
    running: Option<(Encoder, NamedTempFile)>,
}

enum Encoder {
    Gif(GifEncoder<File>),
    Mp4(Child, ChildStdin),
}

impl Film {
    /// Makes sure that `path` can be written.
    pub fn create(path: &Path, format: Format, fps: f64) -> Result<Film> {
        Ok(Film { output: Output::create(path)?, format, fps, running: None })
    }

    /// The next frame, red, green and blue. All have the size of the first.
    pub fn add(&mut self, width: usize, height: usize, rgb: Vec<u8>) -> Result<()> {
        if self.running.is_none() {
            let file = self.output.temporary()?;
            let encoder = match self.format {
                Format::Gif => self.gif(&file)?,
                Format::Mp4 => self.mp4(&file, width, height)?,
            };
            self.running = Some((encoder, file));
        }
        match &mut self.running {
            Some((Encoder::Gif(encoder), _)) => {
                let picture = RgbImage::from_raw(width as u32, height as u32, rgb);
                let Some(picture) = picture else { return Ok(()) };
                let delay = Delay::from_numer_denom_ms((1000.0 / self.fps).round() as u32, 1);
                let frame = Frame::from_parts(DynamicImage::from(picture).into_rgba8(), 0, 0, delay);
                encoder.encode_frame(frame).map_err(|e: ImageError| self.output.error(e))
            }
            Some((Encoder::Mp4(_, input), _)) => {
                let Err(broken) = input.write_all(&rgb) else { return Ok(()) };
                // A pipe only breaks because ffmpeg ended; its own words say why, such as a full disk.
                if let Some((Encoder::Mp4(child, input), _)) = self.running.take() {
                    self.end(child, input)?;
                }
                Err(self.output.error(format!("ffmpeg stopped ({broken})")))
            }
            None => Ok(()),
        }
    }

    /// Gives the film its name.
    pub fn finish(mut self) -> Result<()> {
        let Some((encoder, file)) = self.running.take() else { return Ok(()) };
        match encoder {
            // Dropped, the encoder writes the end of the animation, and tells nobody whether it could.
            Encoder::Gif(encoder) => {
                drop(encoder);
                let mut end = [0];
                let mut written = file.reopen().map_err(|e| self.output.failed(e))?;
                let read = written.seek(SeekFrom::End(-1)).and_then(|_| written.read_exact(&mut end));
                if read.is_err() || end != GIF_TRAILER {
                    return Err(self
                        .output
                        .error("its end is missing; make room on the disk and run the command again"));
                }
            }
            Encoder::Mp4(child, input) => self.end(child, input)?,
        }
        self.output.keep(file)
    }

    /// Waits until ffmpeg has written everything.
    fn end(&self, child: Child, input: ChildStdin) -> Result<()> {
        drop(input);
        let ended = wait_for_writer(child).map_err(|e| self.output.error(e))?;
        if ended.status.success() {
            return Ok(());
        }
        // Errors of this program are one line.
        let words = String::from_utf8_lossy(&ended.stderr);
        let words = words.trim().replace('\n', "; ");
        Err(self.output.error(format!("ffmpeg failed: {words}")))
    }

    fn gif(&self, file: &NamedTempFile) -> Result<Encoder> {
        let handle = file.reopen().map_err(|e| self.output.error(e))?;
        // The fastest palette search: these pictures are to look at.
        let mut encoder = GifEncoder::new_with_speed(handle, 30);
        encoder.set_repeat(Repeat::Infinite).map_err(|e| self.output.error(e))?;
        Ok(Encoder::Gif(encoder))
    }

    fn mp4(&self, file: &NamedTempFile, width: usize, height: usize) -> Result<Encoder> {
        let program = Tools::from_env().ffmpeg;
        let mut command = Command::new(&program);
        command.args(["-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]);
        // Without it a film whose end cannot be written, on a full disk, counts as written.
        command.arg("-xerror");
        command.args(["-s", &format!("{width}x{height}"), "-r", &self.fps.to_string(), "-i", "-"]);
        // H.264 players want 4:2:0, which needs even sides.
        command.args(["-vf", "crop=trunc(iw/2)*2:trunc(ih/2)*2", "-pix_fmt", "yuv420p"]);
        // High quality: `crf` is for x264, `q` for the MPEG-4 encoder that stands in where that is missing.
        command.args(["-crf", "18", "-q:v", "3", "-f", "mp4"]);
        command.arg(file.path()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = start_writer(&mut command).map_err(|e| {
            let program = program.display();
            self.output.error(format!("{program} cannot be started ({e}); install ffmpeg, or write a .gif"))
        })?;
        let input = child.stdin.take().ok_or_else(|| self.output.error("ffmpeg takes no input"))?;
        Ok(Encoder::Mp4(child, input))
    }
}
