//! Colour, resizing, rotation and cropping against plain references.

use crate::grey;
use i3d::preprocess::{Region, RgbPreprocess, Size};
use i3d::video::{Color, Frame, Matrix, Orientation, PixelAspect, Pixels, Rate, Rotation};

/// Y'CbCr to RGB straight from the definition of the matrices, in f64.
fn rgb_by_definition(color: Color, y: f64, u: f64, v: f64) -> [f64; 3] {
    let (kr, kb) = match color.matrix {
        Matrix::Bt601 => (0.299, 0.114),
        Matrix::Bt709 => (0.2126, 0.0722),
        Matrix::Bt2020 => (0.2627, 0.0593),
    };
    let (y, cb, cr) = match color.full_range {
        true => (y / 255.0, (u - 128.0) / 255.0, (v - 128.0) / 255.0),
        false => ((y - 16.0) / 219.0, (u - 128.0) / 224.0, (v - 128.0) / 224.0),
    };
    let r = y + 2.0 * (1.0 - kr) * cr;
    let b = y + 2.0 * (1.0 - kb) * cb;
    let g = (y - kr * r - kb * b) / (1.0 - kr - kb);
    [r, g, b].map(|value| (value * 255.0).clamp(0.0, 255.0))
}

/// Full-size chroma at a pixel, by its position: samples at (2i, 2j + 0.5), edges repeated.
fn chroma_at(plane: &[u8], width: usize, height: usize, x: usize, y: usize) -> f64 {
    bilinear(width, height, x as f64 / 2.0, (y as f64 - 0.5) / 2.0, |i, j| f64::from(plane[j * width + i]))
}

fn bilinear(width: usize, height: usize, x: f64, y: f64, at: impl Fn(usize, usize) -> f64) -> f64 {
    let (x, y) = (x.clamp(0.0, width as f64 - 1.0), y.clamp(0.0, height as f64 - 1.0));
    let (i, j) = (x.floor() as usize, y.floor() as usize);
    let (k, l) = ((i + 1).min(width - 1), (j + 1).min(height - 1));
    let (a, b) = (x - i as f64, y - j as f64);
    (at(i, j) * (1.0 - a) + at(k, j) * a) * (1.0 - b) + (at(i, l) * (1.0 - a) + at(k, l) * a) * b
}

/// The whole frame as upright RGB in f64: every pixel is converted, then the picture is turned.
fn upright(frame: &Frame) -> (usize, usize, Vec<[f64; 3]>) {
    let (w, h) = (frame.width, frame.height);
    let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
    let pixel = |x: usize, y: usize| match &frame.pixels {
        Pixels::Rgb(rgb) => [0, 1, 2].map(|c| f64::from(rgb[(y * w + x) * 3 + c])),
        Pixels::I420 { y: luma, u, v } => {
            let (u, v) = (chroma_at(u, cw, ch, x, y), chroma_at(v, cw, ch, x, y));
            rgb_by_definition(frame.color, f64::from(luma[y * w + x]), u, v)
        }
    };
    let (uw, uh) = frame.upright_size();
    let unmirrored = |x: usize, y: usize| pixel(if frame.orientation.mirrored { w - 1 - x } else { x }, y);
    let turned = |x: usize, y: usize| match frame.orientation.rotation {
        Rotation::R0 => unmirrored(x, y),
        Rotation::R90 => unmirrored(y, h - 1 - x),
        Rotation::R180 => unmirrored(w - 1 - x, h - 1 - y),
        Rotation::R270 => unmirrored(w - 1 - y, x),
    };
    (uw, uh, (0..uw * uh).map(|i| turned(i % uw, i / uw)).collect())
}

