//! A moving piece of a long tensor.

use std::ops::Range;

/// Consecutive time steps of a long tensor; those before a moving start are forgotten.
pub(crate) struct Queue {
    /// Values per time step.
    stride: usize,
    start: usize,
    pub(crate) values: Vec<f32>,
}

impl Queue {
    pub(crate) fn new(stride: usize) -> Queue {
        Queue { stride, start: 0, values: Vec::new() }
    }

    /// Appends time steps; the first ones are taken as they are, since they may be a whole clip.
    pub(crate) fn push(&mut self, values: Vec<f32>) {
        match self.values.is_empty() {
            true => self.values = values,
            false => self.values.extend_from_slice(&values),
        }
    }

    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    pub(crate) fn end(&self) -> usize {
        self.start + self.values.len() / self.stride
    }

    pub(crate) fn forget_before(&mut self, step: usize) {
        let gone = step.clamp(self.start, self.end()) - self.start;
        self.values.drain(..gone * self.stride);
        self.start += gone;
    }

    pub(crate) fn get(&self, steps: Range<usize>) -> &[f32] {
        &self.values[(steps.start - self.start) * self.stride..(steps.end - self.start) * self.stride]
    }
}
