//! Decodes video files with the `ffmpeg` program, one frame at a time.
//!
//! The program is started without a shell. It hands over the planes of the first real video stream, unrotated and in
//! the colour description of the file, with the exact time of every frame. Pictures that change their size in the
//! middle are scaled by ffmpeg to the size of the first. Interlaced video is taken as it is, and high dynamic range
//! is not mapped to standard range.

use super::nut::NutReader;
use super::probe::{Planes, Probe, probe};
use super::{Frame, FrameSource, Pixels, VideoInfo};
use crate::error::{Error, Result};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

/// Where `ffmpeg` and `ffprobe` are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// The decoder: a path, or a name to look for on the search path.
    pub ffmpeg: PathBuf,
    /// The program that describes files.
    pub ffprobe: PathBuf,
}

impl Default for Tools {
    fn default() -> Self {
        Tools { ffmpeg: "ffmpeg".into(), ffprobe: "ffprobe".into() }
    }
}

impl Tools {
    /// The programs named by the environment variables `I3D_FFMPEG` and `I3D_FFPROBE`, else those on the search path.
    pub fn from_env() -> Self {
        let or = |variable, default: PathBuf| std::env::var_os(variable).map_or(default, PathBuf::from);
        let Tools { ffmpeg, ffprobe } = Tools::default();
        Tools { ffmpeg: or("I3D_FFMPEG", ffmpeg), ffprobe: or("I3D_FFPROBE", ffprobe) }
    }

    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // With colours forced on, ffmpeg's messages would be full of escape sequences.
        command.env("AV_LOG_FORCE_NOCOLOR", "1").env_remove("AV_LOG_FORCE_COLOR").env_remove("FFREPORT");
        command
    }

    pub(super) fn cannot_start(&self, program: &Path, error: std::io::Error, path: &Path) -> Error {
        let program = program.display();
        let problem = match error.kind() {
            ErrorKind::NotFound => format!(
                "decoding video needs ffmpeg, and `{program}` was not found; install it (Debian and Ubuntu: \
                 `sudo apt install ffmpeg`, Fedora: `sudo dnf install ffmpeg-free`, macOS: `brew install ffmpeg`, \
                 Windows: `winget install Gyan.FFmpeg`) or name it in I3D_FFMPEG and I3D_FFPROBE"
            ),
            _ => {
                format!("`{program}` cannot be started ({error}); name ffmpeg in I3D_FFMPEG and I3D_FFPROBE")
            }
        };
        Error::video(path.display(), problem)
    }
}

/// The path as an argument that ffmpeg cannot take for an option or a protocol.
pub(super) fn input_argument(path: &Path) -> OsString {
    let mut argument = OsString::from("file:");
    argument.push(path);
    argument
}

/// A running ffmpeg and the frames that come out of it.
pub struct Ffmpeg {
    place: String,
    probe: Probe,
    child: Child,
    frames: Option<NutReader<BufReader<ChildStdout>>>,
    stderr: Option<JoinHandle<Complaints>>,
    delivered: u64,
    first_seconds: f64,
    last_seconds: f64,
}

