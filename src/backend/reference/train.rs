//! A plan forwards and backwards through the twins, in f64.

mod layer;

use super::run::widen;
use super::{
    avg_pool3d, avg_pool3d_grad, batch_norm, batch_norm_grad, conv3d, conv3d_input_grad, conv3d_weight_grad,
    cross_entropy, lstm, max_pool3d, max_pool3d_grad, moments, time_mean, time_mean_grad,
};
use crate::backend::params::{ConvParams, MeanParams, PoolParams};
use crate::network::Unit;
use crate::plan::{Buffer, INPUT, Kernel, Plan, Step, Window};
use crate::weights::Parameters;
use layer::Lstm;

/// What a unit adds to the loss's gradient.
///
/// # Shapes
/// `kernel` `[kT, kH, kW, Cin, Cout]`, `offset` `[Cout]`
pub struct UnitGradients {
    /// With respect to the convolution's weights.
    pub kernel: Vec<f64>,
    /// With respect to batch norm's beta, or the bias.
    pub offset: Vec<f64>,
}

/// Mean and variance of every channel.
type Statistics = (Vec<f64>, Vec<f64>);

/// What a unit leaves for the way back.
enum Taped {
    /// Its convolution, the values of it, and the statistics.
    Conv(Box<Conv>, Vec<f64>, Statistics),
    /// A layer, and the trace of its steps.
    Lstm(Lstm, Vec<f64>),
}

/// One unit's convolution on dense rows of its own channels.
struct Conv {
    params: ConvParams,
    rows: usize,
    channels: usize,
    stored: usize,
    kernel: Vec<f64>,
}

impl Conv {
    fn new(plan: &Plan, step: &Step, unit: &Unit, kernel: &[f32], window: Window) -> Conv {
        let mut params = ConvParams::new(plan, step, window, false);
        let stored = 4 * params.channels[1] as usize;
        // The rows of its own channels, not those of the buffer.
        (params.channels[2], params.channels[3]) = (params.channels[1], 0);
        let wide = widen(kernel, unit.out_channels, stored);
        let kernel = widen(&wide, unit.in_channels * stored, params.kernel[3] as usize * stored);
        let kernel = kernel.into_iter().map(f64::from).collect();
        Conv { params, rows: params.positions(), channels: unit.out_channels, stored, kernel }
    }

    /// `[rows, stored]` to and from the channels of the step in its buffer.
    fn places(&self, plan: &Plan, step: &Step) -> impl Iterator<Item = (usize, usize)> + use<> {
        let stride = plan.buffers[step.output].stored_channels();
        let (channels, stored, first) = (self.channels, self.stored, step.channel_offset);
        (0..self.rows)
            .flat_map(move |row| (0..channels).map(move |c| (row * stored + c, row * stride + first + c)))
    }
}

