//! Long short-term memory on a tape: its memory and its launches.

use super::super::Gpu;
use super::super::manifest;
use super::launches::{Launches, parts};
use super::memory::{Memory, UnitMemory, buffer};
use crate::backend::params::{ConvParams, LstmParams, Params, PartsParams};
use crate::plan::{Plan, Step};
use crate::weights::{Moments, UnitParameters};

/// What a layer needs beside a [`UnitMemory`], whose kernel holds bias and statistics too, and whose values are the trace.
///
/// # Shapes
/// `input_gates` and `state_gates` `[N, T, 4 H]`, `state_grad` `[H, 4 H]`
pub(super) struct LstmMemory {
    input_gates: wgpu::Buffer,
    state_gates: wgpu::Buffer,
    /// The gradient of the rows of the kernel for the state; those for the input are in the unit's `kernel_grad`.
    pub state_grad: wgpu::Buffer,
}

/// Memory for the layer of `step`, and how much its parts of gradients need.
pub(super) fn memory(gpu: &Gpu, plan: &Plan, step: &Step) -> (UnitMemory, u64) {
    let p = LstmParams::new(plan, step, true);
    let [n, steps, c, h] = p.sizes();
    let new = |values: usize| buffer(gpu, &step.name, 4 * values as u64);
    let gates = n * steps * 4 * h;
    let most = |params: ConvParams| if params.parts() > 1 { params.parts() * params.weights() } else { 0 };
    let parts = products(&p).map(most).into_iter().max().unwrap_or(0);
    let own = UnitMemory {
        kernel: new(p.weights()),
        offset: new(0),
        kernel_grad: new(c * 4 * h),
        offset_grad: new(4 * h),
        values: new(p.trace()),
        moments: new(0),
        lstm: Some(LstmMemory {
            input_gates: new(gates),
            state_gates: new(gates),
            state_grad: new(h * 4 * h),
        }),
    };
    (own, 4 * parts as u64)
}

/// The products of the input and of the state as convolutions, the latter of the output one step before.
fn products(p: &LstmParams) -> [ConvParams; 2] {
    let [n, t, c, h] = p.shape;
    let conv = |read: u32, pad: u32| {
        parts(ConvParams {
            input: [n, t, 1, 1],
            output: [n, t, 1, 1],
            kernel: [1, 1, 1, 4 * read],
            stride: [1, 1, 1, 0],
            pad: [pad, 0, 0, 0],
            channels: [read, h, h, 0],
            source: [0, read, h, 0],
        })
    };
    [conv(c, 0), conv(h / 4, 1)]
}

/// Writes what `lstm.wgsl` reads of a layer's parameters.
pub(super) fn upload(gpu: &Gpu, memory: &UnitMemory, own: &UnitParameters) {
    let fixed = own.moments.iter().flat_map(|moments| [&moments.mean, &moments.variance]);
    let mut first = 0;
    for values in [&own.kernel, &own.offset].into_iter().chain(fixed) {
        gpu.queue.write_buffer(&memory.kernel, first, bytemuck::cast_slice(values));
        first += 4 * values.len() as u64;
    }
}

/// The time steps, one after the other.
pub(super) fn forward<'a>(
    launches: &mut Launches<'a>,
    memory: &'a Memory,
    (unit, step): (usize, &Step),
    p: &LstmParams,
) {
    let (own, [_, steps, ..]) = (&memory.units[unit], p.sizes());
    let buffers = [&memory.values[step.input], &own.kernel, &own.values, &memory.values[step.output]];
    for t in 0..steps {
        launches.add(&manifest::LSTM, Params::Lstm(p.at(t)), p.macs(), &buffers);
    }
}

/// The time steps from the last to the first, then the gradients of the weights and of the input.
pub(super) fn backward<'a>(
    launches: &mut Launches<'a>,
    memory: &'a Memory,
    (unit, step): (usize, &Step),
    p: &LstmParams,
) {
    let (own, [n, steps, c, h]) = (&memory.units[unit], p.sizes());
    let Some(lstm) = &own.lstm else { return };
    let LstmMemory { input_gates, state_gates, state_grad } = lstm;
    let output_grad = &memory.grads[step.output];
    let buffers = [&own.kernel, output_grad, &own.values, input_gates, state_gates, &own.offset_grad];
    for t in (0..steps).rev() {
        launches.add(&manifest::LSTM_GRAD, Params::Lstm(p.at(t)), p.macs(), &buffers);
    }
    let [of_input, of_state] = products(p);
    let macs = |depth: usize| n * steps * depth * 4 * h;
    let weights = [
        (of_input, &memory.values[step.input], input_gates, &own.kernel_grad, macs(c)),
        (of_state, &memory.values[step.output], state_gates, state_grad, macs(h)),
    ];
    for (params, input, gates, grad, work) in weights {
        let parts = if params.parts() > 1 { &memory.parts } else { grad };
        launches.add(&manifest::CONV3D_WEIGHT_GRAD, Params::Conv(params), work, &[input, gates, parts]);
        if params.parts() > 1 {
            let sum = Params::Parts(PartsParams::new(params.parts(), params.weights()));
            launches.add(&manifest::SUM_PARTS, sum, params.parts() * params.weights(), &[parts, grad]);
        }
    }
    let buffers = [input_gates, &own.kernel, &memory.grads[step.input]];
    launches.add(&manifest::CONV3D_INPUT_GRAD, Params::Conv(of_input), macs(c), &buffers);
}

/// The batch's statistics in a trace, for as many steps as have some of their own: those beyond the last are like it.
pub(super) fn moments(p: &LstmParams, trace: &[f32]) -> Moments {
    let [n, steps, _, h] = p.sizes();
    let statistics = &trace[steps * n * h * LstmParams::TRACE..];
    let of = |variance: usize| -> Vec<f32> {
        let step = |t: usize| {
            let unit = move |j: usize| &statistics[(t.min(steps - 1) * h + j) * LstmParams::STATISTICS..];
            let gates =
                move |first: usize| (0..h).flat_map(move |j| unit(j)[first + 4 * variance..][..4].to_vec());
            gates(12).chain(gates(20)).chain((0..h).map(move |j| unit(j)[9 + variance]))
        };
        (0..p.step[2] as usize).flat_map(step).collect()
    };
    Moments { mean: of(0), variance: of(1) }
}
