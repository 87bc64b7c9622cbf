//! What is done with the arms alone: waving, clapping.

use super::{Action, Moment, Rhythm, Stage, shadow};
use crate::body::Facing;
use crate::canvas::Canvas;
use crate::draw::Draw;
use crate::geometry::{Point, at, sine};

/// Waving a hand.
#[derive(Debug)]
pub struct Wave {
    rhythm: Rhythm,
    /// How far the hand moves to the side, in metres.
    swing: f32,
    /// How high the hand is, in lengths of the arm over the shoulder.
    height: f32,
}

/// What must be seen of a person who stands at x = 0 and moves the arms.
fn upper_body(stage: &Stage, aside: f32, above: f32) -> (Point, Point) {
    let figure = &stage.figure;
    (at(-aside, figure.leg() * 0.35), at(aside, figure.height + above))
}

impl Action for Wave {
    fn draw(draw: &mut Draw, _stage: &Stage) -> Wave {
        Wave {
            rhythm: Rhythm::draw(draw, 1.1, 2.4),
            swing: draw.between(0.12, 0.2),
            height: draw.between(0.55, 0.85),
        }
    }

    fn extent(&self, stage: &Stage) -> (Point, Point) {
        upper_body(stage, 0.65, 0.25)
    }

    fn draw_on(&self, canvas: &mut Canvas, stage: &Stage, moment: &Moment) {
        let figure = &stage.figure;
        let mut pose = figure.standing(Facing::Front, 0.0);
        pose.lean = moment.sway;
        let aside = 0.22 + self.swing * sine(self.rhythm.turns(moment));
        pose.hands[1] = figure.shoulder(&pose, 1) + at(aside, self.height * figure.reach());
        // The elbow of a raised arm points outwards.
        pose.elbows[1] = -1.0;
        shadow(canvas, 0.0, 0.7);
        figure.draw_on(canvas, &pose, |_| ());
    }
}

/// Clapping.
#[derive(Debug)]
pub struct Clap {
    rhythm: Rhythm,
    /// How far apart the hands come, from the middle, in metres.
    width: f32,
    /// How high the hands meet, as a share of the torso.
    height: f32,
}

impl Action for Clap {
    fn draw(draw: &mut Draw, _stage: &Stage) -> Clap {
        Clap {
            rhythm: Rhythm::draw(draw, 1.2, 2.8),
            width: draw.between(0.1, 0.17),
            height: draw.between(0.4, 0.68),
        }
    }

    fn extent(&self, stage: &Stage) -> (Point, Point) {
        upper_body(stage, 0.55, 0.08)
    }

    fn draw_on(&self, canvas: &mut Canvas, stage: &Stage, moment: &Moment) {
        let figure = &stage.figure;
        let mut pose = figure.standing(Facing::Front, 0.0);
        pose.lean = moment.sway;
        let apart = 0.03 + self.width * (0.5 + 0.5 * sine(self.rhythm.turns(moment)));
        let meet = pose.hip + at(0.0, figure.torso * self.height);
        pose.hands = [meet - at(apart, 0.0), meet + at(apart, 0.0)];
        shadow(canvas, 0.0, 0.7);
        figure.draw_on(canvas, &pose, |_| ());
    }
}
