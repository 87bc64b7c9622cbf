//! Twin of `shaders/flow_stop.wgsl`.

use crate::backend::params::FlowParams;

/// Marks the pairs whose flow has hardly changed in the last iteration; those already marked stay so.
///
/// # Shapes
/// - `state` `[6, N, H, W]`, which is not read, with N = `size[2]`; behind it sums of squared changes
///   `[N, H, ceil(W / 64)]`
/// - `stopped` `[N]`, 0 or 1
pub fn flow_stop(p: &FlowParams, state: &[f32], stopped: &mut [f32]) {
    let [width, height, pairs, _] = p.size.map(|v| v as usize);
    let length = height * width.div_ceil(64);
    for (n, stopped) in stopped.iter_mut().enumerate().take(pairs) {
        let sums = &state[p.at(6, 0, 0, 0) + n * length..][..length];
        if sums.iter().map(|&v| f64::from(v)).sum::<f64>() <= f64::from(p.factors[3]) {
            *stopped = 1.0;
        }
    }
}
