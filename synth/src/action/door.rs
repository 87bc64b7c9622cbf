//! Opening a door, by pushing it into the next room.

use super::{Action, Moment, Stage, shadow};
use crate::body::Facing;
use crate::canvas::Canvas;
use crate::colour::Colour;
use crate::draw::Draw;
use crate::geometry::{Point, at, direction, mix};

/// How high the eye is, to which everything shrinks with distance.
const EYE: f32 = 1.3;

/// A door whose free edge stands at x = 0 while it is closed. Its hinges are to the right.
#[derive(Debug)]
pub struct Door {
    width: f32,
    height: f32,
    /// How far it opens, in turns.
    angle: f32,
    leaf: Colour,
    frame: Colour,
    panels: u32,
    handle: f32,
}

impl Action for Door {
    fn draw(draw: &mut Draw, stage: &Stage) -> Door {
        Door {
            width: draw.own(0.78, 1.0),
            height: draw.own(1.95, 2.15),
            angle: draw.between(0.18, 0.225),
            leaf: draw.vivid(),
            frame: draw.backdrop(),
            panels: draw.pick([0, 1, 2, 3]),
            handle: draw.between(0.54, 0.6) * stage.figure.height,
        }
    }

    fn extent(&self, stage: &Stage) -> (Point, Point) {
        (at(-0.85, -0.1), at(self.width + 0.15, stage.scene.horizon + self.height + 0.1))
    }

    fn draw_on(&self, canvas: &mut Canvas, stage: &Stage, moment: &Moment) {
        let (figure, floor) = (&stage.figure, stage.scene.horizon);
        let jamb = 0.08;
        let (low, high) = (at(0.0, floor), at(self.width, floor + self.height));
        canvas.rectangle(low - at(jamb, 0.0), high + at(jamb, jamb), self.frame.shaded());
        canvas.rectangle(low, high, stage.scene.beyond());

        // The leaf turns away from the eye: its free edge moves towards the hinges and shrinks.
        let turned = direction(self.angle * moment.progress);
        let on_leaf = |across: f32, y: f32| {
            let near = 1.0 / (1.0 + 0.35 * across * turned.y);
            at(self.width * (1.0 - across * turned.x * near), floor + EYE + (y - EYE) * near)
        };
        let panel = |from: Point, to: Point| {
            [on_leaf(from.x, from.y), on_leaf(to.x, from.y), on_leaf(to.x, to.y), on_leaf(from.x, to.y)]
        };
        let light = self.leaf.shaded().mix(self.leaf, turned.x);
        canvas.polygon(&panel(at(0.0, 0.0), at(1.0, self.height)), light);
        for i in 0..self.panels {
            let each = (self.height - 0.2) / self.panels as f32;
            let bottom = 0.2 + each * i as f32;
            canvas.polygon(&panel(at(0.2, bottom), at(0.8, bottom + each - 0.2)), light.shaded());
        }
        let handle = on_leaf(0.9, self.handle);
        canvas.line(handle, on_leaf(0.76, self.handle), 0.05, self.frame.lit());

        let way = handle.x - on_leaf(0.9, 0.0).x.min(self.width * 0.1);
        let x = mix(-0.42, -0.3, moment.progress) * figure.reach() / 0.65 + way;
        let (feet, hip) = figure.walk(way + 0.02, 0.28);
        let mut pose = figure.standing(Facing::Right, x);
        pose.hip.y = hip;
        pose.feet = feet.map(|foot| foot + at(x, 0.0));
        pose.lean = 0.012 + 0.02 * moment.progress + moment.sway;
        pose.hands = [figure.hanging(&pose, 0), handle];
        shadow(canvas, x, 0.6);
        figure.draw_on(canvas, &pose, |_| ());
    }
}
