//! One frame pair on the CPU: walks the schedule over bands of rows.

use rayon::prelude::*;

use super::Flow;
use super::image::Plane;
use super::median::median_row;
use super::schedule::{BLOCK, Schedule, Step};
use super::sweep::{DATA, DUAL, Layout, Line, STATE, Weights, sweep};
use super::warp::Source;
use crate::preprocess::Size;

/// Rows of its neighbours that a band holds: what a block of iterations looks at, and the reach of the median.
const HALO: usize = if BLOCK > 2 { BLOCK } else { 2 };

/// Rows below which a band is not worth a thread: its neighbours' rows would be more work than its own.
const BAND_ROWS: usize = 16 * HALO;

/// The flow between two frames, given as pyramids; `bands` parts of the picture run in parallel.
///
/// The result does not depend on `bands`: rows are computed with the same operations in any band, and errors are
/// added row by row.
pub(super) fn solve(schedule: &Schedule, first: &[Plane], second: &[Plane], bands: usize) -> Flow {
    let p = schedule.parameters();
    let weights =
        Weights { step: (p.lambda * p.theta) as f32, theta: p.theta as f32, dual: (p.tau / p.theta) as f32 };
    let coarsest = schedule.levels().len() - 1;
    let mut field = Field::new(schedule.levels()[coarsest], bands);
    let mut source = Source::new(&second[coarsest]);
    let mut level = coarsest;
    let mut stopped = false;
    for step in schedule.steps() {
        match step {
            Step::Level(to) if to == level => {}
            Step::Level(to) => {
                let size = schedule.levels()[to];
                field = field.finer(size, schedule.flow_scale(), bands);
                source = Source::new(&second[to]);
                level = to;
            }
            Step::Warp => {
                let image = &first[level];
                field.each(|band| band.warp(&source, image));
                stopped = false;
            }
            Step::Median if !stopped => {
                field.each(Band::median);
                field.exchange();
            }
            Step::Iterate(count) if !stopped => {
                field.each(|band| band.iterate(weights, count));
                field.exchange();
                stopped = field.error() <= schedule.stop_error(field.size);
            }
            Step::Median | Step::Iterate(_) => {}
        }
    }
    let [u, v] = field.flow();
    let data = u.data.into_iter().zip(v.data).flat_map(|(u, v)| [u, v]).collect();
    Flow { width: field.size.width, height: field.size.height, data }
}

/// The unknowns of a level.
struct Field {
    size: Size,
    bands: Vec<Band>,
}

/// Rows of a level that one thread computes, with as many rows of the bands above and below as a block of iterations
/// looks at. Those become wrong, one more row with each iteration, and are then copied from their owners.
struct Band {
    layout: Layout,
    /// The picture's row that the first row here is.
    first: usize,
    /// Rows here.
    rows: usize,
    /// Rows here that belong to this band, as rows of the picture.
    own: std::ops::Range<usize>,
    /// `[1 + rows, STATE planes]`, the first row zero.
    state: Vec<Line>,
    /// `[rows, DATA planes]`
    data: Vec<Line>,
    /// Squared change in the last iteration, `[rows]`.
    errors: Vec<f64>,
    scratch: Vec<f32>,
}

impl Field {
    fn new(size: Size, bands: usize) -> Field {
        let count = bands.min(size.height / BAND_ROWS).max(1);
        let edge = |i: usize| i * size.height / count;
        let bands = (0..count).map(|i| Band::new(size, edge(i)..edge(i + 1))).collect();
        Field { size, bands }
    }

    /// Does `work` for every band, in parallel where there are several.
    fn each(&mut self, work: impl Fn(&mut Band) + Sync + Send) {
        match &mut self.bands[..] {
            [band] => work(band),
            bands => bands.par_iter_mut().with_max_len(1).for_each(work),
        }
    }

    /// Copies the rows at the edges of each band to its neighbours.
    fn exchange(&mut self) {
        for i in 1..self.bands.len() {
            let (above, below) = self.bands.split_at_mut(i);
            let (above, below) = (&mut above[i - 1], &mut below[0]);
            let edge = below.own.start;
            below.copy_from(above, below.first..edge);
            above.copy_from(below, edge..above.first + above.rows);
        }
    }

    /// The summed squared change of the last iteration.
    fn error(&self) -> f64 {
        self.bands.iter().flat_map(Band::own_errors).sum()
    }

    /// The flow along x and y.
    fn flow(&self) -> [Plane; 2] {
        [DUAL, DUAL + 1].map(|plane| {
            let mut data = Vec::with_capacity(self.size.width * self.size.height);
            for band in &self.bands {
                for row in band.own.clone() {
                    data.extend_from_slice(band.layout.plane(band.row(row), plane));
                }
            }
            Plane { size: self.size, data }
        })
    }

