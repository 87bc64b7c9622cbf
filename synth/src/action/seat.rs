//! Sitting down.

use super::{Action, Moment, Stage, shadow};
use crate::body::Facing;
use crate::canvas::Canvas;
use crate::colour::Colour;
use crate::draw::Draw;
use crate::geometry::{Point, along, at, bump, mix};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Stool,
    Chair,
    Armchair,
    Crate,
}

/// A seat behind a person whose toes are near x = 0.
#[derive(Debug)]
pub struct Seat {
    kind: Kind,
    colour: Colour,
    /// How high one sits, as a share of the leg.
    height: f32,
    /// How far the person bends forward on the way, in turns.
    bow: f32,
    /// Whether the hands come to rest on the knees.
    hands_on_knees: bool,
}

impl Seat {
    /// Where the hip is at last.
    fn place(&self, stage: &Stage) -> Point {
        let leg = stage.figure.leg();
        at(-leg * 0.5, leg * self.height + 0.06)
    }

    fn draw_seat(&self, canvas: &mut Canvas, hip: Point) {
        let top = hip.y - 0.06;
        let (back, front) = (hip.x - 0.22, hip.x + 0.24);
        let (colour, legs) = (self.colour, self.colour.shaded().shaded());
        match self.kind {
            Kind::Crate => {
                canvas.rectangle(at(back, 0.0), at(front, top), colour);
                for share in [0.3, 0.65] {
                    let y = top * share;
                    canvas.rectangle(at(back, y), at(front, y + 0.03), colour.shaded());
                }
            }
            Kind::Armchair => {
                canvas.rectangle(at(back - 0.06, 0.06), at(front, top), colour);
                canvas.line(at(back - 0.04, 0.15), at(back - 0.12, top + 0.5), 0.17, colour.shaded());
                canvas.line(at(back + 0.02, 0.02), at(front - 0.02, 0.02), 0.06, legs);
            }
            Kind::Stool | Kind::Chair => {
                for (x, tilt) in [(back + 0.04, -0.03), (front - 0.04, 0.03)] {
                    canvas.line(at(x, top), at(x + tilt, 0.02), 0.045, legs);
                }
                if self.kind == Kind::Chair {
                    canvas.line(at(back + 0.02, top), at(back - 0.06, top + 0.52), 0.05, legs);
                    canvas.line(at(back - 0.02, top + 0.3), at(back - 0.055, top + 0.5), 0.08, colour);
                }
                canvas.line(at(back + 0.02, top - 0.03), at(front - 0.02, top - 0.03), 0.07, colour);
            }
        }
    }
}

impl Action for Seat {
    fn draw(draw: &mut Draw, _stage: &Stage) -> Seat {
        Seat {
            kind: draw.pick([Kind::Stool, Kind::Chair, Kind::Chair, Kind::Armchair, Kind::Crate]),
            colour: draw.vivid(),
            height: draw.own(0.46, 0.56),
            bow: draw.between(0.05, 0.11),
            hands_on_knees: draw.chance(0.6),
        }
    }

    fn extent(&self, stage: &Stage) -> (Point, Point) {
        (at(-0.95, -0.1), at(0.5, stage.figure.height + 0.08))
    }

    fn draw_on(&self, canvas: &mut Canvas, stage: &Stage, moment: &Moment) {
        let (figure, p) = (&stage.figure, moment.progress);
        let end = self.place(stage);
        shadow(canvas, end.x + 0.1, 1.0);
        self.draw_seat(canvas, end);
        let mut pose = figure.standing(Facing::Right, 0.0);
        let start = pose.hip;
        // Backwards at first, then down.
        pose.hip = at(along([(0.0, start.x), (0.8, end.x)], p), along([(0.05, start.y), (1.0, end.y)], p));
        pose.feet = [at(0.06, 0.0), at(-0.02, 0.0)];
        pose.lean = self.bow * bump(p) + mix(0.0, -0.015, p) + moment.sway;
        for side in 0..2 {
            let hanging = figure.hanging(&pose, side);
            let rest = if self.hands_on_knees {
                pose.hip + at(figure.leg() * 0.42, 0.11)
            } else {
                pose.hip + at(0.12, 0.02)
            };
            pose.hands[side] = along([(0.25, hanging), (1.0, rest)], p);
        }
        figure.draw_on(canvas, &pose, |_| ());
    }
}
