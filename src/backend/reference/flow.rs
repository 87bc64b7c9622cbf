//! TV-L1 through the twins: slow, plain, and what every backend must agree with.

use super::{flow_dual, flow_gradient, flow_median, flow_resize, flow_step, flow_stop, flow_warp};
use crate::backend::params::FlowParams;
use crate::error::Result;
use crate::flow::{Flow, Gray, Schedule, Step, Tvl1};

/// The flow from every frame to the next.
///
/// # Shapes
/// T frames `[H, W]`; returns T - 1 flows `[H, W, 2]`.
pub fn flow(frames: &[Gray], parameters: &Tvl1) -> Result<Vec<Flow>> {
    let schedule = Schedule::for_frames(frames, parameters)?;
    let pairs = frames.len() - 1;
    // Every level's frames, the full size first.
    let mut images = vec![frames.iter().flat_map(|frame| frame.data()).copied().collect::<Vec<f32>>()];
    for level in 1..schedule.levels().len() {
        let p = FlowParams::downsample(&schedule, level, frames.len());
        let mut coarser = vec![f32::NAN; p.planes(1)];
        flow_resize(&p, &images[level - 1], &mut coarser);
        images.push(coarser);
    }
    let (mut level, mut state, mut stopped) = (schedule.levels().len(), Vec::new(), vec![0.0; pairs]);
    let (mut gradient, mut data) = (Vec::new(), Vec::new());
    for step in schedule.steps() {
        let p = FlowParams::new(&schedule, level.min(schedule.levels().len() - 1), pairs);
        match step {
            Step::Level(to) => {
                let mut finer = vec![0.0; FlowParams::new(&schedule, to, pairs).state_len()];
                if level < schedule.levels().len() {
                    flow_resize(&FlowParams::upsample(&schedule, to, pairs), &state, &mut finer);
                }
                (level, state) = (to, finer);
                let p = FlowParams::new(&schedule, to, frames.len());
                gradient = vec![f32::NAN; p.planes(2)];
                flow_gradient(&p, &images[to], &mut gradient);
            }
            Step::Warp => {
                data = vec![f32::NAN; p.planes(4)];
                flow_warp(&p, &images[level], &gradient, &state, &mut data);
                stopped.fill(0.0);
            }
            Step::Median => {
                let mut output = vec![f32::NAN; p.planes(2)];
                flow_median(&p, &state, &stopped, &mut output);
                state[..output.len()].copy_from_slice(&output);
            }
            Step::Iterate(count) => {
                for i in 0..count {
                    flow_step(&p.with_sums(i + 1 == count), &data, &stopped, &mut state);
                    flow_dual(&p, &stopped, &mut state);
                }
                flow_stop(&p, &state, &mut stopped);
            }
        }
    }
    Ok(FlowParams::new(&schedule, 0, pairs).flows(&state))
}
