//! Files as the world makes them: clocks that go back or jump, late starts, several streams, pictures that are videos. None of them
//! is damaged.

use crate::{ffmpeg, folder, frames, planes};
use i3d::video::{FrameSource, Orientation, PixelAspect, Pixels, Rate, Rotation, Samples, open};
use std::path::{Path, PathBuf};

const SOURCE: &str = "-f lavfi -i testsrc2=size=64x48:rate=25";
const FAST: &str = "-c:v libx264 -preset ultrafast -bf 0 -pix_fmt yuv420p";

/// Frames at a rate, and the time of the first.
fn sampled(path: &Path, rate: Rate) -> (usize, f64) {
    let mut samples = Samples::new(open(path).expect("it opens"), rate).expect("a good rate");
    let mut count = 0;
    while let Some(sample) = samples.next_sample().expect("nothing is damaged") {
        count += sample.times;
    }
    (count, samples.start_seconds())
}

fn write(folder: &Path, name: &str, parts: &[&[u8]]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, parts.concat()).expect("it is written");
    path
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("ffmpeg wrote it")
}

#[test]
fn recordings_one_behind_the_other_are_one_video() {
    let dir = folder();
    let dir = dir.path();
    for name in ["a.flv", "a.mkv"] {
        ffmpeg(dir, &format!("{SOURCE} -t 2 {FAST} {name}"));
    }
    ffmpeg(dir, &format!("-f lavfi -i testsrc=size=64x48:rate=25 -t 2 {FAST} b.flv"));
    ffmpeg(dir, "-i b.flv -c copy b.mkv");
    let [a, b] = ["a.flv", "b.flv"].map(|name| bytes(&dir.join(name)));
    let flv = write(dir, "both.flv", &[&a, &b[13..]]);
    let mkv = write(dir, "both.mkv", &[&bytes(&dir.join("a.mkv")), &bytes(&dir.join("b.mkv"))]);
    for path in [flv, mkv] {
        for rate in [Rate::I3D, Rate::Native] {
            assert_eq!(sampled(&path, rate).0, 100, "{} {rate}", path.display());
        }
    }
}

#[test]
fn a_clock_that_jumps_goes_on() {
    let dir = folder();
    let dir = dir.path();
    ffmpeg(dir, &format!("{SOURCE} -t 2 {FAST} a.mkv"));
    for (name, jump) in [("ten.mkv", 30), ("hour.mkv", 3600), ("week.flv", 600_000)] {
        let shift = format!("setts=ts=if(lt(N\\,25)\\,TS\\,TS+{jump}/TB)");
        let path = ffmpeg(dir, &format!("-i a.mkv -c copy -bsf:v {shift} {name}"));
        let (count, _) = sampled(&path, Rate::I3D);
        assert!((50..=51).contains(&count), "{name}: {count} of 50 frames");
    }
    // ffmpeg closes most of such a gap in a transport stream by itself.
    let path = ffmpeg(dir, "-i a.mkv -c copy -bsf:v setts=ts=if(lt(N\\,25)\\,TS\\,TS+600/TB) splice.ts");
    assert!(sampled(&path, Rate::I3D).0 < 500);
    // In MP4 the same step is the stated length of a frame: players show it for as long.
    let path = ffmpeg(
        dir,
        "-i a.mkv -c copy -bsf:v setts=ts=if(lt(N\\,25)\\,TS\\,TS+320000) -video_track_timescale 16000 still.mp4",
    );
    assert_eq!(sampled(&path, Rate::I3D).0, 550);
}