impl Ffmpeg {
    /// Describes the file and starts decoding it.
    pub fn open(tools: &Tools, path: &Path) -> Result<Self> {
        let probe = probe(tools, path)?;
        let mut child = tools
            .command(&tools.ffmpeg)
            .args(arguments(&probe, path))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| tools.cannot_start(&tools.ffmpeg, error, path))?;
        // A thread drains the messages: a full pipe would stop ffmpeg.
        let name = path.to_path_buf();
        let stderr =
            child.stderr.take().map(|pipe| std::thread::spawn(move || Complaints::read(pipe, &name)));
        let stdout = child.stdout.take();
        let mut ffmpeg = Ffmpeg {
            place: path.display().to_string(),
            probe,
            child,
            frames: None,
            stderr,
            delivered: 0,
            first_seconds: 0.0,
            last_seconds: 0.0,
        };
        let Some(stdout) = stdout else {
            return Err(Error::video(&ffmpeg.place, "the output of ffmpeg cannot be read"));
        };
        match NutReader::new(BufReader::with_capacity(1 << 18, stdout)) {
            Ok(reader) => {
                let (width, height) = (ffmpeg.probe.info.width, ffmpeg.probe.info.height);
                if reader.size() != (width as u64, height as u64) {
                    let (w, h) = reader.size();
                    let problem =
                        format!("ffmpeg delivers {w}x{h} pixels where ffprobe announced {width}x{height}");
                    return Err(Error::video(&ffmpeg.place, problem));
                }
                ffmpeg.frames = Some(reader);
                Ok(ffmpeg)
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Err(ffmpeg.end(None).unwrap_or_else(|| {
                    Error::video(&ffmpeg.place, "no frame could be decoded, and ffmpeg does not say why")
                }))
            }
            Err(error) => Err(Error::video(&ffmpeg.place, error)),
        }
    }

    fn frame(&self, seconds: f64, data: Vec<u8>) -> Result<Frame> {
        let VideoInfo { width, height, .. } = self.probe.info;
        let chroma = width.div_ceil(2) * height.div_ceil(2);
        let expected = self.frame_bytes();
        if data.len() != expected {
            let found = data.len();
            let problem = format!("ffmpeg delivered a frame of {found} bytes where {expected} were expected");
            return Err(Error::video(&self.place, problem));
        }
        let pixels = match self.probe.planes {
            Planes::Rgb => Pixels::Rgb(data),
            Planes::Luma => Pixels::I420 { y: data, u: vec![128; chroma], v: vec![128; chroma] },
            Planes::I420 => {
                let mut y = data;
                let mut u = y.split_off(width * height);
                let v = u.split_off(chroma);
                y.shrink_to_fit();
                Pixels::I420 { y, u, v }
            }
        };
        let Probe { color, orientation, pixel_aspect, .. } = self.probe;
        Ok(Frame { width, height, seconds, pixels, color, orientation, pixel_aspect })
    }

    fn frame_bytes(&self) -> usize {
        let VideoInfo { width, height, .. } = self.probe.info;
        match self.probe.planes {
            Planes::Rgb => width * height * 3,
            Planes::Luma => width * height,
            Planes::I420 => width * height + 2 * width.div_ceil(2) * height.div_ceil(2),
        }
    }

    /// Waits for ffmpeg and says what went wrong, if anything did. `broken` is what the pipe had to say.
    fn end(&mut self, broken: Option<std::io::Error>) -> Option<Error> {
        self.frames = None;
        let status = self.child.wait();
        let complaints = self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let failed = !matches!(&status, Ok(status) if status.success());
        let short = self.is_short();
        if !failed && !short && complaints.lines.is_empty() && broken.is_none() && self.delivered > 0 {
            return None;
        }
        let words = match (complaints.words(), broken, status) {
            (Some(words), ..) => format!("ffmpeg says: {words}"),
            (None, Some(error), _) => error.to_string(),
            (None, None, Ok(status)) if failed => format!("ffmpeg ended with {status} and no word"),
            _ => "ffmpeg gives no reason".to_owned(),
        };
        let frames = self.delivered;
        let promised = match (self.probe.info.frames, self.probe.info.duration_seconds) {
            (Some(frames), Some(seconds)) => format!(" of {frames} ({seconds:.2} s)"),
            (Some(frames), None) => format!(" of {frames}"),
            (None, Some(seconds)) => format!(" of {seconds:.2} s"),
            (None, None) => String::new(),
        };
        let problem = if frames == 0 {
            format!("no frame could be decoded; {words}; the file is damaged or its codec is not supported")
        } else if failed || short {
            let seconds = self.last_seconds - self.first_seconds;
            format!("the video breaks after {frames} frames ({seconds:.2} s){promised}; {words}")
        } else {
            format!(
                "the video is damaged: {frames} frames{promised} were decoded, but some may look wrong; {words}"
            )
        };
        Some(Error::video(&self.place, problem))
    }

    /// True where clearly less came than the container promised. A container may count frames that an edit list
    /// hides, and the last picture may stand for long, so both the count and the time must fall short.
    fn is_short(&self) -> bool {
        let few =
            self.probe.info.frames.map(|promised| (self.delivered as f64) < promised as f64 * 0.98 - 2.0);
        let early = self.probe.stream_seconds.map(|promised| {
            let shown =
                self.last_seconds - self.first_seconds + self.probe.info.fps.map_or(0.0, |fps| 1.0 / fps);
            shown < promised * 0.95 - 0.5
        });
        few.or(early).unwrap_or(false) && early.unwrap_or(true)
    }
}

