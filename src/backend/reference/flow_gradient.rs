//! Twin of `shaders/flow_gradient.wgsl`.

use crate::backend::params::FlowParams;

/// Half the difference of the two neighbours; at the edges the missing neighbour is the pixel itself.
///
/// # Shapes
/// `input` `[N, H, W]` with N = `size[2]`; `output` `[2, N, H, W]`, along x, then y
pub fn flow_gradient(p: &FlowParams, input: &[f32], output: &mut [f32]) {
    for [n, y, x] in p.pixels() {
        let [width, height, ..] = p.size.map(|v| v as usize);
        let at = |y: usize, x: usize| f64::from(input[p.at(0, n, y, x)]);
        let dx = at(y, (x + 1).min(width - 1)) - at(y, x.saturating_sub(1));
        let dy = at((y + 1).min(height - 1), x) - at(y.saturating_sub(1), x);
        output[p.at(0, n, y, x)] = (0.5 * dx) as f32;
        output[p.at(1, n, y, x)] = (0.5 * dy) as f32;
    }
}
