//! Picking up a box.

use super::{Action, Moment, Stage, shadow};
use crate::body::Facing;
use crate::canvas::Canvas;
use crate::colour::Colour;
use crate::draw::Draw;
use crate::geometry::{Point, along, at, mix};

/// When the hands have the box.
const GRASP: f32 = 0.42;

/// A box in front of a person who stands at x = 0.
#[derive(Debug)]
pub struct Carry {
    size: Point,
    colour: Colour,
    tape: bool,
    /// How high the box stands: on the floor, or on a low table.
    table: f32,
    table_colour: Colour,
    /// How far the person bends down, in turns; the rest is done by the knees.
    bow: f32,
    /// How high over the hip the box is carried.
    carried: f32,
}

impl Carry {
    fn draw_box(&self, canvas: &mut Canvas, middle: Point) {
        let half = self.size * 0.5;
        let (low, high) = (middle - half, middle + half);
        canvas.rectangle(low, high, self.colour);
        canvas.rectangle(at(low.x, high.y - self.size.y * 0.16), high, self.colour.lit());
        if self.tape {
            let x = middle.x;
            canvas.rectangle(at(x - 0.03, low.y), at(x + 0.03, high.y), self.colour.shaded());
        }
    }
}

impl Action for Carry {
    fn draw(draw: &mut Draw, _stage: &Stage) -> Carry {
        Carry {
            size: at(draw.own(0.26, 0.42), draw.own(0.2, 0.36)),
            colour: draw.vivid(),
            tape: draw.chance(0.6),
            table: if draw.chance(0.5) { draw.between(0.2, 0.45) } else { 0.0 },
            table_colour: draw.vivid(),
            bow: draw.between(0.1, 0.15),
            carried: draw.between(0.1, 0.3),
        }
    }

    fn extent(&self, stage: &Stage) -> (Point, Point) {
        (at(-0.6, -0.1), at(0.95, stage.figure.height + 0.08))
    }

    fn draw_on(&self, canvas: &mut Canvas, stage: &Stage, moment: &Moment) {
        let (figure, p) = (&stage.figure, moment.progress);
        let rest = at(0.34 + self.size.x / 2.0, self.table + self.size.y / 2.0);
        shadow(canvas, 0.0, 0.6);
        shadow(canvas, rest.x, self.size.x * 1.3);
        if self.table > 0.0 {
            let (left, right) = (rest.x - self.size.x / 2.0 - 0.06, rest.x + self.size.x / 2.0 + 0.06);
            for x in [left + 0.05, right - 0.05] {
                canvas.line(at(x, 0.02), at(x, self.table - 0.03), 0.05, self.table_colour.shaded());
            }
            let y = self.table - 0.03;
            canvas.line(at(left, y), at(right, y), 0.06, self.table_colour);
        }
        let mut pose = figure.standing(Facing::Right, 0.0);
        let stand = pose.hip;
        let low = at(-0.16, figure.leg() * mix(0.5, 0.82, self.table / 0.45));
        let down = along([(0.0, 0.0), (GRASP, 1.0), (0.95, 0.0)], p);
        pose.hip = mix(stand, low, down);
        pose.lean = self.bow * down + moment.sway - 0.012 * p;
        pose.feet = [at(0.1, 0.0), at(-0.05, 0.0)];
        let up = at(0.1 + self.size.x / 2.0 + 0.1, stand.y + self.carried);
        let middle = along([(GRASP + 0.03, rest), (0.95, up)], p);
        let hold = middle + at(-self.size.x * 0.25, -self.size.y * 0.35);
        for side in 0..2 {
            let hanging = figure.hanging(&pose, side);
            pose.hands[side] = if p < GRASP { along([(0.0, hanging), (GRASP, hold)], p) } else { hold };
        }
        figure.draw_on(canvas, &pose, |canvas| self.draw_box(canvas, middle));
    }
}
