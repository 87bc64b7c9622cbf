//! A plan run forwards and backwards on a device.

use super::cpu::{CpuTape, Gradients};
use super::gpu::GpuTape;
use super::{Device, Pass};
use crate::error::Result;
use crate::plan::Plan;
use crate::weights::{Moments, Parameters};

/// A plan with memory for one pass forwards and backwards.
pub enum Tape {
    /// On the CPU, on the threads of the current pool.
    Cpu(Box<CpuTape>),
    /// On a GPU.
    Gpu(Box<GpuTape>),
}

impl Tape {
    /// Memory for `plan` on `device`.
    ///
    /// # Errors
    /// Plans beyond the device's limits, and what the device reports.
    pub fn new(device: &Device, plan: Plan) -> Result<Tape> {
        Ok(match device {
            Device::Cpu { .. } => Tape::Cpu(Box::new(CpuTape::new(plan))),
            Device::Gpu(gpu) => Tape::Gpu(Box::new(GpuTape::new(gpu.clone(), plan)?)),
        })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        match self {
            Tape::Cpu(tape) => tape.plan(),
            Tape::Gpu(tape) => tape.plan(),
        }
    }

    /// Runs the plan.
    ///
    /// # Shapes
    /// `input` `[N, T, H, W, C]` of the plan's first buffer; returns the logits of [`Plan::scored`], `[N, classes padded to fours]` or
    /// `[N, T, ..]`.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn forward(&mut self, parameters: &Parameters, input: &[f32], pass: Pass) -> Result<Vec<f32>> {
        match self {
            Tape::Cpu(tape) => Ok(tape.forward(parameters, input, pass).to_vec()),
            Tape::Gpu(tape) => tape.forward(parameters, input, pass).await,
        }
    }

    /// The gradients of everything that the last forward pass used, added to `gradients`; `parameters` are still those of
    /// that pass.
    ///
    /// # Shapes
    /// `logits_grad` as the logits that [`Tape::forward`] gave.
    ///
    /// # Errors
    /// What the device reports.
    pub async fn backward(
        &mut self,
        parameters: &Parameters,
        logits_grad: &[f32],
        gradients: &mut Gradients,
    ) -> Result<()> {
        match self {
            Tape::Cpu(tape) => tape.backward(parameters, logits_grad, gradients),
            Tape::Gpu(tape) => tape.backward(logits_grad, gradients).await?,
        }
        Ok(())
    }

    /// The batch's statistics of every unit, where the last forward pass used them.
    pub fn moments(&self) -> Vec<Option<Moments>> {
        match self {
            Tape::Cpu(tape) => tape.moments().map(Option::<&_>::cloned).collect(),
            Tape::Gpu(tape) => tape.moments().to_vec(),
        }
    }
}
