//! The parameters of the kernels of optical flow; one struct serves them all.

use bytemuck::{Pod, Zeroable};

use crate::flow::{Flow, Schedule};

/// Columns whose squared changes are added up in one place: the lanes of a work group.
const SEGMENT: usize = 64;

/// Parameters of every `flow_*.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable, PartialEq)]
pub struct FlowParams {
    /// Width and height of the level, number of frame pairs (of planes, for resizing; of frames, for gradients);
    /// the last is unused.
    pub size: [u32; 4],
    /// For resizing, width and height of the source; the third is unused; last, 1 to add up squared changes.
    pub source: [u32; 4],
    /// For resizing: source pixels per pixel along x and y, factor of the values, unused. For the iteration:
    /// lambda * theta, theta, tau / theta, and the summed squared change at which it stops.
    pub factors: [f32; 4],
}

impl FlowParams {
    /// For the iteration on `level` with `count` pairs.
    pub fn new(schedule: &Schedule, level: usize, count: usize) -> FlowParams {
        let (size, p) = (schedule.levels()[level], schedule.parameters());
        let stop = schedule.stop_error(size);
        FlowParams {
            size: [size.width as u32, size.height as u32, count as u32, 0],
            source: [0; 4],
            factors: [p.lambda * p.theta, p.theta, p.tau / p.theta, stop].map(|v| v as f32),
        }
    }

    /// For making `level` of `count` frames from the next finer level.
    pub fn downsample(schedule: &Schedule, level: usize, count: usize) -> FlowParams {
        let step = schedule.image_step() as f32;
        FlowParams::new(schedule, level, count).resizing(schedule, level - 1, [step, step, 1.0, 0.0])
    }

    /// For bringing the flow of `count` pairs from the next coarser level to `level`.
    pub fn upsample(schedule: &Schedule, level: usize, count: usize) -> FlowParams {
        let (to, from) = (schedule.levels()[level], schedule.levels()[level + 1]);
        let steps = [from.width as f64 / to.width as f64, from.height as f64 / to.height as f64];
        let factors = [steps[0] as f32, steps[1] as f32, schedule.flow_scale(), 0.0];
        // Two planes per pair.
        FlowParams::new(schedule, level, 2 * count).resizing(schedule, level + 1, factors)
    }

    fn resizing(self, schedule: &Schedule, from: usize, factors: [f32; 4]) -> FlowParams {
        let from = schedule.levels()[from];
        FlowParams { source: [from.width as u32, from.height as u32, 0, 0], factors, ..self }
    }

    /// The same with or without sums of squared changes.
    pub fn with_sums(self, sums: bool) -> FlowParams {
        let [width, height, unused, _] = self.source;
        FlowParams { source: [width, height, unused, u32::from(sums)], ..self }
    }

    /// Every pair (or frame, or plane), row and column, in memory order.
    pub fn pixels(&self) -> impl Iterator<Item = [usize; 3]> + use<> {
        let [width, height, count, _] = self.size.map(|v| v as usize);
        (0..count * height * width).map(move |i| [i / (height * width), i / width % height, i % width])
    }

    /// Index of a value in `[planes, N, H, W]`.
    pub fn at(&self, plane: usize, n: usize, y: usize, x: usize) -> usize {
        let [width, height, count, _] = self.size.map(|v| v as usize);
        ((plane * count + n) * height + y) * width + x
    }

    /// Values of `[planes, N, H, W]`.
    pub fn planes(&self, planes: usize) -> usize {
        self.at(planes, 0, 0, 0)
    }

    /// Values of the state: six planes, and a sum for every 64 columns of every row.
    pub fn state_len(&self) -> usize {
        let [width, height, count, _] = self.size.map(|v| v as usize);
        self.planes(6) + count * height * width.div_ceil(SEGMENT)
    }

    /// The flow fields at the beginning of a state.
    pub fn flows(&self, state: &[f32]) -> Vec<Flow> {
        let [width, height, count, _] = self.size.map(|v| v as usize);
        let field = |n: usize| {
            let (u, v) = (&state[self.at(0, n, 0, 0)..], &state[self.at(1, n, 0, 0)..]);
            let data = u.iter().zip(v).take(width * height).flat_map(|(u, v)| [*u, *v]).collect();
            Flow { width, height, data }
        };
        (0..count).map(field).collect()
    }
}
