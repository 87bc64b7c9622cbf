//! Video files that ffmpeg makes and decodes.

use crate::{ffmpeg, folder, frames, planes};
use i3d::video::{Color, Matrix, Orientation, Pixels, Rate, Rotation, Samples, open};

fn seconds(frames: &[i3d::video::Frame]) -> Vec<f64> {
    frames.iter().map(|frame| (frame.seconds * 1e6).round() / 1e6).collect()
}

#[test]
fn planes_and_times_are_those_of_the_file() {
    let dir = folder();
    let path = ffmpeg(
        dir.path(),
        "-f lavfi -i testsrc2=size=160x120:rate=30000/1001:duration=1 -pix_fmt yuv420p -c:v ffv1 a.mkv",
    );
    let raw = ffmpeg(dir.path(), "-i a.mkv -f rawvideo -pix_fmt yuv420p a.yuv");
    let raw = std::fs::read(raw).expect("ffmpeg wrote it");
    let got = frames(&path);
    assert_eq!(got.len(), 30);
    for (frame, raw) in got.iter().zip(raw.chunks(160 * 120 * 3 / 2)) {
        let (y, u, v) = planes(frame);
        assert_eq!([y, u, v].concat(), raw);
    }
    for (i, frame) in got.iter().enumerate() {
        let want = i as f64 * 1001.0 / 30000.0;
        assert!(
            (frame.seconds - want).abs() < 0.6e-3,
            "Matroska has milliseconds: {} and {want}",
            frame.seconds
        );
    }
    // MP4 keeps the exact times, and B-frames come in another order.
    let path = ffmpeg(dir.path(), "-i a.mkv -c:v libx264 -bf 3 -g 12 b.mp4");
    let source = open(&path).expect("it opens");
    let info = source.info().clone();
    assert_eq!((info.width, info.height, info.rotation, info.frames), (160, 120, 0, Some(30)));
    assert_eq!(info.codec.as_deref(), Some("h264"));
    assert!((info.fps.expect("known") - 30000.0 / 1001.0).abs() < 1e-3);
    assert!((info.duration_seconds.expect("known") - 1.001).abs() < 1e-3);
    let got = frames(&path);
    assert_eq!(got.len(), 30);
    let start = got[0].seconds;
    for (i, frame) in got.iter().enumerate() {
        let want = i as f64 * 1001.0 / 30000.0;
        assert!((frame.seconds - start - want).abs() < 1e-9, "{i}: {} and {want}", frame.seconds - start);
    }
}

#[test]
fn variable_frame_rate() {
    let dir = folder();
    // Frames 0, 1, 2, 10, 11, 12, 20, ... of a 50 fps source.
    let path = ffmpeg(
        dir.path(),
        "-f lavfi -i testsrc2=size=64x48:rate=50:duration=1 -vf select='lt(mod(n\\,10)\\,3)' -vsync vfr -c:v libx264 vfr.mp4",
    );
    let got = frames(&path);
    let want: Vec<f64> = (0..50).filter(|n| n % 10 < 3).map(|n| f64::from(n) / 50.0).collect();
    assert_eq!(seconds(&got), want);
    let mut samples = Samples::new(open(&path).expect("it opens"), Rate::I3D).expect("a good rate");
    let mut outputs = Vec::new();
    while let Some(sample) = samples.next_sample().expect("it decodes") {
        outputs.extend(std::iter::repeat_n((sample.frame.seconds * 50.0).round() as u32, sample.times));
    }
    // Outputs every 2 source frames; the nearest of those that are left, at 6 the earlier of 2 and 10.
    assert_eq!(outputs[..8], [0, 2, 2, 2, 10, 10, 12, 12]);
    assert_eq!(outputs.len(), 22);
}

#[test]
fn solid_colours_in_all_colour_spaces() {
    let dir = folder();
    for (matrix, name) in
        [(Matrix::Bt601, "smpte170m"), (Matrix::Bt709, "bt709"), (Matrix::Bt2020, "bt2020nc")]
    {
        for (full_range, range) in [(false, "tv"), (true, "pc")] {
            let space = if name == "bt2020nc" { "bt2020" } else { name };
            let pix = if full_range { "yuvj420p" } else { "yuv420p" };
            let path = ffmpeg(
                dir.path(),
                &format!(
                    "-f lavfi -i color=c=0xC06020:size=64x64:rate=5:duration=1,format=rgb24 \
                 -vf scale=out_color_matrix={space}:out_range={range},format={pix} -c:v libx264 -qp 1 \
                 -colorspace {name} -color_range {range} solid.mp4"
                ),
            );
            let got = frames(&path);
            let frame = &got[2];
            assert_eq!(frame.color, Color { matrix, full_range }, "{name} {range}");
            let rgb = i3d::preprocess::RgbPreprocess::new(64, 32).rgb_from_frame(frame);
            for pixel in rgb.chunks(3) {
                for (got, want) in pixel.iter().zip([0xC0, 0x60, 0x20]) {
                    let got = (got + 1.0) * 127.5;
                    // Samples of 8 bits, rounded once each: half a step times the matrix.
                    assert!((got - want as f32).abs() < 2.5, "{name} {range}: {got} and {want}");
                }
            }
        }
    }
}

