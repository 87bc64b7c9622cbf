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

/// JPEGs of all kinds, 64 by 48 pixels, which Pillow 12 wrote of one picture of waves and noise.
const JPEGS: [(&str, &[u8]); 5] = [
    ("progressive", include_bytes!("../fixtures/pictures/progressive.jpg")),
    ("restarts", include_bytes!("../fixtures/pictures/restarts.jpg")),
    ("cmyk", include_bytes!("../fixtures/pictures/cmyk.jpg")),
    ("grey", include_bytes!("../fixtures/pictures/grey.jpg")),
    ("full_chroma", include_bytes!("../fixtures/pictures/full_chroma.jpg")),
];

/// The picture in these bytes, or why there is none.
fn picture(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut source = from_image_bytes("it", bytes.to_vec()).map_err(|error| error.to_string())?;
    let frame = i3d::video::FrameSource::next_frame(&mut source).expect("it was decoded already");
    Ok(rgb(&frame.expect("one frame")).to_vec())
}

#[test]
fn a_jpeg_that_is_cut_off_is_told() {
    for (name, jpeg) in JPEGS {
        let whole = picture(jpeg).expect(name);
        for length in 20..jpeg.len() - 2 {
            let cut = picture(&jpeg[..length]);
            // The last byte of the data may hold nothing but what fills it up.
            let same = length + 3 == jpeg.len() && cut.as_ref() == Ok(&whole);
            assert!(cut.is_err() || same, "{name}, {length} of {} bytes", jpeg.len());
        }
        // Half of the data behind the first start of scan.
        let scan = jpeg.windows(2).position(|pair| pair == [0xff, 0xda]).expect(name);
        let half = &jpeg[..(scan + jpeg.len()) / 2];
        let words = picture(half).expect_err(name);
        assert!(words.contains("it: the picture cannot be read: the file ends in the middle"), "{words}");
        // A full disk, and another picture behind.
        let zeros = vec![0; jpeg.len() - half.len()];
        for (what, behind) in [("zeros", &zeros[..]), ("picture", jpeg)] {
            assert!(picture(&[half, behind].concat()).is_err(), "{name}, {what} behind");
        }
        // Complete, with or without the end marker, and whatever lies behind.
        for behind in [&b""[..], &[0; 3000], b"\0\0\0\x18ftypmp42 and a film", jpeg, &jpeg[..300]] {
            assert_eq!(
                picture(&[jpeg, behind].concat()).as_ref(),
                Ok(&whole),
                "{name}, {} behind",
                behind.len()
            );
        }
        for unmarked in [&jpeg[..jpeg.len() - 2], &jpeg[..jpeg.len() - 1]] {
            assert_eq!(picture(unmarked).as_ref(), Ok(&whole), "{name} without its last bytes");
            assert_eq!(picture(&[unmarked, &[0; 64]].concat()).as_ref(), Ok(&whole), "{name}, zeros instead");
        }
    }
}

#[test]
fn grey_pictures_are_whole() {
    // The decoder paints what is missing with this grey.
    let grey = image::RgbImage::from_pixel(40, 24, image::Rgb([128, 128, 128]));
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut bytes).encode_image(&grey).expect("memory takes all");
    assert_eq!(picture(&bytes), Ok(vec![128; 40 * 24 * 3]));
}

#[test]
fn pictures_that_are_cut_off_are_told() {
    let dir = folder();
    for name in ["a.png", "a.bmp", "a.webp", "a.jpg"] {
        let path = ffmpeg(dir.path(), &format!("-f lavfi -i testsrc2=size=64x48 -frames:v 1 {name}"));
        let bytes = std::fs::read(&path).expect("it is there");
        picture(&bytes).expect(name);
        for share in [5, 7, 9] {
            picture(&bytes[..bytes.len() * share / 10]).expect_err(name);
        }
    }
    // A folder names the picture.
    for i in 1..4 {
        std::fs::write(dir.path().join(format!("{i}.jpg")), JPEGS[4].1).expect("it is written");
    }
    for name in ["a.png", "a.bmp", "a.webp", "a.jpg"] {
        std::fs::remove_file(dir.path().join(name)).expect("it was there");
    }
    assert_eq!(frames(dir.path()).len(), 3);
    std::fs::write(dir.path().join("2.jpg"), &JPEGS[4].1[..1400]).expect("it is written");
    let (count, words) = failure(dir.path());
    assert_eq!(count, 1, "{words}");
    assert!(words.contains("2.jpg") && words.contains("ends in the middle"), "{words}");
}

