//! A plan run forwards and backwards on a GPU: every activation is kept, and of every unit what its gradient needs.
//!
//! The host draws dropout, takes the loss of the logits and moves the parameters; they come with every forward pass, and the
//! gradients go back with every backward pass.

mod launches;
mod lstm;
mod memory;
mod recorded;

use std::sync::Arc;

use super::Gpu;
use super::lowering;
use super::under_way::UnderWay;
use crate::backend::Pass;
use crate::backend::cpu::Gradients;
use crate::backend::params::LstmParams;
use crate::error::Result;
use crate::network::{Form, Unit};
use crate::plan::{INPUT, Kernel, Plan, Step};
use crate::weights::{Moments, Parameters};
use memory::Memory;
use recorded::{Recorded, run};

/// A plan with memory on a GPU for one pass forwards and backwards.
pub struct GpuTape {
    gpu: Arc<Gpu>,
    plan: Plan,
    units: Vec<Unit>,
    memory: Memory,
    /// The dispatches of the last kind of pass.
    recorded: Option<Recorded>,
    under_way: UnderWay,
    /// The statistics of the last batch.
    moments: Vec<Option<Moments>>,
}

impl GpuTape {
    /// Memory for `plan` on `gpu`.
    ///
    /// # Errors
    /// Plans beyond the device's limits, and what the driver says.
    pub fn new(gpu: Arc<Gpu>, plan: Plan) -> Result<GpuTape> {
        plan.check(&gpu.adapter.limits)?;
        let units = plan.network.units();
        let memory = Memory::new(&gpu, &plan, &units);
        gpu.check()?;
        let under_way = UnderWay::new(&gpu);
        let moments = vec![None; units.len()];
        Ok(GpuTape { gpu, plan, units, memory, recorded: None, under_way, moments })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Runs the plan.
    ///
    /// # Shapes
    /// `input` `[N, T, H, W, C]` of the plan's first buffer; returns the logits of [`Plan::scored`], `[N, classes padded to fours]` or
    /// `[N, T, ..]`.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn forward(&mut self, parameters: &Parameters, input: &[f32], pass: Pass) -> Result<Vec<f32>> {
        let GpuTape { gpu, plan, units, memory, recorded, under_way, moments } = self;
        let recorded = match recorded {
            Some(known) if known.serves(pass) => known,
            _ => recorded.insert(Recorded::new(gpu, plan, units, memory, pass)?),
        };
        memory.upload_factors(gpu, pass);
        for ((unit, own), to) in units.iter().zip(&parameters.units).zip(&memory.units) {
            to.upload(gpu, unit, own, pass.frozen);
        }
        lowering::upload(gpu, &plan.buffers[INPUT], (&memory.values[INPUT], 0), input);
        run(gpu, under_way, &recorded.forward).await?;

        let batch = |unit: &Unit| unit.form != Form::Bias && !pass.frozen;
        let norms = memory.units.iter().zip(units.iter()).filter(|(_, unit)| batch(unit));
        let norms = norms.map(|(own, _)| if own.lstm.is_some() { &own.values } else { &own.moments });
        let wanted = std::iter::once(&memory.values[plan.scored()]).chain(norms);
        let mut read = memory::read_back(gpu, wanted).await?.into_iter();
        let logits = read.next().unwrap_or_default();
        for ((index, unit), moments) in units.iter().enumerate().zip(moments) {
            let values = if batch(unit) { read.next() } else { None };
            *moments = values.map(|values| {
                let layer = |step: &&Step| step.kernel == Kernel::Lstm { unit: index };
                if let Some(step) = plan.steps.iter().find(layer) {
                    return lstm::moments(&LstmParams::new(plan, step, true), &values);
                }
                let (mean, variance) = values.split_at(values.len() / 2);
                let own = |values: &[f32]| values[..unit.out_channels].to_vec();
                Moments { mean: own(mean), variance: own(variance) }
            });
        }
        Ok(logits)
    }

    /// The gradients of everything that the last forward pass used, added to `gradients`.
    ///
    /// # Shapes
    /// `logits_grad` as the logits that [`GpuTape::forward`] gave.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn backward(&mut self, logits_grad: &[f32], gradients: &mut Gradients) -> Result<()> {
        let GpuTape { gpu, plan, units, memory, recorded, under_way, .. } = self;
        // Without a pass forwards there is nothing to go back through.
        let Some(recorded) = recorded else { return Ok(()) };
        memory.clear_gradients(gpu);
        gpu.queue.write_buffer(&memory.grads[plan.scored()], 0, bytemuck::cast_slice(logits_grad));
        run(gpu, under_way, &recorded.backward).await?;
        let state = memory.units.iter().filter_map(|unit| unit.lstm.as_ref()).map(|lstm| &lstm.state_grad);
        let own = memory.units.iter().flat_map(|unit| [&unit.kernel_grad, &unit.offset_grad]);
        let mut read = memory::read_back(gpu, own.chain(state)).await?;
        let mut states = read.split_off(2 * units.len()).into_iter();
        for ((unit, read), to) in units.iter().zip(read.chunks_exact(2)).zip(&mut gradients.units) {
            // Behind the rows for the input, an LSTM has some for its state.
            let states = (unit.form == Form::Lstm).then(|| states.next()).flatten();
            let rows = unit.in_channels - states.as_ref().map_or(0, |_| unit.hidden());
            let first = to.kernel.len() / unit.in_channels * rows;
            let (kernel, behind) = to.kernel.split_at_mut(first);
            memory::add_kernel(rows, unit.out_channels, &read[0], kernel);
            behind.iter_mut().zip(states.iter().flatten()).for_each(|(sum, grad)| *sum += grad);
            to.offset.iter_mut().zip(&read[1]).for_each(|(sum, grad)| *sum += grad);
        }
        Ok(())
    }

    /// The batch's statistics of every unit, where the last forward pass used them.
    pub fn moments(&self) -> &[Option<Moments>] {
        &self.moments
    }
}