/// The whole contract, as plainly as possible.
fn reference(preprocess: RgbPreprocess, frame: &Frame) -> Vec<f64> {
    let (w, h, picture) = upright(frame);
    let short = preprocess.short_side;
    let scaled = |side: usize| (side as f64 * short as f64 / w.min(h) as f64).round() as usize;
    let (rw, rh) = (scaled(w), scaled(h));
    let (left, top) = ((rw - preprocess.crop) / 2, (rh - preprocess.crop) / 2);
    let mut values = Vec::new();
    for y in top..top + preprocess.crop {
        for x in left..left + preprocess.crop {
            let at_x = (x as f64 + 0.5) * w as f64 / rw as f64 - 0.5;
            let at_y = (y as f64 + 0.5) * h as f64 / rh as f64 - 0.5;
            let channel = |c: usize| bilinear(w, h, at_x, at_y, |i, j| picture[j * w + i][c]) / 127.5 - 1.0;
            values.extend((0..3).map(channel));
        }
    }
    values
}

/// Noise that is the same on every run.
fn noise(seed: &mut u64) -> u8 {
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*seed >> 56) as u8
}

fn noise_frame(width: usize, height: usize, planar: bool) -> Frame {
    let mut seed = (width * 31 + height) as u64;
    let mut bytes = |count: usize| (0..count).map(|_| noise(&mut seed)).collect::<Vec<u8>>();
    let chroma = width.div_ceil(2) * height.div_ceil(2);
    let pixels = match planar {
        true => Pixels::I420 { y: bytes(width * height), u: bytes(chroma), v: bytes(chroma) },
        false => Pixels::Rgb(bytes(width * height * 3)),
    };
    let color = Color { matrix: Matrix::Bt709, full_range: false };
    let (orientation, pixel_aspect) = (Orientation::UPRIGHT, PixelAspect::SQUARE);
    Frame { width, height, seconds: 0.0, pixels, color, orientation, pixel_aspect }
}

const ROTATIONS: [Rotation; 4] = [Rotation::R0, Rotation::R90, Rotation::R180, Rotation::R270];

/// All eight ways in which planes can lie.
fn orientations() -> impl Iterator<Item = Orientation> {
    let both = |rotation| [false, true].map(|mirrored| Orientation { mirrored, rotation });
    ROTATIONS.into_iter().flat_map(both)
}

#[test]
fn agrees_with_the_plain_reference() {
    let small = RgbPreprocess::for_input(21);
    let paper = RgbPreprocess::for_input(224);
    for (preprocess, w, h) in [
        (small, 161, 121),
        (small, 1, 1),
        (small, 2, 3),
        (small, 7, 40),
        (small, 24, 24),
        (small, 51, 26),
        (paper, 321, 243),
    ] {
        for orientation in orientations() {
            for planar in [true, false] {
                let frame = Frame { orientation, ..noise_frame(w, h, planar) };
                let (got, want) = (preprocess.rgb_from_frame(&frame), reference(preprocess, &frame));
                assert_eq!(got.len(), preprocess.crop * preprocess.crop * 3);
                assert_eq!(got.len(), want.len());
                // A position computed with rounding errors moves a pixel by some 1e-5 of the contrast between
                // neighbours, which is as large as the whole range in noise.
                for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                    let error = (f64::from(*got) - want).abs();
                    assert!(
                        error < 4e-6,
                        "{w}x{h} {orientation:?} value {i}: {got} where {want} was expected"
                    );
                }
            }
        }
    }
}

#[test]
fn known_colours() {
    let preprocess = RgbPreprocess { short_side: 8, crop: 8 };
    for matrix in [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020] {
        for full_range in [false, true] {
            let color = Color { matrix, full_range };
            for (y, u, v) in [
                (16, 128, 128),
                (235, 128, 128),
                (81, 90, 240),
                (145, 54, 34),
                (41, 240, 110),
                (255, 0, 255),
                (120, 100, 150),
            ] {
                let pixels = Pixels::I420 { y: vec![y; 30], u: vec![u; 9], v: vec![v; 9] };
                let frame = Frame { width: 6, height: 5, pixels, color, ..grey(6, 5, 0.0, |_, _| 0) };
                let want = rgb_by_definition(color, f64::from(y), f64::from(u), f64::from(v));
                for rgb in preprocess.rgb_from_frame(&frame).chunks(3) {
                    for (got, want) in rgb.iter().zip(want) {
                        assert!(
                            (f64::from(*got) - (want / 127.5 - 1.0)).abs() < 1e-6,
                            "{color:?} {y} {u} {v}: {rgb:?}"
                        );
                    }
                }
            }
        }
    }
    let limited = Color { matrix: Matrix::Bt601, full_range: false };
    let red = rgb_by_definition(limited, 81.0, 90.0, 240.0);
    assert!(red[0] > 253.0 && red[1] < 2.0 && red[2] < 2.0, "the definition itself is right: {red:?}");
}