#[test]
fn a_gif_needs_no_trailer() {
    let bytes = gif((16, 16), &[40; 10]);
    let dir = folder();
    let path = dir.path().join("a.gif");
    std::fs::write(&path, &bytes).expect("it is written");
    let whole = frames(&path);
    assert_eq!((whole.len(), bytes.last()), (10, Some(&0x3b)));
    for end in [&b""[..], &[0; 500], &[0x3b, 1, 2, 3]] {
        std::fs::write(&path, [&bytes[..bytes.len() - 1], end].concat()).expect("it is written");
        assert_eq!(frames(&path), whole, "{end:?}");
    }
    // In the middle of a picture something is missing.
    for missing in [2, 3, 20] {
        std::fs::write(&path, &bytes[..bytes.len() - missing]).expect("it is written");
        let (count, words) = failure(&path);
        assert!(count >= 9 && words.contains("breaks after"), "{missing}: {count}, {words}");
    }
    std::fs::write(&path, &bytes[..20]).expect("it is written");
    assert_eq!(failure(&path).0, 0);
}

#[test]
fn animations_that_are_cut_off_are_told() {
    let dir = folder();
    for name in ["a.webp", "a.apng"] {
        let path = ffmpeg(
            dir.path(),
            &format!("-f lavfi -i testsrc2=size=64x48:rate=10:duration=1 -loop 0 -plays 0 {name}"),
        );
        let bytes = std::fs::read(&path).expect("it is there");
        for share in [4, 6, 8, 9] {
            std::fs::write(&path, &bytes[..bytes.len() * share / 10]).expect("it is written");
            let (count, words) = failure(&path);
            assert!((1..10).contains(&count), "{name}, {share} tenths: {count}, {words}");
            assert!(words.contains(&format!("breaks after {count} frames")), "{words}");
        }
    }
}

/// A file's claim of so many pixels, in a few bytes.
fn claims() -> Vec<(&'static str, Vec<u8>)> {
    let crc = |bytes: &[u8]| {
        let step = |crc: u32, byte: &u8| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
            })
        };
        !bytes.iter().fold(!0, step)
    };
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [kind, data].concat();
        [&(data.len() as u32).to_be_bytes()[..], &body, &crc(&body).to_be_bytes()].concat()
    };
    let png = |width: u32, height: u32, extra: &[u8]| {
        let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
        let data = [0x78, 0x01, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01];
        [
            b"\x89PNG\r\n\x1a\n",
            &chunk(b"IHDR", &header)[..],
            extra,
            &chunk(b"IDAT", &data),
            &chunk(b"IEND", b""),
        ]
        .concat()
    };
    let control = [0, 60_000, 60_000, 0, 0].map(u32::to_be_bytes).concat();
    let moving = [
        chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]),
        chunk(b"fcTL", &[&control[..], &[0, 1, 0, 10, 0, 0]].concat()),
    ];
    let gif = |canvas: [u16; 2], frame: [u16; 2]| {
        let size = |[w, h]: [u16; 2]| [w.to_le_bytes(), h.to_le_bytes()].concat();
        let head = [b"GIF89a", &size(canvas)[..], &[0x80, 0, 0, 0, 0, 0, 255, 255, 255]].concat();
        [&head[..], &[0x2c, 0, 0, 0, 0], &size(frame), &[0, 2, 2, 0x4c, 1, 0, 0x3b]].concat()
    };
    let bmp = |width: i32, height: i32| {
        let sizes = [&width.to_le_bytes()[..], &height.to_le_bytes()].concat();
        [b"BM", &[154, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0][..], &sizes, &[1, 0, 24, 0], &[0; 124]]
            .concat()
    };
    let mut jpeg = JPEGS[4].1.to_vec();
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a baseline JPEG");
    jpeg[frame + 5..frame + 9].fill(255);
    let riff = |chunks: &[(&[u8; 4], &[u8])]| {
        let part =
            |(kind, data): &(&[u8; 4], &[u8])| [&kind[..], &(data.len() as u32).to_le_bytes(), data].concat();
        let body = chunks.iter().flat_map(part).collect::<Vec<u8>>();
        [b"RIFF", &(body.len() as u32 + 4).to_le_bytes()[..], b"WEBP", &body].concat()
    };
    let lossless = [&[0x2f, 0xfe, 0xbf, 0xff, 0x0f][..], &[0; 21]].concat();
    let frame = [&[0; 16][..], b"VP8L", &26u32.to_le_bytes(), &lossless].concat();
    vec![
        ("huge.png", png(100_000, 100_000, b"")),
        ("huge2.png", png(i32::MAX as u32, i32::MAX as u32, b"")),
        ("wide.png", png(i32::MAX as u32, 1, b"")),
        ("high.png", png(1, i32::MAX as u32, b"")),
        ("huge_apng.png", png(60_000, 60_000, &moving.concat())),
        ("huge.gif", gif([65_535; 2], [65_535; 2])),
        ("huge_canvas.gif", gif([65_535; 2], [1; 2])),
        ("mid_canvas.gif", gif([16_000; 2], [1; 2])),
        ("huge_frame.gif", gif([8; 2], [65_535; 2])),
        ("huge.bmp", bmp(65_535, 65_535)),
        ("huge2.bmp", bmp(i32::MAX, i32::MAX)),
        ("huge.jpg", jpeg),
        ("huge.webp", riff(&[(b"VP8L", &lossless)])),
        (
            "huge_anim.webp",
            riff(&[
                (b"VP8X", &[2, 0, 0, 0, 255, 255, 255, 255, 0, 0]),
                (b"ANIM", &[0; 6]),
                (b"ANMF", &frame),
            ]),
        ),
    ]
}

