//! Peaks of the CPU: a chain of multiply-adds in registers, and a copy, on the threads that the backend would use.

use std::hint::black_box;

use rayon::prelude::*;

use super::{Peaks, peak_rate};
use crate::backend::cpu::thread_pool;
use crate::error::Result;

/// Vectors that a thread works on at once: twice what hides the latency of four cycles on two units, and with the two
/// factors still within 16 registers.
const CHAINS: usize = 12;

/// Multiply-adds of each chain per amount of work.
const ROUNDS: usize = 100_000;

/// Floats of the copied array: 256 MiB, more than caches hold.
const COPY_FLOATS: usize = 64 << 20;

/// Measures `threads` threads, 0 being one per core.
pub(super) async fn measure(threads: usize) -> Result<Peaks> {
    let pool = thread_pool(threads)?;
    let install = |work: &mut (dyn FnMut() + Send)| match &pool {
        Some(pool) => pool.install(work),
        None => work(),
    };
    let macs_per_second = peak_rate(async |amount| {
        let mut macs = 0.0;
        install(&mut || {
            let chain = |_: rayon::BroadcastContext<'_>| {
                pulp::Arch::new().dispatch(Chain { rounds: amount * ROUNDS })
            };
            macs = rayon::broadcast(chain).into_iter().sum();
        });
        Ok(macs)
    })
    .await?;
    let (from, mut to) = (vec![1.0f32; COPY_FLOATS], vec![0.0f32; COPY_FLOATS]);
    let bytes_per_second = peak_rate(async |amount| {
        install(&mut || {
            let share = COPY_FLOATS.div_ceil(rayon::current_num_threads());
            for _ in 0..amount {
                let pieces = to.par_chunks_mut(share).zip(from.par_chunks(share));
                pieces.for_each(|(to, from)| to.copy_from_slice(from));
                black_box(&mut to);
            }
        });
        Ok((amount * 2 * size_of_val(&from[..])) as f64)
    })
    .await?;
    Ok(Peaks { macs_per_second, bytes_per_second })
}

/// A chain on one thread; gives the number of multiply-adds.
struct Chain {
    rounds: usize,
}

impl pulp::WithSimd for Chain {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) -> f64 {
        // Towards a fixed point far from zero, so that no number is ever too small to be fast.
        let (factor, summand) = (simd.splat_f32s(black_box(0.5)), simd.splat_f32s(black_box(1.0)));
        let mut x = [summand; CHAINS];
        for _ in 0..self.rounds {
            for x in &mut x {
                *x = simd.mul_add_f32s(*x, factor, summand);
            }
        }
        black_box(x.map(|x| simd.reduce_sum_f32s(x)));
        (self.rounds * CHAINS * S::F32_LANES) as f64
    }
}