#[test]
fn colour_of_streams_that_do_not_say() {
    let dir = folder();
    let color = |size: &str| {
        let source = format!(
            "-f lavfi -i testsrc2=size={size}:rate=5:duration=0.4 -pix_fmt yuv420p -c:v libx264 -preset ultrafast u.mp4"
        );
        frames(&ffmpeg(dir.path(), &source))[0].color
    };
    assert_eq!(color("64x718"), Color { matrix: Matrix::Bt601, full_range: false });
    assert_eq!(color("64x720"), Color { matrix: Matrix::Bt709, full_range: false });
}

#[test]
fn other_sample_formats_become_planes() {
    let dir = folder();
    let luma = |format: &str, codec: &str| {
        let source = format!(
            "-f lavfi -i color=c=gray:size=64x64:rate=5:duration=1,format=rgb24,scale=161:121 -pix_fmt {format} -c:v {codec} f.mkv"
        );
        let got = frames(&ffmpeg(dir.path(), &source));
        assert_eq!(got.len(), 5, "{format}");
        let frame = got[1].clone();
        assert_eq!((frame.width, frame.height), (161, 121), "{format}");
        if let Pixels::I420 { y, u, v } = &frame.pixels {
            assert_eq!((y.len(), u.len(), v.len()), (161 * 121, 81 * 61, 81 * 61), "{format}");
        }
        frame
    };
    for format in ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p12le"] {
        let frame = luma(format, "ffv1");
        let (y, u, v) = planes(&frame);
        assert!(y.iter().all(|&y| y.abs_diff(126) <= 1), "{format}: {}", y[0]);
        assert!([u, v].concat().iter().all(|&c| c.abs_diff(128) <= 1), "{format}: {} {}", u[0], v[0]);
    }
    let frame = luma("gray", "ffv1");
    assert!(planes(&frame).1.iter().all(|&u| u == 128));
    let frame = luma("bgr0", "ffv1");
    let Pixels::Rgb(rgb) = frame.pixels else { panic!("RGB stays RGB") };
    assert_eq!(rgb.len(), 161 * 121 * 3);
    assert!(rgb.iter().all(|&value| value.abs_diff(128) <= 2), "{}", rgb[0]);
    // The range survives the way down from 10 bits.
    let path = ffmpeg(
        dir.path(),
        "-f lavfi -i color=c=white:size=64x64:rate=5:duration=1,format=rgb24 -vf scale=out_range=pc,format=yuv420p10le -color_range pc -c:v ffv1 full.mkv",
    );
    let got = frames(&path);
    assert!(got[0].color.full_range);
    assert!(planes(&got[0]).0.iter().all(|&y| y >= 254), "{}", planes(&got[0]).0[0]);
}

#[test]
fn small_frames_and_black_ones() {
    // Frames below 4096 bytes, some of which begin like a header that the container may leave out.
    let dir = folder();
    for color in ["black", "white", "0x000001"] {
        for size in ["2x2", "16x16", "33x17"] {
            let source = format!(
                "-f lavfi -i color=c={color}:size={size}:rate=25:duration=3 -pix_fmt gbrp -c:v ffv1 s.mkv"
            );
            let got = frames(&ffmpeg(dir.path(), &source));
            assert_eq!(got.len(), 75);
            assert!(
                got.windows(2)
                    .all(|pair| pair[0].pixels == pair[1].pixels && pair[0].seconds < pair[1].seconds)
            );
        }
    }
}

