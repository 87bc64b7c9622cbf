//! Twin of `shaders/flow_resize.wgsl`.

use crate::backend::params::FlowParams;

/// Bilinear resizing of planes, half-pixel centres, edges repeated; values times a factor.
///
/// # Shapes
/// `input` `[N, source[1], source[0]]` with N = `size[2]`, and possibly more behind; `output` `[N, H, W]`, and
/// possibly more behind, which stays
pub fn flow_resize(p: &FlowParams, input: &[f32], output: &mut [f32]) {
    let [width, height, planes, _] = p.size.map(|v| v as usize);
    let [source_width, source_height, ..] = p.source.map(|v| v as usize);
    let tap = |i: usize, step: f32, length: usize| {
        let center = ((i as f64 + 0.5) * f64::from(step) - 0.5).clamp(0.0, (length - 1) as f64);
        (center as usize, (center as usize + 1).min(length - 1), center.fract())
    };
    for plane in 0..planes {
        for y in 0..height {
            let (y0, y1, sy) = tap(y, p.factors[1], source_height);
            for x in 0..width {
                let (x0, x1, sx) = tap(x, p.factors[0], source_width);
                let at =
                    |y: usize, x: usize| f64::from(input[(plane * source_height + y) * source_width + x]);
                let row = |y: usize| at(y, x0) + (at(y, x1) - at(y, x0)) * sx;
                let value = row(y0) + (row(y1) - row(y0)) * sy;
                output[(plane * height + y) * width + x] = (value * f64::from(p.factors[2])) as f32;
            }
        }
    }
}
