//! Which variants an adapter runs fastest: measured, and checked before they may win.
//!
//! A driver can be wrong about one kernel and right about the next, so a candidate first computes every endpoint of a
//! short clip, and the head of the clip that is timed, as the CPU backend does.

use std::sync::Arc;

use serde::Serialize;
use web_time::Instant;

use super::{Gpu, GpuModel, Variants};
use crate::backend::cpu::CpuModel;
use crate::backend::{Output, RunOptions};
use crate::error::{Error, Result};
use crate::network::{FEATURES, LOGITS_PER_STEP};
use crate::plan::{INPUT, Plan};
use crate::weights::Weights;

/// How far a value may be off, as a share of its endpoint's largest: twenty layers of f32 stay a hundred times below, and
/// a value that went to the wrong place does not.
const TOLERANCE: f32 = 1e-3;

/// A candidate whose first run, which may compile things, takes so many times the best median cannot win any more.
const HOPELESS: f64 = 4.0;

/// A clip and what the network makes of it.
pub struct Case {
    /// The plan; its clip is the input.
    pub plan: Plan,
    /// `[1, T, H, W, C]` of the plan's first buffer.
    pub input: Vec<f32>,
    /// Values of the endpoints that are compared.
    pub expected: Output,
}

/// What every candidate must compute.
pub struct Reference {
    /// Every endpoint of a short clip.
    pub endpoints: Case,
    /// The head of the clip that is timed. What lies before is not observed, so that it runs fused as it always does.
    pub timed: Case,
}

impl Reference {
    /// Runs the CPU backend on a clip of nine frames and on one of `frames` frames; `noise` gives as many values in
    /// `[-1, 1]` as it is asked for.
    ///
    /// # Errors
    /// Clips below nine frames.
    pub fn new(weights: &Weights, frames: usize, noise: impl Fn(usize) -> Vec<f32>) -> Result<Reference> {
        let mut model = CpuModel::new(weights.clone(), 0, &RunOptions::default())?;
        let mut case = |plan: Plan, observe: &[&str]| {
            let input = noise(plan.buffers[INPUT].shape.len());
            let expected = model.run(&plan, &input, observe, &mut |_| ())?;
            Ok(Case { plan, input, expected })
        };
        let short = Plan::new(&weights.network, 1, weights.network.min_frames())?;
        let endpoints = case(short.clone(), &short.observable())?;
        let timed = case(Plan::new(&weights.network, 1, frames)?, &[FEATURES, LOGITS_PER_STEP])?;
        Ok(Reference { endpoints, timed })
    }
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It computes what it must; the median time of a clip in seconds.
    Seconds(f64),
    /// Far behind already in its first run, of so many seconds, and not looked at further.
    TooSlow(f64),
    /// The driver refused it, or it computes something else: what and where.
    Rejected(String),
}

/// A candidate that was tried.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// The candidate.
    pub variants: Variants,
    /// What became of it.
    pub verdict: Verdict,
}

/// Tries candidates on `gpu`, its own variants first, and gives the fastest of those that compute what `reference` says.
/// One choice after the other is tried, each with the best so far of the others. `report` hears of every trial.
///
/// # Errors
/// Adapters on which no candidate is right.
pub async fn tune(
    gpu: &Gpu,
    weights: &Weights,
    reference: &Reference,
    runs: u32,
    report: &mut dyn FnMut(&Trial),
) -> Result<Variants> {
    let mut best: Option<(f64, Variants)> = None;
    let own: fn(&Variants) -> Vec<Variants> = |own| vec![*own];
    for alternatives in std::iter::once(own).chain(Variants::ALTERNATIVES) {
        let start = best.map_or(gpu.variants, |(_, variants)| variants);
        for variants in alternatives(&start) {
            let most = best.map_or(f64::INFINITY, |(seconds, _)| HOPELESS * seconds);
            let verdict = match attempt(gpu.with_variants(variants), weights, reference, runs, most).await {
                Ok(verdict) => verdict,
                Err(error) => Verdict::Rejected(error.to_string()),
            };
            if let Verdict::Seconds(seconds) = verdict
                && best.is_none_or(|(least, _)| seconds < least)
            {
                best = Some((seconds, variants));
            }
            report(&Trial { variants, verdict });
        }
    }
    best.map(|(_, variants)| variants).ok_or_else(|| {
        Error::device(&gpu.adapter, "no variant of the kernels computes what it should; use --device cpu")
    })
}

