//! A whole plan through the twins: slow, plain, and what every backend must agree with.

use crate::backend::params::{ConvParams, LstmParams, MeanParams, PoolParams};
use crate::backend::{Observed, Output};
use crate::error::Result;
use crate::plan::{Buffer, INPUT, Kernel, Plan, Precision};
use crate::weights::Weights;

use super::{avg_pool3d, conv3d, lstm, max_pool3d, time_mean};

/// Runs `plan` on `input` and gives the values of the endpoints named in `observe`. Every buffer has memory of its own
/// and starts as NaN, so nothing can be read that was not written.
///
/// # Shapes
/// `input` `[N, T, H, W, C]` of the plan's first buffer.
pub fn run(plan: &Plan, weights: &Weights, input: &[f32], observe: &[&str]) -> Result<Output> {
    plan.require(Precision::F32)?;
    let observed = Observed::new(plan, observe)?;
    let nan = |b: &Buffer| vec![f32::NAN; b.stored_bytes() as usize / 4];
    let mut memory: Vec<Vec<f32>> = plan.buffers.iter().map(nan).collect();
    let (channels, stored) = (plan.buffers[INPUT].shape.c, plan.buffers[INPUT].stored_channels());
    memory[INPUT] = widen(input, channels, stored);
    let mut output = Output::default();
    for (index, step) in plan.steps.iter().enumerate() {
        let mut out = std::mem::take(&mut memory[step.output]);
        let from = &memory[step.input];
        match step.kernel {
            Kernel::Conv { unit, window, relu } => {
                let params = ConvParams::new(plan, step, window, relu);
                let description = &plan.network.units()[unit];
                let (rows, columns) = (params.kernel[3] as usize, 4 * params.channels[1] as usize);
                let kernel = widen(&weights.units[unit].kernel, description.out_channels, columns);
                let (row, wanted) = (description.in_channels * columns, rows * columns);
                let kernel = widen(&kernel, row, wanted);
                let bias = widen(&weights.units[unit].bias, description.out_channels, columns);
                conv3d(&params, from, &kernel, &bias, &mut out);
            }
            Kernel::MaxPool(window) => max_pool3d(&PoolParams::new(plan, step, window), from, &mut out),
            Kernel::AvgPool(window) => avg_pool3d(&PoolParams::new(plan, step, window), from, &mut out),
            Kernel::Lstm { unit } => {
                let params = LstmParams::new(plan, step, false);
                let own = [&weights.units[unit].kernel[..], &weights.units[unit].bias].concat();
                let mut trace = vec![f32::NAN; params.trace()];
                let [_, steps, ..] = params.sizes();
                (0..steps).for_each(|t| lstm(&params.at(t), from, &own, &mut trace, &mut out));
            }
            Kernel::TimeMean(_) => time_mean(&MeanParams::new(plan, step), from, &mut out),
        }
        memory[step.output] = out;
        for id in observed.after(index) {
            output.insert(&plan.buffers[id], &memory[id]);
        }
    }
    Ok(output)
}

/// Rows of `width` values to rows of `wider` values, filled with zeros.
pub(super) fn widen(values: &[f32], width: usize, wider: usize) -> Vec<f32> {
    let zeros = std::iter::repeat_n(0.0, wider - width);
    values.chunks_exact(width).flat_map(|row| row.iter().copied().chain(zeros.clone())).collect()
}
