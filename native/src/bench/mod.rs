//! `i3d bench`: how long a clip takes on a device, and where the time goes.

mod layers;
mod memory;
mod report;
mod tune;
mod turns;

use std::path::Path;
use std::time::{Duration, Instant};

use i3d::Result;
use i3d::backend::{Device, Model};
use i3d::network::{LOGITS, Network, Stream};
use i3d::plan::{Plan, Precision};
use i3d::weights::{Checkpoint, Weights};

use crate::args::{BenchArgs, Streams};
use crate::device;
use crate::networks::{self, RANDOM_SEED};
use crate::output::{Json, Output, print};
use crate::run::Outcome;
use crate::talk::{Talk, Unit};
use layers::Layers;
use report::Entry;

/// Classes of the network with random weights.
const CLASSES: usize = 400;

/// Runs before the timed ones, the cold one included; fewer where they take long.
const WARM_UP_RUNS: usize = 3;
/// Enough warm-up, however few runs it was.
const WARM_UP: Duration = Duration::from_secs(3);

/// Runs the command.
pub fn run(args: &BenchArgs, talk: Talk) -> Result<Outcome> {
    let streams = Streams::of(args.rgb.is_some(), args.flow.is_some());
    if let Some(path) = &args.save_weights {
        let output = Output::create(path)?;
        let checkpoint = Checkpoint::from_weights("random weights", &random(args, Stream::Rgb)?);
        output.finish(&checkpoint.to_safetensors(None, Precision::F32)?)?;
        return Ok(Outcome::Done);
    }
    if let Some(clip) = &args.turns {
        let stream = streams.each().next().unwrap_or(Stream::Rgb);
        return turns::run(clip, Bench::open(args, stream)?, args.per_layer, talk);
    }
    if args.tune {
        return tune::run(args, streams.each().next().unwrap_or(Stream::Rgb), talk);
    }
    let json = Json::open(args.json.as_deref())?;
    let entries: Vec<Entry> =
        streams.each().map(|stream| measure(args, stream, talk)).collect::<Result<_>>()?;
    // One stream is an object, two are an array, as the results of `classify` are.
    let text = match &entries[..] {
        [one] => json.write(one)?,
        all => json.write(&all)?,
    };
    if text {
        entries.iter().try_for_each(print)?;
    }
    Ok(Outcome::Done)
}

/// Everything about one stream.
fn measure(args: &BenchArgs, stream: Stream, talk: Talk) -> Result<Entry> {
    let mut bench = Bench::open(args, stream)?;
    let bar = talk.bar(&format!("{stream} network"), u64::from(args.runs), Unit::Runs);
    let plan = bench.plan(args.batch, args.frames)?;
    bench.device.check(&plan)?;
    let input = noise(plan.buffers[i3d::plan::INPUT].shape.len());
    let first = bench.once(&plan, &input)?.0;
    let warm_up = Instant::now();
    for _ in 1..WARM_UP_RUNS {
        if warm_up.elapsed() + first > WARM_UP {
            break;
        }
        bench.once(&plan, &input)?;
    }
    let mut times = Vec::new();
    for _ in 0..args.runs {
        times.push(bench.once(&plan, &input)?.0.as_secs_f64());
        bar.inc(1);
    }
    let quartiles = Quartiles::new(&mut times);
    // Before the profile, which needs memory of its own.
    let (peak_memory_bytes, gpu_memory_bytes) = (memory::peak_bytes(), bench.model.gpu_memory_bytes());
    let layers = args.per_layer.then(|| Layers::measure(&mut bench, &plan, &input)).transpose()?;
    let gflop = 2.0 * plan.macs() as f64 / 1e9;
    Ok(Entry {
        version: env!("CARGO_PKG_VERSION"),
        stream,
        weights: bench.weights,
        device: bench.device.info(),
        precision: bench.precision,
        frames: args.frames,
        batch: args.batch,
        input_size: bench.model.network().input_size,
        runs: args.runs,
        median_ms: 1e3 * quartiles.median,
        q1_ms: 1e3 * quartiles.q1,
        q3_ms: 1e3 * quartiles.q3,
        cold_ms: 1e3 * (bench.opening + first).as_secs_f64(),
        peak_memory_bytes,
        gpu_memory_bytes,
        gflop,
        gflops: gflop / quartiles.median,
        layers,
    })
}

