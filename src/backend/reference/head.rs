//! Twin of `shaders/head.wgsl`.

use super::{avg_pool3d, conv3d, time_mean};
use crate::backend::params::{ConvParams, HeadParams, MeanParams, PoolParams};

/// The head of the network: average pool over whole frames, classifier, and mean over time where it is asked for.
///
/// # Shapes
/// - `input` `[N, T, H, W, 4 * head[1]]`
/// - `weight` `[4 * head[1], 4 * head[2]]`, `bias` `[4 * head[2]]`
/// - `features` `[N, T', 4 * head[1]]`, `per_step` `[N, T', 4 * head[2]]`, `logits` `[N, 4 * head[2]]`
pub fn head(
    p: &HeadParams,
    input: &[f32],
    weight: &[f32],
    bias: &[f32],
    [features, per_step, logits]: [&mut [f32]; 3],
) {
    let [n, t, height, width] = p.input;
    let [frames, channels, classes, mean] = p.head;
    let output = [n, t + 1 - frames, 1, 1];
    let pool = PoolParams {
        input: p.input,
        output,
        window: [frames, height, width, channels],
        stride: [1, 1, 1, 1],
        pad: [0; 4],
    };
    avg_pool3d(&pool, input, features);
    let classifier = ConvParams {
        input: output,
        output,
        kernel: [1, 1, 1, 4 * channels],
        stride: [1, 1, 1, 0],
        pad: [0; 4],
        channels: [channels, classes, classes, 0],
        source: [0, channels, classes, 0],
    };
    conv3d(&classifier, features, weight, bias, per_step);
    if mean == 1 {
        time_mean(&MeanParams { shape: [n, output[1], classes, 0] }, per_step, logits);
    }
}
