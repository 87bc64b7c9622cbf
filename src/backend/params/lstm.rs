//! The parameters of long short-term memory.

use bytemuck::{Pod, Zeroable};

use crate::network::{BATCH_NORM_EPSILON, Unit};
use crate::plan::{Plan, Step};

/// Parameters of `lstm.wgsl` and `lstm_grad.wgsl`, which compute one time step.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable, PartialEq)]
pub struct LstmParams {
    /// Clips, time steps, input channels in groups of four, hidden units.
    pub shape: [u32; 4],
    /// The time step; 1 where the statistics are those of the batch, 0 where they are fixed; steps that have fixed statistics;
    /// first work group of this dispatch.
    pub step: [u32; 4],
    /// What is added to variances; the rest is unused.
    pub factors: [f32; 4],
}

impl LstmParams {
    /// Values per clip, time step and hidden unit of the trace, what a step leaves for the way back: the gates from the input and
    /// from the state, both normalised; the gates' activations; cell, normalised cell, and the gradient that the cell hands
    /// to the step before.
    pub const TRACE: usize = 16;
    /// Values per time step and hidden unit behind them: reciprocal deviations of both kinds of gates; that of the cell, its mean
    /// and variance; mean and variance of the gates from the input, and of those from the state.
    pub const STATISTICS: usize = 28;

    /// The first time step of a step of `plan`.
    pub fn new(plan: &Plan, step: &Step, batch: bool) -> LstmParams {
        let (input, output) = (&plan.buffers[step.input], &plan.buffers[step.output]);
        let (n, t) = (input.shape.n as u32, input.shape.t as u32);
        LstmParams {
            shape: [n, t, (input.stored_channels() / 4) as u32, output.shape.c as u32],
            step: [0, u32::from(batch), Unit::LSTM_STEPS as u32, 0],
            factors: [BATCH_NORM_EPSILON, 0.0, 0.0, 0.0],
        }
    }

    /// The same at time step `t`.
    #[must_use]
    pub fn at(mut self, t: usize) -> LstmParams {
        self.step[0] = t as u32;
        self
    }

    /// Clips, time steps, input channels, hidden units.
    pub fn sizes(&self) -> [usize; 4] {
        let [n, t, c, h] = self.shape.map(|v| v as usize);
        [n, t, 4 * c, h]
    }

    /// Values of the trace.
    pub fn trace(&self) -> usize {
        let [n, t, _, h] = self.sizes();
        t * h * (n * LstmParams::TRACE + LstmParams::STATISTICS)
    }

    /// The values of the weights: `[inputs + hidden, 4 hidden]`, the bias, means and variances.
    pub fn weights(&self) -> usize {
        let [_, _, c, h] = self.sizes();
        4 * h * (c + h + 1) + 18 * h * self.step[2] as usize
    }

    /// Multiply-accumulates of a time step.
    pub fn macs(&self) -> usize {
        let [n, _, c, h] = self.sizes();
        4 * n * h * (c + h)
    }
}
