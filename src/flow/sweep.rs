//! The iteration itself: rows of pixels, several iterations under way at once.
//!
//! Row `r` of iteration `k` needs rows `r - 1` and `r` of the dual field and row `r` of the flow from iteration
//! `k - 1`; the dual field of row `r` needs the new flow of rows `r` and `r + 1`. So iteration `k` may follow
//! iteration `k - 1` two rows behind, and a block of iterations passes over memory once.

use bytemuck::{Pod, Zeroable};

/// Values of a cache line; rows are padded to whole ones.
const LINE: usize = 16;

/// A cache line.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
pub(super) struct Line([f32; LINE]);

/// Planes of the unknowns per row: the dual fields p11, p12 of u1 and p21, p22 of u2, then u1, u2.
pub(super) const STATE: usize = 6;
/// Planes of the dual field, which come before those of the flow.
pub(super) const DUAL: usize = 4;
/// Planes of the data term per row: gradient along x and y, one over its square, constant part of the residual.
pub(super) const DATA: usize = 4;

/// The weights of one iteration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    /// lambda * theta: the longest step of the data term per unit of gradient.
    pub step: f32,
    /// theta.
    pub theta: f32,
    /// tau / theta.
    pub dual: f32,
}

/// How rows lie in memory: plane after plane, each with a margin of one line before it, and a line at the end. The
/// last value of the margin is the neighbour to the left of column 0 (always zero for the dual field); the value
/// after the last column is the neighbour to its right (a copy of it for the flow). What is computed in the other
/// columns of the padding reaches no column of the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub width: usize,
    padded: usize,
    /// From plane to plane of a row.
    stride: usize,
}

impl Layout {
    pub fn new(width: usize) -> Layout {
        let padded = (width + 1).next_multiple_of(LINE);
        Layout { width, padded, stride: padded + LINE }
    }

    /// Values of a row of so many planes.
    pub fn row(&self, planes: usize) -> usize {
        planes * self.stride + LINE
    }

    /// Zeros for rows of so many planes.
    pub fn zeros(&self, rows: usize, planes: usize) -> Vec<Line> {
        vec![Line([0.0; LINE]); rows * self.row(planes) / LINE]
    }

    /// A plane of a row.
    #[inline(always)]
    pub fn plane<'a>(&self, row: &'a [f32], plane: usize) -> &'a [f32] {
        &row[plane * self.stride + LINE..][..self.width]
    }

    /// A plane of a row, to write to.
    #[inline(always)]
    pub fn plane_mut<'a>(&self, row: &'a mut [f32], plane: usize) -> &'a mut [f32] {
        &mut row[plane * self.stride + LINE..][..self.width]
    }

    /// All planes of a row of data, to write to.
    #[inline(always)]
    pub fn data_mut<'a>(&self, row: &'a mut [f32]) -> [&'a mut [f32]; DATA] {
        let (a, rest) = row.split_at_mut(self.stride);
        let (b, rest) = rest.split_at_mut(self.stride);
        let (c, d) = rest.split_at_mut(self.stride);
        [a, b, c, d].map(|plane| &mut plane[LINE..][..self.width])
    }

    /// The padded columns of a plane, moved by -1, 0 or 1.
    #[inline(always)]
    fn shifted<'a>(&self, row: &'a [f32], plane: usize, shift: isize) -> &'a [f32] {
        &row[(plane * self.stride + LINE).wrapping_add_signed(shift)..][..self.padded]
    }
}

/// `iterations` iterations over a block of rows, and the summed squared change of each row in the last of them.
///
/// # Shapes
/// `state` `[1 + rows, STATE planes]`, of which the first row stays zero; `data` `[rows, DATA planes]`; `errors`
/// `[rows]`; `scratch` `[1, 1 plane]`
#[inline(always)]
pub(super) fn sweep(
    layout: Layout,
    weights: Weights,
    iterations: usize,
    state: &mut [f32],
    data: &[f32],
    errors: &mut [f64],
    scratch: &mut [f32],
) {
    let rows = errors.len();
    let (size, data_size) = (layout.row(STATE), layout.row(DATA));
    for time in 0..rows + 2 * iterations - 1 {
        for k in 0..iterations {
            let Some(row) = time.checked_sub(2 * k) else { break };
            if row < rows {
                let data = &data[row * data_size..][..data_size];
                let (above, at) = state[row * size..].split_at_mut(size);
                if k + 1 == iterations {
                    u_row::<true>(layout, weights, above, data, &mut at[..size], scratch);
                    errors[row] = sum(&scratch[..layout.width]);
                } else {
                    u_row::<false>(layout, weights, above, data, &mut at[..size], scratch);
                }
            }
            if (1..=rows).contains(&row) {
                let (at, below) = state[row * size..].split_at_mut(size);
                p_row(layout, weights, at, below.get(..size));
            }
        }
    }
}

