//! Chance: where every number of a clip comes from, and how the splits share the numbers out.

use crate::Split;
use crate::colour::Colour;

/// Into how many cells the range of a number is cut that tells figures and places apart.
const CELLS: u32 = 20;

/// Share of a cell that is used, so that neighbours of different splits are some way apart.
const USED: f32 = 0.8;

impl Split {
    /// Of every five cells, train has three, validation and test one each. The splits interleave, so that each covers the
    /// whole range, and yet no two of them have a hue or a proportion in common.
    fn owns(self, cell: u32) -> bool {
        match self {
            Split::Train => matches!(cell % 5, 0 | 2 | 3),
            Split::Val => cell % 5 == 1,
            Split::Test => cell % 5 == 4,
        }
    }
}

/// A stream of random choices for one clip.
///
/// fastrand's generator works on integers, and all choices are made of 32-bit numbers, because those of the width of a
/// pointer are others on other platforms.
#[derive(Debug, Clone)]
pub struct Draw {
    rng: fastrand::Rng,
    split: Split,
    /// Whether the clip has a dark background and light things in front of it, or the other way round.
    pub dark: bool,
}

impl Draw {
    pub fn new(split: Split, seed: u64) -> Draw {
        let mut draw = Draw { rng: fastrand::Rng::with_seed(seed), split, dark: false };
        draw.dark = draw.chance(0.25);
        draw
    }

    /// Any number of a range.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.rng.f32()
    }

    /// A number of the cells of a range that belong to the split.
    pub fn own(&mut self, low: f32, high: f32) -> f32 {
        let cell = loop {
            let cell = self.rng.u32(..CELLS);
            if self.split.owns(cell) {
                break cell;
            }
        };
        let within = self.between(0.5 - USED / 2.0, 0.5 + USED / 2.0);
        low + (high - low) * (cell as f32 + within) / CELLS as f32
    }

    pub fn chance(&mut self, probability: f32) -> bool {
        self.rng.f32() < probability
    }

    /// 1 or -1.
    pub fn sign(&mut self) -> f32 {
        if self.rng.bool() { 1.0 } else { -1.0 }
    }

    pub fn pick<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        choices[self.rng.u32(..N as u32) as usize]
    }

    /// A hue of the split with a saturation and lightness from these ranges.
    pub fn colour(&mut self, saturation: (f32, f32), lightness: (f32, f32)) -> Colour {
        let hue = self.own(0.0, 1.0);
        Colour::hsl(hue, self.between(saturation.0, saturation.1), self.between(lightness.0, lightness.1))
    }

    /// A strong colour for clothes and objects, which stands out from every [`Draw::backdrop`].
    pub fn vivid(&mut self) -> Colour {
        let lightness = if self.dark { (0.55, 0.8) } else { (0.2, 0.48) };
        self.colour((0.45, 0.95), lightness)
    }

    /// A quiet colour for walls, floors and skies.
    pub fn backdrop(&mut self) -> Colour {
        let lightness = if self.dark { (0.12, 0.26) } else { (0.66, 0.92) };
        self.colour((0.08, 0.5), lightness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_share_no_number() {
        let numbers = |split| {
            let mut draw = Draw::new(split, 1);
            let mut numbers: Vec<f32> = (0..3000).map(|_| draw.own(0.0, 1.0)).collect();
            numbers.sort_by(f32::total_cmp);
            numbers
        };
        let all = [Split::Train, Split::Val, Split::Test].map(numbers);
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                let nearest = |x: &f32| b.iter().map(|y| (x - y).abs()).fold(1.0, f32::min);
                let apart = a.iter().map(nearest).fold(1.0, f32::min);
                assert!(apart > 0.9 * (1.0 - USED) / CELLS as f32, "{apart}");
            }
        }
    }
}
