//! How many frames become network input per second: sizes, filters, one thread and all.
//!
//! `cargo bench --bench preprocess`

use std::hint::black_box;
use std::time::{Duration, Instant};

use i3d::preprocess::{Resize, RgbPreprocess};
use i3d::video::{Color, Frame, Orientation, PixelAspect, Pixels};
use rayon::prelude::*;

const SIZES: [(usize, usize); 3] = [(1920, 1080), (640, 480), (320, 240)];

/// How long a figure is measured, in so many turns with the others.
const TURNS: usize = 5;
const TURN: Duration = Duration::from_millis(200);

fn frame(width: usize, height: usize, planar: bool) -> Frame {
    let bytes = |count: usize| (0..count).map(|i| (i * 7919 % 251) as u8).collect::<Vec<u8>>();
    let chroma = width.div_ceil(2) * height.div_ceil(2);
    let pixels = match planar {
        true => Pixels::I420 { y: bytes(width * height), u: bytes(chroma), v: bytes(chroma) },
        false => Pixels::Rgb(bytes(3 * width * height)),
    };
    let (orientation, pixel_aspect) = (Orientation::UPRIGHT, PixelAspect::SQUARE);
    Frame {
        width,
        height,
        seconds: 0.0,
        pixels,
        color: Color::unspecified(height),
        orientation,
        pixel_aspect,
    }
}

/// Frames per second.
fn speed(frame: &Frame, resize: Resize, threads: usize) -> f64 {
    let preprocess = RgbPreprocess { resize, ..RgbPreprocess::for_input(224) };
    let work = || drop(black_box(preprocess.rgb_from_frame(black_box(frame))));
    let (start, mut frames) = (Instant::now(), 0);
    while start.elapsed() < TURN {
        match threads {
            1 => work(),
            threads => (0..8 * threads).into_par_iter().for_each(|_| work()),
        }
        frames += if threads == 1 { 1 } else { 8 * threads };
    }
    frames as f64 / start.elapsed().as_secs_f64()
}

fn main() {
    for threads in [1, rayon::current_num_threads()] {
        for (width, height) in SIZES {
            for planar in [true, false] {
                let frame = frame(width, height, planar);
                // The best of several turns: what else the machine does only takes time away.
                let mut best = [0.0f64; 2];
                for _ in 0..TURNS {
                    for (best, resize) in best.iter_mut().zip([Resize::Bilinear, Resize::Antialias]) {
                        *best = best.max(speed(&frame, resize, threads));
                    }
                }
                let [bilinear, antialias] = best;
                let name = if planar { "I420" } else { "RGB" };
                println!(
                    "{width}x{height} {name}, {threads} threads: bilinear {bilinear:.0}/s, antialias {antialias:.0}/s, \
                     time {:.2}",
                    bilinear / antialias
                );
            }
        }
    }
}
