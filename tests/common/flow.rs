//! Pictures in known motion, and comparisons of flow fields.
#![allow(dead_code, missing_docs, reason = "every test file uses a part of it")]

use std::io::{Cursor, Read};

use i3d::flow::{Flow, Gray};

/// How a picture moves until the next frame.
#[derive(Debug, Clone, Copy)]
pub enum Motion {
    /// By so many pixels.
    Shift(f64, f64),
    /// About the centre, in radians.
    Rotation(f64),
    /// From the centre.
    Zoom(f64),
}

impl Motion {
    /// The displacement of pixel `(x, y)`.
    pub fn of(self, width: usize, height: usize, x: f64, y: f64) -> [f32; 2] {
        let (dx, dy) = (x - width as f64 / 2.0, y - height as f64 / 2.0);
        let (u, v) = match self {
            Motion::Shift(u, v) => (u, v),
            Motion::Rotation(a) => (dx * a.cos() - dy * a.sin() - dx, dx * a.sin() + dy * a.cos() - dy),
            Motion::Zoom(z) => (dx * z - dx, dy * z - dy),
        };
        [u as f32, v as f32]
    }

    /// Where what is seen at `(x, y)` after the motion was before.
    fn before(self, width: usize, height: usize, x: f64, y: f64) -> [f64; 2] {
        let (cx, cy) = (width as f64 / 2.0, height as f64 / 2.0);
        let (dx, dy) = (x - cx, y - cy);
        match self {
            Motion::Shift(u, v) => [x - u, y - v],
            Motion::Rotation(a) => [cx + dx * a.cos() + dy * a.sin(), cy - dx * a.sin() + dy * a.cos()],
            Motion::Zoom(z) => [cx + dx / z, cy + dy / z],
        }
    }
}

/// A smooth texture without a period that shows: waves of 12 to 60 pixels in all directions.
fn texture(x: f64, y: f64) -> f64 {
    let waves = (0..14).map(|i| {
        let (length, angle) = (12.0 * 1.13f64.powi(i), 2.4 * f64::from(i));
        let phase = (x * angle.cos() + y * angle.sin()) * std::f64::consts::TAU / length;
        (phase + 1.7 * f64::from(i)).sin()
    });
    127.5 + 24.0 * waves.sum::<f64>()
}

/// The texture after a motion.
pub fn moved(width: usize, height: usize, motion: Motion) -> Gray {
    moved_coarse(width, height, motion, 1.0)
}

/// The texture, with waves so many times longer, after a motion.
pub fn moved_coarse(width: usize, height: usize, motion: Motion, coarseness: f64) -> Gray {
    let pixel = |i: usize| {
        let [x, y] = motion.before(width, height, (i % width) as f64, (i / width) as f64);
        texture(x / coarseness, y / coarseness).clamp(0.0, 255.0) as f32
    };
    Gray::new(width, height, (0..width * height).map(pixel).collect()).expect("a frame")
}

/// The texture before and after a motion.
pub fn pair(width: usize, height: usize, motion: Motion) -> (Gray, Gray) {
    (moved(width, height, Motion::Shift(0.0, 0.0)), moved(width, height, motion))
}

/// Mean end point difference, and the share of pixels within 0.1 px.
pub fn difference(got: &Flow, want: &Flow) -> (f64, f64) {
    assert_eq!((got.width, got.height, got.data.len()), (want.width, want.height, want.data.len()));
    let pairs = || got.data.as_chunks::<2>().0.iter().zip(want.data.as_chunks::<2>().0);
    let near = pairs().filter(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1]) <= 0.1).count();
    (got.mean_distance(want), near as f64 / pairs().count() as f64)
}

/// A frame pair and OpenCV's flow, from the folder that `I3D_SHARED` names.
pub fn golden(name: &str) -> Option<(Gray, Gray, Flow)> {
    let Some(folder) = std::env::var_os("I3D_SHARED") else {
        eprintln!("SKIPPED: I3D_SHARED names no folder with golden values");
        return None;
    };
    let path = std::path::Path::new(&folder).join(format!("golden/tvl1/pair_{name}.npz"));
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).expect("opens")).expect("a zip");
    let mut array = |key: &str| {
        let mut bytes = Vec::new();
        archive.by_name(&format!("{key}.npy")).expect(key).read_to_end(&mut bytes).expect(key);
        npyz::NpyFile::new(Cursor::new(bytes)).expect(key)
    };
    let first = array("i0");
    let (height, width) = (first.shape()[0] as usize, first.shape()[1] as usize);
    let gray = |npy: npyz::NpyFile<Cursor<Vec<u8>>>| {
        Gray::from_bytes(width, height, &npy.into_vec::<u8>().expect("bytes")).expect("a frame")
    };
    let frames = (gray(first), gray(array("i1")));
    let data = array("flow").into_vec::<f32>().expect("floats");
    Some((frames.0, frames.1, Flow { width, height, data }))
}
