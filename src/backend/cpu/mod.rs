//! The CPU backend: the plan on all cores, for machines without a GPU.

mod conv;
mod gemm;
mod gradient;
mod lstm;
mod memory;
mod norm;
mod packed;
mod pool;
mod stem;
mod tape;
mod winograd;

pub use tape::{CpuTape, Gradients, UnitGradients};

use crate::backend::device::no_f16;
use crate::backend::params::{LstmParams, MeanParams};
use crate::backend::{Device, Observed, Output, Progress, RunOptions};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::plan::{Group, Kernel, Plan, Precision, Step};
use crate::weights::Weights;

use gemm::SharedRows;
use memory::{Arenas, Scratch, Taken};
use packed::Packed;

/// A network with its weights, ready to run on the CPU.
pub struct CpuModel {
    network: Network,
    units: Vec<Packed>,
    pool: Option<rayon::ThreadPool>,
    arenas: Arenas,
    scratch: Scratch,
}

impl CpuModel {
    /// Prepares the weights; `threads` 0 means one per core.
    ///
    /// # Errors
    /// Threads that cannot be started, and 16-bit storage, which the CPU backend does not have.
    pub fn new(weights: Weights, threads: usize, options: &RunOptions) -> Result<CpuModel> {
        if options.precision != Precision::F32 {
            return Err(no_f16(&Device::Cpu { threads }.info()));
        }
        let pool = thread_pool(threads)?;
        let network = weights.network;
        let units = install(pool.as_ref(), || packed::pack(weights, options))?;
        let threads =
            pool.as_ref().map_or_else(rayon::current_num_threads, |pool| pool.current_num_threads());
        Ok(CpuModel { network, units, pool, arenas: Arenas::default(), scratch: Scratch::new(threads) })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Runs `plan` on `input`. Memory is kept, so another clip of the same length allocates nothing but its output.
    ///
    /// # Shapes
    /// `input` `[N, T, H, W, C]` of the plan's first buffer.
    pub fn run(
        &mut self,
        plan: &Plan,
        input: &[f32],
        observe: &[&str],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Output> {
        plan.require(Precision::F32)?;
        let observed = Observed::new(plan, observe)?;
        let mut output = Output::default();
        self.arenas.prepare(plan);
        let mut done = 0;
        for group in plan.groups(&observed.ids()) {
            self.run_group(plan, &group, input);
            let steps = group.steps();
            done += plan.steps[steps.clone()].iter().map(|step| step.macs).sum::<u64>();
            progress(Progress { done_macs: done, total_macs: plan.macs() });
            for id in observed.between(steps) {
                let buffer = &plan.buffers[id];
                output.insert(buffer, self.arenas.read(buffer));
            }
        }
        Ok(output)
    }

    /// Runs the steps of `group` on the model's threads.
    fn run_group(&mut self, plan: &Plan, group: &Group, clip: &[f32]) {
        let steps = &plan.steps[group.steps()];
        match (group, steps) {
            (Group::Siblings(_), [first, ..]) => self.convolve(plan, first, steps, None, clip),
            (Group::PoolConv(_), [pool, conv]) => {
                self.convolve(plan, pool, std::slice::from_ref(conv), Some(pool), clip)
            }
            _ => steps.iter().for_each(|step| self.run_step(plan, step, clip)),
        }
    }

    fn run_step(&mut self, plan: &Plan, step: &Step, clip: &[f32]) {
        if matches!(step.kernel, Kernel::Conv { .. }) {
            return self.convolve(plan, step, std::slice::from_ref(step), None, clip);
        }
        let mut taken = self.arenas.take(plan, step.output);
        let input = self.arenas.input(plan, step, clip);
        let (from, to) = (plan.buffers[step.input].shape, plan.buffers[step.output].shape);
        let (output, scratch) = (taken.values(), &self.scratch);
        let units = &self.units;
        install(self.pool.as_ref(), || match step.kernel {
            Kernel::MaxPool(window) => pool::max_pool3d(input, from, window, to, scratch, output),
            Kernel::AvgPool(window) => pool::avg_pool3d(input, from, window, to, output),
            Kernel::Lstm { unit } => {
                if let Packed::Lstm(own) = &units[unit] {
                    let params = LstmParams::new(plan, step, false);
                    lstm::forward(&params, own, input.data, &mut lstm::Trace::default(), output);
                }
            }
            Kernel::TimeMean(_) => pool::time_mean(&MeanParams::new(plan, step), input.data, output),
            Kernel::Conv { .. } => {}
        });
        self.arenas.give(taken);
    }

    /// Runs convolutions of one input, that of the step `source`; where `pool` is given, of its max pool.
    fn convolve(&mut self, plan: &Plan, source: &Step, convs: &[Step], pool: Option<&Step>, clip: &[f32]) {
        // Units that share an output share their weights.
        let units: Vec<(&Step, &Packed)> = convs
            .iter()
            .filter_map(|step| match step.kernel {
                Kernel::Conv { unit, .. } => Some((step, &self.units[unit])),
                _ => None,
            })
            .filter(|(_, packed)| !matches!(packed, Packed::Merged))
            .collect();
        let mut taken: Vec<Taken> =
            units.iter().map(|(step, _)| self.arenas.take(plan, step.output)).collect();
        let input = self.arenas.input(plan, source, clip);
        let from = plan.buffers[source.input].shape.with_channels(source.input_channels);
        let to = plan.buffers[convs[0].output].shape;
        let scratch = &self.scratch;
        let mut parts = Vec::new();
        for ((step, packed), taken) in units.iter().zip(&mut taken) {
            let Kernel::Conv { window, relu, .. } = step.kernel else { continue };
            let output = SharedRows::new(taken.values(), plan.buffers[step.output].stored_channels());
            let offset = step.channel_offset;
            match packed {
                Packed::Direct { kernel, bias } => {
                    parts.push((window, conv::Part { kernel, bias, relu, output, offset }));
                }
                Packed::Winograd { kernel, bias } => {
                    let conv = winograd::Conv { kernel, bias, relu, window, output, offset };
                    install(self.pool.as_ref(), || winograd::conv3d(input, from, to, &conv, scratch));
                }
                Packed::Stem { kernel, bias } => {
                    let conv = winograd::Conv { kernel, bias, relu, window, output, offset };
                    install(self.pool.as_ref(), || stem::conv3d(input, from, to, &conv, scratch));
                }
                Packed::Lstm(_) | Packed::Merged => {}
            }
        }
        if let Some((window, _)) = parts.first() {
            let rows = match pool.map(|pool| pool.kernel) {
                Some(Kernel::MaxPool(window)) => conv::Rows::Pooled(window),
                _ => conv::Rows::Taps(*window),
            };
            let parts: Vec<conv::Part<'_>> = parts.into_iter().map(|(_, part)| part).collect();
            install(self.pool.as_ref(), || {
                conv::conv3d(input, from, &rows, to, &parts, conv::blocks_for_threads(), scratch);
            });
        }
        taken.into_iter().for_each(|taken| self.arenas.give(taken));
    }
}

/// Does `work` on the threads of `pool`, or on the current ones.
fn install<R: Send>(pool: Option<&rayon::ThreadPool>, work: impl FnOnce() -> R + Send) -> R {
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

/// So many threads, none for 0: then the current pool does the work, which is the caller's own thread where threads cannot
/// be started (WebAssembly).
pub(crate) fn thread_pool(threads: usize) -> Result<Option<rayon::ThreadPool>> {
    if threads == 0 {
        return Ok(None);
    }
    let failed =
        |e| Error::Usage(format!("{threads} threads cannot be started ({e}); give a smaller --threads"));
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().map(Some).map_err(failed)
}

/// A tensor to read: values, and channels from one position to the next.
#[derive(Clone, Copy)]
struct Source<'a> {
    data: &'a [f32],
    stride: usize,
}

/// Runs `work`, a closure marked `#[inline(always)]`, as compiled for the processor's widest vectors.
///
/// Pulp's own way to run closures takes them as `FnOnce`, and what calls one of those in place of a closure that could run
/// twice is a function of its own, compiled for the least of processors.
fn vectorised<R>(work: impl FnMut() -> R) -> R {
    struct Work<F>(F);
    impl<R, F: FnMut() -> R> pulp::WithSimd for Work<F> {
        type Output = R;

        #[inline(always)]
        fn with_simd<S: pulp::Simd>(mut self, _: S) -> R {
            (self.0)()
        }
    }
    pulp::Arch::new().dispatch(Work(work))
}
