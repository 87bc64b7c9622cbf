//! Asks `ffprobe` what is in a file: which stream is the video, its size, colour, rotation and length.

use super::complaints::Complaints;
use super::process::{Process, lines};
use super::tools::{Input, Tools};
use super::{Color, MAX_PIXELS, Matrix, Orientation, PixelAspect, Rotation, VideoInfo};
use crate::error::{Error, Result};
use serde::Deserialize;
use std::collections::HashMap;
use std::io::Read;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Most bytes that a description may have; that of a file with a thousand streams is a tenth of it.
const LONGEST: u64 = 16 << 20;

/// How ffmpeg is to hand over the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planes {
    /// Planar Y'CbCr, chroma of half size.
    I420,
    /// Luma only; the chroma planes are filled with grey here.
    Luma,
    /// Sources that hold RGB stay RGB, so no matrix is needed.
    Rgb,
}

/// The video stream of a file.
#[derive(Debug, Clone)]
pub struct Probe {
    pub info: VideoInfo,
    /// Index of the stream in the file.
    pub stream: usize,
    /// The unit of its times in seconds, as a fraction.
    pub time_base: (u64, u64),
    pub color: Color,
    pub orientation: Orientation,
    pub pixel_aspect: PixelAspect,
    pub planes: Planes,
    /// Whether the samples have an opacity.
    pub alpha: bool,
    /// Seconds to be added to the times that ffmpeg gives, so that they count on the container's clock.
    pub shift: f64,
    /// Length of the video stream itself; the container's length may be that of the sound.
    pub stream_seconds: Option<f64>,
}

#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default)]
struct Format {
    format_name: Option<String>,
    start_time: Option<String>,
    duration: Option<String>,
}

#[derive(Deserialize)]
struct Stream {
    index: usize,
    codec_type: Option<String>,
    codec_name: Option<String>,
    width: Option<usize>,
    height: Option<usize>,
    pix_fmt: Option<String>,
    color_range: Option<String>,
    color_space: Option<String>,
    sample_aspect_ratio: Option<String>,
    time_base: Option<String>,
    start_time: Option<String>,
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    nb_frames: Option<String>,
    duration: Option<String>,
    #[serde(default)]
    disposition: HashMap<String, i64>,
    #[serde(default)]
    tags: HashMap<String, String>,
    #[serde(default)]
    side_data_list: Vec<HashMap<String, serde_json::Value>>,
}

/// Describes the video stream of `input`, the one that ffmpeg would choose.
///
/// Also what ffprobe complained of.
pub(super) fn probe(tools: &Tools, place: &str, input: &Input) -> Result<(Probe, Complaints)> {
    let mut command = tools.command(&tools.ffprobe);
    command.args(["-loglevel", "level+error", "-show_streams", "-show_format", "-print_format", "json"]);
    command.args(tools.input(input));
    let process = Process::start(&mut command);
    let mut process = process.map_err(|error| tools.cannot_start(&tools.ffprobe, error, place))?;
    let unreadable = |error| Error::video(place, format!("ffprobe cannot be read: {error}"));
    let (stdout, stderr) = (process.stdout().map_err(unreadable)?, process.stderr().map_err(unreadable)?);
    let complaints = Arc::new(Mutex::new(Complaints::default()));
    let (sink, own) = (Arc::clone(&complaints), input.clone());
    let listener = lines(stderr, move |line| {
        sink.lock().unwrap_or_else(PoisonError::into_inner).hear(line, &own, None, false);
    });
    let (sender, answer) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.take(LONGEST + 1).read_to_end(&mut bytes);
        // An error means that nobody waits any more.
        let _ = sender.send(read.map(|_| bytes));
    });
    let fail = |problem: String| Err(Error::video(place, problem));
    let patience = tools.patience;
    let bytes = match answer.recv_timeout(patience) {
        Ok(bytes) => bytes.map_err(unreadable)?,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            let seconds = patience.as_secs();
            return fail(format!(
                "ffprobe did not describe the file within {seconds} s and was ended; the file is probably damaged, or set \
                 I3D_DECODER_SECONDS higher"
            ));
        }
    };
    if bytes.len() as u64 > LONGEST {
        let program = tools.ffprobe.display();
        return fail(format!("ffprobe describes the file without end; is {program} really ffprobe?"));
    }
    let status = process.wait(patience).map_err(unreadable)?;
    // It ends with the pipe; a thread that panicked has said all that it will.
    let _ = listener.join();
    let complaints = std::mem::take(&mut *complaints.lock().unwrap_or_else(PoisonError::into_inner));
    if !status.success() {
        if let Some(format) = complaints.refused_format() {
            return fail(refused(format));
        }
        let words = complaints.words().map_or_else(|| format!("ffprobe ended with {status}"), str::to_owned);
        return fail(format!(
            "this is not a video that ffmpeg can read ({words}); give an intact video file, a GIF or a folder of pictures"
        ));
    }
    let output: Output = serde_json::from_slice(&bytes).map_err(|error| {
        let program = tools.ffprobe.display();
        Error::video(
            place,
            format!("the answer of ffprobe cannot be read ({error}); is {program} really ffprobe?"),
        )
    })?;
    let probe = describe(&output).map_err(|problem| Error::video(place, problem))?;
    Ok((probe, complaints))
}

