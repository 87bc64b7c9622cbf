//! Twin of `shaders/flow_warp.wgsl`.

use crate::backend::params::FlowParams;

/// The weights of four taps at a share of a pixel after the second of them; sharpness -0.75 as in OpenCV.
fn cubic(share: f64) -> [f64; 4] {
    let a = -0.75;
    let weight = |distance: f64| match distance {
        d if d <= 1.0 => ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0,
        d => ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a,
    };
    [weight(1.0 + share), weight(share), weight(1.0 - share), weight(2.0 - share)]
}

/// Pair `n` is frames `n` and `n + 1`: the second frame and its gradient at the displaced positions (bicubic, taps
/// outside count as zero), and what the iteration needs of them.
///
/// # Shapes
/// - `frames` `[N + 1, H, W]` with N = `size[2]`
/// - `gradient` `[2, N + 1, H, W]`
/// - `state` `[6, N, H, W]`: u1, u2 first; what follows is not read
/// - `data` `[4, N, H, W]`: gradient along x, along y, one over its square (zero where the picture is flat), constant
///   part of the residual
pub fn flow_warp(p: &FlowParams, frames: &[f32], gradient: &[f32], state: &[f32], data: &mut [f32]) {
    let [width, height, pairs, _] = p.size.map(|v| v as i64);
    let plane = (width * height) as usize;
    for [n, y, x] in p.pixels() {
        let (u1, u2) = (state[p.at(0, n, y, x)], state[p.at(1, n, y, x)]);
        // The position is an f32 as in the shader, because a floor follows.
        let (px, py) = (f64::from(x as f32 + u1), f64::from(y as f32 + u2));
        let (left, top) = (px.floor(), py.floor());
        let (wx, wy) = (cubic(px - left), cubic(py - top));
        let sample = |image: &[f32]| {
            let mut sum = 0.0;
            for (j, wy) in wy.iter().enumerate() {
                for (i, wx) in wx.iter().enumerate() {
                    let (x, y) = (left as i64 - 1 + i as i64, top as i64 - 1 + j as i64);
                    if (0..width).contains(&x) && (0..height).contains(&y) {
                        sum += wx * wy * f64::from(image[(y * width + x) as usize]);
                    }
                }
            }
            sum
        };
        let value = sample(&frames[(n + 1) * plane..][..plane]);
        let gx = sample(&gradient[(n + 1) * plane..][..plane]);
        let gy = sample(&gradient[(pairs as usize + 1 + n + 1) * plane..][..plane]);
        let square = gx * gx + gy * gy;
        let first = f64::from(frames[p.at(0, n, y, x)]);
        let rest = value - gx * f64::from(u1) - gy * f64::from(u2) - first;
        data[p.at(0, n, y, x)] = gx as f32;
        data[p.at(1, n, y, x)] = gy as f32;
        data[p.at(2, n, y, x)] = if square > f64::from(f32::EPSILON) { (1.0 / square) as f32 } else { 0.0 };
        data[p.at(3, n, y, x)] = rest as f32;
    }
}
