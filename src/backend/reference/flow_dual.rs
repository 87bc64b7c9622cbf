//! Twin of `shaders/flow_dual.wgsl`.

use crate::backend::params::FlowParams;

/// The dual field's half of an iteration, for pairs that have not stopped: it follows the flow's forward differences
/// (zero at the last column and row) and is kept within the unit circle.
///
/// # Shapes
/// - `stopped` `[N]`, 0 or 1, with N = `size[2]`
/// - `state` `[6, N, H, W]`: u1, u2, then p11, p12, p21, p22, which change; what follows stays
pub fn flow_dual(p: &FlowParams, stopped: &[f32], state: &mut [f32]) {
    let [width, height, ..] = p.size.map(|v| v as usize);
    let t = f64::from(p.factors[2]);
    for [n, y, x] in p.pixels() {
        if stopped[n] != 0.0 {
            continue;
        }
        for c in [0, 1] {
            let u = |y: usize, x: usize| f64::from(state[p.at(c, n, y, x)]);
            let dx = u(y, (x + 1).min(width - 1)) - u(y, x);
            let dy = u((y + 1).min(height - 1), x) - u(y, x);
            let norm = 1.0 + t * dx.hypot(dy);
            for (plane, difference) in [(2 + 2 * c, dx), (3 + 2 * c, dy)] {
                let value = &mut state[p.at(plane, n, y, x)];
                *value = ((f64::from(*value) + t * difference) / norm) as f32;
            }
        }
    }
}