/// The sentence about a file whose format is not on the list.
fn refused(format: &str) -> String {
    match format {
        // ffmpeg plays text files as terminal art; nobody wants that classified.
        "tty" | "ansi" | "bin" | "xbin" | "adf" | "idf" => {
            "this is a text file; give a video file, a GIF or a folder of pictures".into()
        }
        "image2" | "image2pipe" => {
            "ffmpeg takes this name for a numbered series of pictures; give the folder, or rename the file"
                .into()
        }
        _ => format!(
            "this is not a video but a {format} file, from which ffmpeg reads other files; give those, or \
             allow it (`--playlists`) if you trust the file"
        ),
    }
}

/// For `fuzz/`: what any output is understood as.
#[cfg(feature = "fuzzing")]
pub(super) fn fuzz(bytes: &[u8]) {
    if let Ok(output) = serde_json::from_slice(bytes) {
        let _ = describe(&output);
    }
}

fn describe(output: &Output) -> Result<Probe, String> {
    let kind = |stream: &Stream, kind: &str| stream.codec_type.as_deref() == Some(kind);
    let Some(stream) = choose(&output.streams) else {
        let found = match output.streams.iter().any(|s| kind(s, "audio")) {
            true => "the file has sound but no video",
            false => "the file has no video",
        };
        return Err(format!("{found}; give a file with a video stream"));
    };
    let codec = stream.codec_name.clone();
    let (Some(width @ 1..), Some(height @ 1..)) = (stream.width, stream.height) else {
        let codec = codec.unwrap_or_else(|| "unknown".into());
        return Err(format!(
            "the size of the pictures is not known (codec {codec}); the file is probably cut off"
        ));
    };
    if (width as u64).saturating_mul(height as u64) > MAX_PIXELS {
        return Err(format!(
            "its pictures have {width}x{height} pixels, more than the {MAX_PIXELS} that are read; scale the video down"
        ));
    }
    let pixel_format = stream.pix_fmt.clone().unwrap_or_default();
    let planes = planes(&pixel_format);
    // Where nothing is said, grey has the full range, as players have it, and Y'CbCr the limited one.
    let full_range = match stream.color_range.as_deref() {
        Some("pc") => true,
        Some("tv") => false,
        _ => pixel_format.starts_with("yuvj") || planes == Planes::Luma,
    };
    let orientation = orientation(stream);
    let pixel_aspect = pixel_aspect(stream.sample_aspect_ratio.as_deref());
    let stream_seconds = length(stream);
    Ok(Probe {
        stream: stream.index,
        time_base: stream.time_base.as_deref().and_then(fraction).unwrap_or(TIME_BASE),
        color: Color { matrix: matrix(stream.color_space.as_deref(), height), full_range },
        orientation,
        pixel_aspect,
        planes,
        alpha: has_alpha(&pixel_format),
        shift: shift(stream, &output.format),
        stream_seconds,
        info: VideoInfo {
            frames: stream.nb_frames.as_deref().and_then(|n| n.parse().ok()).filter(|&n| n > 0),
            fps: [&stream.avg_frame_rate, &stream.r_frame_rate].into_iter().flatten().find_map(|r| ratio(r)),
            width,
            height,
            rotation: orientation.rotation.degrees(),
            mirrored: orientation.mirrored,
            pixel_aspect,
            states_durations: states_durations(output.format.format_name.as_deref().unwrap_or_default()),
            duration_seconds: stream_seconds.or_else(|| output.format.duration.as_deref().and_then(seconds)),
            codec,
            pixel_format: Some(pixel_format).filter(|name| !name.is_empty()),
        },
    })
}

