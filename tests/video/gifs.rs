//! GIFs as the standard has them, written byte by byte: delays, disposal, transparency, palettes, partial and interlaced
//! pictures, loops and comments.

use crate::{drain, folder, frames};
use i3d::video::{Frame, Pixels, from_image_bytes};

const WIDTH: usize = 12;
const HEIGHT: usize = 10;

/// The first colours of the common palette of 128.
const BLACK: u8 = 0;
const RED: u8 = 1;
const GREEN: u8 = 2;
const BLUE: u8 = 3;
/// A colour that is never seen.
const CLEAR: u8 = 4;

const RGB: [[u8; 3]; 5] = [[0, 0, 0], [250, 10, 20], [30, 240, 40], [50, 60, 230], [99, 98, 97]];

/// A picture of a GIF: where it stands, what it shows, and what becomes of it.
#[derive(Clone)]
struct Picture {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    indices: Vec<u8>,
    /// Hundredths of a second.
    delay: u16,
    disposal: u8,
    transparent: Option<u8>,
    palette: Option<Vec<[u8; 3]>>,
    interlaced: bool,
}

/// A rectangle of one colour.
fn patch([left, top, width, height]: [usize; 4], color: u8) -> Picture {
    Picture {
        left,
        top,
        width,
        height,
        indices: vec![color; width * height],
        delay: 4,
        disposal: 1,
        transparent: None,
        palette: None,
        interlaced: false,
    }
}

fn full(color: u8) -> Picture {
    patch([0, 0, WIDTH, HEIGHT], color)
}

const COMMENT: &[u8] = b"\x21\xfe\x0emade by a test\x00";
const LOOP: &[u8] = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x03\x00\x00";

/// A GIF whose blocks of extension stand before, between and after the pictures.
fn gif(pictures: &[Picture], [before, between, after]: [&[u8]; 3]) -> Vec<u8> {
    let number = |value: usize| (value as u16).to_le_bytes();
    let palette = |colors: &[[u8; 3]]| -> Vec<u8> {
        (0..128).flat_map(|i| colors.get(i).copied().unwrap_or([i as u8, 2, 3])).collect()
    };
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend([number(WIDTH), number(HEIGHT)].concat());
    // A palette of 2^(6 + 1) colours; the background is green, which nobody may see.
    bytes.extend([0b1111_0110, GREEN, 0]);
    bytes.extend(palette(&RGB));
    bytes.extend(before);
    for (index, picture) in pictures.iter().enumerate() {
        bytes.extend(if index > 0 { between } else { &[] });
        let clear = u8::from(picture.transparent.is_some());
        bytes.extend([0x21, 0xf9, 4, picture.disposal << 2 | clear]);
        bytes.extend(picture.delay.to_le_bytes());
        bytes.extend([picture.transparent.unwrap_or(0), 0]);
        let own = if picture.palette.is_some() { 0b1000_0110 } else { 0 };
        let interlaced = if picture.interlaced { 0b0100_0000 } else { 0 };
        bytes.push(0x2c);
        let place = [picture.left, picture.top, picture.width, picture.height];
        bytes.extend(place.into_iter().flat_map(number));
        bytes.push(own | interlaced);
        bytes.extend(picture.palette.as_deref().map(palette).unwrap_or_default());
        bytes.extend(compressed(&picture.in_order()));
    }
    bytes.extend(after);
    bytes.push(0x3b);
    bytes
}

impl Picture {
    /// Rows as they are written: of an interlaced picture every eighth, then those between, and so on.
    fn in_order(&self) -> Vec<u8> {
        let rows: Vec<usize> = match self.interlaced {
            false => (0..self.height).collect(),
            true => [(0, 8), (4, 8), (2, 4), (1, 2)]
                .into_iter()
                .flat_map(|(first, step)| (first..self.height).step_by(step))
                .collect(),
        };
        let row = |y: usize| &self.indices[y * self.width..][..self.width];
        rows.into_iter().flat_map(row).copied().collect()
    }
}