/// A network on a device.
struct Bench {
    device: Device,
    model: Model,
    precision: Precision,
    /// Where its weights come from.
    weights: String,
    /// Time to open the device and to load the weights.
    opening: Duration,
}

impl Bench {
    fn open(args: &BenchArgs, stream: Stream) -> Result<Bench> {
        let options = args.run.options()?;
        // Making random numbers is no part of loading a model.
        let random = path(args, stream).is_none().then(|| random(args, stream)).transpose()?;
        let start = Instant::now();
        let device = device::open(&args.run.device, args.run.threads)?;
        let (weights, source) = match random {
            Some(weights) => (weights, random_source()),
            None => weights(args, stream)?,
        };
        let model = Model::new(&device, weights, &options)?;
        let precision = options.precision;
        Ok(Bench { device, model, precision, weights: source, opening: start.elapsed() })
    }

    fn plan(&self, batch: usize, frames: usize) -> Result<Plan> {
        Ok(Plan::new(self.model.network(), batch, frames)?.with_precision(self.precision))
    }

    /// One run, from handing over the clip to holding the logits: its time and the logits.
    fn once(&mut self, plan: &Plan, input: &[f32]) -> Result<(Duration, Vec<f32>)> {
        let start = Instant::now();
        let output = pollster::block_on(self.model.run(plan, input, &[LOGITS], &mut |_| ()))?;
        let time = start.elapsed();
        Ok((time, output.get(LOGITS).map(|logits| logits.data.clone()).unwrap_or_default()))
    }
}

/// The weights of a stream that the options name, else random ones, and where they come from.
fn weights(args: &BenchArgs, stream: Stream) -> Result<(Weights, String)> {
    let Some(path) = path(args, stream) else { return Ok((random(args, stream)?, random_source())) };
    let checkpoint = networks::read(stream, path)?;
    let (weights, _) = checkpoint.load(&checkpoint.network()?)?;
    Ok((weights, path.display().to_string()))
}

fn path(args: &BenchArgs, stream: Stream) -> Option<&Path> {
    match stream {
        Stream::Rgb => args.rgb.as_deref(),
        Stream::Flow => args.flow.as_deref(),
    }
}

fn random_source() -> String {
    format!("random weights, seed {RANDOM_SEED}")
}

/// Seeded random weights of a network of the size that the options say.
fn random(args: &BenchArgs, stream: Stream) -> Result<Weights> {
    let network = Network { width: args.width, input_size: args.input_size, ..Network::i3d(stream, CLASSES) };
    network.validate().map(|()| Weights::random(&network, RANDOM_SEED))
}

/// So many values in `[-1, 1)`, the same in every run.
fn noise(count: usize) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(0);
    (0..count).map(|_| 2.0 * random.f32() - 1.0).collect()
}

/// The middle of some numbers, and the middles of its halves.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Quartiles {
    q1: f64,
    median: f64,
    q3: f64,
}

impl Quartiles {
    /// Sorts the numbers; quartiles between two of them are interpolated.
    fn new(numbers: &mut [f64]) -> Quartiles {
        numbers.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * numbers.len().saturating_sub(1) as f64;
            let number = |at: f64| numbers.get(at as usize).copied().unwrap_or(f64::NAN);
            let (low, high) = (number(place.floor()), number(place.ceil()));
            low + (high - low) * place.fract()
        };
        Quartiles { q1: at(0.25), median: at(0.5), q3: at(0.75) }
    }
}

#[cfg(test)]
mod tests {
    use super::Quartiles;

    #[test]
    fn quartiles_between_numbers_are_interpolated() {
        let of = |numbers: &mut [f64]| {
            let q = Quartiles::new(numbers);
            [q.q1, q.median, q.q3]
        };
        assert_eq!(of(&mut [7.0]), [7.0; 3]);
        assert_eq!(of(&mut [4.0, 1.0, 3.0, 2.0]), [1.75, 2.5, 3.25]);
        assert_eq!(of(&mut [5.0, 1.0, 4.0, 2.0, 3.0]), [2.0, 3.0, 4.0]);
    }
}
