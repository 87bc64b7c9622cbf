//! The eye: what part of the place is seen, from which side, and how the picture takes the light.

use tiny_skia::Transform;

use crate::draw::Draw;
use crate::geometry::{Point, at, mix, sine};

/// A hand-held camera. It may pan and zoom slowly, always as likely one way as the other, because a habit would tell
/// forwards from backwards without a look at the action.
#[derive(Debug, Clone)]
pub struct Camera {
    /// Whether left and right are swapped.
    mirrored: bool,
    /// What stands in the middle of the picture at the start and at the end.
    centre: [Point; 2],
    /// The picture's height in metres at the start and at the end.
    height: [f32; 2],
    /// How far it shakes, in picture heights.
    shake: f32,
    /// Shakes per second, to the side and upwards, and where in a shake each begins.
    rhythm: [(f32, f32); 2],
}

impl Camera {
    /// Any camera that sees everything between two corners, in a picture `aspect` times as wide as high.
    pub fn draw(draw: &mut Draw, (low, high): (Point, Point), aspect: f32) -> Camera {
        let needed = high - low;
        let fitting = needed.y.max(needed.x / aspect);
        let distance = draw.between(1.0, 1.3);
        let height = [(); 2].map(|()| fitting * distance * draw.between(1.0, 1.1));
        let middle = mix(low, high, 0.5);
        // Shares of the room around the action; at 1 it would touch the picture's edge.
        let aside = at(draw.between(-0.7, 0.7), draw.between(-0.7, 0.7));
        let pan = at(draw.between(-0.25, 0.25), draw.between(-0.25, 0.25));
        let centre = [(height[0], aside - pan), (height[1], aside + pan)].map(|(height, share)| {
            let room = at((height * aspect - needed.x).max(0.0), (height - needed.y).max(0.0)) * 0.5;
            middle + at(room.x * share.x, room.y * share.y)
        });
        Camera {
            mirrored: draw.chance(0.5),
            centre,
            height,
            shake: if draw.chance(0.5) { draw.between(0.0, 0.01) } else { 0.0 },
            rhythm: [(); 2].map(|()| (draw.between(0.8, 2.5), draw.between(0.0, 1.0))),
        }
    }

    /// From metres to the pixels of a picture of this size, `share` of the clip after its start.
    pub fn view(&self, (width, height): (f32, f32), share: f32, seconds: f32) -> Transform {
        let metres = mix(self.height[0], self.height[1], share);
        let [x, y] = self.rhythm.map(|(rate, phase)| sine(rate * seconds + phase));
        let centre = mix(self.centre[0], self.centre[1], share) + at(x, y) * (self.shake * metres);
        let scale = height / metres;
        let across = if self.mirrored { -scale } else { scale };
        Transform::from_row(
            across,
            0.0,
            0.0,
            -scale,
            width / 2.0 - across * centre.x,
            height / 2.0 + scale * centre.y,
        )
    }
}

/// How the picture takes the light.
#[derive(Debug, Clone)]
pub struct Light {
    /// Brightness of red, green and blue at the start and at the end; 1 leaves them as they are drawn.
    gains: [[f32; 3]; 2],
    /// How much darker the corners are.
    vignette: f32,
    /// The largest noise, in steps of 255.
    noise: f32,
}

impl Light {
    pub fn draw(draw: &mut Draw) -> Light {
        let base = draw.between(0.84, 1.08);
        let tint = [(); 3].map(|()| draw.between(0.94, 1.06));
        let gains = [(); 2].map(|()| {
            let now = base * draw.between(0.97, 1.03);
            tint.map(|channel| channel * now)
        });
        Light { gains, vignette: draw.between(0.0, 0.22), noise: draw.between(0.0, 9.0) }
    }

    /// Red, green and blue of a drawn picture `width` pixels wide, as the camera gives them; the noise has a seed.
    pub fn develop(&self, rgba: &[u8], width: usize, share: f32, seed: u64) -> Vec<u8> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let gains: [f32; 3] = std::array::from_fn(|c| mix(self.gains[0][c], self.gains[1][c], share));
        let height = rgba.len() / 4 / width;
        let mut rgb = Vec::with_capacity(width * height * 3);
        let off_centre = |i: usize, n: usize| (2.0 * (i as f32 + 0.5) / n as f32 - 1.0).abs();
        for (y, row) in rgba.chunks_exact(4 * width).enumerate() {
            let dy = off_centre(y, height);
            for (x, pixel) in row.chunks_exact(4).enumerate() {
                let dx = off_centre(x, width);
                let light = 1.0 - self.vignette * 0.5 * (dx * dx + dy * dy);
                // Two bytes a channel: their sum has the shape of a tent, near enough to a sensor's noise.
                let dice = rng.u64(..).to_le_bytes();
                for c in 0..3 {
                    let noise = (f32::from(dice[2 * c]) + f32::from(dice[2 * c + 1]) - 255.0) / 255.0;
                    let value = f32::from(pixel[c]) * gains[c] * light + noise * self.noise;
                    // Rounded to the nearest and kept within a byte by the cast.
                    rgb.push((value + 0.5) as u8);
                }
            }
        }
        rgb
    }
}
