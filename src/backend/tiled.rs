//! Clips too long for one plan: tiles of time with halo, the same logits, memory that does not grow with the clip.
//!
//! The network is cut at one endpoint. Before it, tiles of frames are computed with the frames around them that they
//! depend on; its output waits in a queue until the next tile of logits can be computed behind it. The cut lies where
//! activations have become small and the halo is still short: 19 frames before it, 20 of its own time steps behind.

use crate::clip::Clip;
use crate::error::{Error, Result};
use crate::network::{FEATURES, LOGITS_PER_STEP, Network, Shape, System};
use crate::plan::{DeviceLimits, Part, Plan, Precision, TimeRange};

use super::{Activation, Device, Model, Progress};
use crate::queue::Queue;

/// The endpoint at which the network is cut.
const CUT: &str = "MaxPool3d_4a_3x3";
const FRONT: Part = Part { from: None, to: CUT };
const BACK: Part = Part { from: Some(CUT), to: LOGITS_PER_STEP };

/// A length of clip in whose middle a tile touches neither end.
const ENDLESS: usize = 4096;
/// A time step in that middle, of the cut and of the logits.
const MIDDLE: usize = 200;

/// Time steps per tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiling {
    /// Time steps of the cut endpoint, four frames each.
    pub front: usize,
    /// Time steps of the logits, eight frames each.
    pub back: usize,
}

impl Tiling {
    /// Where nothing limits them: 128 frames before the cut, 256 behind, for less than half a gigabyte at full size.
    pub const DEFAULT: Tiling = Tiling { front: 32, back: 32 };

    /// The whole clip in one tile.
    pub const WHOLE: Tiling = Tiling { front: usize::MAX, back: usize::MAX };

    /// Two tiles before the cut for a clip of `frames` frames that come more slowly than the network runs. The first is
    /// two thirds: a longer one would start later, a shorter one would leave more for the time after the last frame.
    pub fn ahead(frames: usize) -> Tiling {
        Tiling { front: (2 * frames.div_ceil(4)).div_ceil(3), back: usize::MAX }
    }

    /// The largest tiles up to the default that `device` can hold when it stores activations as `precision` says.
    ///
    /// # Errors
    /// Devices that cannot hold the smallest tile.
    pub fn for_device(network: &Network, device: &Device, precision: Precision) -> Result<Tiling> {
        let Device::Gpu(gpu) = device else { return Ok(Tiling::DEFAULT) };
        Tiling::within(network, &gpu.adapter.limits, precision)
    }

    /// The largest tiles up to the default within `limits`.
    pub fn within(network: &Network, limits: &DeviceLimits, precision: Precision) -> Result<Tiling> {
        let largest = |part: Part, most: usize| {
            let check = |steps: usize| {
                let (plan, _) = Plan::part(network, 1, ENDLESS, part, MIDDLE..MIDDLE + steps)?;
                plan.with_precision(precision).check(limits)
            };
            let smallest = check(1).map(|()| 1);
            let fits = |&steps: &usize| check(steps).is_ok();
            smallest.map(|one| (2..=most).rev().find(fits).unwrap_or(one))
        };
        Ok(Tiling {
            front: largest(FRONT, Tiling::DEFAULT.front)?,
            back: largest(BACK, Tiling::DEFAULT.back)?,
        })
    }
}

/// What the head computes for a long clip.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Features per time step, `[1, T', 1, 1, 1024]`.
    pub features: Activation,
    /// Logits per time step, `[1, T', 1, 1, classes]`.
    pub per_step: Activation,
}

