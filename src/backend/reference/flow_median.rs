//! Twin of `shaders/flow_median.wgsl`.

use crate::backend::params::FlowParams;

/// The median of every 5x5 window of the flow, edges repeated; pairs that have stopped are copied.
///
/// # Shapes
/// - `state` `[6, N, H, W]` with N = `size[2]`: u1, u2 first; what follows is not read
/// - `stopped` `[N]`, 0 or 1
/// - `output` `[2, N, H, W]`
pub fn flow_median(p: &FlowParams, state: &[f32], stopped: &[f32], output: &mut [f32]) {
    let [width, height, ..] = p.size.map(|v| v as usize);
    let near = |at: usize, offset: usize, length: usize| (at + offset).saturating_sub(2).min(length - 1);
    for [n, y, x] in p.pixels() {
        for plane in [0, 1] {
            let window = (0..25).map(|i| p.at(plane, n, near(y, i / 5, height), near(x, i % 5, width)));
            let mut values: Vec<f32> = window.map(|i| state[i]).collect();
            values.sort_by(f32::total_cmp);
            let at = p.at(plane, n, y, x);
            output[at] = if stopped[n] == 0.0 { values[12] } else { state[at] };
        }
    }
}