/// The stream that ffmpeg itself would choose: the largest picture, with an advantage for the default stream. Cover pictures, and
/// previews of a single picture beside a video, come last; streams without a picture are none.
fn choose(streams: &[Stream]) -> Option<&Stream> {
    let flag = |stream: &Stream, name: &str| stream.disposition.get(name).is_some_and(|&set| set != 0);
    let length = |stream: &Stream| length(stream).unwrap_or(f64::INFINITY);
    let videos = || streams.iter().filter(|stream| stream.codec_type.as_deref() == Some("video"));
    let longest = videos().map(length).filter(|seconds| seconds.is_finite()).fold(0.0, f64::max);
    let rank = |stream: &&Stream| {
        let still = ["attached_pic", "still_image", "timed_thumbnails"].iter().any(|name| flag(stream, name));
        let frames = stream.nb_frames.as_deref().and_then(|n| n.parse::<u64>().ok());
        let preview = frames == Some(1) || length(stream) < (longest / 20.0).min(1.0);
        let empty =
            frames == Some(0) || stream.width.is_none_or(|w| w == 0) || stream.height.is_none_or(|h| h == 0);
        let area = stream.width.unwrap_or(0).saturating_mul(stream.height.unwrap_or(0));
        // The advantage is ffmpeg's (`map_auto_video` in ffmpeg_mux_init.c).
        let score = area.saturating_add(if flag(stream, "default") { 5_000_000 } else { 0 });
        (!empty, !still, !preview, score, std::cmp::Reverse(stream.index))
    };
    videos().filter(|stream| !flag(stream, "attached_pic")).max_by_key(rank)
}

/// The stated length of a stream in seconds. Of Matroska the tag is the stream's own, the field the file's.
fn length(stream: &Stream) -> Option<f64> {
    tag(stream, "DURATION").or(stream.duration.as_deref()).and_then(seconds)
}

/// What turns ffmpeg's times into those of the container's clock, whose zero is the first packet of any stream, or zero where a stream
/// begins a little before that.
fn shift(stream: &Stream, format: &Format) -> f64 {
    // Containers whose clock may start anew (`AVFMT_TS_DISCONT`): there ffmpeg counts from the first packet of the streams it decodes.
    const RESTARTING: [&str; 3] = ["mpegts", "mpeg", "ogg"];
    let seconds = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<f64>().ok());
    let start = seconds(&format.start_time).unwrap_or(0.0);
    let restarting = format.format_name.as_deref().is_some_and(|name| RESTARTING.contains(&name));
    let counted = if restarting { seconds(&stream.start_time).unwrap_or(start) } else { start };
    counted - start.max(0.0)
}

/// Whether a container, by ffmpeg's name, says of every frame how long it is shown.
fn states_durations(format: &str) -> bool {
    format.split(',').any(|name| matches!(name, "mov" | "gif" | "apng" | "webp"))
}

fn has_alpha(pixel_format: &str) -> bool {
    ["yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16", "pal8"]
        .iter()
        .any(|prefix| pixel_format.starts_with(prefix))
}

fn planes(pixel_format: &str) -> Planes {
    const RGB: [&str; 12] =
        ["rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb", "x2bgr", "bayer", "mono"];
    if RGB.iter().any(|prefix| pixel_format.starts_with(prefix)) {
        Planes::Rgb
    } else if pixel_format.starts_with("gray")
        || pixel_format.starts_with("ya8")
        || pixel_format.starts_with("ya16")
    {
        Planes::Luma
    } else {
        Planes::I420
    }
}

fn matrix(color_space: Option<&str>, lines: usize) -> Matrix {
    match color_space {
        Some("bt709") => Matrix::Bt709,
        // The American 240M and FCC matrices are within a hundredth of these.
        Some("smpte240m") => Matrix::Bt709,
        Some("bt470bg" | "smpte170m" | "fcc") => Matrix::Bt601,
        Some("bt2020nc" | "bt2020c" | "bt2020_ncl" | "bt2020_cl") => Matrix::Bt2020,
        _ => Matrix::unspecified(lines),
    }
}

/// The display matrix, or what older containers have instead: a counter-clockwise angle, or a clockwise one in a tag.
fn orientation(stream: &Stream) -> Orientation {
    let matrix =
        stream.side_data_list.iter().find_map(|data| display_matrix(data.get("displaymatrix")?.as_str()?));
    if let Some(matrix) = matrix {
        return Orientation::from_matrix(matrix);
    }
    let angle = stream.side_data_list.iter().find_map(|data| data.get("rotation")?.as_f64());
    let degrees = angle.map(|degrees| -degrees).or_else(|| tag(stream, "rotate")?.parse().ok());
    Orientation::turned(Rotation::from_degrees(degrees.unwrap_or(0.0)))
}

