//! Animations, single pictures and folders of pictures.

use crate::{drain, failure, ffmpeg, folder, frames};
use i3d::video::{Frame, Pixels, from_image_bytes, open};
use image::{Delay, RgbaImage};
use std::path::Path;

fn rgb(frame: &Frame) -> &[u8] {
    match &frame.pixels {
        Pixels::Rgb(rgb) => rgb,
        Pixels::I420 { .. } => panic!("RGB was expected"),
    }
}

/// A GIF with one grey frame per delay in milliseconds.
fn gif(size: (u32, u32), delays: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    for (i, &delay) in delays.iter().enumerate() {
        let level = 10 * i as u8;
        let picture = RgbaImage::from_pixel(size.0, size.1, image::Rgba([level, level, level, 255]));
        let delay = Delay::from_numer_denom_ms(delay, 1);
        encoder.encode_frame(image::Frame::from_parts(picture, 0, 0, delay)).expect("memory takes all");
    }
    drop(encoder);
    bytes
}

fn png(path: &Path, width: u32, height: u32, level: u8) {
    image::RgbImage::from_pixel(width, height, image::Rgb([level, 0, 0])).save(path).expect("it is written");
}

#[test]
fn gif_with_varying_delays() {
    let dir = folder();
    let path = dir.path().join("named.mp4");
    std::fs::write(&path, gif((9, 7), &[40, 200, 0, 10, 20, 100])).expect("it is written");
    let got = frames(&path);
    let times: Vec<f64> = got.iter().map(|frame| (frame.seconds * 1000.0).round()).collect();
    assert_eq!(times, [0.0, 40.0, 240.0, 340.0, 440.0, 460.0], "delays of 0 and 10 ms play as 100 ms");
    for (i, frame) in got.iter().enumerate() {
        assert_eq!((frame.width, frame.height, rgb(frame).len()), (9, 7, 9 * 7 * 3));
        assert!(rgb(frame).iter().all(|&value| value.abs_diff(10 * i as u8) <= 1));
    }
    assert_eq!(open(&path).expect("it opens").info().codec.as_deref(), Some("gif"));
}

#[test]
fn animations_of_ffmpeg() {
    let dir = folder();
    for name in ["a.gif", "a.webp", "a.apng"] {
        let path = ffmpeg(
            dir.path(),
            &format!("-f lavfi -i testsrc2=size=64x48:rate=10:duration=1 -loop 0 -plays 0 {name}"),
        );
        let got = frames(&path);
        assert_eq!(got.len(), 10, "{name}");
        for (i, frame) in got.iter().enumerate() {
            assert!((frame.seconds - i as f64 / 10.0).abs() < 1e-9, "{name}: {}", frame.seconds);
        }
        assert_ne!(got[0].pixels, got[9].pixels, "{name}");
    }
}

#[test]
fn a_broken_gif_gives_the_frames_before_the_break() {
    let dir = folder();
    let bytes = gif((32, 32), &[40; 10]);
    let path = dir.path().join("cut.gif");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("it is written");
    let (count, words) = failure(&path);
    assert!((1..10).contains(&count), "{count}");
    assert!(words.contains(&format!("breaks after {count} frames")) && words.contains("cut.gif"), "{words}");
}

#[test]
fn single_pictures() {
    let dir = folder();
    for name in ["a.png", "a.jpg", "a.webp", "a.bmp"] {
        let path = ffmpeg(
            dir.path(),
            &format!("-f lavfi -i color=c=0x808080:size=66x42,format=rgb24,scale=33:21 -frames:v 1 {name}"),
        );
        let bytes = std::fs::read(&path).expect("it is there");
        let got = frames(&path);
        assert_eq!((got.len(), got[0].width, got[0].height, got[0].seconds), (1, 33, 21, 0.0), "{name}");
        assert!(rgb(&got[0]).iter().all(|&value| value.abs_diff(128) <= 3), "{name}");
        assert_eq!(drain(&mut from_image_bytes(name, bytes).expect("the same in memory")), got, "{name}");
    }
    let path = dir.path().join("clear.png");
    RgbaImage::from_pixel(4, 4, image::Rgba([200, 100, 50, 51])).save(&path).expect("it is written");
    assert_eq!(rgb(&frames(&path)[0])[..3], [40, 20, 10], "transparent parts are over black");
    let error = from_image_bytes("x", b"nothing".to_vec()).expect_err("no picture");
    assert!(error.to_string().contains("no picture"), "{error}");
}

#[test]
fn folders_and_patterns() {
    let dir = folder();
    for i in [10, 2, 1, 9] {
        png(&dir.path().join(format!("frame{i}.png")), 12, 8, i);
    }
    std::fs::write(dir.path().join("notes.txt"), "x").expect("it is written");
    std::fs::write(dir.path().join(".hidden.png"), "x").expect("it is written");
    std::fs::create_dir(dir.path().join("more.png")).expect("it is made");
    for path in [dir.path().to_owned(), dir.path().join("*.png"), dir.path().join("frame*")] {
        let source = open(&path).expect("it opens");
        let info = source.info();
        assert_eq!((info.frames, info.fps, info.width, info.height), (Some(4), Some(25.0), 12, 8));
        let got = frames(&path);
        assert_eq!(got.iter().map(|frame| rgb(frame)[0]).collect::<Vec<_>>(), [1, 2, 9, 10]);
        assert_eq!(got.iter().map(|frame| frame.seconds).collect::<Vec<_>>(), [0.0, 0.04, 0.08, 0.12]);
    }
    let (_, words) = failure(&dir.path().join("*.jpg"));
    assert!(words.contains("no picture matches"), "{words}");
    let (_, words) = failure(&dir.path().join("*.txt"));
    assert!(words.contains("notes.txt"), "{words}");
    png(&dir.path().join("frame3.png"), 13, 8, 0);
    let (_, words) = failure(dir.path());
    for word in ["frame3.png", "13x8", "frame1.png", "12x8"] {
        assert!(words.contains(word), "`{word}` is missing in: {words}");
    }
    std::fs::write(dir.path().join("frame3.png"), "no picture").expect("it is written");
    let (_, words) = failure(dir.path());
    assert!(words.contains("frame3.png") && words.contains("cannot be read"), "{words}");
}

#[test]
fn exif_turns_pictures_upright() {
    let dir = folder();
    let path = ffmpeg(dir.path(), "-f lavfi -i color=c=gray:size=40x24 -frames:v 1 a.jpg");
    let jpeg = std::fs::read(&path).expect("it is there");
    // An APP1 segment with one entry: orientation 6, a quarter turn clockwise.
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    let mut turned = jpeg[..2].to_vec();
    turned.extend([0xff, 0xe1]);
    turned.extend((exif.len() as u16 + 2).to_be_bytes());
    turned.append(&mut exif);
    turned.extend(&jpeg[2..]);
    std::fs::write(&path, turned).expect("it is written");
    assert_eq!((frames(&path)[0].width, frames(&path)[0].height), (24, 40));
    assert_eq!(open(dir.path()).expect("a folder of one").info().width, 24);
}
