//! `i3d flow`: the optical flow of a video, as numbers, as pictures for other pipelines, and to look at.

mod sink;

use i3d::flow::{FlowEngine, FlowStatistics, Gray, Tvl1};
use i3d::preprocess::RgbPreprocess;
use i3d::video::{FrameSource, Samples};
use i3d::{Error, Result};

pub use sink::kind;

use crate::args::VideoFlowArgs;
use crate::device;
use crate::input::Part;
use crate::networks;
use crate::run::Outcome;
use crate::talk::{Talk, Unit};

/// Frame pairs that are computed at a time.
const CHUNK: usize = 16;

/// Share of cut-off components above which the flow network sees less than it should.
const MUCH_CLIPPED: f64 = 0.05;

/// Runs the command.
pub fn run(args: &VideoFlowArgs, talk: Talk) -> Result<Outcome> {
    // Flow has 32 bits whatever the networks have, but nonsense is nonsense.
    args.run.options()?;
    let place = args.input.display().to_string();
    let mut sink = sink::open(&args.output, args.fps, args.start_index)?;
    let (tvl1, quantize): (Tvl1, _) = (args.tvl1.preset.into(), args.tvl1.quantize.into());
    networks::start_threads(args.run.threads)?;
    let device = device::open(&args.run.device, 0)?;
    let mut engine = FlowEngine::new(&device, &tvl1)?;
    let part = Part::new(args.input.clone())?;
    let mut samples = Samples::new(part.open()?, args.fps)?;
    log::info!("running on {}", device.info());
    let short_side = args.short_side as usize;
    // Only the resizing is used, so the crop does not matter.
    let preprocess = RgbPreprocess { short_side, crop: short_side };
    let most = args.frames.map_or(usize::MAX, |frames| frames as usize);
    let bar = talk.bar("flow", samples.info().frames.unwrap_or(0).min(most as u64), Unit::Frames);
    let (mut grays, mut seen, mut broken) = (Vec::new(), 0, None);
    let mut statistics = Statistics::default();
    loop {
        let ended = fill(&mut samples, &preprocess, &mut grays, &mut seen, most, &mut broken)?;
        if grays.len() >= 2 {
            for mut flow in pollster::block_on(engine.flows(&grays))? {
                statistics.add(&flow);
                // Rounding is defined on the network's scale; what is written stays in pixels.
                flow.data.iter_mut().for_each(|v| *v = quantized(quantize, *v));
                sink.add(&flow)?;
            }
            grays.drain(..grays.len() - 1);
            bar.set_position(seen as u64);
        }
        if ended {
            break;
        }
    }
    drop(bar);
    if statistics.flows == 0 {
        let problem =
            "there is one frame, and flow goes from one frame to the next; give a video of at least two";
        return Err(broken.unwrap_or_else(|| Error::video(place, problem)));
    }
    sink.finish()?;
    statistics.tell(&args.output.display().to_string(), talk);
    match broken {
        Some(error) => {
            talk.error(format!("{error}; the flow of what came before is written"));
            Ok(Outcome::SomeFailed)
        }
        None => Ok(Outcome::Done),
    }
}

/// Pixels to pixels through the rounding of a pipeline; without rounding nothing is cut off either.
fn quantized(quantize: i3d::flow::Quantize, flow_px: f32) -> f32 {
    match quantize {
        i3d::flow::Quantize::None => flow_px,
        rounded => rounded.apply(flow_px) * i3d::flow::BOUND,
    }
}

/// Adds frames until there are enough for a chunk; true after the last.
fn fill<S: FrameSource>(
    samples: &mut Samples<S>,
    preprocess: &RgbPreprocess,
    grays: &mut Vec<Gray>,
    seen: &mut usize,
    most: usize,
    broken: &mut Option<Error>,
) -> Result<bool> {
    while grays.len() <= CHUNK {
        if *seen >= most {
            return Ok(true);
        }
        match samples.next_sample() {
            Ok(Some(sample)) => {
                let gray = Gray::from_frame(&sample.frame, preprocess)?;
                let times = sample.times.min(most - *seen);
                *seen += times;
                grays.extend(std::iter::repeat_n(gray, times));
            }
            Ok(None) => return Ok(true),
            Err(error) if *seen > 0 => {
                *broken = Some(error);
                return Ok(true);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Figures over a whole video.
#[derive(Default)]
struct Statistics {
    flows: usize,
    min: f32,
    max: f32,
    /// Sums over flows, to be divided by their number.
    magnitude: f64,
    clipped: f64,
}

impl Statistics {
    fn add(&mut self, flow: &i3d::flow::Flow) {
        let one = FlowStatistics::new([flow]);
        self.flows += 1;
        (self.min, self.max) = (self.min.min(one.min), self.max.max(one.max));
        self.magnitude += one.mean_magnitude;
        self.clipped += one.clipped;
    }

    /// With `-v` the figures; a warning where the flow would mislead a network.
    fn tell(&self, place: &str, talk: Talk) {
        let Statistics { flows, min, max, .. } = self;
        let (mean, clipped) = (self.magnitude / *flows as f64, self.clipped / *flows as f64);
        talk.note(format!("{place}: flow of {flows} pairs"));
        log::info!(
            "min {min:.2} px, max {max:.2} px, mean magnitude {mean:.3} px, {:.2} % cut off at 20 px",
            100.0 * clipped
        );
        if clipped > MUCH_CLIPPED {
            let percent = 100.0 * clipped;
            talk.note(format!("warning: {percent:.0} % of the flow is beyond 20 px and will be cut off"));
        }
        if mean == 0.0 {
            talk.note("warning: nothing moves in this video");
        }
    }
}