#[test]
fn two_pixels_by_hand() {
    // 2 pixels become 4: centres at -0.25, 0.25, 0.75, 1.25.
    let frame = grey(2, 2, 0.0, |x, _| [0, 100][x]);
    let doubled = RgbPreprocess { short_side: 4, crop: 4 };
    let row: Vec<f32> =
        doubled.resized_rgb(&frame, doubled.full_region(&frame)).chunks(3).take(4).map(|p| p[0]).collect();
    assert_eq!(row, [0.0, 25.0, 75.0, 100.0]);
    // 4 become 2 without antialiasing: the mean of the two pixels around each centre.
    let frame = grey(4, 4, 0.0, |x, _| [0, 10, 20, 200][x]);
    let halved = RgbPreprocess { short_side: 2, crop: 2 };
    let row: Vec<f32> =
        halved.resized_rgb(&frame, halved.full_region(&frame)).chunks(3).take(2).map(|p| p[0]).collect();
    assert_eq!(row, [5.0, 110.0]);
    // 8 become 2: centres at 1.5 and 5.5, so pixels 0, 3, 4 and 7 have no say.
    let frame = grey(8, 8, 0.0, |x, _| [255, 10, 20, 255, 255, 30, 50, 255][x]);
    let row: Vec<f32> =
        halved.resized_rgb(&frame, halved.full_region(&frame)).chunks(3).take(2).map(|p| p[0]).collect();
    assert_eq!(row, [15.0, 40.0]);
}

#[test]
fn a_constant_picture_stays_constant() {
    for (w, h) in [(320, 240), (161, 121), (3, 200), (1, 1), (640, 360)] {
        for orientation in orientations() {
            let frame = Frame { orientation, ..grey(w, h, 0.0, |_, _| 77) };
            for value in RgbPreprocess::for_input(224).rgb_from_frame(&frame) {
                assert!((value - (77.0 / 127.5 - 1.0)).abs() < 1e-6, "{w}x{h} {orientation:?}: {value}");
            }
        }
    }
}

#[test]
fn display_matrices_give_all_eight_orientations() {
    // [a, b, c, d], and where the corners TL TR BL BR of the planes are seen.
    let cases: [([f64; 4], &str); 9] = [
        ([1.0, 0.0, 0.0, 1.0], "RGBY"),
        ([-1.0, 0.0, 0.0, 1.0], "GRYB"),
        ([1.0, 0.0, 0.0, -1.0], "BYRG"),
        ([0.0, 1.0, 1.0, 0.0], "RBGY"),
        ([0.0, -1.0, -1.0, 0.0], "YGBR"),
        ([0.0, 1.0, -1.0, 0.0], "BRYG"),
        ([-1.0, 0.0, 0.0, -1.0], "YBGR"),
        ([0.0, -1.0, 1.0, 0.0], "GYRB"),
        ([0.0; 4], "RGBY"),
    ];
    for (matrix, want) in cases {
        let corners = [(0, b'R'), (1, b'G'), (2, b'B'), (3, b'Y')];
        let value = |x: usize, y: usize| 40 * (1 + usize::from(x >= 4) + 2 * usize::from(y >= 4)) as u8;
        let orientation = Orientation::from_matrix(matrix);
        let frame = Frame { orientation, ..grey(8, 8, 0.0, value) };
        let preprocess = RgbPreprocess { short_side: 8, crop: 8 };
        let rgb = preprocess.resized_rgb(&frame, preprocess.full_region(&frame));
        let seen =
            [(0, 0), (7, 0), (0, 7), (7, 7)].map(|(x, y)| (rgb[(y * 8 + x) * 3] / 40.0).round() as usize - 1);
        let got: String = seen.iter().map(|&corner| char::from(corners[corner].1)).collect();
        assert_eq!(got, want, "{matrix:?}");
    }
}

