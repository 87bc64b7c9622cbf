//! Putting on a hat.

use super::{Action, Moment, Stage, shadow};
use crate::body::Facing;
use crate::canvas::Canvas;
use crate::colour::Colour;
use crate::draw::Draw;
use crate::geometry::{Point, along, at, direction};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Top,
    Sun,
    Cone,
}

/// A hat in the right hand of the picture.
#[derive(Debug)]
pub struct Hat {
    kind: Kind,
    colour: Colour,
    band: Colour,
    /// Half the brim, in head radii.
    brim: f32,
    /// Height of the crown, in head radii.
    crown: f32,
    /// How far above the head the hand carries it, in metres.
    lift: f32,
    /// Whether the other hand rests on the hip.
    akimbo: bool,
}

impl Hat {
    /// The hat with the middle of its brim at a place; `tilt` turns it to the left, in turns.
    fn draw_hat(&self, canvas: &mut Canvas, brim: Point, head: f32, tilt: f32) {
        let up = direction(0.25 + tilt) * head;
        let right = direction(tilt) * head;
        let corner = |x: f32, y: f32| brim + right * x + up * y;
        let (wide, narrow) = match self.kind {
            Kind::Top => (0.92, 0.86),
            Kind::Sun => (0.95, 0.7),
            Kind::Cone => (1.0, 0.08),
        };
        let edge = |y: f32| wide + (narrow - wide) * y / self.crown;
        let ring = |low: f32, high: f32| {
            [
                corner(-edge(low), low),
                corner(edge(low), low),
                corner(edge(high), high),
                corner(-edge(high), high),
            ]
        };
        canvas.polygon(&ring(0.0, self.crown), self.colour);
        canvas.polygon(&ring(self.crown * 0.1, self.crown * 0.36), self.band);
        canvas.line(corner(-self.brim, 0.0), corner(self.brim, 0.0), head * 0.26, self.colour.shaded());
    }
}

impl Action for Hat {
    fn draw(draw: &mut Draw, _stage: &Stage) -> Hat {
        Hat {
            kind: draw.pick([Kind::Top, Kind::Sun, Kind::Cone]),
            colour: draw.vivid(),
            band: draw.vivid().lit(),
            brim: draw.own(1.25, 2.0),
            crown: draw.own(0.9, 1.9),
            lift: draw.between(0.12, 0.3),
            akimbo: draw.chance(0.4),
        }
    }

    fn extent(&self, stage: &Stage) -> (Point, Point) {
        // The legs matter less here, so the camera may come nearer.
        let figure = &stage.figure;
        (at(-0.6, figure.leg() * 0.35), at(0.75, figure.height + 2.4 * figure.head + 0.1))
    }

    fn draw_on(&self, canvas: &mut Canvas, stage: &Stage, moment: &Moment) {
        let (figure, p) = (&stage.figure, moment.progress);
        let mut pose = figure.standing(Facing::Front, 0.0);
        pose.lean = moment.sway;
        if self.akimbo {
            pose.hands[0] = pose.hip + at(-0.17, 0.06);
        }
        let head = figure.head;
        let worn = figure.face(&pose) + at(0.0, head * 0.62);
        let above = worn + at(0.1, self.lift);
        let hanging = figure.hanging(&pose, 1);
        let low = hanging + at(0.02, -head * 0.4);
        let aside = figure.shoulder(&pose, 1) + at(figure.reach() * 0.75, 0.0);
        let brim = along([(0.0, low), (0.3, aside), (0.55, above), (0.7, worn)], p);
        let tilt = along([(0.0, -0.2), (0.3, -0.14), (0.55, -0.03), (0.7, 0.0)], p);
        let grip = brim + direction(tilt) * (head * self.brim * 0.92);
        let holding = if p < 0.3 { along([(0.0, hanging), (0.3, grip)], p) } else { grip };
        pose.hands[1] = if p < 0.74 {
            holding
        } else {
            let out = figure.shoulder(&pose, 1) + at(figure.reach() * 0.7, 0.05);
            along([(0.74, grip), (0.87, out), (1.0, hanging)], p)
        };
        shadow(canvas, 0.0, 0.7);
        figure.draw_on(canvas, &pose, |canvas| self.draw_hat(canvas, brim, head, tilt));
    }
}
