//! `i3d bench --tune`: which kernel variants an adapter runs fastest.

use std::path::PathBuf;

use i3d::backend::gpu::{Reference, Trial, Variants, Verdict, tune};
use i3d::backend::{Device, DeviceInfo};
use i3d::network::Stream;
use i3d::{Error, Result};
use serde::Serialize;

use super::{noise, weights};
use crate::args::BenchArgs;
use crate::device::Store;
use crate::output::{Json, print};
use crate::run::Outcome;
use crate::talk::Talk;

/// What was tried and what won.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    device: DeviceInfo,
    weights: String,
    frames: usize,
    runs: u32,
    trials: Vec<Trial>,
    chosen: Variants,
    /// The file that later runs read.
    kept: PathBuf,
}

/// Tries all variants, shows each as it ends, and keeps the best.
pub fn run(args: &BenchArgs, stream: Stream, talk: Talk) -> Result<Outcome> {
    let json = Json::open(args.json.as_deref())?;
    // What an earlier tuning chose is not where this one begins.
    let device = pollster::block_on(Device::open(&args.run.device, args.run.threads))?;
    let Device::Gpu(gpu) = &device else {
        let cpu = device.info();
        return Err(Error::Usage(format!(
            "--tune compares GPU kernels, and this is {cpu}; name an adapter with --device, see `i3d devices`"
        )));
    };
    let store = Store::open()?;
    let (weights, source) = weights(args, stream)?;
    let (adapter, frames, runs) = (&gpu.adapter, args.frames, args.runs);
    talk.note(format!("{adapter}: {frames} frames, {runs} runs each, {source}"));
    let reference = Reference::new(&weights, frames, noise)?;
    let mut trials: Vec<Trial> = Vec::new();
    let mut report = |trial: &Trial| {
        let Trial { variants, verdict } = trial;
        match verdict {
            Verdict::Seconds(seconds) => talk.note(format!("{:>9.2} ms  {variants}", 1e3 * seconds)),
            Verdict::TooSlow(seconds) => {
                talk.note(format!(">{:>8.2} ms  {variants}: too slow to win", 1e3 * seconds))
            }
            Verdict::Rejected(problem) => talk.note(format!(" rejected  {variants}: {problem}")),
        }
        trials.push(trial.clone());
    };
    let chosen = pollster::block_on(tune(gpu, &weights, &reference, runs, &mut report))?;
    let kept = store.keep_variants(adapter, chosen)?;
    let (version, device) = (env!("CARGO_PKG_VERSION"), device.info());
    let report = Report { version, device, weights: source, frames, runs, trials, chosen, kept };
    if json.write(&report)? {
        print(format_args!("chosen   {chosen}\nkept in  {}\n", report.kept.display()))?;
    }
    Ok(Outcome::Done)
}
