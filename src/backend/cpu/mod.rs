//! The CPU backend: the plan on all cores, for machines without a GPU.

mod conv;
mod pool;

use crate::backend::{Observed, Output, Progress};
use crate::error::{Error, Result};
use crate::network::I3d;
use crate::plan::{Buffer, INPUT, Kernel, Plan, Step};
use crate::weights::Weights;

/// A network with its weights, ready to run on the CPU.
pub struct CpuModel {
    weights: Weights,
    pool: Option<rayon::ThreadPool>,
}

impl CpuModel {
    /// Takes the weights as they are; `threads` 0 means one per core.
    pub fn new(weights: Weights, threads: usize) -> Result<CpuModel> {
        Ok(CpuModel { weights, pool: thread_pool(threads)? })
    }

    /// The network.
    pub fn network(&self) -> &I3d {
        &self.weights.network
    }

    /// Runs `plan` on `input`.
    ///
    /// # Shapes
    /// `input` `[N, T, H, W, C]` of the plan's first buffer.
    pub fn run(
        &self,
        plan: &Plan,
        input: &[f32],
        observe: &[&str],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Output> {
        match &self.pool {
            // `install` wants a `Send` closure; progress need not be, so each step goes to the pool by itself.
            Some(pool) => self.run_steps(plan, input, observe, progress, |work| pool.install(work)),
            None => self.run_steps(plan, input, observe, progress, |work| work()),
        }
    }

    fn run_steps(
        &self,
        plan: &Plan,
        input: &[f32],
        observe: &[&str],
        progress: &mut dyn FnMut(Progress),
        install: impl Fn(&mut (dyn FnMut() + Send)),
    ) -> Result<Output> {
        let observed = Observed::new(plan, observe)?;
        let mut output = Output::default();
        let mut arenas = Arenas::new(plan);
        let mut done = 0;
        for (index, step) in plan.steps.iter().enumerate() {
            let (from, to) = arenas.borrow(plan, step, input);
            install(&mut || self.step(plan, step, from, &mut *to));
            done += step.macs;
            progress(Progress { done_macs: done, total_macs: plan.macs() });
            for id in observed.after(index) {
                let buffer = &plan.buffers[id];
                output.insert(buffer, arenas.read(buffer));
            }
        }
        Ok(output)
    }

    fn step(&self, plan: &Plan, step: &Step, input: Source<'_>, output: &mut [f32]) {
        let (from, to) = (&plan.buffers[step.input], &plan.buffers[step.output]);
        match step.kernel {
            Kernel::Conv { unit, window, relu } => {
                let weights = &self.weights.units[unit];
                let target = conv::Target {
                    shape: to.shape,
                    stride: to.stored_channels(),
                    offset: step.channel_offset,
                    channels: step.channels,
                };
                let read = from.shape.with_channels(step.input_channels);
                conv::conv3d(input, read, window, &weights.kernel, &weights.bias, relu, target, output);
            }
            Kernel::MaxPool(window) => pool::max_pool3d(input, from.shape, window, to.shape, output),
            Kernel::AvgPool(window) => pool::avg_pool3d(input, from.shape, window, to.shape, output),
            Kernel::TimeMean => pool::time_mean(input, from.shape, output),
        }
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

/// The physical memory of the activations. The input is not among them: it is read where the caller has it.
struct Arenas {
    memory: Vec<Vec<f32>>,
}

impl Arenas {
    fn new(plan: &Plan) -> Arenas {
        let mut bytes = vec![0; plan.arenas().len()];
        for b in plan.buffers.iter().skip(INPUT + 1) {
            bytes[b.arena] = bytes[b.arena].max(b.offset + b.stored_bytes());
        }
        Arenas { memory: bytes.into_iter().map(|b| vec![0.0; b as usize / 4]).collect() }
    }

    /// The step's input and output; they lie in different arenas.
    fn borrow<'a>(&'a mut self, plan: &Plan, step: &Step, input: &'a [f32]) -> (Source<'a>, &'a mut [f32]) {
        let (from, to) = (&plan.buffers[step.input], &plan.buffers[step.output]);
        if step.input == INPUT {
            return (Source { data: input, stride: from.shape.c }, &mut self.memory[to.arena][range(to)]);
        }
        let (low, high) = self.memory.split_at_mut(from.arena.max(to.arena));
        let (data, output) = if from.arena < to.arena {
            (&low[from.arena][range(from)], &mut high[0][range(to)])
        } else {
            (&high[0][range(from)], &mut low[to.arena][range(to)])
        };
        (Source { data: &data[step.input_offset..], stride: from.stored_channels() }, output)
    }

    /// The values of a buffer as they are stored.
    fn read(&self, buffer: &Buffer) -> &[f32] {
        &self.memory[buffer.arena][range(buffer)]
    }
}

fn range(buffer: &Buffer) -> std::ops::Range<usize> {
    let first = buffer.offset as usize / 4;
    first..first + buffer.stored_bytes() as usize / 4
}
