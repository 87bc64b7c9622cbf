//! Where the time of a run goes, launch by launch, and how fast the device could be.
//!
//! A launch is what a backend runs in one go: a group of steps of the plan. Its roof is the time that it would take if the device
//! did nothing but multiply-accumulates at its measured peak, or nothing but moving the launch's tensors once.

mod cpu_peaks;

use std::time::Duration;

use web_time::Instant;

use super::{Device, Model, Observed};
use crate::error::{Error, Result};
use crate::plan::{Group, Kernel, Plan, Step};

/// How long one launch took, and what it had to do.
#[derive(Debug, Clone, PartialEq)]
pub struct LaunchTime {
    /// The name of the step, or of the first of several and how many more there are.
    pub name: String,
    /// Time of the launch.
    pub time: Duration,
    /// Multiply-accumulates of the direct convolution, whatever algorithm ran; taps in the padding count.
    pub macs: u64,
    /// Bytes of input, output and weights, each counted once.
    pub bytes: u64,
}

impl LaunchTime {
    /// The least seconds that the launch could take on a device with these peaks. An algorithm with fewer
    /// multiplications than the direct convolution can take less.
    pub fn roof_seconds(&self, peaks: &Peaks) -> f64 {
        let (work, traffic) = (self.macs as f64, self.bytes as f64);
        (work / peaks.macs_per_second).max(traffic / peaks.bytes_per_second)
    }
}

/// The fastest that a device was seen to work, with nothing else to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peaks {
    /// 32-bit multiply-accumulates per second in registers.
    pub macs_per_second: f64,
    /// Bytes read and written per second by a copy that no cache holds.
    pub bytes_per_second: f64,
}

/// How often a peak is measured; the fastest counts, since nothing but disturbances makes one slower.
pub(super) const PEAK_TRIALS: usize = 5;

/// How long a measurement of a peak should take at least, so that starting it does not count.
pub(super) const PEAK_TIME: Duration = Duration::from_millis(50);

/// The highest rate of several trials. `trial` does an amount of work that it is given, and says how much work that
/// was in the units of the rate; it is given more until it takes long enough.
pub(super) async fn peak_rate(mut trial: impl AsyncFnMut(usize) -> Result<f64>) -> Result<f64> {
    let (mut amount, mut trials, mut best) = (1, 0, 0f64);
    while trials < PEAK_TRIALS {
        let start = Instant::now();
        let work = trial(amount).await?;
        let time = start.elapsed();
        if time < PEAK_TIME {
            amount *= 2;
            continue;
        }
        best = best.max(work / time.as_secs_f64());
        trials += 1;
    }
    Ok(best)
}

impl Device {
    /// Measures the device's peaks; takes about a second.
    pub async fn peaks(&self) -> Result<Peaks> {
        match self {
            Device::Cpu { threads } => cpu_peaks::measure(*threads).await,
            Device::Gpu(gpu) => gpu.peaks().await,
        }
    }
}

impl Model {
    /// Runs `plan` once and gives the time of every launch. On a GPU each launch is submitted by itself and timed by
    /// the GPU's own clock where it has one, else until the host knows that it is done. The endpoints named in `observe`
    /// are stored, so that no launch goes beyond one.
    ///
    /// # Shapes
    /// `input` `[N, T, H, W, C]` of the plan's first buffer.
    ///
    /// # Errors
    /// As [`Model::run`].
    pub async fn profile(&mut self, plan: &Plan, input: &[f32], observe: &[&str]) -> Result<Vec<LaunchTime>> {
        let groups = plan.groups(&Observed::new(plan, observe)?.ids());
        let times = match self {
            Model::Cpu(model) => {
                let (mut times, mut last) = (Vec::new(), Instant::now());
                // The CPU backend reports its progress after every launch.
                model.run(plan, input, observe, &mut |_| {
                    let now = Instant::now();
                    times.push(now - last);
                    last = now;
                })?;
                times
            }
            Model::Gpu(model) => {
                let steps = model.profile(plan, input, observe).await?;
                let time = |group: &Group| steps.get(group.steps()).map(|times| times.iter().sum());
                groups.iter().filter_map(time).collect()
            }
        };
        if times.len() != groups.len() {
            let (found, expected) = (times.len(), groups.len());
            let problem =
                format!("{found} launches were timed, the plan has {expected}; this is a mistake in i3d");
            return Err(Error::device("profile", problem));
        }
        Ok(groups.iter().zip(times).map(|(group, time)| launch(plan, group, time)).collect())
    }

