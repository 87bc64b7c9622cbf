//! Asks `ffprobe` what is in a file: which stream is the video, its size, colour, rotation and length.

use super::ffmpeg::{Tools, input_argument, last_words};
use super::{Color, Matrix, Rotation, VideoInfo};
use crate::error::{Error, Result};
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;

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
    pub color: Color,
    pub rotation: Rotation,
    pub planes: Planes,
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

/// Describes the video stream of `path`: the first one that is no cover picture.
pub fn probe(tools: &Tools, path: &Path) -> Result<Probe> {
    let place = path.display();
    let output = tools
        .command(&tools.ffprobe)
        .args(["-hide_banner", "-loglevel", "level+error", "-protocol_whitelist", "file"])
        .args(["-show_streams", "-show_format", "-print_format", "json"])
        .arg(input_argument(path))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| tools.cannot_start(&tools.ffprobe, error, path))?;
    if !output.status.success() {
        let words = last_words(&String::from_utf8_lossy(&output.stderr), path);
        let words = if words.is_empty() { format!("ffprobe ended with {}", output.status) } else { words };
        return Err(Error::video(
            place,
            format!(
                "this is no video that ffmpeg can read ({words}); give an intact video file, a GIF or a folder of pictures"
            ),
        ));
    }
    let output: Output = serde_json::from_slice(&output.stdout).map_err(|error| {
        Error::video(
            &place,
            format!(
                "the answer of ffprobe cannot be read ({error}); is {} really ffprobe?",
                tools.ffprobe.display()
            ),
        )
    })?;
    // ffmpeg plays text files as terminal art; nobody wants that classified.
    if output.format.format_name.as_deref() == Some("tty") {
        return Err(Error::video(
            place,
            "this is a text file; give a video file, a GIF or a folder of pictures",
        ));
    }
    describe(&output).map_err(|problem| Error::video(place, problem))
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
    let picture = |stream: &Stream| stream.disposition.get("attached_pic").is_some_and(|&set| set != 0);
    let Some(stream) = output.streams.iter().find(|s| kind(s, "video") && !picture(s)) else {
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
    let pixel_format = stream.pix_fmt.clone().unwrap_or_default();
    let rotation = rotation(stream);
    let stream_seconds = stream.duration.as_deref().or_else(|| tag(stream, "DURATION")).and_then(seconds);
    Ok(Probe {
        stream: stream.index,
        color: Color {
            matrix: matrix(stream.color_space.as_deref(), height),
            full_range: stream.color_range.as_deref() == Some("pc") || pixel_format.starts_with("yuvj"),
        },
        rotation,
        planes: planes(&pixel_format),
        stream_seconds,
        info: VideoInfo {
            frames: stream.nb_frames.as_deref().and_then(|n| n.parse().ok()).filter(|&n| n > 0),
            fps: [&stream.avg_frame_rate, &stream.r_frame_rate].into_iter().flatten().find_map(|r| ratio(r)),
            width,
            height,
            rotation: rotation.degrees(),
            duration_seconds: stream_seconds.or_else(|| output.format.duration.as_deref().and_then(seconds)),
            codec,
            pixel_format: Some(pixel_format).filter(|name| !name.is_empty()),
        },
    })
}

fn planes(pixel_format: &str) -> Planes {
    const RGB: [&str; 12] =
        ["rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "pal8", "x2rgb", "x2bgr", "bayer", "mono"];
    if RGB.iter().any(|prefix| pixel_format.starts_with(prefix)) {
        Planes::Rgb
    } else if pixel_format.starts_with("gray") || pixel_format.starts_with("ya") {
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

/// The display matrix of newer containers and ffmpegs, or the older `rotate` tag. The former counts
/// counter-clockwise, the latter clockwise.
fn rotation(stream: &Stream) -> Rotation {
    let matrix = stream.side_data_list.iter().find_map(|data| data.get("rotation")?.as_f64());
    let degrees = matrix.map(|degrees| -degrees).or_else(|| tag(stream, "rotate")?.parse().ok());
    Rotation::from_degrees(degrees.unwrap_or(0.0))
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
        let rotation = |extra: &str| parse(&format!("{{{base}{extra}}}")).expect("a video").rotation;
        assert_eq!(rotation(""), Rotation::R0);
        assert_eq!(rotation(r#", "tags": {"rotate": "90"}"#), Rotation::R90);
        assert_eq!(rotation(r#", "side_data_list": [{"rotation": -90}]"#), Rotation::R90);
        assert_eq!(rotation(r#", "side_data_list": [{"x": 1}, {"rotation": 90}]"#), Rotation::R270);
        assert_eq!(rotation(r#", "side_data_list": [{"rotation": -180}]"#), Rotation::R180);
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
        assert_eq!(probe(r#""height": 8, "pix_fmt": "gray10le""#).planes, Planes::Luma);
    }
}