impl Head {
    /// The head's values for a clip, computed in one piece where `device` holds it, else in tiles of time. `model` is on
    /// `device` and stores numbers as `precision` says.
    ///
    /// # Errors
    /// Networks of other systems than I3D, clips of another size than the network's input, clips that are too short, and what the device reports.
    pub async fn of_clip(
        model: &mut Model,
        device: &Device,
        precision: Precision,
        clip: &Clip,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Head> {
        let system = model.network().system;
        if system != System::I3d {
            return Err(Error::Usage(format!(
                "this is the head of I3D, and the network is a {system}; run its plan"
            )));
        }
        let plan = Plan::new(model.network(), 1, clip.frames)?.with_precision(precision);
        if device.holds(&plan) {
            let mut output = model.run(&plan, &clip.data, &[FEATURES, LOGITS_PER_STEP], progress).await?;
            let mut take = |name: &str| {
                let missing = || Error::device(device.info(), format!("{name} was not computed"));
                output.endpoints.remove(name).ok_or_else(missing)
            };
            return Ok(Head { features: take(FEATURES)?, per_step: take(LOGITS_PER_STEP)? });
        }
        let tiling = Tiling::for_device(model.network(), device, precision)?;
        log::info!("{} frames in tiles of {}", clip.frames, 4 * tiling.front);
        let mut run = TiledRun::new(model.network(), clip.frames, tiling, precision)?;
        for frame in clip.data.chunks_exact(clip.frame_len()) {
            run.push(model, frame.to_vec(), progress).await?;
        }
        run.finish()
    }

    /// Mean over time of the logits, `[classes]`.
    pub fn logits(&self) -> Vec<f32> {
        let Shape { t, c, .. } = self.per_step.shape;
        let mean = |class: usize| {
            let sum: f64 = self.per_step.data.iter().skip(class).step_by(c).map(|&l| f64::from(l)).sum();
            (sum / t as f64) as f32
        };
        (0..c).map(mean).collect()
    }

    /// The same from `device`, where numbers were stored as `precision` says.
    ///
    /// # Errors
    /// Logits that are not finite.
    pub fn finite_logits(&self, device: &Device, precision: Precision) -> Result<Vec<f32>> {
        let logits = self.logits();
        if logits.iter().all(|l| l.is_finite()) {
            return Ok(logits);
        }
        let problem = match precision {
            Precision::F32 => "the logits are not finite; the weights or the clip are damaged",
            Precision::F16 => {
                "the logits are not finite: a value went beyond 65504, the largest that f16 holds, or the weights or the \
                 clip are damaged; use --precision f32"
            }
        };
        Err(Error::device(device.info(), problem))
    }
}

/// A run of the network on a clip that arrives frame by frame.
pub struct TiledRun {
    network: Network,
    frames: usize,
    tiling: Tiling,
    precision: Precision,
    /// Shape of the cut endpoint for the whole clip.
    cut: Shape,
    /// Shape of the logits per time step.
    steps: Shape,
    total_macs: u64,
    clip: Queue,
    middle: Queue,
    /// The next tiles of both sides of the cut, `None` when there are no more.
    front: Option<Tile>,
    back: Option<Tile>,
    features: Vec<f32>,
    per_step: Vec<f32>,
}

/// A tile that waits for its input.
struct Tile {
    plan: Plan,
    /// Time steps of its input.
    needs: TimeRange,
    /// Time steps of its output.
    gives: TimeRange,
}

impl TiledRun {
    /// A run over a clip of exactly `frames` frames, which padding depends on, by models that store numbers as `precision`
    /// says.
    ///
    /// # Errors
    /// Clips below nine frames.
    pub fn new(network: &Network, frames: usize, tiling: Tiling, precision: Precision) -> Result<TiledRun> {
        let whole = Plan::new(network, 1, frames)?;
        let shape = |name: &str| whole.find(name).map(|(id, _)| whole.buffers[id].shape);
        let (cut, steps) = (shape(CUT)?, shape(LOGITS_PER_STEP)?);
        let mut run = TiledRun {
            network: *network,
            frames,
            tiling,
            precision,
            cut,
            steps,
            total_macs: whole.macs(),
            clip: Queue::new(network.input_size * network.input_size * network.in_channels),
            middle: Queue::new(cut.h * cut.w * cut.c),
            front: None,
            back: None,
            features: Vec::new(),
            per_step: Vec::new(),
        };
        run.front = run.tile(FRONT, 0)?;
        run.back = run.tile(BACK, 0)?;
        Ok(run)
    }

    /// The tile of `part` that begins with output time step `first`.
    fn tile(&self, part: Part, first: usize) -> Result<Option<Tile>> {
        let (length, size) =
            if part == FRONT { (self.cut.t, self.tiling.front) } else { (self.steps.t, self.tiling.back) };
        if first == length {
            return Ok(None);
        }
        let gives = first..first.saturating_add(size).min(length);
        let (plan, needs) = Plan::part(&self.network, 1, self.frames, part, gives.clone())?;
        Ok(Some(Tile { plan: plan.with_precision(self.precision), needs, gives }))
    }

    /// Takes the next frames, one or more, and computes the tiles that they complete.
    ///
    /// # Shapes
    /// `frames` `[n, H, W, C]` of the network's input.
    pub async fn push(
        &mut self,
        model: &mut Model,
        frames: Vec<f32>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        self.clip.push(frames);
        while let Some(tile) = self.front.take_if(|tile| tile.needs.end <= self.clip.end()) {
            let output = model.run(&tile.plan, self.clip.get(tile.needs), &[CUT], &mut |_| ()).await?;
            self.middle.values.extend_from_slice(&output.get(CUT).ok_or_else(|| missing(CUT))?.data);
            self.front = self.tile(FRONT, tile.gives.end)?;
            self.clip.forget_before(self.front.as_ref().map_or(self.frames, |next| next.needs.start));
            self.advance_back(model).await?;
            let share = tile.gives.end as f64 / self.cut.t as f64;
            let done_macs = (share * self.total_macs as f64) as u64;
            progress(Progress { done_macs, total_macs: self.total_macs });
        }
        Ok(())
    }

    async fn advance_back(&mut self, model: &mut Model) -> Result<()> {
        while let Some(tile) = self.back.take_if(|tile| tile.needs.end <= self.middle.end()) {
            let observe = [FEATURES, LOGITS_PER_STEP];
            let output = model.run(&tile.plan, self.middle.get(tile.needs), &observe, &mut |_| ()).await?;
            for (name, all) in [(FEATURES, &mut self.features), (LOGITS_PER_STEP, &mut self.per_step)] {
                all.extend_from_slice(&output.get(name).ok_or_else(|| missing(name))?.data);
            }
            self.back = self.tile(BACK, tile.gives.end)?;
            self.middle.forget_before(self.back.as_ref().map_or(self.cut.t, |next| next.needs.start));
        }
        Ok(())
    }

    /// The head's values, once all frames have been pushed.
    ///
    /// # Errors
    /// Clips with fewer frames than were announced.
    pub fn finish(self) -> Result<Head> {
        if self.back.is_some() {
            let (got, wanted) = (self.clip.end(), self.frames);
            return Err(Error::clip("clip", format!("{got} frames came where {wanted} were announced")));
        }
        let activation = |data: Vec<f32>| {
            let shape = self.steps.with_channels(data.len() / self.steps.t);
            Activation { shape, data }
        };
        Ok(Head { features: activation(self.features), per_step: activation(self.per_step) })
    }
}

fn missing(name: &str) -> Error {
    Error::device("tiles", format!("{name} was not computed"))
}
