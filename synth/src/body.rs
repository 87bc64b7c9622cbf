//! People: their proportions and clothes, how they stand, and how they are drawn.

use crate::canvas::Canvas;
use crate::colour::{BLACK, Colour, WHITE};
use crate::draw::Draw;
use crate::geometry::{Point, at, bump, direction, joint, mix};

/// What covers the head.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Hair {
    Bald,
    Short,
    Long,
    Bun,
}

/// What covers the legs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Legwear {
    Trousers,
    Shorts,
    Skirt,
}

/// A person. Lengths are in metres.
#[derive(Debug, Clone)]
pub struct Figure {
    /// From the sole to the crown.
    pub height: f32,
    /// Hip to neck.
    pub torso: f32,
    /// Radius of the head.
    pub head: f32,
    /// Upper arm and forearm.
    arm: (f32, f32),
    /// Thigh and lower leg.
    leg: (f32, f32),
    /// Half the distance of the shoulders.
    shoulders: f32,
    /// Half the distance of the hips.
    hips: f32,
    /// How thick everything is; 1 is usual.
    build: f32,
    hair: Hair,
    long_sleeves: bool,
    legwear: Legwear,
    skin: Colour,
    hair_colour: Colour,
    shirt: Colour,
    legs: Colour,
    shoes: Colour,
}

/// From where one looks at a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facing {
    /// From the side; the person looks to the right.
    Right,
    /// From the front.
    Front,
}

/// How a person stands at a moment. Of pairs, the first is the far one of a person seen from the side, and the left one
/// in the picture of a person seen from the front.
#[derive(Debug, Clone)]
pub struct Pose {
    pub facing: Facing,
    pub hip: Point,
    /// How far the torso leans to the right, in turns.
    pub lean: f32,
    /// Where the hands are, or where they reach for.
    pub hands: [Point; 2],
    /// The soles.
    pub feet: [Point; 2],
    /// On which side of the way from shoulder to hand the elbows are.
    pub elbows: [f32; 2],
}

impl Figure {
    /// Any person of the split.
    pub fn draw(draw: &mut Draw) -> Figure {
        let height = draw.own(1.5, 1.92);
        let leg = height * draw.own(0.45, 0.51);
        let arm = height * draw.own(0.36, 0.42);
        let head = height * draw.own(0.062, 0.078);
        let build = draw.own(0.8, 1.35);
        let hair_lightness = draw.between(0.08, 0.55);
        Figure {
            height,
            head,
            torso: height - leg - 2.25 * head,
            arm: (arm * 0.5, arm * 0.5),
            leg: (leg * 0.5, leg * 0.5),
            shoulders: height * draw.own(0.095, 0.125),
            hips: height * draw.own(0.045, 0.065),
            build,
            hair: draw.pick([Hair::Bald, Hair::Short, Hair::Short, Hair::Long, Hair::Long, Hair::Bun]),
            long_sleeves: draw.chance(0.5),
            legwear: draw.pick([Legwear::Trousers, Legwear::Trousers, Legwear::Shorts, Legwear::Skirt]),
            skin: Colour::skin(draw.own(0.0, 1.0)),
            hair_colour: draw.colour((0.1, 0.7), (hair_lightness, hair_lightness)),
            shirt: draw.vivid(),
            legs: draw.vivid(),
            shoes: draw.colour((0.1, 0.8), (0.1, 0.3)),
        }
    }

    /// How far a hand gets from its shoulder.
    pub fn reach(&self) -> f32 {
        self.arm.0 + self.arm.1
    }

    /// Thigh and lower leg together.
    pub fn leg(&self) -> f32 {
        self.leg.0 + self.leg.1
    }

    /// How high the ankle is over the ground.
    fn sole(&self) -> f32 {
        self.thickness(0.018)
    }

    /// How high the hip is over feet that stand `aside` of it, on legs that are almost straight.
    pub fn hip_over(&self, aside: f32) -> f32 {
        let leg = self.leg();
        (leg * leg - aside * aside).max(0.0).sqrt() * 0.99 + self.sole()
    }

    /// The feet of a walking person relative to the place below the hip, and how high the hip is, after `distance` in
    /// steps of `step`.
    pub fn walk(&self, distance: f32, step: f32) -> ([Point; 2], f32) {
        let turns = distance / (2.0 * step);
        let foot = |offset: f32| {
            let phase = turns + offset - (turns + offset).floor();
            if phase < 0.5 {
                // On the ground the foot stays where it is, so it moves backwards below the body.
                at(step * (0.5 - 2.0 * phase), 0.0)
            } else {
                let swing = 2.0 * phase - 1.0;
                at(step * (swing - 0.5), self.leg() * 0.08 * bump(swing))
            }
        };
        let feet = [foot(0.0), foot(0.5)];
        let grounded = feet.iter().find(|foot| foot.y == 0.0).map_or(0.0, |foot| foot.x);
        (feet, self.hip_over(grounded))
    }