#[test]
fn native_is_every_frame() {
    let dir = folder();
    // Matroska counts milliseconds, so pairs of frames have one time.
    let path = ffmpeg(
        dir.path(),
        "-f lavfi -i testsrc2=size=64x48:rate=2000 -frames:v 60 -c:v libx264 -bf 0 -pix_fmt yuv420p v.mkv",
    );
    assert_eq!(sampled(&path, Rate::Native).0, 60);
    assert_eq!(sampled(&path, Rate::Fps(1000.0)).0, 31);
    for name in ["b.avi", "b.mp4", "b.mkv", "b.ts"] {
        // Frames that are stored in another order than they are shown.
        let path =
            ffmpeg(dir.path(), &format!("{SOURCE} -frames:v 30 -c:v libx264 -bf 3 -pix_fmt yuv420p {name}"));
        assert_eq!(sampled(&path, Rate::Native).0, 30, "{name}");
        let times: Vec<f64> = frames(&path).iter().map(|frame| frame.seconds).collect();
        assert!(times.windows(2).all(|t| (t[1] - t[0] - 0.04).abs() < 2e-3), "{name}: {times:?}");
    }
}

#[test]
fn late_and_long_frames_break_nothing() {
    let dir = folder();
    let dir = dir.path();
    ffmpeg(dir, &format!("{SOURCE} -t 4 {FAST} v.mp4"));
    let late =
        "-itsoffset 3 -i v.mp4 -f lavfi -i sine=duration=7 -map 0:v -map 1:a -c:v copy -c:a libopus late.mkv";
    let (count, start) = sampled(&ffmpeg(dir, late), Rate::I3D);
    assert!(count == 100 && (start - 3.0).abs() < 0.01, "{count} {start}");
    let late =
        "-itsoffset 1 -i v.mp4 -f lavfi -i sine=duration=7 -map 0:v -map 1:a -c:v copy -c:a aac late.mp4";
    let (count, start) = sampled(&ffmpeg(dir, late), Rate::I3D);
    assert!(count == 100 && (start - 1.0).abs() < 0.05, "{count} {start}");
    let clock = "-i v.mp4 -c copy -copyts -output_ts_offset 100 -avoid_negative_ts disabled clock.mkv";
    assert_eq!(sampled(&ffmpeg(dir, clock), Rate::I3D), (100, 0.0));
    ffmpeg(dir, &format!("{SOURCE} -t 2 -c:v libvpx -b:v 1M b.webm"));
    let hold = "-i b.webm -c copy -bsf:v setts=duration=if(eq(N\\,49)\\,6/TB\\,DURATION) hold.webm";
    assert_eq!(sampled(&ffmpeg(dir, hold), Rate::I3D).0, 50);
    let sound = "-i v.mp4 -f lavfi -i sine=duration=20 -c:v copy -c:a aac sound.flv";
    assert_eq!(sampled(&ffmpeg(dir, sound), Rate::I3D).0, 100);
}

#[test]
fn damaged_sound_is_not_damaged_video() {
    let dir = folder();
    let dir = dir.path();
    let path =
        ffmpeg(dir, &format!("{SOURCE} -f lavfi -i sine -t 2 {FAST} -c:a aac -movflags +faststart v.mp4"));
    let packets = std::process::Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "a", "-show_entries", "packet=pos,size", "-of", "csv=p=0"])
        .arg(&path)
        .output()
        .expect("ffprobe is there");
    let mut data = bytes(&path);
    for line in String::from_utf8_lossy(&packets.stdout).lines().filter(|line| !line.is_empty()) {
        let numbers: Vec<usize> = line.split(',').filter_map(|n| n.parse().ok()).collect();
        let [size, at] = numbers[..] else { panic!("{line}") };
        for (k, byte) in data[at..at + size].iter_mut().enumerate() {
            *byte = (k * 151 + at) as u8;
        }
    }
    let bad = write(dir, "bad.mp4", &[&data]);
    let pixels = |path: &Path| frames(path).into_iter().map(|frame| frame.pixels).collect::<Vec<_>>();
    assert!(pixels(&bad) == pixels(&path), "the pictures are those of the whole file");
}

