//! The second frame and its gradient at displaced positions, as OpenCV's `remap` with `INTER_CUBIC` samples them.

use super::image::Plane;

/// Pixels around the picture that count as zero: the reach of the taps, and one so that positions far outside can be
/// moved to where all taps are zero.
const BORDER: usize = 4;

/// Positions are rounded to so many per pixel (OpenCV's `INTER_TAB_SIZE`).
const POSITIONS: usize = 32;

/// Sharpness of the cubic (OpenCV's `interpolateCubic`).
const A: f32 = -0.75;

/// The weights of the four taps at every position between two pixels.
pub(super) type Table = [[f32; 4]; POSITIONS];

/// A frame with its gradient, laid out so that one load brings all of a pixel.
pub(super) struct Source {
    width: usize,
    height: usize,
    stride: usize,
    /// Value, gradient along x, gradient along y, unused; `[H + 2 * BORDER, stride]`.
    pixels: Vec<[f32; 4]>,
}

/// The table of OpenCV's `initInterTab1D`.
pub(super) fn cubic_table() -> Table {
    std::array::from_fn(|i| {
        let x = i as f32 / POSITIONS as f32;
        let far = ((A * (x + 1.0) - 5.0 * A) * (x + 1.0) + 8.0 * A) * (x + 1.0) - 4.0 * A;
        let near = ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
        let y = 1.0 - x;
        let next = ((A + 2.0) * y - (A + 3.0)) * y * y + 1.0;
        [far, near, next, 1.0 - far - near - next]
    })
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
    fn sample(&self, table: &Table, x: f32, y: f32) -> [f32; 4] {
        let position = |v: f32| (v * POSITIONS as f32).round_ties_even() as i32;
        let (x, y) = (position(x), position(y));
        let (wx, wy) = (table[x as usize % POSITIONS], table[y as usize % POSITIONS]);
        // The first of four taps in the bordered picture.
        let start = |v: i32, length: usize| {
            ((v >> POSITIONS.ilog2()).clamp(-3, length as i32 + 1) - 1 + BORDER as i32) as usize
        };
        let first = start(y, self.height) * self.stride + start(x, self.width);
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
        table: &Table,
        y: usize,
        first: &[f32],
        [u1, u2]: [&[f32]; 2],
        [ix, iy, inverse, rho_c]: [&mut [f32]; 4],
    ) {
        for x in 0..self.width {
            let [value, gx, gy, _] = self.sample(table, x as f32 + u1[x], y as f32 + u2[x]);
            let square = gx * gx + gy * gy;
            ix[x] = gx;
            iy[x] = gy;
            // Where the picture is flat the data says nothing: no step.
            inverse[x] = if square > f32::EPSILON { 1.0 / square } else { 0.0 };
            rho_c[x] = value - gx * u1[x] - gy * u2[x] - first[x];
        }
    }
}
