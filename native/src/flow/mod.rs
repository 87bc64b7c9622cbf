//! `i3d flow`: the optical flow of a video, as numbers, as pictures for other pipelines, and to look at.

mod sink;

use i3d::flow::{FlowEngine, FlowStatistics, Gray, Tvl1};
use i3d::preprocess::{RgbPreprocess, Size};
use i3d::video::{Frame, FrameSource, Samples};
use i3d::{Error, Result};

pub use sink::kind;

use crate::args::{ResizeArgs, VideoFlowArgs};
use crate::device;
use crate::input::Part;
use crate::networks;
use crate::run::Outcome;
use crate::talk::{Talk, Unit};

/// Most frame pairs that are computed at a time.
const CHUNK: usize = 16;

/// Most pixels of the frames that are computed at a time, where that allows for one pair.
const CHUNK_PIXELS: usize = 1 << 23;

/// The longest pictures whose whole flow is computed: so many times as long as wide.
const LONGEST: usize = 8;

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
    let ResizeArgs { resize, ignore_aspect } = args.resize;
    let (crop, resize) = (short_side, resize.into());
    let preprocess = RgbPreprocess { short_side, crop, resize, ignore_aspect };
    let most = args.frames.map_or(usize::MAX, |frames| frames as usize);
    let bar = talk.bar("flow", samples.info().frames.unwrap_or(0).min(most as u64), Unit::Frames);
    let mut frames = Frames { place: &place, preprocess, most, chunk: CHUNK, seen: 0, broken: None };
    let mut grays = Vec::new();
    let mut statistics = Statistics::default();
    loop {
        let ended = frames.fill(&mut samples, &mut grays)?;
        if grays.len() >= 2 {
            for mut flow in pollster::block_on(engine.flows(&grays))? {
                statistics.add(&flow);
                // Rounding is defined on the network's scale; what is written stays in pixels.
                flow.data.iter_mut().for_each(|v| *v = quantized(quantize, *v));
                sink.add(&flow)?;
            }
            grays.drain(..grays.len() - 1);
            bar.set_position(frames.seen as u64);
        }
        if ended {
            break;
        }
    }
    drop(bar);
    if statistics.flows == 0 {
        let problem =
            "there is one frame, and flow goes from one frame to the next; give a video of at least two";
        return Err(frames.broken.unwrap_or_else(|| Error::video(place, problem)));
    }
    sink.finish()?;
    statistics.tell(&args.output.display().to_string(), talk);
    match frames.broken {
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

/// Frames on their way to flow.
struct Frames<'a> {
    /// The video's name in messages.
    place: &'a str,
    preprocess: RgbPreprocess,
    /// Most frames to take.
    most: usize,
    /// Pairs that are computed at a time.
    chunk: usize,
    /// Frames taken.
    seen: usize,
    broken: Option<Error>,
}

impl Frames<'_> {
    /// Adds frames until there are enough for a chunk; true after the last.
    fn fill<S: FrameSource>(&mut self, samples: &mut Samples<S>, grays: &mut Vec<Gray>) -> Result<bool> {
        while grays.len() <= self.chunk {
            if self.seen >= self.most {
                return Ok(true);
            }
            match samples.next_sample() {
                Ok(Some(sample)) => {
                    let gray = self.gray(&sample.frame)?;
                    let times = sample.times.min(self.most - self.seen);
                    self.seen += times;
                    grays.extend(std::iter::repeat_n(gray, times));
                }
                Ok(None) => return Ok(true),
                Err(error) if self.seen > 0 => {
                    self.broken = Some(error);
                    return Ok(true);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// The whole frame, resized and grey.
    fn gray(&mut self, frame: &Frame) -> Result<Gray> {
        let region = self.preprocess.full_region(frame);
        let Size { width, height } = region.size;
        if width.max(height) > LONGEST * width.min(height) {
            let problem = format!(
                "the picture is {}x{}, and flow of whole pictures is for those up to {LONGEST} times as long as wide; crop \
                 the video first",
                frame.width, frame.height
            );
            return Err(Error::video(self.place, problem));
        }
        self.chunk = (CHUNK_PIXELS / (width * height)).clamp(1, CHUNK);
        Gray::from_frame(frame, &self.preprocess, region)
    }
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
