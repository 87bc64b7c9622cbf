//! Containers: the same frames in each of them give the same pictures at the same times.

use crate::rates::{number, numbered};
use crate::{ffmpeg, folder, frames};

const H264: &str = "-c:v libx264 -preset ultrafast -qp 20 -threads 1";
const MPEG2: &str = "-c:v mpeg2video -qscale:v 2 -bf 0 -threads 1";
const VP8: &str = "-c:v libvpx -b:v 1M -deadline realtime -threads 1";
const THEORA: &str = "-c:v libtheora -qscale:v 7";
const WMV2: &str = "-c:v wmv2 -qscale:v 3";
const MJPEG: &str = "-c:v mjpeg -pix_fmt yuvj420p -qscale:v 3";

/// Codecs, the Matroska file that the others are compared with, and the containers that hold the same.
const CONTAINERS: [(&str, &str, &[&str]); 8] = [
    (
        H264,
        "h264.mkv",
        &["a.mp4", "a.mov", "a.m4v", "a.avi", "a.ts", "a.m2ts", "a.flv", "a.3gp", "a.nut", "a.h264"],
    ),
    (MPEG2, "mpeg2.mkv", &["a.mpg", "a.vob", "a.mxf"]),
    (VP8, "vp8.mkv", &["a.webm"]),
    (THEORA, "theora.mkv", &["a.ogv"]),
    (WMV2, "wmv2.mkv", &["a.wmv"]),
    (MJPEG, "mjpeg.mkv", &["mjpeg.avi"]),
    // Samples as they are.
    ("-c:v ffv1", "raw.mkv", &[]),
    ("-vf format=bgr0 -c:v ffv1", "rgb.mkv", &[]),
];

#[test]
fn containers_hold_what_matroska_holds() {
    let dir = folder();
    std::fs::write(dir.path().join("numbered.yuv"), numbered(128, 96, 10)).expect("it is written");
    let mut make =
        "-f rawvideo -pixel_format yuv420p -video_size 128x96 -framerate 25 -i numbered.yuv ".to_string();
    for (codec, reference, containers) in CONTAINERS {
        for name in std::iter::once(&reference).chain(containers) {
            make += &format!("-map 0 {codec} {name} ");
        }
    }
    make += "-map 0 a.y4m -map 0 -vf format=rgb24 -plays 0 -f apng a.apng ";
    // Ten pictures of two levels have few colours, so that a palette loses nothing.
    make += "-map 0 -vf format=rgb24,split[a][b];[a]palettegen=reserve_transparent=0[p];[b][p]paletteuse=dither=none a.gif";
    ffmpeg(dir.path(), &make);
    let lossless: [(&str, &str, &[&str]); 2] =
        [("", "raw.mkv", &["a.y4m"]), ("", "rgb.mkv", &["a.gif", "a.apng"])];
    let mut seen = 0;
    for (_, reference, containers) in CONTAINERS.into_iter().chain(lossless) {
        let want = frames(&dir.path().join(reference));
        let numbers: Vec<usize> = want.iter().map(number).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "{reference}");
        for name in containers {
            seen += 1;
            let got = frames(&dir.path().join(name));
            assert_eq!(got.len(), want.len(), "{name}");
            for (index, (got_frame, want)) in got.iter().zip(&want).enumerate() {
                assert!(got_frame.pixels == want.pixels, "{name}: frame {index} is another picture");
                assert_eq!(got_frame.color.full_range, want.color.full_range, "{name}");
                assert_eq!(got_frame.orientation, want.orientation, "{name}");
                let seconds = got_frame.seconds - got[0].seconds;
                assert!((seconds - index as f64 / 25.0).abs() < 1.5e-3, "{name}: frame {index} at {seconds}");
            }
        }
    }
    assert_eq!(seen, 19 + 1, "containers beside Matroska");
}
