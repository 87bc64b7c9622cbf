//! Colour, resizing, rotation and cropping against plain references.

use crate::grey;
use i3d::preprocess::{Region, Resize, RgbPreprocess, Size};
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

/// The whole frame upright, in f64: RGB, or Y'CbCr with chroma of full size.
fn upright(frame: &Frame) -> (usize, usize, Vec<[f64; 3]>) {
    let (w, h) = (frame.width, frame.height);
    let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
    let pixel = |x: usize, y: usize| match &frame.pixels {
        Pixels::Rgb(rgb) => [0, 1, 2].map(|c| f64::from(rgb[(y * w + x) * 3 + c])),
        Pixels::I420 { y: luma, u, v } => {
            [f64::from(luma[y * w + x]), chroma_at(u, cw, ch, x, y), chroma_at(v, cw, ch, x, y)]
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

/// The weights of all pixels of an axis in an output pixel, by a triangle as wide as the scale.
fn triangle(source: usize, resized: usize, output: usize) -> Vec<f64> {
    let scale = source as f64 / resized as f64;
    let center = (output as f64 + 0.5) * scale - 0.5;
    let weight = |x: usize| (1.0 - (x as f64 - center).abs() / scale.max(1.0)).max(0.0);
    let sum: f64 = (0..source).map(weight).sum();
    (0..source).map(|x| weight(x) / sum).collect()
}

/// Width and height of the resized picture: as shown, the long side even.
fn resized(preprocess: RgbPreprocess, frame: &Frame) -> (usize, usize) {
    let shape = f64::from(frame.pixel_aspect.width) / f64::from(frame.pixel_aspect.height);
    let shape = if preprocess.ignore_aspect { 1.0 } else { shape };
    let (w, h) = (frame.width as f64 * shape, frame.height as f64);
    let (w, h) = if frame.orientation.rotation.swaps_axes() { (h, w) } else { (w, h) };
    let short = preprocess.short_side;
    let long = |long: f64, other: f64| (short as f64 * long / other / 2.0).round() as usize * 2;
    match w.total_cmp(&h) {
        std::cmp::Ordering::Less => (short, long(h, w)),
        std::cmp::Ordering::Equal => (short, short),
        std::cmp::Ordering::Greater => (long(w, h), short),
    }
}

/// The whole contract, as plainly as possible.
fn reference(preprocess: RgbPreprocess, frame: &Frame) -> Vec<f64> {
    let (w, h, picture) = upright(frame);
    let to_rgb = |[y, u, v]: [f64; 3]| match frame.pixels {
        Pixels::Rgb(_) => [y, u, v],
        Pixels::I420 { .. } => rgb_by_definition(frame.color, y, u, v),
    };
    let (rw, rh) = resized(preprocess, frame);
    let filtered = preprocess.resize == Resize::Antialias && (rw < w || rh < h);
    let picture = if filtered { picture } else { picture.into_iter().map(to_rgb).collect() };
    let (left, top) = ((rw - preprocess.crop) / 2, (rh - preprocess.crop) / 2);
    let crop = preprocess.crop;
    let columns: Vec<_> = (left..left + crop).map(|x| triangle(w, rw, x)).collect();
    let mut values = Vec::new();
    for y in top..top + crop {
        let rows = triangle(h, rh, y);
        let sum = |x: usize, c: usize| -> f64 { (0..h).map(|j| rows[j] * picture[j * w + x][c]).sum() };
        let row: Vec<_> = (0..w).map(|x| [0, 1, 2].map(|c| sum(x, c))).collect();
        for x in left..left + crop {
            let pixel = if filtered {
                let across = &columns[x - left];
                to_rgb([0, 1, 2].map(|c| across.iter().zip(&row).map(|(weight, p)| weight * p[c]).sum()))
            } else {
                let at_x = (x as f64 + 0.5) * w as f64 / rw as f64 - 0.5;
                let at_y = (y as f64 + 0.5) * h as f64 / rh as f64 - 0.5;
                [0, 1, 2].map(|c| bilinear(w, h, at_x, at_y, |i, j| picture[j * w + i][c]))
            };
            values.extend(pixel.map(|value| value / 127.5 - 1.0));
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
    let filters = [Resize::Antialias, Resize::Bilinear];
    let shapes = [(1, 1), (4, 3), (64, 45), (8, 9)];
    for (preprocess, w, h) in [
        (small, 161, 121),
        (small, 1, 1),
        (small, 2, 3),
        (small, 7, 40),
        (small, 24, 24),
        (small, 51, 26),
        (small, 300, 25),
        (RgbPreprocess::for_input(112), 321, 143),
    ] {
        let cases = filters.into_iter().flat_map(|resize| orientations().map(move |o| (resize, o)));
        for (case, (resize, orientation)) in cases.enumerate() {
            for planar in [true, false] {
                let (width, height) = shapes[case % shapes.len()];
                let pixel_aspect = PixelAspect::new(width, height);
                let frame = Frame { orientation, pixel_aspect, ..noise_frame(w, h, planar) };
                let preprocess = RgbPreprocess { resize, ..preprocess };
                let (got, want) = (preprocess.rgb_from_frame(&frame), reference(preprocess, &frame));
                assert_eq!(got.len(), preprocess.crop * preprocess.crop * 3);
                assert_eq!(got.len(), want.len());
                // A position computed with rounding errors moves a pixel by some 1e-5 of the contrast between
                // neighbours, which is as large as the whole range in noise.
                for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                    let error = (f64::from(*got) - want).abs();
                    let what = format!("{w}x{h} {resize:?} {orientation:?} {pixel_aspect:?}");
                    assert!(error < 4e-6, "{what}: value {i} is {got} where {want} was expected");
                }
            }
        }
    }
}

/// What Pillow 12 makes of pictures in 32-bit floats: `Image.fromarray((x * 37 + y * 91 + x * y * 13) % 256,
/// "F").resize(size, BILINEAR)`.
#[test]
fn shrinking_is_that_of_pillow() {
    let cases: [(usize, usize, usize, &[f32]); 2] = [
        (
            40,
            30,
            9,
            &[
                125.849, 137.756, 125.299, 134.568, 117.667, 129.793, 114.970, 119.996, 119.974, 126.328,
                131.397, 130.386, 127.904, 144.124, 140.385, 135.275, 153.053, 132.519, 117.510, 134.124,
                134.842, 133.554, 143.053, 140.843, 142.309, 132.489, 132.780, 138.592, 131.236, 139.468,
                146.992, 135.773, 135.664, 141.134, 130.062, 138.978, 118.433, 111.079, 117.713, 117.697,
                122.100, 131.717, 134.438, 126.927, 124.278, 119.814, 127.585, 130.695, 117.012, 122.224,
                125.912, 85.316, 114.422, 134.863, 130.565, 130.244, 141.150, 112.364, 107.221, 120.597,
                109.588, 110.767, 129.145, 88.723, 67.628, 128.803, 123.966, 139.867, 121.731, 76.005,
                102.401, 115.699, 126.900, 125.482, 132.727, 148.580, 121.015, 126.526, 121.507, 136.058,
                138.574, 111.656, 136.744, 112.273, 127.684, 127.123, 127.071, 137.479, 135.912, 121.807,
                126.483, 146.699, 126.095, 122.782, 134.331, 128.028, 122.507, 112.870, 127.150, 124.022,
                136.794, 118.366, 144.185, 137.708, 123.440, 110.209, 120.741, 127.934,
            ],
        ),
        (
            23,
            31,
            8,
            &[
                123.282, 138.930, 132.213, 112.657, 149.276, 108.557, 130.942, 110.574, 123.273, 143.761,
                135.043, 129.517, 150.062, 146.122, 123.495, 104.001, 145.576, 139.839, 143.233, 143.273,
                140.222, 143.928, 142.746, 147.731, 123.947, 107.877, 116.382, 123.745, 101.351, 128.088,
                136.038, 145.631, 124.148, 118.845, 129.137, 130.996, 88.834, 144.945, 127.430, 137.689,
                101.841, 103.883, 114.681, 98.954, 48.125, 81.944, 133.429, 127.136, 127.929, 122.234,
                128.820, 156.457, 95.336, 114.538, 140.649, 118.663, 125.633, 130.999, 125.838, 137.950,
                146.647, 130.001, 114.931, 115.614, 123.665, 116.128, 125.169, 129.826, 139.877, 127.292,
                123.161, 124.722, 126.065, 106.358, 110.709, 111.578, 124.288, 120.723, 108.379, 132.220,
            ],
        ),
    ];
    for (w, h, short, want) in cases {
        for planar in [true, false] {
            let value = |x: usize, y: usize| ((x * 37 + y * 91 + x * y * 13) % 256) as u8;
            let mut frame = grey(w, h, 0.0, value);
            if !planar {
                frame.pixels = Pixels::Rgb((0..w * h).flat_map(|i| [value(i % w, i / w); 3]).collect());
            }
            let preprocess = RgbPreprocess::new(short, short);
            let got = preprocess.resized_rgb(&frame, preprocess.full_region(&frame));
            assert_eq!(got.len(), 3 * want.len());
            for (got, want) in got.chunks(3).zip(want) {
                assert!(got.iter().all(|got| (got - want).abs() < 2e-3), "{w}x{h}: {got:?}, Pillow {want}");
            }
        }
    }
}

#[test]
fn pixels_that_are_not_square_count_by_their_width() {
    let square = grey(64, 48, 0.0, |x, y| (2 * x + y) as u8);
    // The same picture with columns twice as wide.
    let halved = grey(32, 48, 0.0, |x, y| (4 * x + 1 + y) as u8);
    let wide = Frame { pixel_aspect: PixelAspect::new(2, 1), ..halved.clone() };
    let preprocess = RgbPreprocess::new(24, 24);
    let size = |p: RgbPreprocess, frame: &Frame| (p.resized_size(frame).width, p.resized_size(frame).height);
    let ignoring = RgbPreprocess { ignore_aspect: true, ..preprocess };
    for orientation in orientations() {
        let [square, wide] = [&square, &wide].map(|frame| Frame { orientation, ..frame.clone() });
        let on_side = orientation.rotation.swaps_axes();
        let (want, stored) = if on_side { ((24, 32), (36, 24)) } else { ((32, 24), (24, 36)) };
        let sizes = (size(preprocess, &square), size(preprocess, &wide));
        assert_eq!(sizes, (want, want), "{orientation:?}");
        assert_eq!(size(ignoring, &wide), stored, "{orientation:?}");
        let (a, b) = (preprocess.rgb_from_frame(&square), preprocess.rgb_from_frame(&wide));
        let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 0.01, "{orientation:?}: {worst}");
        let plain = Frame { orientation, ..halved.clone() };
        assert_eq!(ignoring.rgb_from_frame(&wide), preprocess.rgb_from_frame(&plain));
    }
}

#[test]
fn thin_pictures_take_no_more_than_their_crop() {
    for (w, h) in [(60_000, 1), (1, 60_000), (4000, 2)] {
        for resize in [Resize::Antialias, Resize::Bilinear] {
            let frame = grey(w, h, 0.0, |_, _| 9);
            let rgb = RgbPreprocess { resize, ..RgbPreprocess::for_input(224) }.rgb_from_frame(&frame);
            assert!(rgb.iter().all(|value| (value - (9.0 / 127.5 - 1.0)).abs() < 1e-6), "{w}x{h}");
        }
    }
}

#[test]
fn known_colours() {
    let preprocess = RgbPreprocess::new(8, 8);
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
    let doubled = RgbPreprocess::new(4, 4);
    let row: Vec<f32> =
        doubled.resized_rgb(&frame, doubled.full_region(&frame)).chunks(3).take(4).map(|p| p[0]).collect();
    assert_eq!(row, [0.0, 25.0, 75.0, 100.0]);
    // 4 become 2 without antialiasing: the mean of the two pixels around each centre.
    let frame = grey(4, 4, 0.0, |x, _| [0, 10, 20, 200][x]);
    let halved = RgbPreprocess { resize: Resize::Bilinear, ..RgbPreprocess::new(2, 2) };
    let row: Vec<f32> =
        halved.resized_rgb(&frame, halved.full_region(&frame)).chunks(3).take(2).map(|p| p[0]).collect();
    assert_eq!(row, [5.0, 110.0]);
    // 8 become 2: centres at 1.5 and 5.5, so pixels 0, 3, 4 and 7 have no say.
    let frame = grey(8, 8, 0.0, |x, _| [255, 10, 20, 255, 255, 30, 50, 255][x]);
    let row: Vec<f32> =
        halved.resized_rgb(&frame, halved.full_region(&frame)).chunks(3).take(2).map(|p| p[0]).collect();
    assert_eq!(row, [15.0, 40.0]);
    // With antialiasing all count: weights 1, 3, 5, 7, 7, 5, 3 and 1 of 16 at a distance of up to 4, of which two are lost at the edge.
    let filtered = RgbPreprocess::new(2, 2);
    let row: Vec<f32> =
        filtered.resized_rgb(&frame, filtered.full_region(&frame)).chunks(3).take(2).map(|p| p[0]).collect();
    let left = (5.0 * 255.0 + 7.0 * 10.0 + 7.0 * 20.0 + 5.0 * 255.0 + 3.0 * 255.0 + 30.0) / 28.0;
    let right = (20.0 + 3.0 * 255.0 + 5.0 * 255.0 + 7.0 * 30.0 + 7.0 * 50.0 + 5.0 * 255.0) / 28.0;
    assert!((row[0] - left).abs() < 1e-4 && (row[1] - right).abs() < 1e-4, "{row:?}, not {left} and {right}");
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
        let preprocess = RgbPreprocess::new(8, 8);
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
        let rgb = RgbPreprocess::new(8, 8).rgb_from_frame(&frame);
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
    assert_eq!(paper, RgbPreprocess::new(256, 224));
    assert_eq!(RgbPreprocess::for_input(112).short_side, 128);
    assert_eq!(RgbPreprocess::for_input(64).short_side, 73);
    let geometry = |w, h, rotation| {
        let frame = Frame { orientation: Orientation::turned(rotation), ..grey(w, h, 0.0, |_, _| 0) };
        let (size, crop) = (paper.resized_size(&frame), paper.crop_region(&frame));
        (size.width, size.height, crop.left, crop.top)
    };
    assert_eq!(geometry(320, 240, Rotation::R0), (342, 256, 59, 16));
    assert_eq!(geometry(320, 240, Rotation::R90), (256, 342, 16, 59));
    assert_eq!(geometry(1920, 1080, Rotation::R0), (456, 256, 116, 16));
    assert_eq!(geometry(256, 257, Rotation::R0), (256, 258, 16, 17));
    for (short_side, crop) in [(10, 11), (10, 0)] {
        RgbPreprocess::new(short_side, crop).validate().expect_err("the crop does not fit");
    }
    paper.validate().expect("the paper's crop fits");
}

#[test]
fn flow_of_long_pictures_is_that_around_the_crop() {
    let paper = RgbPreprocess::for_input(224);
    let region = |w, h| paper.wide_region(&grey(w, h, 0.0, |_, _| 0));
    let whole = |w, h| Region { left: 0, top: 0, size: Size { width: w, height: h } };
    assert_eq!(region(320, 240), whole(342, 256));
    assert_eq!(region(25, 10), whole(640, 256));
    let size = Size { width: 480, height: 256 };
    assert_eq!(region(3840, 120), Region { left: (8192 - 480) / 2, top: 0, size });
    let size = Size { width: 256, height: 480 };
    assert_eq!(region(2, 400), Region { left: 0, top: (51_200 - 480) / 2, size });
    for preprocess in [paper, RgbPreprocess::for_input(64), RgbPreprocess::new(30, 7)] {
        for (w, h) in [(320, 240), (26, 10), (27, 10), (40, 9), (9, 41), (100, 3)] {
            let frame = grey(w, h, 0.0, |_, _| 0);
            let (region, crop) = (preprocess.wide_region(&frame), preprocess.crop_region(&frame));
            // The flow network's crop is the centre of the flow; it must lie where that of the colours lies.
            let left = region.left + (region.size.width - preprocess.crop) / 2;
            let top = region.top + (region.size.height - preprocess.crop) / 2;
            assert_eq!((left, top), (crop.left, crop.top), "{w}x{h}");
        }
    }
}

#[test]
fn a_crop_is_a_part_of_the_whole() {
    let preprocess = RgbPreprocess::new(40, 32);
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
