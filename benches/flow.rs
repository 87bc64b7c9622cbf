//! Times TV-L1 flow on the CPU; `peers/tvl1.py` calls it for the comparison with OpenCV.
//!
//! `cargo bench --bench flow -- FRAMES.npy [FLOWS.npy]`: frames are uint8 `[T, H, W]`, frames 0 and 1, 2 and 3 and so on
//! are pairs. For every line of standard input all pairs run, and a line of JSON says how many milliseconds one took,
//! one after the other and all at once. Threads as `RAYON_NUM_THREADS` says, the parameters as `I3D_PRESET`.
#![allow(missing_docs, clippy::expect_used, reason = "a benchmark")]

use std::io::BufRead;
use std::time::Instant;

use i3d::flow::{Gray, Tvl1, flow_from_pair};
use rayon::prelude::*;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let Some(path) = arguments.first() else {
        println!("usage: cargo bench --bench flow -- FRAMES.npy [FLOWS.npy], then a line for every turn");
        return;
    };
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
    if let Some(path) = arguments.get(1) {
        let flows: Vec<f32> = frames.chunks_exact(2).flat_map(|pair| flow(pair).data).collect();
        let bytes = i3d::clip::npy_bytes(&[frames.len() / 2, height, width, 2], &flows);
        std::fs::write(path, bytes).expect("the flows can be written");
    }
    let pairs = (frames.len() / 2) as f64;
    let ms_each = |start: Instant| 1e3 * start.elapsed().as_secs_f64() / pairs;
    for line in std::io::stdin().lock().lines() {
        line.expect("standard input is text");
        let start = Instant::now();
        frames.chunks_exact(2).for_each(|pair| drop(flow(pair)));
        let alone = ms_each(start);
        let start = Instant::now();
        frames.par_chunks_exact(2).with_max_len(1).for_each(|pair| drop(flow(pair)));
        println!("{{\"alone\": {alone}, \"together\": {}}}", ms_each(start));
    }
}
