//! What is done with arms and legs: walking, jumping jacks.

use super::{Action, Moment, Rhythm, Stage, shadow};
use crate::body::Facing;
use crate::canvas::Canvas;
use crate::draw::Draw;
use crate::geometry::{Point, at, bump, direction, mix, sine};

/// Jumping jacks.
#[derive(Debug)]
pub struct JumpingJacks {
    rhythm: Rhythm,
    /// How high the arms go, in turns from hanging down.
    arms: f32,
    /// How far each foot goes aside, as a share of the leg.
    legs: f32,
}

impl Action for JumpingJacks {
    fn draw(draw: &mut Draw, _stage: &Stage) -> JumpingJacks {
        JumpingJacks {
            rhythm: Rhythm::draw(draw, 0.8, 1.5),
            arms: draw.between(0.38, 0.46),
            legs: draw.between(0.32, 0.5),
        }
    }

    fn extent(&self, stage: &Stage) -> (Point, Point) {
        (at(-0.75, -0.1), at(0.75, stage.figure.height + 0.4))
    }

    fn draw_on(&self, canvas: &mut Canvas, stage: &Stage, moment: &Moment) {
        let figure = &stage.figure;
        let turns = self.rhythm.turns(moment);
        let open = 0.5 + 0.5 * sine(turns);
        // In the air half way out and half way in.
        let jump = 0.1 * bump(open);
        let mut pose = figure.standing(Facing::Front, 0.0);
        let aside = mix(0.12, self.legs, open) * figure.leg();
        pose.hip.y = figure.hip_over(aside - 0.03 * figure.height) + jump;
        for (side, sign) in [(0, -1.0), (1, 1.0)] {
            pose.feet[side] = at(sign * aside, jump);
            let arm = direction(mix(0.03, self.arms, open) - 0.25);
            pose.hands[side] =
                figure.shoulder(&pose, side) + at(arm.x * sign, arm.y) * (figure.reach() * 0.97);
            pose.elbows[side] = if open > 0.5 { -sign } else { sign };
        }
        shadow(canvas, 0.0, 0.7 + aside);
        figure.draw_on(canvas, &pose, |_| ());
    }
}

/// Walking across the picture, past x = 0.
#[derive(Debug)]
pub struct Walk {
    distance: f32,
    step: f32,
    /// Where in a step the clip begins, in metres.
    start: f32,
    /// How far the arms swing, as a share of the step.
    arms: f32,
}

impl Action for Walk {
    fn draw(draw: &mut Draw, _stage: &Stage) -> Walk {
        Walk {
            distance: draw.between(1.1, 2.0),
            step: draw.between(0.45, 0.65),
            start: draw.between(0.0, 1.3),
            arms: draw.between(0.6, 1.0),
        }
    }

    fn extent(&self, stage: &Stage) -> (Point, Point) {
        let aside = self.distance / 2.0 + 0.35;
        (at(-aside, -0.1), at(aside, stage.figure.height + 0.08))
    }

    fn draw_on(&self, canvas: &mut Canvas, stage: &Stage, moment: &Moment) {
        let figure = &stage.figure;
        let x = self.distance * (moment.progress - 0.5);
        let gone = self.start + self.distance * moment.progress;
        let (feet, hip) = figure.walk(gone, self.step);
        let mut pose = figure.standing(Facing::Right, x);
        pose.hip.y = hip;
        pose.lean = 0.01 + moment.sway;
        pose.feet = feet.map(|foot| foot + at(x, 0.0));
        for (side, phase) in [(0, 0.25), (1, 0.75)] {
            // Arms swing against the legs of their side.
            let swing = sine(gone / (2.0 * self.step) + phase) * self.step * self.arms * 0.5;
            pose.hands[side] = figure.shoulder(&pose, side) + at(0.05 - swing, -figure.reach() * 0.9);
        }
        shadow(canvas, x, 0.6);
        figure.draw_on(canvas, &pose, |_| ());
    }
}