/// `[a, b, c, d]` of a display matrix as ffprobe prints it: three lines `00000000:  a b u`, `00000001:  c d v`, ...
fn display_matrix(text: &str) -> Option<[f64; 4]> {
    let mut rows = text.lines().filter_map(|line| line.split_once(':')).map(|(_, row)| {
        let mut values = row.split_whitespace().map_while(|value| value.parse::<f64>().ok());
        Some([values.next()?, values.next()?])
    });
    let [a, b] = rows.next()??;
    let [c, d] = rows.next()??;
    Some([a, b, c, d])
}

/// `4:3`, and square for `0:1` or nothing.
fn pixel_aspect(text: Option<&str>) -> PixelAspect {
    let ratio = text.and_then(|text| text.split_once(':'));
    let ratio = ratio.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    ratio.map_or(PixelAspect::SQUARE, |(width, height)| PixelAspect::new(width, height))
}

fn tag<'a>(stream: &'a Stream, name: &str) -> Option<&'a str> {
    stream.tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// `12.5` or `00:00:12.500000000`.
fn seconds(text: &str) -> Option<f64> {
    let mut total = 0.0;
    for part in text.split(':') {
        total = total * 60.0 + part.trim().parse::<f64>().ok()?;
    }
    (total.is_finite() && total > 0.0).then_some(total)
}

/// The unit where none is stated, that of MPEG.
const TIME_BASE: (u64, u64) = (1, 90_000);

/// `1/12800`; nothing where a part is zero.
fn fraction(text: &str) -> Option<(u64, u64)> {
    let (numerator, denominator) = text.split_once('/')?;
    let (numerator, denominator) = (numerator.parse().ok()?, denominator.parse().ok()?);
    (numerator > 0 && denominator > 0).then_some((numerator, denominator))
}

