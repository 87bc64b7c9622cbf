//! The memory of a run, kept for the next one: activations, and scratch space for every thread.

use std::sync::{Mutex, PoisonError};

use super::Source;
use crate::plan::{Buffer, BufferId, INPUT, Plan, Step};

/// The physical memory of the activations. The input is not among them: it is read where the caller has it.
#[derive(Default)]
pub(super) struct Arenas(Vec<Vec<f32>>);

impl Arenas {
    /// Makes room for the buffers of `plan`; what was there before stays, so a clip of the same length allocates nothing.
    pub fn prepare(&mut self, plan: &Plan) {
        let mut floats = vec![0; plan.arenas().len()];
        for b in plan.buffers.iter().skip(INPUT + 1) {
            floats[b.arena] = floats[b.arena].max(range(b).end);
        }
        self.0.resize_with(floats.len(), Vec::new);
        for (memory, floats) in self.0.iter_mut().zip(floats) {
            if memory.len() < floats {
                // Zeroed pages cost nothing until they are touched; growing in place would copy old values.
                *memory = vec![0.0; floats];
            }
        }
    }

    /// The step's input.
    pub fn input<'a>(&'a self, plan: &Plan, step: &Step, clip: &'a [f32]) -> Source<'a> {
        let from = &plan.buffers[step.input];
        if step.input == INPUT {
            return Source { data: &clip[step.input_offset..], stride: from.shape.c };
        }
        Source { data: &self.read(from)[step.input_offset..], stride: from.stored_channels() }
    }

    /// The values of a buffer as they are stored.
    pub fn read(&self, buffer: &Buffer) -> &[f32] {
        &self.0[buffer.arena][range(buffer)]
    }

    /// Takes the arena of `output` out, so that it can be written while others are read; [`Arenas::give`] brings
    /// it back. A step's input and output lie in different arenas.
    pub fn take(&mut self, plan: &Plan, output: BufferId) -> Taken {
        let buffer = &plan.buffers[output];
        Taken { arena: buffer.arena, range: range(buffer), memory: std::mem::take(&mut self.0[buffer.arena]) }
    }

    /// Brings an arena back.
    pub fn give(&mut self, taken: Taken) {
        self.0[taken.arena] = taken.memory;
    }
}

/// An arena that is being written, and the part of it that is the buffer in question.
pub(super) struct Taken {
    arena: usize,
    range: std::ops::Range<usize>,
    memory: Vec<f32>,
}

impl Taken {
    /// The buffer.
    pub fn values(&mut self) -> &mut [f32] {
        &mut self.memory[self.range.clone()]
    }
}

fn range(buffer: &Buffer) -> std::ops::Range<usize> {
    let first = buffer.offset as usize / 4;
    first..first + buffer.stored_bytes() as usize / 4
}

/// Memory for every thread's intermediate values.
pub(super) struct Scratch(Vec<Mutex<Vec<f32>>>);

impl Scratch {
    /// Scratch memory for the threads of the pool that runs the work.
    pub fn new(threads: usize) -> Scratch {
        Scratch((0..threads.max(1)).map(|_| Mutex::default()).collect())
    }

    /// Calls `work` with `floats` values of the calling thread, whatever they hold.
    pub fn with<R>(&self, floats: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
        // Each thread has its own, so nobody ever waits here.
        let index = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        let mut memory = self.0[index].lock().unwrap_or_else(PoisonError::into_inner);
        if memory.len() < floats {
            *memory = vec![0.0; floats];
        }
        work(&mut memory[..floats])
    }
}
