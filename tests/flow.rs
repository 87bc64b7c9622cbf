//! Optical flow on the CPU.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "tests")]

use std::io::{Cursor, Read};

use i3d::flow::{Flow, Gray, Tvl1, flow_from_pair};

/// A frame pair and OpenCV's flow.
fn golden(name: &str) -> Option<(Gray, Gray, Flow)> {
    let folder = std::env::var_os("I3D_SHARED")?;
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

/// Mean end point difference, and the share of pixels within 0.1 px.
fn difference(got: &Flow, want: &Flow) -> (f64, f64) {
    let pairs = || got.data.as_chunks::<2>().0.iter().zip(want.data.as_chunks::<2>().0);
    let near = pairs().filter(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1]) <= 0.1).count();
    (got.mean_distance(want), near as f64 / pairs().count() as f64)
}

#[test]
#[ignore = "needs I3D_SHARED"]
fn the_cpu_reproduces_opencv() {
    for name in ["cricket", "street", "indoor"] {
        let Some((first, second, want)) = golden(name) else { return };
        for (label, parameters) in [("reference", Tvl1::REFERENCE), ("fast", Tvl1::FAST)] {
            let start = std::time::Instant::now();
            let got = flow_from_pair(&first, &second, &parameters).expect("runs");
            let (mean, near) = difference(&got, &want);
            println!(
                "{name} {label}: mean {mean:.5} px, within 0.1 px {:.2} %, {:.3} s",
                100.0 * near,
                start.elapsed().as_secs_f64()
            );
        }
    }
}
