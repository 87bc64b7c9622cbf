//! A clip: one person does one thing in one place, and everything about it follows from a seed.

use std::fmt;

use crate::action::{Action, Moment, Stage};
use crate::body::Figure;
use crate::camera::{Camera, Light};
use crate::canvas::Canvas;
use crate::classes::{self, CLASSES};
use crate::draw::Draw;
use crate::geometry::{bump, mix, sine, smooth};
use crate::scene::Scene;
use crate::{Options, Split};

/// Sides of a picture that make sense, in pixels.
pub const SIDES: std::ops::RangeInclusive<u32> = 16..=2048;

/// A request that cannot be met, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(String);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

/// One clip, drawn frame by frame when it is asked for.
#[derive(Debug)]
pub struct Clip {
    /// Empty, of the clip's size.
    canvas: Canvas,
    options: Options,
    seed: u64,
    backwards: bool,
    stage: Stage,
    action: Box<dyn Action>,
    timing: Timing,
    camera: Camera,
    light: Light,
}

impl Clip {
    /// The clip of that number; other splits, classes, numbers and [`Options::seed`]s give other clips.
    pub fn new(split: Split, class: usize, index: u64, options: &Options) -> Result<Clip, Invalid> {
        let mixed = [split as u64, class as u64, index].into_iter().fold(options.seed, |seed, part| {
            // SplitMix64: every bit of every part reaches every bit of the seed.
            let mut z = (seed ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        });
        // The remainder by three is the split's, so that no two splits have a seed in common.
        Clip::from_seed(split, class, mixed / 3 * 3 % (u64::MAX - 2) + split as u64, options)
    }

    /// The clip of a seed. Where one class is another backwards, the same seed gives the same frames in reverse order.
    pub fn from_seed(split: Split, class: usize, seed: u64, options: &Options) -> Result<Clip, Invalid> {
        let (make, backwards) = classes::action(class)
            .ok_or_else(|| Invalid(format!("there is no class {class}; there are {}", CLASSES.len())))?;
        let &Options { width, height, frames, fps, .. } = options;
        let canvas = Canvas::new(width, height).filter(|_| SIDES.contains(&width) && SIDES.contains(&height));
        let canvas = canvas.ok_or_else(|| {
            let (least, most) = (SIDES.start(), SIDES.end());
            Invalid(format!("{width}x{height} pixels; give sides from {least} to {most}"))
        })?;
        if frames < 2 || !(1.0..=1000.0).contains(&fps) {
            let problem = format!("{frames} frames at {fps} a second; give at least 2 at 1 to 1000 a second");
            return Err(Invalid(problem));
        }
        let mut draw = Draw::new(split, seed);
        let stage = Stage { figure: Figure::draw(&mut draw), scene: Scene::draw(&mut draw) };
        let action = make(&mut draw, &stage);
        let camera = Camera::draw(&mut draw, action.extent(&stage), width as f32 / height as f32);
        let light = Light::draw(&mut draw);
        let timing = Timing::draw(&mut draw);
        let options = options.clone();
        Ok(Clip { canvas, options, seed, backwards, stage, action, timing, camera, light })
    }

    /// How many frames it has.
    pub fn len(&self) -> usize {
        self.options.frames
    }

    /// Whether it has no frame; it always has.
    pub fn is_empty(&self) -> bool {
        self.options.frames == 0
    }

    /// Frame `index` from 0, as bytes.
    ///
    /// # Shapes
    ///
    /// `[height, width, 3]`, red, green and blue.
    pub fn frame(&self, index: usize) -> Vec<u8> {
        let last = self.options.frames - 1;
        let index = index.min(last);
        // The only place that knows the direction: whatever is drawn depends on the forward time alone.
        let forward = if self.backwards { last - index } else { index };
        let share = forward as f32 / last as f32;
        let seconds = forward as f32 / self.options.fps;
        let mut canvas = self.canvas.clone();
        canvas.look(self.camera.view(canvas.size(), share, seconds));
        self.stage.scene.draw_on(&mut canvas, seconds);
        let moment = self.timing.moment(share, seconds);
        self.action.draw_on(&mut canvas, &self.stage, &moment);
        let noise = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(forward as u64);
        self.light.develop(canvas.rgba(), self.options.width as usize, share, noise)
    }

    /// All frames, in order.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = Vec<u8>> {
        (0..self.options.frames).map(|index| self.frame(index))
    }
}

/// How the action runs along the clip.
#[derive(Debug, Clone)]
struct Timing {
    /// Shares of the clip at which the action begins and ends; before 0 or after 1 where the clip does not show all of it.
    begins: f32,
    ends: f32,
    /// From an even pace at 0 to a soft start and end at 1.
    softness: f32,
    /// Faster at first where positive, later where negative.
    haste: f32,
    /// Where in a sway the clip begins.
    sway: f32,
}

impl Timing {
    fn draw(draw: &mut Draw) -> Timing {
        Timing {
            begins: draw.between(-0.12, 0.16),
            ends: draw.between(0.84, 1.12),
            softness: draw.between(0.0, 0.8),
            haste: draw.between(-0.25, 0.25),
            sway: draw.between(0.0, 1.0),
        }
    }

    fn moment(&self, share: f32, seconds: f32) -> Moment {
        let even = ((share - self.begins) / (self.ends - self.begins)).clamp(0.0, 1.0);
        let paced = even + self.haste * bump(even) * 0.5;
        Moment {
            progress: mix(paced, smooth(paced), self.softness).clamp(0.0, 1.0),
            seconds,
            sway: 0.004 * sine(0.6 * seconds + self.sway),
        }
    }
}
