//! Twin of `shaders/flow_step.wgsl`.

use crate::backend::params::FlowParams;

/// Columns whose squared changes are added up in one place.
const SEGMENT: usize = 64;

/// The flow's half of an iteration, for pairs that have not stopped: a step of the data term, then of smoothness.
/// With `source[3]` = 1 also the squared changes of every 64 pixels of a row.
///
/// # Shapes
/// - `data` `[4, N, H, W]` with N = `size[2]`
/// - `stopped` `[N]`, 0 or 1
/// - `state` `[6, N, H, W]`: u1, u2, which change, then p11, p12, p21, p22; behind it `[N, H, ceil(W / 64)]`
pub fn flow_step(p: &FlowParams, data: &[f32], stopped: &[f32], state: &mut [f32]) {
    let [width, height, pairs, _] = p.size.map(|v| v as usize);
    let [limit, theta, ..] = p.factors.map(f64::from);
    let segments = width.div_ceil(SEGMENT);
    for n in (0..pairs).filter(|&n| stopped[n] == 0.0) {
        for y in 0..height {
            let mut sums = vec![0.0; segments];
            for x in 0..width {
                let value = |plane: usize| f64::from(data[p.at(plane, n, y, x)]);
                let dual = |state: &[f32], plane: usize, y: Option<usize>, x: Option<usize>| match (y, x) {
                    (Some(y), Some(x)) => f64::from(state[p.at(plane, n, y, x)]),
                    _ => 0.0,
                };
                let old = [0, 1].map(|plane| f64::from(state[p.at(plane, n, y, x)]));
                let rho = value(3) + value(0) * old[0] + value(1) * old[1];
                let step = (-rho * value(2)).clamp(-limit, limit);
                for c in [0, 1] {
                    let (px, py) = (2 + 2 * c, 3 + 2 * c);
                    let here = dual(state, px, Some(y), Some(x)) + dual(state, py, Some(y), Some(x));
                    let before = dual(state, px, Some(y), x.checked_sub(1))
                        + dual(state, py, y.checked_sub(1), Some(x));
                    let new = old[c] + step * value(c) + theta * (here - before);
                    sums[x / SEGMENT] += (new - old[c]) * (new - old[c]);
                    state[p.at(c, n, y, x)] = new as f32;
                }
            }
            if p.source[3] == 1 {
                for (segment, sum) in sums.into_iter().enumerate() {
                    state[p.at(6, 0, 0, 0) + (n * height + y) * segments + segment] = sum as f32;
                }
            }
        }
    }
}
