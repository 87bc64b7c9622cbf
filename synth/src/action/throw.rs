//! Throwing a ball.

use super::{Action, Moment, Stage, shadow};
use crate::body::Facing;
use crate::canvas::Canvas;
use crate::colour::Colour;
use crate::draw::Draw;
use crate::geometry::{Point, along, at};

/// When the ball leaves the hand.
const RELEASE: f32 = 0.5;

/// Where the hand is then, in lengths of the arm from the shoulder.
const RELEASED: Point = at(0.78, 0.45);

/// A person at x = 0 who throws to the right.
#[derive(Debug)]
pub struct Throw {
    radius: f32,
    colour: Colour,
    spotted: bool,
    /// How far the ball flies before the action ends, and how high above a straight line.
    distance: f32,
    arc: f32,
    /// How much higher than the release it ends.
    rise: f32,
}

impl Action for Throw {
    fn draw(draw: &mut Draw, _stage: &Stage) -> Throw {
        Throw {
            radius: draw.own(0.07, 0.14),
            colour: draw.vivid(),
            spotted: draw.chance(0.5),
            distance: draw.between(1.5, 2.0),
            arc: draw.between(0.05, 0.3),
            rise: draw.between(-1.0, -0.3),
        }
    }

    fn extent(&self, stage: &Stage) -> (Point, Point) {
        (at(-0.7, -0.1), at(1.9, stage.figure.height + 0.45))
    }

    fn draw_on(&self, canvas: &mut Canvas, stage: &Stage, moment: &Moment) {
        let (figure, p) = (&stage.figure, moment.progress);
        let mut pose = figure.standing(Facing::Right, 0.0);
        pose.lean = along([(0.0, 0.0), (0.28, -0.035), (0.55, 0.04), (1.0, 0.01)], p) + moment.sway;
        pose.hip.x += along([(0.0, 0.0), (0.28, -0.08), (0.6, 0.08), (1.0, 0.05)], p);
        pose.hip.y *= 0.97;
        pose.feet = [at(0.24, 0.0), at(-0.16, 0.0)];
        let (shoulder, reach) = (figure.shoulder(&pose, 1), figure.reach());
        let ready = at(0.45, -0.25);
        let swing = [(0.0, ready), (0.28, at(-0.62, 0.35)), (RELEASE, RELEASED), (0.68, at(0.75, -0.3))];
        let swung = along(swing, p);
        pose.hands[1] = shoulder + along([(0.68, swung), (1.0, at(0.2, -0.92))], p) * reach;
        pose.hands[0] = along(
            [
                (0.0, shoulder + ready * reach),
                (0.28, shoulder + at(0.75, 0.1) * reach),
                (0.7, figure.hanging(&pose, 0)),
            ],
            p,
        );
        let beyond = |hand: Point| hand + at(self.radius * 0.8, self.radius * 0.5);
        let ball = if p < RELEASE {
            beyond(figure.hand(&pose, 1))
        } else {
            let flown = (p - RELEASE) / (1.0 - RELEASE);
            let from = beyond(shoulder + RELEASED * reach);
            let rise = self.rise * flown + 4.0 * self.arc * flown * (1.0 - flown);
            from + at(self.distance * flown, rise)
        };
        shadow(canvas, 0.03, 0.8);
        let draw_ball = |canvas: &mut Canvas| {
            canvas.disc(ball, self.radius, self.colour);
            if self.spotted {
                canvas.disc(ball + at(-0.3, 0.35) * self.radius, self.radius * 0.5, self.colour.lit());
            }
        };
        figure.draw_on(canvas, &pose, draw_ball);
    }
}
