//! The time of every layer, against the device's measured peaks.

use i3d::Result;
use i3d::backend::{Device, Peaks};
use i3d::plan::Plan;
use serde::Serialize;

use super::{Bench, Quartiles};

/// Runs of which the median counts.
const RUNS: usize = 3;

/// A layer below this share of its roof is slow ...
const SLOW_ROOF: f64 = 0.4;
/// ... and worth a look if it takes more than this share of the time.
const WORTH_SHARE: f64 = 0.05;

/// Layers of a run.
#[derive(Debug, Serialize)]
pub struct Layers {
    /// `gpu` for the GPU's own clock, `host` for that of the CPU.
    clock: &'static str,
    /// Measured multiply-adds per second in registers, counted as two operations each, in billions.
    peak_gflops: f64,
    /// Measured bytes read and written per second by a copy, in billions.
    peak_gbytes_per_second: f64,
    /// Sum of the layers' times.
    sum_ms: f64,
    launches: Vec<Layer>,
}

/// One launch.
#[derive(Debug, Serialize)]
struct Layer {
    name: String,
    ms: f64,
    /// Share of the sum of all.
    share: f64,
    /// Operations of the direct convolution, in billions.
    gflop: f64,
    /// Input, output and weights, each once.
    bytes: u64,
    gflops: f64,
    gbytes_per_second: f64,
    /// The time if the device did nothing else at its peaks.
    roof_ms: f64,
    /// `roof_ms / ms`; above one where an algorithm multiplies less than the direct convolution does.
    roof_share: f64,
    /// Far from its roof and long.
    slow: bool,
}

impl Layers {
    pub(super) fn measure(bench: &mut Bench, plan: &Plan, input: &[f32]) -> Result<Layers> {
        let peaks = pollster::block_on(bench.device.peaks())?;
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            runs.push(pollster::block_on(bench.model.profile(plan, input, &[]))?);
        }
        let seconds = (0..runs[0].len()).map(|index| {
            let mut times: Vec<f64> =
                runs.iter().map(|launches| launches[index].time.as_secs_f64()).collect();
            Quartiles::new(&mut times).median
        });
        let seconds: Vec<f64> = seconds.collect();
        let sum: f64 = seconds.iter().sum();
        let launches = runs[0].iter().zip(&seconds).map(|(launch, &seconds)| {
            let (share, roof) = (seconds / sum, launch.roof_seconds(&peaks));
            let gflop = 2.0 * launch.macs as f64 / 1e9;
            Layer {
                name: launch.name.clone(),
                ms: 1e3 * seconds,
                share,
                gflop,
                bytes: launch.bytes,
                gflops: gflop / seconds,
                gbytes_per_second: launch.bytes as f64 / 1e9 / seconds,
                roof_ms: 1e3 * roof,
                roof_share: roof / seconds,
                slow: roof / seconds < SLOW_ROOF && share > WORTH_SHARE,
            }
        });
        let Peaks { macs_per_second, bytes_per_second } = peaks;
        let clock = match &bench.device {
            Device::Gpu(gpu) if gpu.has_clock() => "gpu",
            _ => "host",
        };
        Ok(Layers {
            clock,
            peak_gflops: 2.0 * macs_per_second / 1e9,
            peak_gbytes_per_second: bytes_per_second / 1e9,
            sum_ms: 1e3 * sum,
            launches: launches.collect(),
        })
    }
}

impl std::fmt::Display for Layers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "peaks    {:.1} GFLOP/s in registers, {:.1} GB/s copied (read and written)\n",
            self.peak_gflops, self.peak_gbytes_per_second
        )?;
        writeln!(
            f,
            "{:<38} {:>9} {:>6} {:>8} {:>8} {:>8} {:>7} {:>6}",
            "launch", "ms", "share", "GFLOP", "MB", "GFLOP/s", "GB/s", "roof"
        )?;
        for l in &self.launches {
            let percent = |share: f64| format!("{:.0}%", 100.0 * share);
            let mark = if l.slow { "  slow" } else { "" };
            writeln!(
                f,
                "{:<38} {:>9.3} {:>6} {:>8.3} {:>8.2} {:>8.1} {:>7.1} {:>6}{mark}",
                l.name,
                l.ms,
                percent(l.share),
                l.gflop,
                l.bytes as f64 / 1e6,
                l.gflops,
                l.gbytes_per_second,
                percent(l.roof_share),
            )?;
        }
        writeln!(f, "{:<38} {:>9.3}  by the clock of the {}", "sum", self.sum_ms, self.clock)
    }
}
