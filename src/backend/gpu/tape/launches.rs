//! The kernel launches of a pass forwards and of one backwards.

use super::super::manifest::{self, Kernel};
use super::lstm;
use super::memory::Memory;
use crate::backend::Pass;
use crate::backend::params::{
    ConvParams, LstmParams, MeanParams, NormParams, Params, PartsParams, PoolParams,
};
use crate::network::Unit;
use crate::plan::{INPUT, Kernel as Operation, Plan, Step, Window};

/// Sums of 8x8 weights that a launch of `conv3d_weight_grad.wgsl` should have, one an invocation, so that a large GPU is busy;
/// their parts take 16 MiB.
const SUMS: usize = 1 << 16;

/// A kernel on whole buffers.
pub(super) struct Launch<'a> {
    pub kernel: &'static Kernel,
    pub params: Params,
    /// What follows the parameters.
    pub buffers: Vec<&'a wgpu::Buffer>,
    /// Work in multiply-accumulates, for pacing.
    pub work: u64,
    /// Index of the plan's step that it belongs to.
    pub step: usize,
}

/// The parameters of a convolution step and of its gradients. Every channel that is stored has weights, and the lines of the
/// output make parts.
pub(super) fn conv(plan: &Plan, step: &Step, window: Window) -> ConvParams {
    let mut params = ConvParams::new(plan, step, window, false);
    params.kernel[3] = 4 * params.source[1];
    parts(params)
}

/// The same parameters with the parts in which the gradient of the weights is summed.
pub(super) fn parts(mut params: ConvParams) -> ConvParams {
    let taps: u32 = params.kernel[..3].iter().product();
    let sums = (taps * params.channels[1].div_ceil(2) * params.source[1].div_ceil(2)) as usize;
    let parts = (SUMS / sums).max(1);
    params.source[3] = params.lines().div_ceil(parts) as u32;
    params
}

/// The same with the unit's channels in a tensor of their own as output.
fn dense(params: ConvParams) -> ConvParams {
    let [input, channels, ..] = params.channels;
    ConvParams { channels: [input, channels, channels, 0], ..params }
}

/// Collects launches.
pub(super) struct Launches<'a> {
    all: Vec<Launch<'a>>,
    step: usize,
}

impl<'a> Launches<'a> {
    /// A launch of the step in progress.
    pub fn add(
        &mut self,
        kernel: &'static Kernel,
        params: Params,
        work: usize,
        buffers: &[&'a wgpu::Buffer],
    ) {
        let (buffers, work, step) = (buffers.to_vec(), work as u64, self.step);
        self.all.push(Launch { kernel, params, buffers, work, step });
    }
}

/// From the input to the logits.
pub(super) fn forward<'a>(plan: &Plan, units: &[Unit], memory: &'a Memory, pass: Pass) -> Vec<Launch<'a>> {
    let mut launches = Launches { all: Vec::new(), step: 0 };
    for (index, step) in plan.steps.iter().enumerate() {
        launches.step = index;
        let (input, output) = (&memory.values[step.input], &memory.values[step.output]);
        let outputs = plan.buffers[step.output].shape.len();
        match step.kernel {
            Operation::Conv { unit, window, .. } => {
                let (own, macs) = (&memory.units[unit], step.macs as usize);
                let params = conv(plan, step, window);
                let kernel = if plan.is_linear(step) { &manifest::LINEAR } else { &manifest::CONV3D };
                if !units[unit].batch_norm() {
                    let buffers = [input, &own.kernel, &own.offset, output];
                    launches.add(kernel, Params::Conv(params), macs, &buffers);
                    continue;
                }
                let values = &own.values;
                let buffers = [input, &own.kernel, &memory.zeros, values];
                launches.add(kernel, Params::Conv(dense(params)), macs, &buffers);
                let (norm, work) = (NormParams::new(&params, !pass.frozen), 4 * outputs);
                if !pass.frozen {
                    let buffers = [values, &own.moments];
                    launches.add(&manifest::NORM_MOMENTS, Params::Norm(norm), work, &buffers);
                }
                let buffers = [values, &own.moments, &own.offset, output];
                launches.add(&manifest::NORM_OUTPUT, Params::Norm(norm), work, &buffers);
            }
            Operation::MaxPool(window) => {
                let params = Params::Pool(PoolParams::new(plan, step, window));
                let Some(winners) = &memory.winners[index] else { continue };
                let work = outputs * window.taps();
                launches.add(&manifest::MAX_POOL3D_WINNERS, params, work, &[input, output, winners]);
            }
            Operation::AvgPool(window) => {
                let params = Params::Pool(PoolParams::new(plan, step, window));
                launches.add(&manifest::AVG_POOL3D, params, outputs * window.taps(), &[input, output]);
                launches.drop_out(memory, output, pass);
            }
            Operation::Lstm { unit } => {
                let params = LstmParams::new(plan, step, !pass.frozen);
                lstm::forward(&mut launches, memory, (unit, step), &params);
            }
            Operation::TimeMean(_) => {
                let work = plan.buffers[step.input].shape.len();
                let params = Params::Mean(MeanParams::new(plan, step));
                launches.add(&manifest::TIME_MEAN, params, work, &[input, output]);
            }
        }
    }
    launches.all
}