/// Checks and times a candidate; gives up where its first run takes more than `most` seconds.
#[cfg_attr(
    target_arch = "wasm32",
    expect(clippy::arc_with_non_send_sync, reason = "a browser's device stays on its thread")
)]
async fn attempt(
    gpu: Gpu,
    weights: &Weights,
    reference: &Reference,
    runs: u32,
    most: f64,
) -> Result<Verdict> {
    let Reference { endpoints, timed } = reference;
    let mut model = GpuModel::new(Arc::new(gpu), weights, &RunOptions::default())?;
    let first = timed.check(&mut model).await?;
    if first > most {
        return Ok(Verdict::TooSlow(first));
    }
    endpoints.check(&mut model).await?;
    let mut times = Vec::new();
    for _ in 0..runs {
        times.push(timed.check(&mut model).await?);
    }
    times.sort_by(f64::total_cmp);
    Ok(Verdict::Seconds(times[times.len() / 2]))
}

impl Case {
    /// Runs and compares; gives the seconds of the run.
    async fn check(&self, model: &mut GpuModel) -> Result<f64> {
        let observe: Vec<&str> = self.expected.endpoints.keys().map(String::as_str).collect();
        let start = Instant::now();
        let output = model.run(&self.plan, &self.input, &observe, &mut |_| ()).await?;
        let seconds = start.elapsed().as_secs_f64();
        agree(&output, &self.expected).map_err(|problem| Error::device(model.adapter(), problem))?;
        Ok(seconds)
    }
}

/// Fails with the endpoint that differs most.
fn agree(got: &Output, expected: &Output) -> std::result::Result<(), String> {
    let mut worst: Option<(f32, &str)> = None;
    for (name, expected) in &expected.endpoints {
        let got = got.get(name).map_or(&[][..], |got| &got.data);
        let largest = expected.data.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()));
        // What is missing or no number is as wrong as can be.
        let share = if got.len() == expected.data.len() {
            let differences = got.iter().zip(&expected.data).map(|(got, want)| (got - want).abs() / largest);
            differences
                .fold(0.0, |most: f32, next| if next.is_nan() { f32::INFINITY } else { most.max(next) })
        } else {
            f32::INFINITY
        };
        if share > worst.map_or(TOLERANCE, |(most, _)| most) {
            worst = Some((share, name));
        }
    }
    match worst {
        Some((share, name)) => Err(format!(
            "{name} is wrong by {share:.1e} of its largest value; at most {TOLERANCE:.0e} is rounding"
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Activation;
    use crate::network::Shape;

    fn output(values: &[f32]) -> Output {
        let shape = Shape { n: 1, t: 1, h: 1, w: 1, c: values.len() };
        let mut output = Output::default();
        output.endpoints.insert("Logits".into(), Activation { shape, data: values.to_vec() });
        output
    }

    #[test]
    fn wrong_values_are_told_from_rounding() {
        let want = output(&[-100.0, 1.0, 0.0]);
        assert_eq!(agree(&output(&[-100.01, 1.05, -0.05]), &want), Ok(()));
        for wrong in [&[-100.0, 1.2, 0.0][..], &[-100.0, f32::NAN, 0.0], &[1.0, -100.0, 0.0], &[-100.0, 1.0]]
        {
            let problem = agree(&output(wrong), &want).expect_err("it is wrong");
            assert!(problem.starts_with("Logits is wrong by "), "{problem}");
        }
        assert!(agree(&Output::default(), &want).is_err(), "missing");
    }
}