    /// A field of the next finer level, with this one's flow.
    fn finer(&self, size: Size, factor: f32, bands: usize) -> Field {
        let ratio = |from: usize, to: usize| (from as f64 / to as f64) as f32;
        let step = [ratio(self.size.width, size.width), ratio(self.size.height, size.height)];
        let mut field = Field::new(size, bands);
        for (plane, coarse) in self.flow().into_iter().enumerate() {
            let fine = coarse.resized(size, step, factor);
            for band in &mut field.bands {
                for row in band.first..band.first + band.rows {
                    let layout = band.layout;
                    layout
                        .plane_mut(band.row_mut(row), DUAL + plane)
                        .copy_from_slice(&fine.data[row * size.width..][..size.width]);
                }
            }
        }
        field
    }
}

impl Band {
    fn new(size: Size, own: std::ops::Range<usize>) -> Band {
        let layout = Layout::new(size.width);
        let first = own.start.saturating_sub(HALO);
        let rows = (own.end + HALO).min(size.height) - first;
        Band {
            layout,
            first,
            rows,
            own,
            state: layout.zeros(1 + rows, STATE),
            data: layout.zeros(rows, DATA),
            errors: vec![0.0; rows],
            // Ten rows with a margin for the median, one padded row for the sweep.
            scratch: vec![0.0; 10 * (size.width + 4) + layout.row(1)],
        }
    }

    /// The unknowns of a row of the picture.
    fn row(&self, row: usize) -> &[f32] {
        let size = self.layout.row(STATE);
        &bytemuck::cast_slice(&self.state)[(1 + row - self.first) * size..][..size]
    }

    fn row_mut(&mut self, row: usize) -> &mut [f32] {
        let size = self.layout.row(STATE);
        &mut bytemuck::cast_slice_mut(&mut self.state)[(1 + row - self.first) * size..][..size]
    }

    fn copy_from(&mut self, other: &Band, rows: std::ops::Range<usize>) {
        for row in rows {
            self.row_mut(row).copy_from_slice(other.row(row));
        }
    }

    fn own_errors(&self) -> impl Iterator<Item = f64> {
        self.own.clone().map(|row| self.errors[row - self.first])
    }

    fn warp(&mut self, source: &Source, image: &Plane) {
        pulp::Arch::new().dispatch(Warp { band: self, source, image });
    }

    fn iterate(&mut self, weights: Weights, count: usize) {
        pulp::Arch::new().dispatch(Iterate { band: self, weights, count });
    }

    fn median(&mut self) {
        pulp::Arch::new().dispatch(Median { band: self });
    }
}

// What follows runs with the vector instructions that the processor has: everything below `with_simd` is inlined into
// a copy for each instruction set, and the loops are written so that the compiler vectorises them.

struct Iterate<'a> {
    band: &'a mut Band,
    weights: Weights,
    count: usize,
}

impl pulp::WithSimd for Iterate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Band { layout, state, data, errors, scratch, .. } = self.band;
        let (state, data) = (bytemuck::cast_slice_mut(state), bytemuck::cast_slice(data));
        sweep(*layout, self.weights, self.count, state, data, errors, scratch);
    }
}

struct Warp<'a> {
    band: &'a mut Band,
    source: &'a Source,
    image: &'a Plane,
}

impl pulp::WithSimd for Warp<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Band { layout, first, state, data, .. } = self.band;
        let (width, size) = (layout.width, layout.row(STATE));
        let state: &[f32] = bytemuck::cast_slice(state);
        let data: &mut [f32] = bytemuck::cast_slice_mut(data);
        for (r, data) in data.chunks_exact_mut(layout.row(DATA)).enumerate() {
            let y = *first + r;
            let state = &state[(1 + r) * size..][..size];
            let u = [layout.plane(state, DUAL), layout.plane(state, DUAL + 1)];
            self.source.warp_row(y, &self.image.data[y * width..][..width], u, layout.data_mut(data));
        }
    }
}

struct Median<'a> {
    band: &'a mut Band,
}

impl pulp::WithSimd for Median<'_> {
    type Output = ();

    /// Filters both planes in place: a ring of five unfiltered rows with repeated edges runs ahead.
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Band { layout, rows, state, scratch, .. } = self.band;
        let (length, size, rows) = (layout.width + 4, layout.row(STATE), *rows);
        let state: &mut [f32] = bytemuck::cast_slice_mut(state);
        let (columns, rest) = scratch.split_at_mut(5 * length);
        let ring = &mut rest[..5 * length];
        for plane in [DUAL, DUAL + 1] {
            let fill = |ring: &mut [f32], state: &[f32], row: usize| {
                let from = layout.plane(&state[(1 + row.min(rows - 1)) * size..], plane);
                let to = &mut ring[row % 5 * length..][..length];
                to[2..length - 2].copy_from_slice(from);
                to[..2].fill(from[0]);
                to[length - 2..].fill(from[layout.width - 1]);
            };
            for row in 0..2 {
                fill(ring, state, row);
            }
            for row in 0..rows {
                fill(ring, state, row + 2);
                // Rows above the first repeat it.
                let slot = |offset: usize| (row + offset).saturating_sub(2) % 5;
                let around = [0, 1, 2, 3, 4].map(|offset| &ring[slot(offset) * length..][..length]);
                median_row(around, columns, layout.plane_mut(&mut state[(1 + row) * size..], plane));
            }
        }
    }
}
