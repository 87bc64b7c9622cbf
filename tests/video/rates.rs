//! Frame rates: which frame of the source every sampled frame shows. The pictures carry their numbers.

use crate::{ffmpeg, folder};
use i3d::video::{Frame, Rate, Samples, open};
use std::path::Path;

/// Frames per second as a fraction.
const RATES: [(u64, u64); 14] = [
    (1, 1),
    (5, 1),
    (10, 1),
    (25, 2),
    (15, 1),
    (24000, 1001),
    (24, 1),
    (25, 1),
    (30000, 1001),
    (30, 1),
    (48, 1),
    (50, 1),
    (60000, 1001),
    (120, 1),
];

/// As many as eight bits can number, and as two seconds or three frames need.
fn length((numerator, denominator): (u64, u64)) -> u64 {
    (2 * numerator / denominator).clamp(3, 250)
}

/// Planes of 4:2:0 whose luma is the number of the frame in eight cells, dark for 0 and light for 1, four in a row.
pub fn numbered(width: usize, height: usize, frames: usize) -> Vec<u8> {
    let luma = |n: usize, x: usize, y: usize| {
        let bit = y * 2 / height * 4 + x * 4 / width;
        if n >> bit & 1 == 1 { 235 } else { 16 }
    };
    let frame = |n: usize| {
        let y = (0..width * height).map(move |i| luma(n, i % width, i / width));
        y.chain((0..width * height / 4).map(|i| if i % 32 < 16 { 100 } else { 150 }))
            .chain((0..width * height / 4).map(move |i| if i < width * height / 8 { 90 } else { 160 }))
    };
    (0..frames).flat_map(frame).collect()
}

/// The number that a frame carries.
pub fn number(frame: &Frame) -> usize {
    let (width, height) = (frame.width, frame.height);
    let luma = |x: usize, y: usize| match &frame.pixels {
        i3d::video::Pixels::I420 { y: luma, .. } => luma[y * width + x],
        i3d::video::Pixels::Rgb(rgb) => rgb[3 * (y * width + x) + 1],
    };
    let cell = |bit: usize| luma(bit % 4 * width / 4 + width / 8, bit / 4 * height / 2 + height / 4);
    (0..8).filter(|&bit| cell(bit) > 126).map(|bit| 1 << bit).sum()
}

/// Makes a video of every rate.
fn make(dir: &Path, ending: &str) {
    std::fs::write(dir.join("numbered.yuv"), numbered(64, 32, 250)).expect("it is written");
    let (mut inputs, mut outputs) = (String::new(), String::new());
    for (index, rate) in RATES.into_iter().enumerate() {
        let (numerator, denominator) = rate;
        inputs += &format!(
            "-f rawvideo -pixel_format yuv420p -video_size 64x32 -framerate {numerator}/{denominator} -i numbered.yuv "
        );
        let frames = length(rate);
        outputs += &format!(
            "-map {index}:v -frames:v {frames} -c:v libx264 -preset ultrafast -bf 2 -qp 10 -threads 1 {index}.{ending} "
        );
    }
    ffmpeg(dir, &format!("{inputs}{outputs}"));
}

/// The frame nearest to every 25th of a second up to the last frame, the earlier of two equally near ones; times count in
/// 1/`unit` seconds.
fn nearest(times: &[u64], unit: u64) -> Vec<usize> {
    let last = times.last().copied().unwrap_or(0);
    let outputs = (0..).take_while(|k| k * unit <= last * 25);
    let nearest = |k: u64| {
        let distance = |i: &usize| (times[*i] * 25).abs_diff(k * unit);
        (0..times.len()).min_by_key(distance).unwrap_or(0)
    };
    outputs.map(nearest).collect()
}

fn check(ending: &str, unit: impl Fn((u64, u64)) -> u64) {
    let dir = folder();
    make(dir.path(), ending);
    for (index, rate) in RATES.into_iter().enumerate() {
        let (numerator, denominator) = rate;
        let unit = unit(rate);
        // Rounded to the container's clock.
        let time = |i: u64| (2 * i * denominator * unit + numerator) / (2 * numerator);
        let times: Vec<u64> = (0..length(rate)).map(time).collect();
        let source = open(&dir.path().join(format!("{index}.{ending}"))).expect("it opens");
        let mut samples = Samples::new(source, Rate::I3D).expect("a good rate");
        let mut got = Vec::new();
        while let Some(sample) = samples.next_sample().expect("it decodes") {
            got.extend(std::iter::repeat_n(number(&sample.frame), sample.times));
        }
        assert_eq!(got, nearest(&times, unit), "{numerator}/{denominator} in {ending}");
        assert_eq!(samples.decoded(), length(rate), "{numerator}/{denominator} in {ending}");
    }
}

#[test]
fn samples_of_mp4_are_the_nearest_frames() {
    // MP4 keeps exact times.
    check("mp4", |(numerator, _)| numerator);
}

#[test]
fn samples_of_matroska_are_the_nearest_frames() {
    check("mkv", |_| 1000);
}

#[test]
fn the_rule_is_that_of_a_count_by_hand() {
    assert_eq!(nearest(&[0, 1, 2], 50), [0, 2], "every second frame");
    assert_eq!(nearest(&[0, 2, 4], 25), [0, 0, 1, 1, 2], "of two equally near ones the earlier");
    assert_eq!(nearest(&[0, 33, 67, 100, 133, 167], 1000), [0, 1, 2, 4, 5]);
}
