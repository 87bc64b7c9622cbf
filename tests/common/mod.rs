//! What the test files share: the GPU switch, random numbers, and comparisons with a reason for their tolerance.
#![allow(dead_code, missing_docs, reason = "every test file uses a part of it")]

pub mod cases;
pub mod flow_cases;
pub mod lstm_cases;
pub mod train_cases;
pub mod training;
mod twins;

use std::cmp::Ordering;
use std::sync::Arc;

use i3d::backend::gpu::{AdapterKind, Gpu, adapters};

/// The test device, or `None` where `I3D_GPU=off`, or `auto` (the default) and there is no adapter.
///
/// `I3D_GPU=require` makes a missing adapter a failure. `I3D_DEVICE` names the adapter; without it software adapters
/// come first, because they are the same everywhere.
pub fn gpu() -> Option<Arc<Gpu>> {
    let policy = std::env::var("I3D_GPU").unwrap_or_else(|_| "auto".into());
    let required = match policy.as_str() {
        "require" => true,
        "auto" => false,
        "off" => return None,
        other => panic!("I3D_GPU={other:?}: expected require, auto or off"),
    };
    let wanted = std::env::var("I3D_DEVICE").ok();
    let mut found = pollster::block_on(adapters());
    found.sort_by_key(|a| a.kind != AdapterKind::Software);
    let adapter = found.iter().find(|a| wanted.as_ref().is_none_or(|w| a.matches(w)));
    match adapter {
        Some(adapter) => {
            eprintln!("testing on {adapter}");
            Some(Arc::new(pollster::block_on(Gpu::open(adapter)).expect("the adapter opens")))
        }
        None if required => panic!("I3D_GPU=require, but there is no adapter {}", wanted.unwrap_or_default()),
        None => {
            eprintln!("SKIPPED: no GPU adapter");
            None
        }
    }
}

/// Seeded numbers, the same everywhere (SplitMix64).
pub struct Random(pub u64);

impl Random {
    /// Uniform in [-1, 1).
    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub fn vec(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.next()).collect()
    }
}

/// How far a value may be off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    pub abs: f32,
    pub rel: f32,
}

impl Tolerance {
    pub const EXACT: Tolerance = Tolerance { abs: 0.0, rel: 0.0 };

    /// An f32 sum of `k` terms of root mean square `rms`, in any order, against the exact sum. The partial sums grow
    /// like sqrt(i) * rms and each is rounded by at most half an ulp, so the error has a standard deviation of about
    /// 0.2 * EPSILON * rms * k; this is ten times that.
    pub fn dot(k: usize, rms: f32) -> Tolerance {
        Tolerance { abs: 2.0 * f32::EPSILON * rms * k as f32, rel: 4.0 * f32::EPSILON }
    }

    /// The same for what is then stored as a 16-bit float. Its significand has 11 bits, so the next number is up to 2^-10
    /// of it away, and rounding to the nearest moves it by 2^-11 of it at most. Below 2^-14 numbers are subnormal, and a
    /// device may make zero of them.
    pub fn stored_in_f16(self) -> Tolerance {
        Tolerance { abs: self.abs + (-14f32).exp2(), rel: self.rel + (-11f32).exp2() }
    }

    /// A network of about twenty layers whose activations are of order one: each layer adds the error of its dot
    /// products and passes on that of the layers before.
    pub const NETWORK: Tolerance = Tolerance { abs: 2e-4, rel: 2e-4 };

    /// Such a network stored in 16 bits. Rounding to the nearest is off by 2^-11 of a number at most and 2^-11 / sqrt(3) in
    /// the mean of squares; a layer adds that of its weights and that of its outputs, independently of the layers before,
    /// so twenty layers come to sqrt(40) * 2^-11 / sqrt(3) = 1.8e-3 of the activations. The worst of ten thousand values is
    /// four times as far off; this is three times that again, since some activations are much larger than most.
    pub const NETWORK_IN_F16: Tolerance = Tolerance { abs: 2e-2, rel: 2e-2 };
}

/// Compares value for value. NaN, which marks what was not written, equals only NaN in the expected values.
pub fn compare(got: &[f32], want: &[f32], tolerance: Tolerance) -> Result<(), String> {
    if got.len() != want.len() {
        return Err(format!("{} values, expected {}", got.len(), want.len()));
    }
    let bad = |(g, w): (f32, f32)| match (g.is_nan(), w.is_nan()) {
        (true, true) => false,
        (false, false) => {
            (g - w).abs().partial_cmp(&(tolerance.abs + tolerance.rel * w.abs())) == Some(Ordering::Greater)
        }
        _ => true,
    };
    let outliers: Vec<usize> = (0..got.len()).filter(|&i| bad((got[i], want[i]))).collect();
    match outliers.first() {
        None => Ok(()),
        Some(&i) => Err(format!(
            "{} of {} values differ, first at {i}: {:e}, expected {:e} ({tolerance:?})",
            outliers.len(),
            got.len(),
            got[i],
            want[i]
        )),
    }
}