/// From the gradient of the logits to those of all weights and offsets. Gradients of activations begin as zeros.
pub(super) fn backward<'a>(plan: &Plan, units: &[Unit], memory: &'a Memory, pass: Pass) -> Vec<Launch<'a>> {
    let mut launches = Launches { all: Vec::new(), step: 0 };
    for (index, step) in plan.steps.iter().enumerate().rev() {
        launches.step = index;
        let (input_grad, output_grad) = (&memory.grads[step.input], &memory.grads[step.output]);
        let inputs = plan.buffers[step.input].shape.len();
        match step.kernel {
            Operation::Conv { unit, window, .. } => {
                let (own, macs) = (&memory.units[unit], step.macs as usize);
                let mut params = conv(plan, step, window);
                let mut values_grad = output_grad;
                if units[unit].batch_norm() {
                    let norm = Params::Norm(NormParams::new(&params, !pass.frozen));
                    let work = 8 * params.positions() * step.channels;
                    let before = [&own.values, &own.moments, &memory.values[step.output], output_grad];
                    let sums = [&before[..], &[&own.offset_grad]].concat();
                    launches.add(&manifest::NORM_SUMS, norm, work, &sums);
                    params = dense(params);
                    values_grad = &memory.values_grad;
                    let through = [&sums[..], &[values_grad]].concat();
                    launches.add(&manifest::NORM_GRAD, norm, work, &through);
                } else {
                    let (conv, work) = (Params::Conv(params), params.positions() * step.channels);
                    launches.add(&manifest::CONV3D_BIAS_GRAD, conv, work, &[values_grad, &own.offset_grad]);
                }
                let parts = if params.parts() > 1 { &memory.parts } else { &own.kernel_grad };
                let buffers = [&memory.values[step.input], values_grad, parts];
                launches.add(&manifest::CONV3D_WEIGHT_GRAD, Params::Conv(params), macs, &buffers);
                if params.parts() > 1 {
                    let sum = Params::Parts(PartsParams::new(params.parts(), params.weights()));
                    let work = params.parts() * params.weights();
                    launches.add(&manifest::SUM_PARTS, sum, work, &[parts, &own.kernel_grad]);
                }
                // Nothing learns from the gradient of the clip.
                if step.input != INPUT {
                    let buffers = [values_grad, &own.kernel, input_grad];
                    launches.add(&manifest::CONV3D_INPUT_GRAD, Params::Conv(params), macs, &buffers);
                }
            }
            Operation::MaxPool(window) => {
                let params = Params::Pool(PoolParams::new(plan, step, window));
                let Some(winners) = &memory.winners[index] else { continue };
                let buffers = [winners, output_grad, input_grad];
                launches.add(&manifest::MAX_POOL3D_GRAD, params, inputs * window.taps(), &buffers);
            }
            Operation::AvgPool(window) => {
                launches.drop_out(memory, output_grad, pass);
                let params = Params::Pool(PoolParams::new(plan, step, window));
                launches.add(&manifest::AVG_POOL3D_GRAD, params, 2 * inputs, &[output_grad, input_grad]);
            }
            Operation::Lstm { unit } => {
                let params = LstmParams::new(plan, step, !pass.frozen);
                lstm::backward(&mut launches, memory, (unit, step), &params);
            }
            Operation::TimeMean(_) => {
                let params = Params::Mean(MeanParams::new(plan, step));
                launches.add(&manifest::TIME_MEAN_GRAD, params, inputs, &[output_grad, input_grad]);
            }
        }
    }
    launches.all
}

impl<'a> Launches<'a> {
    /// Multiplies the features of the step in progress, or their gradient, by the factors of dropout, where there is some.
    fn drop_out(&mut self, memory: &'a Memory, values: &'a wgpu::Buffer, pass: Pass) {
        let Some(factors) = memory.factors[self.step].as_ref().filter(|_| pass.dropout.is_some()) else {
            return;
        };
        let features = values.size() as usize / 4;
        let params = Params::Parts(PartsParams::new(1, features));
        self.add(&manifest::DROPOUT, params, features, &[factors, values]);
    }
}