#[test]
fn rotation_turns_clockwise() {
    // White at the top left of the planes.
    let corner = |rotation| {
        let frame = Frame {
            orientation: Orientation::turned(rotation),
            ..grey(8, 8, 0.0, |x, y| if x < 4 && y < 4 { 255 } else { 0 })
        };
        let rgb = RgbPreprocess { short_side: 8, crop: 8 }.rgb_from_frame(&frame);
        let white = |x: usize, y: usize| rgb[(y * 8 + x) * 3] > 0.0;
        [white(0, 0), white(7, 0), white(7, 7), white(0, 7)]
    };
    assert_eq!(corner(Rotation::R0), [true, false, false, false]);
    assert_eq!(corner(Rotation::R90), [false, true, false, false]);
    assert_eq!(corner(Rotation::R180), [false, false, true, false]);
    assert_eq!(corner(Rotation::R270), [false, false, false, true]);
    let degrees =
        [(-90.0, Rotation::R270), (450.0, Rotation::R90), (181.0, Rotation::R180), (-0.4, Rotation::R0)];
    for (degrees, rotation) in degrees {
        assert_eq!(Rotation::from_degrees(degrees), rotation, "{degrees}");
    }
}

#[test]
fn sizes_and_crops() {
    let paper = RgbPreprocess::for_input(224);
    assert_eq!(paper, RgbPreprocess { short_side: 256, crop: 224 });
    assert_eq!(RgbPreprocess::for_input(112).short_side, 128);
    assert_eq!(RgbPreprocess::for_input(64).short_side, 73);
    let geometry = |w, h, rotation| {
        let frame = Frame { orientation: Orientation::turned(rotation), ..grey(w, h, 0.0, |_, _| 0) };
        let (size, crop) = (paper.resized_size(&frame), paper.crop_region(&frame));
        (size.width, size.height, crop.left, crop.top)
    };
    assert_eq!(geometry(320, 240, Rotation::R0), (341, 256, 58, 16));
    assert_eq!(geometry(320, 240, Rotation::R90), (256, 341, 16, 58));
    assert_eq!(geometry(1920, 1080, Rotation::R0), (455, 256, 115, 16));
    assert_eq!(geometry(256, 257, Rotation::R0), (256, 257, 16, 16));
    for (short_side, crop) in [(10, 11), (10, 0)] {
        RgbPreprocess { short_side, crop }.validate().expect_err("the crop does not fit");
    }
    paper.validate().expect("the paper's crop fits");
}

#[test]
fn a_crop_is_a_part_of_the_whole() {
    let preprocess = RgbPreprocess { short_side: 40, crop: 32 };
    let frame = noise_frame(161, 121, true);
    let full = preprocess.resized_rgb(&frame, preprocess.full_region(&frame));
    let Size { width, .. } = preprocess.resized_size(&frame);
    let crop = preprocess.crop_region(&frame);
    let part = preprocess.resized_rgb(&frame, crop);
    let Region { left, top, .. } = crop;
    for y in 0..32 {
        let row = &full[((top + y) * width + left) * 3..][..32 * 3];
        assert_eq!(row, &part[y * 32 * 3..][..32 * 3]);
    }
}

#[test]
fn the_description_names_every_parameter() {
    let color = Color { matrix: Matrix::Bt601, full_range: false };
    let described = RgbPreprocess::for_input(224).describe(Rate::I3D, Some(color));
    let json = serde_json::to_value(&described).expect("it is plain data");
    assert_eq!(json["fps"], 25.0);
    assert_eq!(json["short_side"], 256);
    assert_eq!(json["crop"], 224);
    assert_eq!(json["color"], serde_json::json!({"matrix": "bt601", "full_range": false}));
    assert_eq!(json["range"], serde_json::json!([-1.0, 1.0]));
}