/// The flow of one row: the step of the data term, then the divergence of the dual field. With `CHANGES`, the squared
/// change of every pixel goes to `changes`.
#[inline(always)]
fn u_row<const CHANGES: bool>(
    layout: Layout,
    weights: Weights,
    above: &[f32],
    data: &[f32],
    row: &mut [f32],
    changes: &mut [f32],
) {
    let (p, u) = row.split_at_mut(DUAL * layout.stride);
    let (u1, u2) = u.split_at_mut(layout.stride);
    let (d, p) = (|plane| layout.shifted(data, plane, 0), |plane, shift| layout.shifted(p, plane, shift));
    let planes = UPlanes {
        data: [d(0), d(1), d(2), d(3)],
        p: [p(0, 0), p(1, 0), p(2, 0), p(3, 0)],
        left: [p(0, -1), p(2, -1)],
        above: [layout.shifted(above, 1, 0), layout.shifted(above, 3, 0)],
    };
    let columns = LINE..LINE + layout.padded;
    u_pixels::<CHANGES>(weights, planes, &mut u1[columns.clone()], &mut u2[columns], changes);
    // The neighbour to the right of the last column is the column itself: no difference there.
    let end = LINE + layout.width;
    (u1[end], u2[end]) = (u1[end - 1], u2[end - 1]);
}

struct UPlanes<'a> {
    data: [&'a [f32]; DATA],
    p: [&'a [f32]; DUAL],
    left: [&'a [f32]; 2],
    above: [&'a [f32]; 2],
}

#[inline(always)]
fn u_pixels<const CHANGES: bool>(
    w: Weights,
    planes: UPlanes,
    u1: &mut [f32],
    u2: &mut [f32],
    changes: &mut [f32],
) {
    let n = u1.len();
    let u2 = &mut u2[..n];
    let [ix, iy, inverse, rho_c] = planes.data.map(|v| &v[..n]);
    let [p11, p12, p21, p22] = planes.p.map(|v| &v[..n]);
    let ([l11, l21], [a12, a22]) = (planes.left.map(|v| &v[..n]), planes.above.map(|v| &v[..n]));
    let changes = &mut changes[..n];
    for x in 0..n {
        let (old1, old2) = (u1[x], u2[x]);
        let rho = rho_c[x] + ix[x] * old1 + iy[x] * old2;
        // The three cases of the threshold are one clamp.
        let wanted = -rho * inverse[x];
        let wanted = if wanted < -w.step { -w.step } else { wanted };
        let step = if wanted > w.step { w.step } else { wanted };
        let div1 = p11[x] - l11[x] + (p12[x] - a12[x]);
        let div2 = p21[x] - l21[x] + (p22[x] - a22[x]);
        let (new1, new2) = (old1 + step * ix[x] + w.theta * div1, old2 + step * iy[x] + w.theta * div2);
        u1[x] = new1;
        u2[x] = new2;
        if CHANGES {
            changes[x] = (new1 - old1) * (new1 - old1) + (new2 - old2) * (new2 - old2);
        }
    }
}

/// The dual field of one row; below the last row the flow repeats, so that there is no difference.
#[inline(always)]
fn p_row(layout: Layout, weights: Weights, row: &mut [f32], below: Option<&[f32]>) {
    let (p, u) = row.split_at_mut(DUAL * layout.stride);
    let (p1, p2) = p.split_at_mut(2 * layout.stride);
    for (plane, p) in [p1, p2].into_iter().enumerate() {
        let at = layout.shifted(u, plane, 0);
        let right = layout.shifted(u, plane, 1);
        let below = below.map_or(at, |row| layout.shifted(row, DUAL + plane, 0));
        let (px, py) = p.split_at_mut(layout.stride);
        p_pixels(weights.dual, at, right, below, &mut px[LINE..], &mut py[LINE..]);
    }
}

#[inline(always)]
fn p_pixels(t: f32, at: &[f32], right: &[f32], below: &[f32], px: &mut [f32], py: &mut [f32]) {
    let n = at.len();
    let (right, below) = (&right[..n], &below[..n]);
    let (px, py) = (&mut px[..n], &mut py[..n]);
    for x in 0..n {
        let (dx, dy) = (right[x] - at[x], below[x] - at[x]);
        let norm = 1.0 / (1.0 + t * (dx * dx + dy * dy).sqrt());
        px[x] = (px[x] + t * dx) * norm;
        py[x] = (py[x] + t * dy) * norm;
    }
}

/// The sum of a row, in an order that needs no horizontal additions until the end.
#[inline(always)]
fn sum(row: &[f32]) -> f64 {
    let (lines, rest) = row.as_chunks::<LINE>();
    let mut sums = [0.0f32; LINE];
    for line in lines {
        for (sum, v) in sums.iter_mut().zip(line) {
            *sum += v;
        }
    }
    sums.iter().chain(rest).map(|&v| f64::from(v)).sum()
}
