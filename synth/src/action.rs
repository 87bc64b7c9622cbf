//! What people do. Every action is a function of time that draws the person and the things involved.

pub mod arms;
pub mod carry;
pub mod cart;
pub mod door;
pub mod gait;
pub mod hat;
pub mod seat;
pub mod throw;

use std::fmt::Debug;

use crate::body::Figure;
use crate::canvas::Canvas;
use crate::colour::BLACK;
use crate::draw::Draw;
use crate::geometry::{Point, at};
use crate::scene::Scene;

/// Who acts, and where.
#[derive(Debug, Clone)]
pub struct Stage {
    pub figure: Figure,
    pub scene: Scene,
}

/// A moment of a clip.
#[derive(Debug, Clone)]
pub struct Moment {
    /// How much of the action is done, from 0 to 1.
    pub progress: f32,
    /// Since the start of the clip, for what repeats.
    pub seconds: f32,
    /// How far the body sways just now, in turns: nobody stands perfectly still.
    pub sway: f32,
}

/// An action. People who are seen from the side look to the right; the camera mirrors them.
pub trait Action: Debug {
    /// Any way of doing it.
    fn draw(draw: &mut Draw, stage: &Stage) -> Self
    where
        Self: Sized;

    /// The lower left and the upper right corner of what must be seen.
    fn extent(&self, stage: &Stage) -> (Point, Point);

    /// Draws a moment of it.
    fn draw_on(&self, canvas: &mut Canvas, stage: &Stage, moment: &Moment);
}

/// Makes an action for a stage.
pub type Make = fn(&mut Draw, &Stage) -> Box<dyn Action>;

/// The shadow below something of a width that stands at `x`.
fn shadow(canvas: &mut Canvas, x: f32, width: f32) {
    canvas.oval(at(x, 0.0), at(width / 2.0, width / 12.0), BLACK, 0.22);
}

/// How often something that repeats does so, and where it begins.
#[derive(Debug, Clone)]
struct Rhythm {
    per_second: f32,
    phase: f32,
}

impl Rhythm {
    fn draw(draw: &mut Draw, slowest: f32, fastest: f32) -> Rhythm {
        Rhythm { per_second: draw.between(slowest, fastest), phase: draw.between(0.0, 1.0) }
    }

    /// The number of repetitions so far.
    fn turns(&self, moment: &Moment) -> f32 {
        self.phase + self.per_second * moment.seconds
    }
}
