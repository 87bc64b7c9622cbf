//! The second frame and its gradient at displaced positions, as OpenCV's `remap` with `INTER_CUBIC` samples them.
//!
//! OpenCV 5 takes positions as they are; OpenCV 4 rounded them to 1/32 pixel.

use super::image::Plane;

/// Pixels around the picture that count as zero: the reach of the taps, and one so that positions far outside can be
/// moved to where all taps are zero.
const BORDER: usize = 4;

/// Sharpness of the cubic (OpenCV's `interpolateCubic`).
const A: f32 = -0.75;

/// A frame with its gradient, laid out so that one load brings all of a pixel.
pub(super) struct Source {
    width: usize,
    height: usize,
    stride: usize,
    /// Value, gradient along x, gradient along y, unused; `[H + 2 * BORDER, stride]`.
    pixels: Vec<[f32; 4]>,
}

/// The weights of four taps at a share of a pixel after the second of them.
#[inline(always)]
fn cubic(share: f32) -> [f32; 4] {
    let (x, y) = (share + 1.0, 1.0 - share);
    let first = ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    let second = ((A + 2.0) * share - (A + 3.0)) * share * share + 1.0;
    let third = ((A + 2.0) * y - (A + 3.0)) * y * y + 1.0;
    [first, second, third, 1.0 - first - second - third]
}

impl Source {
    /// Central differences times one half; at the edges the missing neighbour is the pixel itself.
    pub fn new(plane: &Plane) -> Source {
        let (width, height) = (plane.size.width, plane.size.height);
        let stride = width + 2 * BORDER;
        let mut pixels = vec![[0.0; 4]; stride * (height + 2 * BORDER)];
        for y in 0..height {
            let row = |y: usize| &plane.data[y * width..][..width];
            let (above, at, below) = (row(y.saturating_sub(1)), row(y), row((y + 1).min(height - 1)));
            let out = &mut pixels[(y + BORDER) * stride + BORDER..][..width];
            for (x, out) in out.iter_mut().enumerate() {
                let (left, right) = (at[x.saturating_sub(1)], at[(x + 1).min(width - 1)]);
                *out = [at[x], 0.5 * (right - left), 0.5 * (below[x] - above[x]), 0.0];
            }
        }
        Source { width, height, stride, pixels }
    }

    /// The picture at `(x, y)`: value, gradient along x and y. Taps outside count as zero.
    #[inline(always)]
    fn sample(&self, x: f32, y: f32) -> [f32; 4] {
        let (left, top) = (x.floor(), y.floor());
        let (wx, wy) = (cubic(x - left), cubic(y - top));
        // The first of four taps in the bordered picture.
        let start =
            |v: f32, length: usize| ((v as i32).clamp(-3, length as i32 + 1) - 1 + BORDER as i32) as usize;
        let first = start(top, self.height) * self.stride + start(left, self.width);
        let mut sum = [0.0; 4];
        for (row, &wy) in wy.iter().enumerate() {
            let taps = &self.pixels[first + row * self.stride..][..4];
            for (tap, &wx) in taps.iter().zip(&wx) {
                let weight = wx * wy;
                for c in 0..4 {
                    sum[c] += weight * tap[c];
                }
            }
        }
        sum
    }

    /// The linearised data term of row `y`: what [`super::sweep`] needs per pixel.
    ///
    /// # Shapes
    /// All slices but `table` `[width]`.
    #[inline(always)]
    pub fn warp_row(
        &self,
        y: usize,
        first: &[f32],
        [u1, u2]: [&[f32]; 2],
        [ix, iy, inverse, rho_c]: [&mut [f32]; 4],
    ) {
        for x in 0..self.width {
            let [value, gx, gy, _] = self.sample(x as f32 + u1[x], y as f32 + u2[x]);
            let square = gx * gx + gy * gy;
            ix[x] = gx;
            iy[x] = gy;
            // Where the picture is flat the data says nothing: no step.
            inverse[x] = if square > f32::EPSILON { 1.0 / square } else { 0.0 };
            rho_c[x] = value - gx * u1[x] - gy * u2[x] - first[x];
        }
    }
}
