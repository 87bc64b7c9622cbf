//! Video in, network input out: decoding, sampling, preprocessing and clips.
//!
//! The tests make their own files with ffmpeg, which must be installed: without it they fail, they do not skip.

// A test says what it expects; clippy knows test functions, but not the functions that they share.
#![allow(clippy::expect_used, clippy::panic)]

mod bad_input;
mod clip;
mod containers;
mod decode;
mod formats;
mod gifs;
mod hostile;
mod odd_files;
mod pictures;
mod preprocess;
mod rates;
mod sampler;

use i3d::video::{Frame, FrameSource, Pixels};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs ffmpeg in `folder` with `arguments`, separated by spaces, and returns the path of the last one.
fn ffmpeg(folder: &Path, arguments: &str) -> PathBuf {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let output = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-y"])
        .args(&arguments)
        .current_dir(folder)
        .output()
        .expect("the tests need ffmpeg: install it (see the README)");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ffmpeg {arguments:?} failed: {words}");
    folder.join(arguments[arguments.len() - 1])
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn frames(path: &Path) -> Vec<Frame> {
    let mut source = i3d::video::open(path).expect("the file opens");
    drain(&mut *source)
}

fn drain(source: &mut dyn FrameSource) -> Vec<Frame> {
    std::iter::from_fn(|| source.next_frame().expect("the file decodes")).collect()
}

/// The sentence with which opening or decoding `path` fails, and the frames before.
fn failure(path: &Path) -> (usize, String) {
    let mut source = match i3d::video::open(path) {
        Ok(source) => source,
        Err(error) => return (0, error.to_string()),
    };
    let mut count = 0;
    loop {
        match source.next_frame() {
            Ok(Some(_)) => count += 1,
            Ok(None) => panic!("{} decodes without complaint, {count} frames", path.display()),
            Err(error) => {
                assert!(matches!(source.next_frame(), Ok(None)), "the error comes once");
                return (count, error.to_string());
            }
        }
    }
}

fn planes(frame: &Frame) -> (&[u8], &[u8], &[u8]) {
    match &frame.pixels {
        Pixels::I420 { y, u, v } => (y, u, v),
        Pixels::Rgb(_) => panic!("planes were expected"),
    }
}

/// A frame whose luma is `luma(x, y)`, grey.
fn grey(width: usize, height: usize, seconds: f64, luma: impl Fn(usize, usize) -> u8) -> Frame {
    let y = (0..width * height).map(|i| luma(i % width, i / width)).collect();
    let chroma = vec![128; width.div_ceil(2) * height.div_ceil(2)];
    Frame {
        width,
        height,
        seconds,
        pixels: Pixels::I420 { y, u: chroma.clone(), v: chroma },
        color: i3d::video::Color { matrix: i3d::video::Matrix::Bt601, full_range: true },
        orientation: i3d::video::Orientation::UPRIGHT,
        pixel_aspect: i3d::video::PixelAspect::SQUARE,
    }
}
