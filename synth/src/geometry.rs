//! Points, and the few curves along which things move.
//!
//! Everything here is made of additions, multiplications, divisions and square roots of `f32`, which IEEE 754 rounds in
//! one way only; angles go through a polynomial, because every platform's `sin` is another one.

use std::ops::{Add, Mul, Sub};

/// A place or a displacement in metres: x to the right, y up, the floor at 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Point {
    pub x: f32,
    pub y: f32,
}

/// The point (x, y).
pub const fn at(x: f32, y: f32) -> Point {
    Point { x, y }
}

impl Add for Point {
    type Output = Point;
    fn add(self, other: Point) -> Point {
        at(self.x + other.x, self.y + other.y)
    }
}

impl Sub for Point {
    type Output = Point;
    fn sub(self, other: Point) -> Point {
        at(self.x - other.x, self.y - other.y)
    }
}

impl Mul<f32> for Point {
    type Output = Point;
    fn mul(self, factor: f32) -> Point {
        at(self.x * factor, self.y * factor)
    }
}

impl Point {
    pub fn length(self) -> f32 {
        (self.x * self.x + self.y * self.y).sqrt()
    }

    /// The direction, of length 1; of nothing, to the right.
    pub fn unit(self) -> Point {
        let length = self.length();
        if length > 1e-6 { self * (1.0 / length) } else { at(1.0, 0.0) }
    }

    /// A quarter turn to the left.
    pub fn left(self) -> Point {
        at(-self.y, self.x)
    }
}

/// What can be interpolated.
pub trait Value: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<f32, Output = Self> {}
impl<T: Copy + Add<Output = T> + Sub<Output = T> + Mul<f32, Output = T>> Value for T {}

/// From `a` at 0 to `b` at 1.
pub fn mix<T: Value>(a: T, b: T, share: f32) -> T {
    a + (b - a) * share
}

/// From 0 to 1 with a soft start and a soft end.
pub fn smooth(x: f32) -> f32 {
    let x = x.clamp(0.0, 1.0);
    x * x * (3.0 - 2.0 * x)
}

/// 0 at both ends and 1 in the middle.
pub fn bump(x: f32) -> f32 {
    let x = x.clamp(0.0, 1.0);
    4.0 * x * (1.0 - x)
}

/// The value at `progress` of something that rests at the keys and moves softly from each to the next.
pub fn along<T: Value, const N: usize>(keys: [(f32, T); N], progress: f32) -> T {
    let mut value = keys[0].1;
    for pair in keys.windows(2) {
        let ((from, a), (to, b)) = (pair[0], pair[1]);
        if progress > from {
            value = mix(a, b, smooth((progress - from) / (to - from)));
        }
    }
    value
}

/// The sine of an angle in turns, within 0.001.
pub fn sine(turns: f32) -> f32 {
    let x = turns - turns.round();
    let parabola = 8.0 * x - 16.0 * x * x.abs();
    parabola + 0.225 * (parabola * parabola.abs() - parabola)
}

/// The direction at an angle in turns: 0 to the right, a quarter up.
pub fn direction(turns: f32) -> Point {
    at(sine(turns + 0.25), sine(turns))
}

/// The elbow or knee of a limb with two bones from `root` towards `tip`, and where the limb ends: at `tip`, or as near
/// as it reaches. The joint lies to the left of the way where `bend` is positive, to the right where it is negative.
pub fn joint(root: Point, tip: Point, bones: (f32, f32), bend: f32) -> (Point, Point) {
    let (upper, lower) = bones;
    let way = (tip - root).unit();
    let distance = (tip - root).length().clamp((upper - lower).abs() + 1e-3, (upper + lower) * 0.999);
    let along = (distance * distance + upper * upper - lower * lower) / (2.0 * distance);
    let aside = (upper * upper - along * along).max(0.0).sqrt();
    (root + way * along + way.left() * (aside * bend.signum()), root + way * distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_polynomial_is_a_sine() {
        for i in -400..400 {
            let turns = i as f32 / 173.0;
            let error = (sine(turns) - (turns * std::f32::consts::TAU).sin()).abs();
            assert!(error < 1.2e-3, "{turns}: {error}");
        }
    }

    #[test]
    fn limbs_keep_their_lengths() {
        for tip in [at(0.4, 0.3), at(-0.1, 0.2), at(3.0, 1.0), at(0.0, 0.0)] {
            let (elbow, hand) = joint(at(0.0, 0.0), tip, (0.4, 0.3), 1.0);
            assert!((elbow.length() - 0.4).abs() < 1e-3 && ((hand - elbow).length() - 0.3).abs() < 1e-3);
        }
    }

    #[test]
    fn keys_are_met() {
        let keys = [(0.0, 1.0), (0.5, 3.0), (1.0, 2.0)];
        assert_eq!([-1.0, 0.0, 0.25, 0.5, 1.0, 2.0].map(|p| along(keys, p)), [1.0, 1.0, 2.0, 3.0, 2.0, 2.0]);
    }
}