#[test]
fn a_recording_may_begin_between_key_frames() {
    let dir = folder();
    let dir = dir.path();
    let whole = ffmpeg(
        dir,
        "-f lavfi -i testsrc2=size=320x240:rate=25 -t 4 -c:v libx264 -g 50 -bf 0 -pix_fmt yuv420p whole.ts",
    );
    let data = bytes(&whole);
    let cut = data.len() / 4 / 188 * 188;
    let path = write(dir, "cut.ts", &[&data[cut..]]);
    let (count, _) = sampled(&path, Rate::Native);
    assert!((40..=90).contains(&count), "{count} frames");
}

#[test]
fn all_eight_orientations_are_read() {
    let dir = folder();
    let plain = bytes(&ffmpeg(dir.path(), &format!("{SOURCE} -t 0.2 {FAST} plain.mp4")));
    let matrix = plain.windows(4).position(|name| name == b"tkhd").expect("a track") + 4 + 40;
    for ([a, b, c, d], mirrored, rotation) in [
        ([1, 0, 0, 1], false, Rotation::R0),
        ([0, 1, -1, 0], false, Rotation::R90),
        ([-1, 0, 0, -1], false, Rotation::R180),
        ([0, -1, 1, 0], false, Rotation::R270),
        ([-1, 0, 0, 1], true, Rotation::R0),
        ([1, 0, 0, -1], true, Rotation::R180),
        ([0, 1, 1, 0], true, Rotation::R270),
        ([0, -1, -1, 0], true, Rotation::R90),
    ] {
        let mut turned = plain.clone();
        for (place, value) in [(0, a), (4, b), (12, c), (16, d)] {
            turned[matrix + place..][..4].copy_from_slice(&(value * 0x10000i32).to_be_bytes());
        }
        let path = write(dir.path(), "turned.mp4", &[&turned]);
        let source = open(&path).expect("it opens");
        assert_eq!((source.info().mirrored, source.info().rotation), (mirrored, rotation.degrees()));
        assert_eq!(frames(&path)[0].orientation, Orientation { mirrored, rotation }, "{a} {b} {c} {d}");
    }
}

#[test]
fn pixels_that_are_not_square_say_so() {
    let dir = folder();
    let path = ffmpeg(dir.path(), &format!("{SOURCE} -t 0.2 -vf setsar=2/1 {FAST} wide.mp4"));
    assert_eq!(frames(&path)[0].pixel_aspect, PixelAspect { width: 2, height: 1 });
    let path = ffmpeg(dir.path(), &format!("{SOURCE} -t 0.2 {FAST} square.mp4"));
    assert_eq!(frames(&path)[0].pixel_aspect, PixelAspect::SQUARE);
}

#[test]
fn grey_has_the_full_range_unless_it_says_otherwise() {
    let dir = folder();
    for (format, extra, want) in [("gray", "", 235), ("gray10le", "", 234), ("gray", "-color_range tv", 235)]
    {
        let path = ffmpeg(
            dir.path(),
            &format!(
                "-f lavfi -i color=c=gray:size=16x16:rate=5:duration=0.4,format={format},geq=lum=235*(1+3*eq(1\\,{})) -pix_fmt {format} {extra} -c:v ffv1 g.mkv",
                u8::from(format == "gray10le")
            ),
        );
        let frame = &frames(&path)[0];
        assert_eq!(frame.color.full_range, extra.is_empty(), "{format} {extra}");
        assert_eq!(planes(frame).0[0], want, "{format} {extra}");
        assert!(planes(frame).1.iter().all(|&u| u == 128));
    }
}

#[test]
fn transparent_video_lies_on_black() {
    let dir = folder();
    for (format, codec) in [("yuva420p", "ffv1"), ("rgba", "png"), ("yuva444p10le", "ffv1"), ("bgra", "ffv1")]
    {
        let path = ffmpeg(
            dir.path(),
            &format!(
                "-f lavfi -i color=c=white:size=16x16:rate=5:duration=0.4,format=rgba,geq=r=255:g=255:b=255:a=255*lt(X\\,8) \
                 -vf scale=out_range=pc,format={format} -color_range pc -c:v {codec} a.mkv"
            ),
        );
        let frame = &frames(&path)[0];
        let rgb = i3d::preprocess::RgbPreprocess {
            short_side: 16,
            ..i3d::preprocess::RgbPreprocess::for_input(16)
        };
        let rgb = rgb.resized_rgb(frame, rgb.full_region(frame));
        assert!(rgb[0] > 252.0 && rgb[15 * 3] < 3.0, "{format}: {} {}", rgb[0], rgb[15 * 3]);
    }
}