/// Loss of the clips `input` with their `labels`, the gradients of every unit, and each unit's statistics of the batch,
/// which batch norm uses unless it is `frozen`. There is no dropout.
///
/// # Shapes
/// `input` `[N, T, H, W, C]` of the plan's first buffer, `labels` `[N]`
pub fn train(
    plan: &Plan,
    parameters: &Parameters,
    input: &[f32],
    labels: &[usize],
    frozen: bool,
) -> (f64, Vec<UnitGradients>, Vec<Statistics>) {
    let units = plan.network.units();
    let zeros = |b: &Buffer| vec![0.0f64; b.stored_bytes() as usize / 4];
    let mut values: Vec<Vec<f64>> = plan.buffers.iter().map(zeros).collect();
    let (channels, stored) = (plan.buffers[INPUT].shape.c, plan.buffers[INPUT].stored_channels());
    values[INPUT] = widen(input, channels, stored).into_iter().map(f64::from).collect();
    let mut tape: Vec<Taped> = Vec::new();
    for step in &plan.steps {
        let mut output = std::mem::take(&mut values[step.output]);
        let from = &values[step.input];
        match step.kernel {
            Kernel::Conv { unit, window, relu } => {
                let own = &parameters.units[unit];
                let conv = Conv::new(plan, step, &units[unit], &own.kernel, window);
                let offset = wide(&own.offset, conv.stored);
                let mut dense = vec![0.0; conv.rows * conv.stored];
                let none = vec![0.0; conv.stored];
                conv3d(&conv.params, from, &conv.kernel, if relu { &none } else { &offset }, &mut dense);
                let statistics = match &own.moments {
                    Some(fixed) if frozen => {
                        (wide(&fixed.mean, conv.stored), wide(&fixed.variance, conv.stored))
                    }
                    _ => moments(&dense, conv.stored),
                };
                let mut finished = dense.clone();
                if relu {
                    batch_norm(&dense, &statistics.0, &statistics.1, &offset, &mut finished);
                }
                conv.places(plan, step).for_each(|(from, to)| output[to] = finished[from]);
                tape.push(Taped::Conv(Box::new(conv), dense, statistics));
            }
            Kernel::Lstm { unit } => {
                let layer = Lstm::new(plan, step, &parameters.units[unit], !frozen);
                let mut trace = vec![0.0; layer.params.trace()];
                let [_, steps, ..] = layer.params.sizes();
                (0..steps)
                    .for_each(|t| lstm(&layer.params.at(t), from, &layer.weights, &mut trace, &mut output));
                tape.push(Taped::Lstm(layer, trace));
            }
            Kernel::MaxPool(window) => max_pool3d(&PoolParams::new(plan, step, window), from, &mut output),
            Kernel::AvgPool(window) => avg_pool3d(&PoolParams::new(plan, step, window), from, &mut output),
            Kernel::TimeMean(_) => time_mean(&MeanParams::new(plan, step), from, &mut output),
        }
        values[step.output] = output;
    }

    let mut grads: Vec<Vec<f64>> = plan.buffers.iter().map(zeros).collect();
    let scored = plan.scored();
    let steps = plan.buffers[scored].shape.t;
    let labels: Vec<usize> = labels.iter().flat_map(|label| std::iter::repeat_n(*label, steps)).collect();
    let loss = cross_entropy(&values[scored], plan.network.classes, &labels, &mut grads[scored]);
    let mut gradients = Vec::new();
    for step in plan.steps.iter().rev() {
        let output_grad = std::mem::take(&mut grads[step.output]);
        let input_grad = &mut grads[step.input];
        match step.kernel {
            Kernel::Conv { unit, relu, .. } => {
                let Taped::Conv(conv, dense, (mean, variance)) = &tape[unit] else { continue };
                let mut finished_grad = vec![0.0; dense.len()];
                conv.places(plan, step).for_each(|(to, from)| finished_grad[to] = output_grad[from]);
                let (mut dense_grad, mut offset) = (finished_grad.clone(), vec![0.0; conv.stored]);
                let (mut kernel, mut bias) = (vec![0.0; conv.kernel.len()], vec![0.0; conv.stored]);
                if relu {
                    let beta = wide(&parameters.units[unit].offset, conv.stored);
                    let (at, ahead) = ((&mean[..], &variance[..]), &finished_grad);
                    batch_norm_grad(dense, at, &beta, !frozen, ahead, &mut dense_grad, &mut offset);
                }
                conv3d_weight_grad(&conv.params, &values[step.input], &dense_grad, &mut kernel, &mut bias);
                conv3d_input_grad(&conv.params, &dense_grad, &conv.kernel, input_grad);
                let mut offset = if relu { offset } else { bias };
                offset.truncate(conv.channels);
                let rows = conv.params.kernel[3] as usize;
                let taps = kernel.chunks_exact(rows * conv.stored);
                let kept = taps.flat_map(|tap| tap.chunks_exact(conv.stored).take(units[unit].in_channels));
                let kernel = kept.flat_map(|row| &row[..conv.channels]).copied().collect();
                gradients.push(UnitGradients { kernel, offset });
            }
            Kernel::Lstm { unit } => {
                let Taped::Lstm(layer, trace) = &mut tape[unit] else { continue };
                gradients.push(layer.back(
                    trace,
                    &values[step.input],
                    &values[step.output],
                    &output_grad,
                    input_grad,
                ));
            }
            Kernel::MaxPool(window) => {
                let params = PoolParams::new(plan, step, window);
                max_pool3d_grad(&params, &values[step.input], &output_grad, input_grad);
            }
            Kernel::AvgPool(window) => {
                avg_pool3d_grad(&PoolParams::new(plan, step, window), &output_grad, input_grad);
            }
            Kernel::TimeMean(_) => time_mean_grad(&MeanParams::new(plan, step), &output_grad, input_grad),
        }
        grads[step.output] = output_grad;
    }
    // Units stand in the plan in their own order, so backwards they came in reverse.
    gradients.reverse();
    let statistics = tape.into_iter().map(|taped| match taped {
        Taped::Conv(conv, _, (mut mean, mut variance)) => {
            mean.truncate(conv.channels);
            variance.truncate(conv.channels);
            (mean, variance)
        }
        Taped::Lstm(layer, trace) => layer.statistics(&trace),
    });
    (loss, gradients, statistics.collect())
}

/// A vector of channels, with zeros up to as many as are stored.
fn wide(values: &[f32], stored: usize) -> Vec<f64> {
    widen(values, values.len(), stored).into_iter().map(f64::from).collect()
}