/// LZW that compresses nothing: with seven bits a pixel a code has eight as long as the table is cleared in time, so that
/// every code is a byte.
fn compressed(indices: &[u8]) -> Vec<u8> {
    const CLEAR_TABLE: u8 = 128;
    const END: u8 = 129;
    let mut codes = Vec::new();
    for run in indices.chunks(100) {
        codes.push(CLEAR_TABLE);
        codes.extend(run);
    }
    codes.push(END);
    let mut bytes = vec![7];
    for block in codes.chunks(255) {
        bytes.push(block.len() as u8);
        bytes.extend(block);
    }
    bytes.push(0);
    bytes
}

/// The frames from a file, which are those from memory.
fn decoded(bytes: Vec<u8>) -> Vec<Frame> {
    let dir = folder();
    let path = dir.path().join("a.gif");
    std::fs::write(&path, &bytes).expect("it is written");
    let got = frames(&path);
    assert_eq!(drain(&mut from_image_bytes("a.gif", bytes).expect("the same in memory")), got);
    assert!(got.iter().all(|frame| (frame.width, frame.height) == (WIDTH, HEIGHT)));
    got
}

fn shown(pictures: &[Picture]) -> Vec<Frame> {
    decoded(gif(pictures, [LOOP, b"", b""]))
}

fn pixel(frame: &Frame, x: usize, y: usize) -> [u8; 3] {
    match &frame.pixels {
        Pixels::Rgb(rgb) => rgb[3 * (y * WIDTH + x)..][..3].try_into().expect("three channels"),
        Pixels::I420 { .. } => panic!("RGB was expected"),
    }
}

/// Compares a frame with a colour for every pixel; where `color` is none, anything but green may be seen.
#[track_caller]
fn assert_shows(frame: &Frame, color: impl Fn(usize, usize) -> Option<u8>) {
    for (x, y) in (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y))) {
        let got = pixel(frame, x, y);
        match color(x, y) {
            Some(color) => assert_eq!(got, RGB[usize::from(color)], "at {x}, {y}"),
            None => assert_ne!(got, RGB[usize::from(GREEN)], "at {x}, {y}"),
        }
    }
}

/// Where the second picture of most tests stands, and the third.
const SECOND: [usize; 4] = [2, 2, 4, 3];
const THIRD: [usize; 4] = [5, 4, 6, 5];

fn inside([left, top, width, height]: [usize; 4], x: usize, y: usize) -> bool {
    (left..left + width).contains(&x) && (top..top + height).contains(&y)
}

/// Red, a green patch that is disposed of so, and a blue one that overlaps where it was.
fn disposed(disposal: u8) -> Vec<Frame> {
    let second = Picture { disposal, ..patch(SECOND, GREEN) };
    let got = shown(&[full(RED), second, patch(THIRD, BLUE)]);
    assert_eq!(got.len(), 3);
    assert_shows(&got[0], |_, _| Some(RED));
    assert_shows(&got[1], |x, y| Some(if inside(SECOND, x, y) { GREEN } else { RED }));
    got
}

#[test]
fn delays() {
    let delays = [0, 1, 2, 10, 4];
    let pictures = delays.map(|delay| Picture { delay, ..full(RED) });
    let times: Vec<f64> = shown(&pictures).iter().map(|f| (f.seconds * 1000.0).round()).collect();
    assert_eq!(times, [0.0, 100.0, 200.0, 220.0, 320.0], "0 and 1 play as 10, as in browsers");
}

#[test]
fn pictures_that_stay() {
    for disposal in [0, 1] {
        let got = disposed(disposal);
        assert_shows(&got[2], |x, y| {
            Some(match (inside(THIRD, x, y), inside(SECOND, x, y)) {
                (true, _) => BLUE,
                (false, true) => GREEN,
                (false, false) => RED,
            })
        });
    }
}