/// `30000/1001`; nothing for `0/0`.
fn ratio(text: &str) -> Option<f64> {
    let (numerator, denominator) = text.split_once('/')?;
    let ratio = numerator.parse::<f64>().ok()? / denominator.parse::<f64>().ok()?;
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_ffprobe() {
        assert_eq!(seconds("12.5"), Some(12.5));
        assert_eq!(seconds("01:00:02.500000000"), Some(3602.5));
        assert_eq!(seconds("N/A"), None);
        assert_eq!(ratio("30000/1001"), Some(30000.0 / 1001.0));
        assert_eq!(ratio("0/0"), None);
    }

    fn parse(stream: &str) -> Result<Probe, String> {
        let json = format!(r#"{{"streams": [{stream}], "format": {{"duration": "9.0"}}}}"#);
        describe(&serde_json::from_str(&json).expect("the test's JSON is right"))
    }

    #[test]
    fn rotation_from_either_place() {
        let base = r#""index": 0, "codec_type": "video", "width": 4, "height": 2, "pix_fmt": "yuv420p""#;
        let rotation = |extra: &str| parse(&format!("{{{base}{extra}}}")).expect("a video").orientation;
        assert_eq!(rotation(""), Orientation::turned(Rotation::R0));
        assert_eq!(rotation(r#", "tags": {"rotate": "90"}"#), Orientation::turned(Rotation::R90));
        assert_eq!(
            rotation(r#", "side_data_list": [{"rotation": -90}]"#),
            Orientation::turned(Rotation::R90)
        );
        assert_eq!(
            rotation(r#", "side_data_list": [{"x": 1}, {"rotation": 90}]"#),
            Orientation::turned(Rotation::R270)
        );
        assert_eq!(
            rotation(r#", "side_data_list": [{"rotation": -180}]"#),
            Orientation::turned(Rotation::R180)
        );
    }

    #[test]
    fn the_matrix_says_more_than_the_angle() {
        let text = r#""index": 0, "codec_type": "video", "width": 4, "height": 2, "sample_aspect_ratio": "64:45",
            "side_data_list": [{"side_data_type": "Display Matrix", "displaymatrix":
            "\n00000000:       -65536           0           0\n00000001:            0       65536           0\n00000002:     20971520           0  1073741824\n",
            "rotation": -180}]"#;
        let probe = parse(&format!("{{{text}}}")).expect("a video");
        assert_eq!(probe.orientation, Orientation { mirrored: true, rotation: Rotation::R0 });
        assert_eq!(probe.pixel_aspect, PixelAspect { width: 64, height: 45 });
        assert!(probe.info.mirrored && probe.info.rotation == 0);
        assert_eq!(pixel_aspect(Some("0:1")), PixelAspect::SQUARE);
    }

    #[test]
    fn colour_and_planes() {
        let probe = |extra: &str| {
            parse(&format!(r#"{{"index": 0, "codec_type": "video", "width": 4, {extra}}}"#)).expect("a video")
        };
        let p = probe(r#""height": 719, "pix_fmt": "yuv420p""#);
        assert_eq!((p.color, p.planes), (Color { matrix: Matrix::Bt601, full_range: false }, Planes::I420));
        let p = probe(r#""height": 720, "pix_fmt": "yuvj420p", "color_space": "unknown""#);
        assert_eq!(p.color, Color { matrix: Matrix::Bt709, full_range: true });
        let p =
            probe(r#""height": 8, "pix_fmt": "yuv420p10le", "color_space": "bt2020nc", "color_range": "pc""#);
        assert_eq!(p.color, Color { matrix: Matrix::Bt2020, full_range: true });
        assert_eq!(probe(r#""height": 8, "pix_fmt": "gbrp""#).planes, Planes::Rgb);
        let p = probe(r#""height": 8, "pix_fmt": "gray10le""#);
        assert_eq!((p.planes, p.color.full_range, p.alpha), (Planes::Luma, true, false));
        assert!(!probe(r#""height": 8, "pix_fmt": "gray", "color_range": "tv""#).color.full_range);
        assert!(probe(r#""height": 8, "pix_fmt": "yuva420p""#).alpha);
    }

    #[test]
    fn times_count_from_the_first_of_all_streams() {
        let shift = |format: &str, stream: &str, start: &str| {
            let json = format!(
                r#"{{"streams": [{{"index": 0, "codec_type": "video", "width": 4, "height": 4, "start_time": "{stream}"}}],
                    "format": {{"format_name": "{format}", "start_time": "{start}"}}}}"#
            );
            let probe =
                describe(&serde_json::from_str(&json).expect("the test's JSON is right")).expect("a video");
            (probe.shift * 1e6).round() / 1e6
        };
        assert_eq!(shift("mov,mp4", "1.0", "0.0"), 0.0);
        assert_eq!(shift("matroska,webm", "3.007", "-0.007"), -0.007);
        assert_eq!(shift("matroska,webm", "100.0", "100.0"), 0.0);
        assert_eq!(shift("mpegts", "2.4", "1.4"), 1.0);
        assert_eq!(shift("mpegts", "N/A", "1.4"), 0.0);
    }

    #[test]
    fn the_stream_that_ffmpeg_chooses() {
        let chosen = |streams: &[&str]| {
            let streams = streams.iter().enumerate().map(|(index, extra)| {
                format!(r#"{{"index": {index}, "codec_type": "video", "codec_name": "h264", {extra}}}"#)
            });
            let json = format!(r#"{{"streams": [{}]}}"#, streams.collect::<Vec<_>>().join(","));
            describe(&serde_json::from_str(&json).expect("the test's JSON is right"))
                .map(|probe| probe.stream)
                .ok()
        };
        let small = r#""width": 320, "height": 240"#;
        let large = r#""width": 640, "height": 480"#;
        assert_eq!(chosen(&[small, large]), Some(1));
        assert_eq!(chosen(&[small, small]), Some(0));
        let default = r#""width": 320, "height": 240, "disposition": {"default": 1}"#;
        assert_eq!(chosen(&[large, default]), Some(1));
        assert_eq!(chosen(&[r#""width": 4000, "height": 3000"#, default]), Some(0));
        assert_eq!(chosen(&[r#""width": 4000, "height": 3000, "nb_frames": "1""#, small]), Some(1));
        assert_eq!(
            chosen(&[
                r#""width": 4000, "height": 3000, "tags": {"DURATION": "00:00:00.04"}"#,
                r#""width": 4, "height": 4, "tags": {"DURATION": "00:00:09.0"}"#
            ]),
            Some(1)
        );
        assert_eq!(
            chosen(&[r#""width": 4000, "height": 3000, "disposition": {"attached_pic": 1}"#, small]),
            Some(1)
        );
        assert_eq!(chosen(&[r#""width": 0, "height": 0"#, small]), Some(1));
        assert_eq!(chosen(&[r#""width": 4, "height": 4, "nb_frames": "1""#]), Some(0));
        assert_eq!(chosen(&[r#""width": 4, "height": 4, "disposition": {"attached_pic": 1}"#]), None);
        assert_eq!(chosen(&[r#""width": 4294967295, "height": 4294967295"#]), None);
    }
}