#[test]
fn rotated_recordings() {
    let dir = folder();
    ffmpeg(
        dir.path(),
        "-f lavfi -i color=c=black:size=64x32:rate=5:duration=1 -vf drawbox=x=0:y=0:w=32:h=16:c=white:t=fill -c:v libx264 -qp 1 plain.mp4",
    );
    let plain = std::fs::read(dir.path().join("plain.mp4")).expect("ffmpeg wrote it");
    // The display matrix, where the track header keeps it: x' = a·x + c·y, y' = b·x + d·y.
    let matrix = plain.windows(4).position(|name| name == b"tkhd").expect("a track") + 4 + 40;
    for (degrees, [a, b, c, d], rotation, white) in [
        (90, [0, 1, -1, 0], Rotation::R90, [false, true, false, false]),
        (180, [-1, 0, 0, -1], Rotation::R180, [false, false, true, false]),
        (270, [0, -1, 1, 0], Rotation::R270, [false, false, false, true]),
    ] {
        let mut turned = plain.clone();
        for (place, value) in [(0, a), (4, b), (12, c), (16, d)] {
            turned[matrix + place..][..4].copy_from_slice(&(value * 0x10000i32).to_be_bytes());
        }
        let path = dir.path().join("turned.mp4");
        std::fs::write(&path, turned).expect("it is written");
        let source = open(&path).expect("it opens");
        assert_eq!((source.info().rotation, source.info().width), (degrees, 64));
        let frame = &frames(&path)[0];
        assert_eq!((frame.width, frame.height, frame.orientation), (64, 32, Orientation::turned(rotation)));
        let size = frame.upright_size();
        assert_eq!(size, if degrees == 180 { (64, 32) } else { (32, 64) });
        let whole = i3d::preprocess::RgbPreprocess::new(32, 32);
        let rgb = whole.resized_rgb(frame, whole.full_region(frame));
        let at = |x: usize, y: usize| rgb[(y * size.0 + x) * 3] > 128.0;
        let (right, bottom) = (size.0 - 1, size.1 - 1);
        assert_eq!([at(0, 0), at(right, 0), at(right, bottom), at(0, bottom)], white, "{degrees}");
    }
}

#[test]
fn pictures_that_change_size_are_scaled_to_the_first() {
    let dir = folder();
    ffmpeg(
        dir.path(),
        "-f lavfi -i color=c=gray:size=64x48:rate=25:duration=0.4 -c:v mpeg2video -f mpegts one.ts",
    );
    ffmpeg(
        dir.path(),
        "-f lavfi -i color=c=gray:size=96x80:rate=25:duration=0.4 -c:v mpeg2video -f mpegts two.ts",
    );
    let both = [std::fs::read(dir.path().join("one.ts")), std::fs::read(dir.path().join("two.ts"))];
    let path = dir.path().join("both.ts");
    std::fs::write(&path, both.map(|bytes| bytes.expect("ffmpeg wrote it")).concat()).expect("it is written");
    let mut source = open(&path).expect("it opens");
    let mut count = 0;
    // The seam may be worth a complaint; the frames are what matters.
    while let Ok(Some(frame)) = source.next_frame() {
        assert_eq!((frame.width, frame.height), (64, 48));
        count += 1;
    }
    assert!(count >= 18, "{count} of 20 frames");
}

#[test]
fn odd_names_are_only_names() {
    let dir = folder();
    let plain =
        ffmpeg(dir.path(), "-f lavfi -i testsrc2=size=32x32:rate=5:duration=1 -c:v libx264 plain.mp4");
    for name in
        ["-i.mp4", "concat:x.mp4", "a b'c\"d$(x).mp4", "clip[1].mp4", "50%d.mp4", "ünï.mp4", "no_extension"]
    {
        let path = dir.path().join(name);
        std::fs::copy(&plain, &path).expect("it is copied");
        assert_eq!(frames(&path).len(), 5, "{name}");
    }
}

#[test]
fn cover_pictures_are_no_video() {
    let dir = folder();
    ffmpeg(dir.path(), "-f lavfi -i color=c=red:size=300x300 -frames:v 1 cover.png");
    let path = ffmpeg(
        dir.path(),
        "-f lavfi -i testsrc2=size=64x48:rate=5:duration=1 -i cover.png -map 1 -map 0 -c:v:1 libx264 -c:v:0 png -disposition:v:0 attached_pic cover.mp4",
    );
    let got = frames(&path);
    assert_eq!((got.len(), got[0].width), (5, 64));
}

#[test]
fn a_dropped_source_ends_its_ffmpeg() {
    let dir = folder();
    let path = ffmpeg(
        dir.path(),
        "-f lavfi -i testsrc2=size=320x240:rate=25:duration=20 -c:v libx264 -preset ultrafast long.mp4",
    );
    for _ in 0..3 {
        let mut source = open(&path).expect("it opens");
        source.next_frame().expect("it decodes");
        drop(source);
    }
    if cfg!(target_os = "linux") {
        let name = path.to_string_lossy().into_owned();
        let running = std::fs::read_dir("/proc")
            .expect("Linux has it")
            .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
        let alive = running.filter(|line| String::from_utf8_lossy(line).contains(&name)).count();
        assert_eq!(alive, 0, "ffmpeg still decodes {name}");
    }
}
