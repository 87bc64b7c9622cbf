//! Times TV-L1 flow on the CPU; `opencv_tvl1.py` calls it for the comparison with OpenCV.
//!
//! `cargo bench --bench flow -- FRAMES.npy [RUNS [FLOWS.npy]]`: frames are uint8 `[T, H, W]`, frames 0 and 1, 2 and 3
//! and so on are pairs. Prints the median seconds of each pair alone, then of a pair when all run at once. Threads as
//! `RAYON_NUM_THREADS` says.
#![allow(missing_docs, clippy::expect_used, reason = "a benchmark")]

use std::time::Instant;

use i3d::flow::{Gray, Tvl1, flow_from_pair};
use rayon::prelude::*;

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let Some(path) = arguments.first() else {
        println!("usage: cargo bench --bench flow -- FRAMES.npy [RUNS [FLOWS.npy]]");
        return;
    };
    let runs: usize = arguments.get(1).map_or(3, |a| a.parse().expect("a number of runs"));
    let npy = npyz::NpyFile::new(std::fs::File::open(path).expect("the file opens")).expect("a .npy file");
    let [_, height, width] = npy.shape()[..] else { unreachable!("frames are [T, H, W]") };
    let (height, width) = (height as usize, width as usize);
    let bytes = npy.into_vec::<u8>().expect("uint8");
    let frames: Vec<Gray> = bytes
        .chunks_exact(width * height)
        .map(|frame| Gray::from_bytes(width, height, frame).expect("a frame"))
        .collect();
    let parameters = match std::env::var("I3D_PRESET").as_deref() {
        Ok("fast") => Tvl1::FAST,
        _ => Tvl1::REFERENCE,
    };
    let flow = |pair: &[Gray]| flow_from_pair(&pair[0], &pair[1], &parameters).expect("flow");
    for pair in frames.chunks_exact(2) {
        let times = (0..runs).map(|_| {
            let start = Instant::now();
            flow(pair);
            start.elapsed().as_secs_f64()
        });
        println!("{:.4}", median(times.collect()));
    }
    let times = (0..runs).map(|_| {
        let start = Instant::now();
        frames.par_chunks_exact(2).with_max_len(1).for_each(|pair| drop(flow(pair)));
        start.elapsed().as_secs_f64() / (frames.len() / 2) as f64
    });
    println!("together {:.4}", median(times.collect()));
    if let Some(path) = arguments.get(2) {
        let flows: Vec<f32> = frames.chunks_exact(2).flat_map(|pair| flow(pair).data).collect();
        let bytes = i3d::clip::npy_bytes(&[frames.len() / 2, height, width, 2], &flows);
        std::fs::write(path, bytes).expect("the flows can be written");
    }
}
