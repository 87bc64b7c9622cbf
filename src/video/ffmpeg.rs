//! Decodes video files with the `ffmpeg` program, one frame at a time.
//!
//! The program is started without a shell. It hands over the planes of the first real video stream, unrotated and in
//! the colour description of the file, with the exact time of every frame. Pictures that change their size in the
//! middle are scaled by ffmpeg to the size of the first. Interlaced video is taken as it is, and high dynamic range
//! is not mapped to standard range.

use super::complaints::{Complaints, Pictures};
use super::cutoff::is_cut_off;
use super::nut::NutReader;
use super::probe::{Planes, Probe, probe};
use super::process::{Process, lines};
use super::tools::{Input, Tools};
use super::{Frame, FrameSource, Pixels, VideoInfo};
use crate::error::{Error, Result};
use std::ffi::OsString;
use std::io::{BufReader, ErrorKind};
use std::process::ChildStdout;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Frames that are read ahead.
const AHEAD: usize = 2;

/// A running ffmpeg and the frames that come out of it.
pub struct Ffmpeg {
    place: String,
    input: Input,
    probe: Probe,
    patience: Duration,
    process: Process,
    frames: Option<Receiver<Message>>,
    complaints: Arc<Mutex<Complaints>>,
    listener: Option<JoinHandle<()>>,
    delivered: u64,
    first_seconds: f64,
    last_seconds: f64,
}

/// What comes through the pipe.
enum Message {
    /// The stream begins: width and height of its frames.
    Size(u64, u64),
    /// A frame: its time and its bytes.
    Frame(f64, Vec<u8>),
    /// The pipe broke.
    Broken(std::io::Error),
}

impl Ffmpeg {
    /// Describes the file and starts decoding it.
    pub fn open(tools: &Tools, place: &str, input: Input) -> Result<Self> {
        let (probe, before) = probe(tools, place, &input)?;
        let mut command = tools.command(&tools.ffmpeg);
        command.args(["-nostdin", "-nostats", "-loglevel", "repeat+level+error", "-noautorotate"]);
        command.args(tools.input(&input)).args(output_arguments(&probe));
        let process = Process::start(&mut command);
        let mut process = process.map_err(|error| tools.cannot_start(&tools.ffmpeg, error, place))?;
        let unreadable = |error| Error::video(place, format!("ffmpeg cannot be read: {error}"));
        let stdout = process.stdout().map_err(unreadable)?;
        let stderr = process.stderr().map_err(unreadable)?;

        let complaints = Arc::new(Mutex::new(Complaints::after(&before)));
        let shown = Arc::new(AtomicBool::new(false));
        let pictures = Pictures { codec: probe.info.codec.clone().unwrap_or_default(), stream: probe.stream };
        let (sink, own, seen) = (Arc::clone(&complaints), input.clone(), Arc::clone(&shown));
        let listener = lines(stderr, move |line| {
            let mut complaints = sink.lock().unwrap_or_else(PoisonError::into_inner);
            complaints.hear(line, &own, Some(&pictures), seen.load(Ordering::Relaxed));
        });
        let (sender, frames) = sync_channel(AHEAD);
        let (bytes, ticks) = (frame_bytes(&probe) as u64, probe.time_base);
        std::thread::spawn(move || read(stdout, bytes, ticks, &sender, &shown));
        let mut ffmpeg = Ffmpeg {
            place: place.to_owned(),
            input,
            probe,
            patience: tools.patience,
            process,
            frames: Some(frames),
            complaints,
            listener: Some(listener),
            delivered: 0,
            first_seconds: 0.0,
            last_seconds: 0.0,
        };
        match ffmpeg.next_message()? {
            Some(Message::Size(w, h)) => {
                let (width, height) = (ffmpeg.probe.info.width, ffmpeg.probe.info.height);
                if (w, h) == (width as u64, height as u64) {
                    return Ok(ffmpeg);
                }
                let problem =
                    format!("ffmpeg delivers {w}x{h} pixels where ffprobe announced {width}x{height}");
                Err(Error::video(place, problem))
            }
            Some(Message::Broken(error)) if error.kind() != ErrorKind::UnexpectedEof => {
                Err(Error::video(place, error))
            }
            _ => Err(ffmpeg.end(None).unwrap_or_else(|| {
                Error::video(place, "no frame could be decoded, and ffmpeg does not say why")
            })),
        }
    }

