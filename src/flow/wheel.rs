//! Flow as colours: hue is direction, strength of colour is speed.

use super::Flow;

/// Speed in pixels at which colours are strongest.
const FULL_SPEED: f32 = 10.0;

/// The picture of a flow field, 8-bit RGB; white where nothing moves.
///
/// # Shapes
/// `[H, W, 2]` to `[H, W, 3]`.
pub fn picture(flow: &Flow) -> Vec<u8> {
    flow.data.as_chunks::<2>().0.iter().flat_map(|&[u, v]| color(u, v)).collect()
}

fn color(u: f32, v: f32) -> [u8; 3] {
    let saturation = (u.hypot(v) / FULL_SPEED).min(1.0).sqrt();
    // To the right is red, down is yellow-green, to the left cyan, up violet.
    let hue = v.atan2(u).rem_euclid(std::f32::consts::TAU) / std::f32::consts::TAU * 6.0;
    [0.0, 4.0, 2.0].map(|offset| {
        let wave = ((hue + offset).rem_euclid(6.0) - 3.0).abs() - 1.0;
        let pure = wave.clamp(0.0, 1.0);
        (255.0 * (1.0 - saturation * (1.0 - pure))).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_have_their_colours() {
        assert_eq!(color(0.0, 0.0), [255, 255, 255]);
        assert_eq!(color(10.0, 0.0), [255, 0, 0]);
        assert_eq!(color(-100.0, 0.0), [0, 255, 255]);
        let [r, g, b] = color(0.0, 10.0);
        assert!(g == 255 && r > 100 && b == 0, "{r} {g} {b}");
    }
}