#[test]
fn pictures_that_are_cleared() {
    assert_shows(&disposed(2)[2], |x, y| match (inside(THIRD, x, y), inside(SECOND, x, y)) {
        (true, _) => Some(BLUE),
        // Whatever stands for nothing; neither the picture nor the background's colour.
        (false, true) => None,
        (false, false) => Some(RED),
    });
}

#[test]
fn pictures_that_give_back_what_was_there() {
    assert_shows(&disposed(3)[2], |x, y| Some(if inside(THIRD, x, y) { BLUE } else { RED }));
}

#[test]
fn transparent_pixels_show_what_was_there() {
    let mut second = full(CLEAR);
    second.transparent = Some(CLEAR);
    second.indices[3 * WIDTH + 5] = GREEN;
    let mut third = patch(THIRD, CLEAR);
    third.transparent = Some(CLEAR);
    third.indices[0] = BLUE;
    let got = shown(&[full(RED), second, third]);
    assert_shows(&got[1], |x, y| Some(if (x, y) == (5, 3) { GREEN } else { RED }));
    assert_shows(&got[2], |x, y| {
        Some(match (x, y) {
            (5, 3) => GREEN,
            (5, 4) => BLUE,
            _ => RED,
        })
    });
}

#[test]
fn palettes_of_their_own() {
    let mut second = patch(SECOND, RED);
    second.palette = Some(vec![RGB[3], RGB[2], RGB[1]]);
    let got = shown(&[full(RED), second, patch(THIRD, BLUE)]);
    assert_shows(&got[1], |x, y| Some(if inside(SECOND, x, y) { GREEN } else { RED }));
    assert_shows(&got[2], |x, y| {
        Some(match (inside(THIRD, x, y), inside(SECOND, x, y)) {
            (true, _) => BLUE,
            (false, true) => GREEN,
            (false, false) => RED,
        })
    });
}

#[test]
fn partial_pictures_in_the_corners() {
    let corners = [[0, 0, 1, 1], [WIDTH - 2, HEIGHT - 1, 2, 1]];
    let got = shown(&[full(BLACK), patch(corners[0], GREEN), patch(corners[1], BLUE)]);
    assert_shows(&got[2], |x, y| match (inside(corners[0], x, y), inside(corners[1], x, y)) {
        (true, _) => Some(GREEN),
        (_, true) => Some(BLUE),
        _ => Some(BLACK),
    });
}

#[test]
fn interlaced_pictures() {
    let color = |y: usize| [RED, GREEN, BLUE, BLACK][y * 7 % 4];
    let mut picture = full(RED);
    picture.interlaced = true;
    picture.indices = (0..WIDTH * HEIGHT).map(|i| color(i / WIDTH)).collect();
    assert_ne!(picture.in_order(), picture.indices);
    let mut second = picture.clone();
    second.indices.reverse();
    let got = shown(&[picture, second]);
    assert_shows(&got[0], |_, y| Some(color(y)));
    assert_shows(&got[1], |_, y| Some(color(HEIGHT - 1 - y)));
}

#[test]
fn loops_are_played_once() {
    let pictures = [full(RED), full(BLUE)];
    let [looped, once] = [LOOP, b""].map(|before| decoded(gif(&pictures, [before, b"", b""])));
    assert_eq!(looped.len(), 2);
    assert_eq!(looped, once);
}

#[test]
fn a_single_picture() {
    let got = decoded(gif(&[full(BLUE)], [b"", b"", b""]));
    assert_eq!((got.len(), got[0].seconds), (1, 0.0));
    assert_shows(&got[0], |_, _| Some(BLUE));
}

#[test]
fn comments_anywhere() {
    let pictures = [full(RED), patch(SECOND, GREEN), patch(THIRD, BLUE)];
    let plain = decoded(gif(&pictures, [b"", b"", b""]));
    for blocks in [[COMMENT, b"", b""], [b"", COMMENT, b""], [LOOP, b"", COMMENT], [COMMENT; 3]] {
        assert_eq!(decoded(gif(&pictures, blocks)), plain);
    }
}
