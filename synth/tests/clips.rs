//! What the set promises: pairs that are each other's reverse, seeds that decide everything, splits that share nothing.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;

use i3d_synth::{CLASSES, Clip, Options, REVERSED, Split};

fn small() -> Options {
    Options { width: 64, height: 48, frames: 12, ..Options::default() }
}

/// FNV-1a over all frames.
fn hash(clip: &Clip) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    clip.frames().fold(0xcbf2_9ce4_8422_2325, |hash, frame| frame.iter().fold(hash, step))
}

fn difference(a: &[u8], b: &[u8]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a.abs_diff(b))).sum::<f64>() / a.len() as f64
}

#[test]
fn there_are_pairs_and_others() {
    assert_eq!((CLASSES.len(), REVERSED.len()), (16, 6));
    assert_eq!(CLASSES.iter().collect::<HashSet<_>>().len(), CLASSES.len(), "no name twice");
    assert_eq!(REVERSED.map(|(a, b)| (CLASSES[a], CLASSES[b]))[1], ("sitting down", "standing up"));
}

#[test]
fn the_second_of_a_pair_is_the_first_backwards() {
    // Odd and even numbers of frames; all of background, camera, light and noise are in the bytes.
    for frames in [12, 13] {
        let options = Options { frames, ..small() };
        for (first, second) in REVERSED {
            for seed in 0..6 {
                let [a, b] = [first, second]
                    .map(|class| Clip::from_seed(Split::Train, class, seed, &options).unwrap());
                let forwards: Vec<_> = a.frames().collect();
                let mut backwards: Vec<_> = b.frames().collect();
                backwards.reverse();
                assert_eq!(forwards, backwards, "{} {seed}", CLASSES[first]);
            }
        }
    }
}

#[test]
fn the_direction_of_a_pair_can_be_seen() {
    // A film that looks the same backwards would make its class and the other one the same.
    for (first, _) in REVERSED {
        for index in 0..20 {
            let clip = Clip::new(Split::Train, first, index, &small()).unwrap();
            let last = clip.len() - 1;
            let apart = difference(&clip.frame(0), &clip.frame(last));
            let noise = difference(&clip.frame(last), &clip.frame(last - 1));
            assert!(apart > 1.5 && apart > noise, "{} {index}: {apart} {noise}", CLASSES[first]);
        }
    }
}

#[test]
fn frames_do_not_depend_on_the_order_in_which_they_are_drawn() {
    let clip = Clip::new(Split::Val, 3, 5, &small()).unwrap();
    let ninth = clip.frame(9);
    let all: Vec<_> = clip.frames().collect();
    assert_eq!((all.len(), &all[9]), (12, &ninth));
    assert_eq!(ninth.len(), 64 * 48 * 3);
}

#[test]
fn every_number_gives_another_clip() {
    let mut seen = HashSet::new();
    for split in [Split::Train, Split::Val, Split::Test] {
        for class in 0..CLASSES.len() {
            for index in 0..3 {
                for seed in 0..2 {
                    let options = Options { seed, frames: 2, ..small() };
                    assert!(seen.insert(hash(&Clip::new(split, class, index, &options).unwrap())));
                }
            }
        }
    }
}

#[test]
fn requests_that_cannot_be_met_are_told() {
    let told = |class, options: &Options| Clip::new(Split::Train, class, 0, options).unwrap_err().to_string();
    assert_eq!(told(16, &small()), "there is no class 16; there are 16");
    let sides = "0x48 pixels; give sides from 16 to 2048";
    assert_eq!(told(0, &Options { width: 0, ..small() }), sides);
    let frames = "1 frames at 25 a second; give at least 2 at 1 to 1000 a second";
    assert_eq!(told(0, &Options { frames: 1, ..small() }), frames);
}

/// One clip per class, as every platform must draw it. Whoever changes a drawing puts the new values here, and says so in
/// the changelog: models that were trained on the set have seen another one.
const HASHES: [u64; CLASSES.len()] = [
    0x781b_eb1e_a90e_d3bf,
    0x58b4_a94f_f33d_4f81,
    0xaacb_bf51_8f60_9ba8,
    0x1640_c17a_1aca_24e7,
    0x3c8f_adb0_054b_a3ce,
    0xd018_e668_e0aa_3d79,
    0xcf2d_5bdd_7306_a7e2,
    0xb4eb_8650_7943_3c1b,
    0x88dc_b714_ca8c_6fdf,
    0x9949_7a8d_fa8e_71d6,
    0x625e_f594_ede5_b842,
    0x1ff0_2839_67b0_dc30,
    0x9b7d_847d_ff01_c607,
    0xc3ed_7955_a6bd_b5b1,
    0xf573_682a_e944_bdbf,
    0x226d_67bb_69f6_3903,
];

#[test]
fn clips_are_the_same_on_every_platform() {
    let hashes: Vec<u64> =
        (0..CLASSES.len()).map(|c| hash(&Clip::new(Split::Train, c, 0, &small()).unwrap())).collect();
    assert_eq!(hashes, HASHES, "{hashes:#018x?}");
}