    /// Bytes of all buffers on the GPU; none on the CPU.
    pub fn gpu_memory_bytes(&self) -> Option<u64> {
        match self {
            Model::Cpu(_) => None,
            Model::Gpu(model) => Some(model.memory_bytes()),
        }
    }
}

fn launch(plan: &Plan, group: &Group, time: Duration) -> LaunchTime {
    let steps = &plan.steps[group.steps()];
    let units = plan.network.units();
    let weights = |step: &Step| match step.kernel {
        Kernel::Conv { unit, window, .. } => {
            let each = plan.precision.of_weights(&units[unit]).bytes();
            (each * (window.taps() * step.input_channels) as u64 + 4) * step.channels as u64
        }
        _ => 0,
    };
    let written = |step: &Step| plan.buffers[step.output].bytes(step.channels);
    let read = |step: &Step| plan.buffers[step.input].bytes(step.input_channels);
    // Siblings read one tensor, and what lies inside a pair of steps is neither written nor read.
    let (read, written): (u64, u64) = match (group, steps) {
        (Group::Siblings(_), [first, ..]) => (read(first), steps.iter().map(written).sum()),
        (Group::PoolConv(_) | Group::ConvPool(_), [first, last]) => (read(first), written(last)),
        _ => (steps.iter().map(read).sum(), steps.iter().map(written).sum()),
    };
    let bytes = read + written + steps.iter().map(weights).sum::<u64>();
    let name = match steps {
        [first, rest @ ..] if !rest.is_empty() => format!("{} +{}", first.name, rest.len()),
        _ => steps.iter().map(|step| step.name.as_str()).collect(),
    };
    LaunchTime { name, time, macs: steps.iter().map(|step| step.macs).sum(), bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::RunOptions;
    use crate::network::{Network, Stream};
    use crate::weights::Weights;

    #[test]
    fn launches_are_the_groups_with_their_work() {
        let network = Network { width: 0.0625, input_size: 32, ..Network::i3d(Stream::Rgb, 5) };
        let plan = Plan::new(&network, 1, 9).expect("a plan");
        let weights = Weights::random(&network, 0);
        let mut model =
            Model::new(&Device::Cpu { threads: 1 }, weights, &RunOptions::default()).expect("a model");
        let input = vec![0.5; 9 * 32 * 32 * 3];
        let launches = pollster::block_on(model.profile(&plan, &input, &[])).expect("it runs");
        assert_eq!(launches.len(), plan.groups(&[]).len());
        assert_eq!(launches.iter().map(|l| l.macs).sum::<u64>(), plan.macs());
        // [9, 32, 32, 3] to [5, 16, 16, 4] with 7x7x7x3x4 weights and 4 numbers of bias.
        assert_eq!(launches[0].bytes, 4 * (9 * 32 * 32 * 3 + 5 * 16 * 16 * 4 + 343 * 3 * 4 + 4));
        assert_eq!(model.gpu_memory_bytes(), None);
    }

    #[test]
    fn the_roof_is_the_slower_of_work_and_traffic() {
        let launch = LaunchTime { name: "x".into(), time: Duration::ZERO, macs: 100, bytes: 30 };
        let roof =
            |macs, bytes| launch.roof_seconds(&Peaks { macs_per_second: macs, bytes_per_second: bytes });
        assert_eq!((roof(50.0, 30.0), roof(100.0, 10.0)), (2.0, 3.0));
    }
}