#[test]
fn the_stream_of_several_is_that_of_ffmpeg() {
    let dir = folder();
    let dir = dir.path();
    let small = "-f lavfi -i testsrc2=size=64x48:rate=25:duration=1";
    let large = "-f lavfi -i testsrc2=size=128x96:rate=25:duration=1";
    let width = |arguments: &str| frames(&ffmpeg(dir, arguments))[0].width;
    let none = "-disposition:v 0";
    assert_eq!(width(&format!("{small} {large} -map 0 -map 1 {FAST} {none} two.mkv")), 128);
    assert_eq!(
        width(&format!("{small} {large} -map 0 -map 1 {FAST} {none} -disposition:v:0 default two.mp4")),
        64
    );
    ffmpeg(dir, &format!("-f lavfi -i color=red:size=640x480:rate=25 -frames:v 1 {FAST} one.mp4"));
    ffmpeg(dir, &format!("{small} {FAST} many.mp4"));
    for name in ["preview.mp4", "preview.mkv"] {
        let arguments = format!("-i one.mp4 -i many.mp4 -map 0 -map 1 -c copy {none} {name}");
        assert_eq!(width(&arguments), 64, "a single picture is a preview");
    }
}

#[test]
fn jpegs_one_behind_the_other_are_a_video() {
    let dir = folder();
    let dir = dir.path();
    for name in ["v.mjpeg", "v.jpg.mjpg"] {
        let path = ffmpeg(dir, &format!("{SOURCE} -frames:v 12 -c:v mjpeg -f mjpeg {name}"));
        assert_eq!(frames(&path).len(), 12, "{name}");
        let renamed = write(dir, "renamed.jpg", &[&bytes(&path)]);
        assert_eq!(frames(&renamed).len(), 12);
    }
    let still = ffmpeg(dir, &format!("{SOURCE} -frames:v 1 still.jpg"));
    assert_eq!(frames(&still).len(), 1);
    // Bytes behind a picture do not make a video of it.
    let other = ffmpeg(dir, "-f lavfi -i testsrc2=size=32x32 -frames:v 1 thumbnail.jpg");
    for tail in [&b"\0\0\0\0"[..], b"some notes of a phone", &bytes(&other)] {
        assert_eq!(frames(&write(dir, "tail.jpg", &[&bytes(&still), tail])).len(), 1);
    }
}

#[test]
fn a_motion_photo_is_the_video_in_it() {
    let dir = folder();
    let dir = dir.path();
    let still = bytes(&ffmpeg(dir, &format!("{SOURCE} -frames:v 1 still.jpg")));
    let video = bytes(&ffmpeg(dir, &format!("{SOURCE} -t 1 {FAST} v.mp4")));
    for name in ["plain.jpg", "with, commas: and 'quotes'.jpg"] {
        let photo = write(dir, name, &[&still, b"MotionPhoto_Data", &video]);
        assert_eq!(frames(&photo).len(), 25, "{name}");
    }
}

#[test]
fn colour_of_alpha_free_rgb_is_unchanged() {
    let dir = folder();
    let path = ffmpeg(
        dir.path(),
        "-f lavfi -i color=c=0x102030:size=8x8:rate=5:duration=0.4 -pix_fmt bgr0 -c:v ffv1 c.mkv",
    );
    let frame = &frames(&path)[0];
    let Pixels::Rgb(rgb) = &frame.pixels else { panic!("RGB stays RGB") };
    assert!(rgb.chunks(3).all(|p| p[0].abs_diff(0x10) <= 1 && p[2].abs_diff(0x30) <= 1), "{:?}", &rgb[..3]);
}
