//! Pushing a cart.

use super::{Action, Moment, Stage, shadow};
use crate::body::Facing;
use crate::canvas::Canvas;
use crate::colour::Colour;
use crate::draw::Draw;
use crate::geometry::{Point, at, direction};

/// A cart that a person pushes to the right, past x = 0.
#[derive(Debug)]
pub struct Cart {
    length: f32,
    depth: f32,
    /// How high the floor of the cart is.
    bed: f32,
    wheel: f32,
    colour: Colour,
    wheels: Colour,
    load: Option<Colour>,
    distance: f32,
    step: f32,
}

impl Cart {
    fn draw_cart(&self, canvas: &mut Canvas, rear: f32, handle: Point, rolled: f32) {
        let (low, high) = (at(rear, self.bed), at(rear + self.length, self.bed + self.depth));
        shadow(canvas, rear + self.length / 2.0, self.length * 1.1);
        if let Some(load) = self.load {
            let middle = at(rear + self.length * 0.5, high.y);
            let half = self.length * 0.3;
            canvas.rectangle(middle - at(half, 0.1), middle + at(half * 0.2, 0.2), load);
            canvas.disc(middle + at(half * 0.7, 0.02), half * 0.5, load.lit());
        }
        canvas.line(handle, at(low.x + 0.05, low.y), 0.045, self.wheels);
        canvas.line(handle - at(0.04, 0.0), handle + at(0.03, 0.0), 0.06, self.wheels);
        canvas
            .polygon(&[low + at(0.05, 0.0), at(high.x - 0.05, low.y), high, at(low.x, high.y)], self.colour);
        let rim = at(low.x - 0.02, high.y);
        canvas.line(rim, high + at(0.02, 0.0), 0.06, self.colour.lit());
        for x in [low.x + 0.16, high.x - 0.16] {
            let hub = at(x, self.wheel);
            canvas.disc(hub, self.wheel, self.wheels);
            canvas.disc(hub, self.wheel * 0.7, self.wheels.lit().lit());
            for spoke in [0.0, 1.0 / 6.0, 1.0 / 3.0] {
                let rim =
                    direction(spoke - rolled / (std::f32::consts::TAU * self.wheel)) * (self.wheel * 0.8);
                canvas.line(hub - rim, hub + rim, self.wheel * 0.2, self.wheels);
            }
        }
    }
}

impl Action for Cart {
    fn draw(draw: &mut Draw, _stage: &Stage) -> Cart {
        let wheel = draw.own(0.11, 0.18);
        let load = draw.vivid();
        Cart {
            length: draw.own(0.65, 0.9),
            depth: draw.own(0.22, 0.42),
            bed: wheel * draw.between(1.3, 2.0),
            wheel,
            colour: draw.vivid(),
            wheels: draw.colour((0.0, 0.2), (0.12, 0.3)),
            load: draw.chance(0.6).then_some(load),
            distance: draw.between(0.9, 1.5),
            step: draw.between(0.4, 0.55),
        }
    }

    fn extent(&self, stage: &Stage) -> (Point, Point) {
        let aside = self.distance / 2.0 + 0.9;
        (at(-aside, -0.1), at(aside, stage.figure.height + 0.08))
    }

    fn draw_on(&self, canvas: &mut Canvas, stage: &Stage, moment: &Moment) {
        let figure = &stage.figure;
        let gone = self.distance * (moment.progress - 0.5);
        let x = gone - 0.5;
        let (feet, hip) = figure.walk(gone, self.step);
        let mut pose = figure.standing(Facing::Right, x);
        pose.hip.y = hip;
        pose.feet = feet.map(|foot| foot + at(x, 0.0));
        pose.lean = 0.035 + moment.sway;
        let handle = at(x + 0.2 + figure.reach() * 0.5, figure.leg() + 0.12);
        pose.hands = [handle; 2];
        shadow(canvas, x, 0.6);
        figure.draw_on(canvas, &pose, |canvas| self.draw_cart(canvas, handle.x + 0.05, handle, gone));
    }
}