    /// Standing at `x` with hanging arms.
    pub fn standing(&self, facing: Facing, x: f32) -> Pose {
        let (feet, elbows) = match facing {
            Facing::Right => ([x + 0.05, x - 0.03], [-1.0, -1.0]),
            Facing::Front => ([x - self.hips * 1.3, x + self.hips * 1.3], [-1.0, 1.0]),
        };
        let hip = at(x, self.hip_over(0.0));
        let mut pose =
            Pose { facing, hip, lean: 0.0, hands: [hip; 2], feet: feet.map(|x| at(x, 0.0)), elbows };
        for side in 0..2 {
            pose.hands[side] = self.hanging(&pose, side);
        }
        pose
    }

    /// Where the hand of a hanging arm is.
    pub fn hanging(&self, pose: &Pose, side: usize) -> Point {
        let aside = match pose.facing {
            Facing::Right => 0.12,
            Facing::Front => [-0.2, 0.2][side],
        };
        self.shoulder(pose, side) + at(aside, -1.0) * (self.reach() * 0.94)
    }

    fn spine(&self, pose: &Pose) -> Point {
        direction(0.25 - pose.lean)
    }

    fn neck(&self, pose: &Pose) -> Point {
        pose.hip + self.spine(pose) * self.torso
    }

    /// The middle of the head.
    pub fn face(&self, pose: &Pose) -> Point {
        // Heads stay more upright than backs.
        self.neck(pose) + direction(0.25 - 0.6 * pose.lean) * (self.head * 1.25)
    }

    /// Where an arm begins.
    pub fn shoulder(&self, pose: &Pose, side: usize) -> Point {
        let spine = self.spine(pose);
        let top = pose.hip + spine * (self.torso * 0.88);
        match pose.facing {
            Facing::Right => top,
            Facing::Front => top + spine.left() * (self.shoulders * [1.0, -1.0][side]),
        }
    }

    fn thickness(&self, share: f32) -> f32 {
        self.height * share * self.build
    }

    /// Draws the person; `held` is drawn in front of the body and behind the near arm, or behind both arms from the
    /// front.
    pub fn draw_on(&self, canvas: &mut Canvas, pose: &Pose, held: impl FnOnce(&mut Canvas)) {
        if pose.facing == Facing::Right {
            self.draw_arm(canvas, pose, 0);
        }
        self.draw_hair_behind(canvas, pose);
        for side in 0..2 {
            self.draw_leg(canvas, pose, side);
        }
        self.draw_torso(canvas, pose);
        self.draw_head(canvas, pose);
        held(canvas);
        if pose.facing == Facing::Front {
            self.draw_arm(canvas, pose, 0);
        }
        self.draw_arm(canvas, pose, 1);
    }

    /// Where a hand really is: where it reaches for, or as near as the arm allows.
    pub fn hand(&self, pose: &Pose, side: usize) -> Point {
        joint(self.shoulder(pose, side), pose.hands[side], self.arm, pose.elbows[side]).1
    }

    /// Limbs on the far side lie in the shade.
    fn shade(&self, pose: &Pose, side: usize, colour: Colour) -> Colour {
        if pose.facing == Facing::Right && side == 0 { colour.shaded() } else { colour }
    }

    fn draw_arm(&self, canvas: &mut Canvas, pose: &Pose, side: usize) {
        let shoulder = self.shoulder(pose, side);
        let (elbow, hand) = joint(shoulder, pose.hands[side], self.arm, pose.elbows[side]);
        // A little lighter than the trunk, so that arms in front of it are seen.
        let shirt = self.shade(pose, side, self.shirt.mix(WHITE, 0.14));
        let skin = self.shade(pose, side, self.skin);
        let [upper, middle, wrist] = [0.03, 0.024, 0.018].map(|share| self.thickness(share));
        canvas.bone(elbow, middle, hand, wrist, if self.long_sleeves { shirt } else { skin });
        canvas.bone(shoulder, upper, elbow, middle, shirt);
        canvas.disc(hand + (hand - elbow).unit() * (wrist * 0.6), wrist * 1.3, skin);
    }