    /// The next message, waiting as long as patience allows; nothing behind the last.
    fn next_message(&mut self) -> Result<Option<Message>> {
        let Some(frames) = &self.frames else { return Ok(None) };
        match frames.recv_timeout(self.patience) {
            Ok(message) => Ok(Some(message)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                self.frames = None;
                self.process.end();
                let (seconds, frames) = (self.patience.as_secs(), self.delivered);
                let problem = format!(
                    "ffmpeg gave nothing for {seconds} s after {frames} frames and was ended; the file is probably damaged, \
                     or set I3D_DECODER_SECONDS higher"
                );
                Err(Error::video(&self.place, problem))
            }
        }
    }

    fn frame(&self, seconds: f64, data: Vec<u8>) -> Result<Frame> {
        let VideoInfo { width, height, .. } = self.probe.info;
        let expected = frame_bytes(&self.probe);
        if data.len() != expected {
            let found = data.len();
            let problem = format!("ffmpeg delivered a frame of {found} bytes where {expected} were expected");
            return Err(Error::video(&self.place, problem));
        }
        let pixels = pixels(&self.probe, data);
        let Probe { color, orientation, pixel_aspect, .. } = self.probe;
        Ok(Frame { width, height, seconds, pixels, color, orientation, pixel_aspect })
    }