impl FrameSource for Ffmpeg {
    fn info(&self) -> &VideoInfo {
        &self.probe.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let limit = self.frame_bytes() as u64;
        let Some(reader) = &mut self.frames else {
            return Ok(None);
        };
        let broken = match reader.next_frame(limit) {
            Ok(Some((seconds, data))) => {
                let frame = self.frame(seconds, data).inspect_err(|_| self.frames = None)?;
                if self.delivered == 0 {
                    self.first_seconds = seconds;
                }
                self.last_seconds = seconds.max(self.last_seconds);
                self.delivered += 1;
                return Ok(Some(frame));
            }
            Ok(None) => None,
            Err(error) => Some(error),
        };
        match self.end(broken) {
            Some(error) => Err(error),
            None => Ok(None),
        }
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command line of ffmpeg.
fn arguments(probe: &Probe, path: &Path) -> Vec<OsString> {
    let range = if probe.color.full_range { "full" } else { "limited" };
    let (width, height) = (probe.info.width, probe.info.height);
    // The scaler is told both ranges, else it squeezes full-range video into the limited range. It does nothing
    // where size and format fit already; it brings pictures that change size in the middle to the first size.
    let scale = format!("scale=w={width}:h={height}:flags=bicubic+accurate_rnd+full_chroma_int+bitexact");
    let filter = match (probe.planes, probe.color.full_range) {
        (Planes::I420, true) => format!("{scale}:in_range={range}:out_range={range},format=yuvj420p"),
        (Planes::I420, false) => format!("{scale}:in_range={range}:out_range={range},format=yuv420p"),
        (Planes::Luma, _) => format!("{scale},format=gray"),
        (Planes::Rgb, _) => format!("{scale},format=rgb24"),
    };
    let mut arguments: Vec<OsString> = [
        "-hide_banner",
        "-nostdin",
        "-nostats",
        "-loglevel",
        "repeat+level+error",
        "-protocol_whitelist",
        "file",
    ]
    .map(OsString::from)
    .to_vec();
    arguments.extend(["-noautorotate", "-i"].map(OsString::from));
    arguments.push(input_argument(path));
    arguments.extend(["-map".into(), format!("0:{}", probe.stream).into(), "-vf".into(), filter.into()]);
    // NUT takes frames at any time, so ffmpeg neither repeats nor drops frames to keep a rate; the time base of the
    // file (-1, called `demux` in newer versions, which still take the number) keeps the times exact. Both hold for
    // ffmpeg 4 to 8, unlike -vsync, which goes, and -fps_mode, which came with 5.1.
    let rest = ["-enc_time_base", "-1", "-an", "-sn", "-dn", "-c:v", "rawvideo", "-f", "nut", "pipe:1"];
    arguments.extend(rest.map(OsString::from));
    arguments
}

/// The last errors that ffmpeg printed.
#[derive(Debug, Default)]
struct Complaints {
    lines: VecDeque<String>,
}

impl Complaints {
    /// Enough to find the telling one; a broken file can print thousands.
    const KEPT: usize = 16;

    fn read(pipe: impl std::io::Read, path: &Path) -> Self {
        let mut complaints = Complaints::default();
        for line in BufReader::new(pipe).split(b'\n').map_while(|line| line.ok()) {
            if let Some(line) = meaning(&String::from_utf8_lossy(&line), path) {
                if complaints.lines.len() == Self::KEPT {
                    complaints.lines.pop_front();
                }
                complaints.lines.push_back(line);
            }
        }
        complaints
    }

    fn words(&self) -> Option<&str> {
        // The summing-up at the end says less than what came before it.
        let vague = |line: &&String| !VAGUE.iter().any(|words| line.contains(words));
        self.lines.iter().rev().find(vague).or(self.lines.back()).map(String::as_str)
    }
}

/// Lines that only repeat that something went wrong.
const VAGUE: [&str; 9] = [
    "Conversion failed",
    "Error while decoding stream",
    "Error while processing the decoded data",
    "Error submitting packet to decoder",
    "Error opening input",
    "Error splitting the input",
    "Task finished with error code",
    "Terminating thread with return code",
    "Nothing was written into output file",
];

/// Complaints about the bookkeeping of intact streams, or about our own output; they say nothing about pictures.
const HARMLESS: [&str; 5] = [
    "mmco: unref short failure",
    "co located POCs unavailable",
    "number of reference frames",
    "non monotonically increasing dts",
    "deprecated pixel format",
];

/// What a line of ffmpeg says, without the address of the component and the level; nothing for lines that are no
/// error.
fn meaning(line: &str, path: &Path) -> Option<String> {
    let line = line.trim();
    let (before, text) =
        ["[error] ", "[fatal] ", "[panic] "].iter().find_map(|level| line.split_once(level))?;
    if HARMLESS.iter().any(|words| text.contains(words)) {
        return None;
    }
    // The message begins with the place already.
    let own_name = format!("{}: ", input_argument(path).to_string_lossy());
    let text = text.trim().trim_start_matches(own_name.as_str());
    let component = before.trim_start_matches('[').split(" @ ").next().filter(|_| before.contains(" @ "));
    match component {
        // A demuxer's name is the list of all formats it reads.
        Some(name) => Some(format!("{}: {text}", name.split(',').next().unwrap_or(name))),
        None => Some(text.to_owned()),
    }
}

/// The most telling of all lines that ffprobe printed; empty where it printed no error.
pub(super) fn last_words(stderr: &str, path: &Path) -> String {
    let complaints = Complaints::read(stderr.as_bytes(), path);
    let invalid = |line: &&String| !line.contains("Invalid data found when processing input");
    let telling = complaints.lines.iter().rev().find(invalid);
    telling.or(complaints.lines.back()).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_ffmpeg() {
        let path = Path::new("a b.mp4");
        let says = |line| meaning(line, path);
        assert_eq!(
            says("[h264 @ 0x55d0] [error] error while decoding MB 1 2").as_deref(),
            Some("h264: error while decoding MB 1 2")
        );
        assert_eq!(
            says("[mov,mp4,m4a @ 0x1] [error] moov atom not found").as_deref(),
            Some("mov: moov atom not found")
        );
        assert_eq!(says("[error] file:a b.mp4: Invalid data").as_deref(), Some("Invalid data"));
        assert_eq!(says("[swscaler @ 0x1] [warning] deprecated"), None);
        assert_eq!(says("[h264 @ 0x1] [error] mmco: unref short failure"), None);
    }

    #[test]
    fn the_telling_line_wins() {
        let path = Path::new("x.mp4");
        let stderr = "[h264 @ 0x1] [error] bad slice\n[error] Error while decoding stream #0:0: Invalid data\n[fatal] Conversion failed!\n";
        assert_eq!(Complaints::read(stderr.as_bytes(), path).words(), Some("h264: bad slice"));
        let many = "[error] again\n".repeat(1000);
        assert_eq!(Complaints::read(many.as_bytes(), path).lines.len(), Complaints::KEPT);
        assert_eq!(last_words("", path), "");
    }
}
