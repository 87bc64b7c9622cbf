//! The head of the network as one launch.

use std::ops::Range;

use super::launch::{Binding, Launch};
use super::manifest;
use super::variants::Variants;
use super::weights::DeviceWeights;
use crate::backend::params::{HeadParams, Params, nthw};
use crate::plan::{Kernel as Operation, Plan};

/// Whether `head.wgsl` computes `steps`, a [`crate::plan::Group::Head`]: all of them for the same time steps, which those
/// of a part of a clip need not be.
pub(super) fn fits(plan: &Plan, steps: Range<usize>) -> bool {
    let [pool, classifier, ..] = &plan.steps[steps] else { return false };
    let frames = |id: usize| plan.buffers[id].shape.t;
    let output = &plan.buffers[classifier.output];
    output.shape.c == classifier.channels
        && matches!(pool.kernel, Operation::AvgPool(window) if frames(pool.input) + 1 - window.size[0] == frames(pool.output))
        && frames(classifier.input) == frames(classifier.output)
}

/// The launch of a [`crate::plan::Group::Head`] that [`fits`].
pub(super) fn launch(
    plan: &Plan,
    steps: Range<usize>,
    weights: &DeviceWeights,
    variants: &Variants,
) -> Option<Launch> {
    let last = steps.end - 1;
    let [pool, classifier, mean @ ..] = &plan.steps[steps] else { return None };
    let (Operation::AvgPool(window), Operation::Conv { unit, .. }) = (pool.kernel, classifier.kernel) else {
        return None;
    };
    let kernel = &manifest::HEAD;
    let unit = &weights.units[unit];
    let input = &plan.buffers[pool.input];
    let [frames, channels] = [window.size[0], input.stored_channels() / 4].map(|v| v as u32);
    let params = Params::Head(HeadParams {
        input: nthw(input),
        head: [frames, channels, unit.columns as u32, mean.len() as u32],
        first: [0; 4],
    });
    let constants = kernel.variants[variants.head];
    let [blocks, ..] = super::work_groups(kernel, constants, &params);
    let pooled = plan.buffers[pool.output].shape.len() * window.taps();
    Some(Launch {
        kernel,
        constants,
        params,
        bindings: vec![
            Binding::Activation(pool.input),
            Binding::Weights(unit.buffer, unit.bytes.clone()),
            Binding::Bias(unit.bias..unit.bias + 16 * unit.columns as u64),
            Binding::Activation(pool.output),
            Binding::Activation(classifier.output),
            mean.first().map_or(Binding::Spare, |mean| Binding::Activation(mean.output)),
        ],
        windows: Vec::new(),
        work: (blocks * pooled) as u64 + classifier.macs,
        step: last,
    })
}