    /// Waits for ffmpeg and says what went wrong, if anything did. `broken` is what the pipe had to say.
    fn end(&mut self, broken: Option<std::io::Error>) -> Option<Error> {
        self.frames = None;
        let status = self.process.wait(self.patience);
        if let Some(listener) = self.listener.take() {
            // It ends with the pipe; a thread that panicked has said all that it will.
            let _ = listener.join();
        }
        let complaints = std::mem::take(&mut *self.complaints.lock().unwrap_or_else(PoisonError::into_inner));
        let failed = !matches!(&status, Ok(status) if status.success());
        let short = self.is_short(&complaints);
        if !failed && !short && !complaints.damaged && broken.is_none() && self.delivered > 0 {
            if complaints.headless {
                log::warn!(
                    "{}: the recording begins in the middle; its first pictures could not be decoded and are left out",
                    self.place
                );
            }
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

    /// True where clearly less came than the container promised.
    ///
    /// A promise of time alone proves nothing: the last picture may stand for long, and a tag may state the end of the stream
    /// instead of its length. So it counts only where the file is cut off or ffmpeg complains. A count of frames proves nothing
    /// where an edit list hides some; so the time must fall short too.
    fn is_short(&self, complaints: &Complaints) -> bool {
        let few =
            self.probe.info.frames.map(|promised| (self.delivered as f64) < promised as f64 * 0.98 - 2.0);
        let step = self.probe.info.fps.map_or(0.0, |fps| 1.0 / fps);
        let shown = self.last_seconds - self.first_seconds.min(0.0) + step;
        let early = |promised: f64| shown < promised * 0.95 - 0.5;
        let stream = self.probe.stream_seconds.map(early);
        if let Some(few) = few {
            return few && stream.unwrap_or(true);
        }
        // The length of the file may be that of the sound, so it only supports what the file itself shows.
        let file = stream.or(self.probe.info.duration_seconds.map(early)).unwrap_or(false);
        let told = stream == Some(true) && !complaints.is_empty();
        told || (file && is_cut_off(&self.input.path).unwrap_or(false))
    }
}

impl FrameSource for Ffmpeg {
    fn info(&self) -> &VideoInfo {
        &self.probe.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        if self.frames.is_none() {
            return Ok(None);
        }
        let broken = match self.next_message()? {
            Some(Message::Frame(seconds, data)) => {
                let seconds = seconds + self.probe.shift;
                let frame = self.frame(seconds, data).inspect_err(|_| self.frames = None)?;
                if self.delivered == 0 {
                    self.first_seconds = seconds;
                }
                self.last_seconds = seconds.max(self.last_seconds);
                self.delivered += 1;
                return Ok(Some(frame));
            }
            Some(Message::Broken(error)) => Some(error),
            Some(Message::Size(..)) | None => None,
        };
        self.end(broken).map_or(Ok(None), Err)
    }
}

/// Hands over what comes through the pipe, until its end or until nobody takes it.
/// `ticks` is the time base of the stream, which frame times are coded in.
fn read(
    stdout: ChildStdout,
    frame_bytes: u64,
    ticks: (u64, u64),
    sender: &SyncSender<Message>,
    shown: &AtomicBool,
) {
    let broken = |error| {
        // An error means that nobody listens any more.
        let _ = sender.send(Message::Broken(error));
    };
    let mut reader = match NutReader::new(BufReader::with_capacity(1 << 18, stdout)) {
        Ok(reader) => reader,
        Err(error) => return broken(error),
    };
    let (width, height) = reader.size();
    if sender.send(Message::Size(width, height)).is_err() {
        return;
    }
    let mut times = Times::default();
    // The muxer takes a finer time base where that of the file is coarse.
    let (numerator, denominator) = reader.time_base();
    let finer = u128::from(ticks.0) * u128::from(denominator) / (u128::from(ticks.1) * u128::from(numerator));
    let finer = i64::try_from(finer).unwrap_or(1).max(1);
    loop {
        match reader.next_frame(frame_bytes) {
            Ok(Some(frame)) => {
                shown.store(true, Ordering::Relaxed);
                let seconds = times.decode(frame.ticks / finer) as f64 * ticks.0 as f64 / ticks.1 as f64;
                if sender.send(Message::Frame(seconds, frame.data)).is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => return broken(error),
        }
    }
}

/// Undoes [`TIMES`].
#[derive(Debug)]
struct Times {
    coded: i64,
    ticks: i64,
}

impl Default for Times {
    fn default() -> Times {
        Times { coded: -1, ticks: 0 }
    }
}

impl Times {
    /// The time of the next frame, which stands in the stream as `coded`.
    fn decode(&mut self, coded: i64) -> i64 {
        let step = coded.saturating_sub(self.coded).saturating_sub(1);
        self.coded = coded;
        let (half, odd) = (step >> 1, step & 1);
        self.ticks = self.ticks.saturating_add(if odd == 1 { -half - 1 } else { half });
        self.ticks
    }
}

/// Frame times on their way through ffmpeg. Its muxers take rising times alone, and it drops or moves frames whose times are equal or go
/// back. So each frame is given a time that lies after the one before by one tick and the zigzag code of the step between their own
/// times: 0, -1, 1, -2, 2 become 0, 1, 2, 3, 4. A frame without a time has that of the frame before, `0` in these registers: 0 the last
/// time, 1 this time, 2 the step.
const TIMES: &str = "setpts='st(1,if(isnan(PTS),ld(0),PTS));st(2,ld(1)-ld(0));st(0,ld(1));\
     if(isnan(PREV_OUTPTS),-1,PREV_OUTPTS)+1+if(lt(ld(2),0),-2*ld(2)-1,2*ld(2))'";

/// Bytes of a frame in the pipe.
fn frame_bytes(probe: &Probe) -> usize {
    let VideoInfo { width, height, .. } = probe.info;
    let (luma, chroma) = (width * height, width.div_ceil(2) * height.div_ceil(2));
    match (probe.planes, probe.alpha) {
        (Planes::Rgb, alpha) => luma * if alpha { 4 } else { 3 },
        (Planes::Luma, false) => luma,
        (Planes::I420, false) => luma + 2 * chroma,
        // Grey with alpha comes with its neutral chroma.
        (Planes::Luma | Planes::I420, true) => 2 * luma + 2 * chroma,
    }
}

/// The samples of a frame, transparent parts over black.
fn pixels(probe: &Probe, mut data: Vec<u8>) -> Pixels {
    let VideoInfo { width, height, .. } = probe.info;
    let chroma = width.div_ceil(2) * height.div_ceil(2);
    if probe.planes == Planes::Rgb {
        if probe.alpha {
            data =
                data.as_chunks::<4>().0.iter().flat_map(|&pixel| super::picture::over_black(pixel)).collect();
        }
        return Pixels::Rgb(data);
    }
    if (probe.planes, probe.alpha) == (Planes::Luma, false) {
        return Pixels::I420 { y: data, u: vec![128; chroma], v: vec![128; chroma] };
    }
    let mut y = data;
    let mut u = y.split_off(width * height);
    let mut v = u.split_off(chroma);
    let alpha = v.split_off(chroma);
    y.shrink_to_fit();
    if probe.alpha {
        planes_over_black(
            width,
            if probe.color.full_range { 0 } else { 16 },
            &alpha,
            [&mut y, &mut u, &mut v],
        );
    }
    Pixels::I420 { y, u, v }
}

/// Planes over black: each sample moves to black by what its pixel lacks in opacity, a chroma sample by what its four pixels lack on
/// average.
fn planes_over_black(width: usize, black: u8, alpha: &[u8], [y, u, v]: [&mut [u8]; 3]) {
    let mix = |value: u8, to: u8, opacity: u32| {
        let (value, to) = (u32::from(value), u32::from(to));
        ((value * opacity + to * (255 - opacity) + 127) / 255) as u8
    };
    for (value, &alpha) in y.iter_mut().zip(alpha) {
        *value = mix(*value, black, alpha.into());
    }
    let columns = width.div_ceil(2);
    let height = alpha.len() / width;
    for (index, (u, v)) in u.iter_mut().zip(v).enumerate() {
        let (row, column) = (2 * (index / columns), 2 * (index % columns));
        let at =
            |row: usize, column: usize| u32::from(alpha[row.min(height - 1) * width + column.min(width - 1)]);
        let opacity =
            (at(row, column) + at(row, column + 1) + at(row + 1, column) + at(row + 1, column + 1) + 2) / 4;
        *u = mix(*u, 128, opacity);
        *v = mix(*v, 128, opacity);
    }
}

/// What ffmpeg does with the input.
fn output_arguments(probe: &Probe) -> Vec<OsString> {
    let range = if probe.color.full_range { "full" } else { "limited" };
    let (width, height) = (probe.info.width, probe.info.height);
    // The scaler is told both ranges, else it squeezes full-range video into the limited range. It does nothing
    // where size and format fit already; it brings pictures that change size in the middle to the first size.
    let scale = format!("scale=w={width}:h={height}:flags=bicubic+accurate_rnd+full_chroma_int+bitexact");
    let ranges = format!("in_range={range}:out_range={range}");
    let filter = match (probe.planes, probe.alpha, probe.color.full_range) {
        (Planes::I420, false, true) => format!("{scale}:{ranges},format=yuvj420p"),
        (Planes::I420, false, false) => format!("{scale}:{ranges},format=yuv420p"),
        (Planes::Luma, false, _) => format!("{scale}:{ranges},format=gray"),
        (Planes::I420 | Planes::Luma, true, _) => format!("{scale}:{ranges},format=yuva420p"),
        (Planes::Rgb, false, _) => format!("{scale},format=rgb24"),
        (Planes::Rgb, true, _) => format!("{scale},format=rgba"),
    };
    let (numerator, denominator) = probe.time_base;
    let filter = format!("settb={numerator}/{denominator},{TIMES},{filter}");
    let mut arguments: Vec<OsString> =
        vec!["-map".into(), format!("0:{}", probe.stream).into(), "-vf".into(), filter.into()];
    // NUT takes frames at any time, so ffmpeg neither repeats nor drops frames to keep a rate; the time base of the
    // file (-1, called `demux` in newer versions, which still take the number) keeps the times exact. Both hold for
    // ffmpeg 4 to 8, unlike -vsync, which goes, and -fps_mode, which came with 5.1.
    let rest = ["-enc_time_base", "-1", "-an", "-sn", "-dn", "-c:v", "rawvideo", "-f", "nut", "pipe:1"];
    arguments.extend(rest.map(OsString::from));
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_through_ffmpeg_and_back() {
        let times = [7i64, 7, 10, 3, -5, -5, i64::from(i32::MAX), 0];
        // What the expression computes.
        let (mut last, mut coded) = (0, -1);
        let mut decoder = Times::default();
        for time in times {
            let step = time - last;
            last = time;
            let before = coded;
            coded += 1 + if step < 0 { -2 * step - 1 } else { 2 * step };
            assert!(coded > before, "rising");
            assert_eq!(decoder.decode(coded), time);
        }
    }

    #[test]
    fn transparent_planes_are_black() {
        let (mut y, mut u, mut v) = (vec![200; 6], vec![90; 2], vec![160; 2]);
        // The left two columns are opaque, the right one is not there.
        planes_over_black(3, 16, &[255, 255, 0, 255, 255, 0], [&mut y, &mut u, &mut v]);
        assert_eq!(y, [200, 200, 16, 200, 200, 16]);
        assert_eq!((u, v), (vec![90, 128], vec![160, 128]));
    }
}