    fn draw_leg(&self, canvas: &mut Canvas, pose: &Pose, side: usize) {
        let (root, bend, toe) = match pose.facing {
            Facing::Right => (pose.hip, 1.0, at(1.0, 0.0)),
            Facing::Front => {
                let sign = [-1.0, 1.0][side];
                (pose.hip + at(self.hips * sign, 0.0), sign, at(0.35 * sign, -0.25))
            }
        };
        let [thigh, middle, ankle] = [0.046, 0.034, 0.022].map(|share| self.thickness(share));
        let sole = self.sole();
        let (knee, foot) = joint(root, pose.feet[side] + at(0.0, sole), self.leg, bend);
        let (cloth, skin) = (self.shade(pose, side, self.legs), self.shade(pose, side, self.skin));
        let shoes = self.shade(pose, side, self.shoes);
        let (above, below) = match self.legwear {
            Legwear::Trousers => (cloth, cloth),
            Legwear::Shorts => (cloth, skin),
            Legwear::Skirt => (skin, skin),
        };
        canvas.bone(knee, middle, foot, ankle, below);
        canvas.bone(foot, sole * 1.15, foot + toe * (self.height * 0.07), sole * 0.9, shoes);
        canvas.bone(root, thigh, knee, middle, above);
        if self.legwear == Legwear::Skirt {
            let hem = mix(root, knee, 0.85);
            canvas.bone(root, thigh * 1.25, hem, thigh * 1.45, cloth);
        }
    }

    fn draw_torso(&self, canvas: &mut Canvas, pose: &Pose) {
        let spine = self.spine(pose);
        let neck = self.neck(pose);
        let [chest, waist] = [0.058, 0.05].map(|share| self.thickness(share));
        canvas.line(neck, self.face(pose), self.head * 0.9, self.skin.shaded());
        match pose.facing {
            Facing::Right => {
                let top = pose.hip + spine * (self.torso - chest * 0.9);
                canvas.bone(pose.hip, waist, top, chest, self.shirt);
            }
            Facing::Front => {
                let round = chest * 0.62;
                let across = |share: f32, half: f32| {
                    let middle = pose.hip + spine * (self.torso * share);
                    (middle + spine.left() * half, middle - spine.left() * half)
                };
                let (shoulder, waist) = (across(0.88, self.shoulders * 0.9), across(0.0, self.hips * 1.25));
                canvas.line(shoulder.0, shoulder.1, 2.0 * round, self.shirt);
                canvas.line(waist.0, waist.1, 2.0 * round, self.shirt);
                canvas.polygon(
                    &[
                        shoulder.0 + spine.left() * round,
                        shoulder.1 - spine.left() * round,
                        waist.1 - spine.left() * round,
                        waist.0 + spine.left() * round,
                    ],
                    self.shirt,
                );
            }
        }
    }

    /// Long hair falls behind the trunk of whoever is seen from the front, and down the back of others.
    fn draw_hair_behind(&self, canvas: &mut Canvas, pose: &Pose) {
        let (face, r) = (self.face(pose), self.head);
        let back = if pose.facing == Facing::Right { -1.0 } else { 0.0 };
        match self.hair {
            Hair::Long => {
                let ends = face + at(back * r * 0.75, -r * 1.9);
                canvas.bone(face + at(back * r * 0.3, 0.0), r * 1.08, ends, r * 0.7, self.hair_colour);
            }
            Hair::Bun => {
                canvas.disc(face + at(back * r * 0.95, r * 0.95), r * 0.5, self.hair_colour.shaded())
            }
            Hair::Bald | Hair::Short => {}
        }
    }

    fn draw_head(&self, canvas: &mut Canvas, pose: &Pose) {
        let (face, r) = (self.face(pose), self.head);
        let eye = self.skin.mix(BLACK, 0.75);
        let ahead = if pose.facing == Facing::Right { 1.0 } else { 0.0 };
        if self.hair != Hair::Bald {
            canvas.oval(face + at(-0.14 * ahead * r, r * 0.16), at(r * 1.06, r * 1.1), self.hair_colour, 1.0);
        }
        let skull = if self.hair == Hair::Bald { 1.0 } else { 0.86 };
        canvas.oval(
            face + at(0.2 * ahead * r * (2.0 - skull), -r * (1.0 - skull)),
            at(r * 0.9, r * skull * 1.04),
            self.skin,
            1.0,
        );
        match pose.facing {
            Facing::Right => {
                canvas.disc(face + at(r * 1.1, -r * 0.12), r * 0.2, self.skin);
                canvas.disc(face + at(r * 0.62, r * 0.1), r * 0.14, eye);
            }
            Facing::Front => {
                canvas.disc(face + at(-r * 0.34, 0.0), r * 0.14, eye);
                canvas.disc(face + at(r * 0.34, 0.0), r * 0.14, eye);
                canvas.line(face + at(-r * 0.22, -r * 0.5), face + at(r * 0.22, -r * 0.5), r * 0.13, eye);
            }
        }
    }
}