#[test]
fn claims_of_many_pixels_take_no_memory() {
    for (name, bytes) in claims() {
        let first = from_image_bytes(name, bytes.clone())
            .and_then(|mut source| i3d::video::FrameSource::next_frame(&mut source));
        let words = first.expect_err(name).to_string();
        // Some decoders refuse sizes of their own accord.
        let known =
            words.contains("at most 134217728 are read") || words.contains("larger ones are not read");
        assert!(
            known
                || ["wide.png", "high.png", "huge2.png", "huge2.bmp", "huge_anim.webp", "huge_frame.gif"]
                    .contains(&name),
            "{words}"
        );
        // As a picture of a folder, found before anything is decoded.
        let dir = folder();
        std::fs::write(dir.path().join(name), bytes).expect("it is written");
        assert!(failure(dir.path()).1.contains(name));
    }
}

#[test]
fn folders_with_several_series() {
    let dir = folder();
    for i in 1..=12 {
        png(&dir.path().join(format!("img_{i:05}.png")), 12, 8, i);
    }
    for i in 0..11 {
        png(&dir.path().join(format!("flow_x_{i:05}.png")), 12, 8, 100);
        png(&dir.path().join(format!("flow_y_{i:05}.png")), 10, 8, 100);
    }
    png(&dir.path().join("cover.png"), 33, 44, 100);
    let got = frames(dir.path());
    assert_eq!(got.iter().map(|frame| rgb(frame)[0]).collect::<Vec<_>>(), Vec::from_iter(1..=12));
    assert_eq!(frames(&dir.path().join("flow_x_*.png")).len(), 11);
    for i in 1..=12 {
        std::fs::remove_file(dir.path().join(format!("img_{i:05}.png"))).expect("it was there");
    }
    let (_, words) = failure(dir.path());
    for word in ["2 series", "flow_x_*.png (11)", "flow_y_*.png (11)", "choose one with a pattern"] {
        assert!(words.contains(word), "`{word}` is missing in: {words}");
    }
}

#[test]
fn all_kinds_of_pictures() {
    let dir = folder();
    let picture =
        image::RgbaImage::from_fn(20, 10, |x, y| image::Rgba([(12 * x) as u8, (25 * y) as u8, 99, 255]));
    let dynamic = image::DynamicImage::ImageRgba8(picture);
    let want = dynamic.to_rgb8().into_raw();
    let kinds = [
        ("rgba8.png", dynamic.clone()),
        ("rgb8.png", image::DynamicImage::ImageRgb8(dynamic.to_rgb8())),
        ("rgb16.png", image::DynamicImage::ImageRgb16(dynamic.to_rgb16())),
        ("rgba16.png", image::DynamicImage::ImageRgba16(dynamic.to_rgba16())),
        ("rgb8.bmp", image::DynamicImage::ImageRgb8(dynamic.to_rgb8())),
        ("rgba8.webp", dynamic.clone()),
    ];
    for (name, picture) in kinds {
        let path = dir.path().join(name);
        picture.save(&path).expect(name);
        assert_eq!(rgb(&frames(&path)[0]), want, "{name}");
    }
    let grey = dynamic.to_luma8();
    for (name, picture) in [
        ("luma8.png", image::DynamicImage::ImageLuma8(grey.clone())),
        ("luma16.png", image::DynamicImage::ImageLuma16(dynamic.to_luma16())),
    ] {
        let path = dir.path().join(name);
        picture.save(&path).expect(name);
        let got = frames(&path);
        assert!(
            rgb(&got[0]).chunks(3).zip(grey.as_raw()).all(|(a, b)| a.iter().all(|a| a.abs_diff(*b) <= 1))
        );
    }
    let path = ffmpeg(dir.path(), "-i rgb8.png -pix_fmt pal8 palette.png");
    assert_eq!((frames(&path)[0].width, frames(&path)[0].height), (20, 10));
}
