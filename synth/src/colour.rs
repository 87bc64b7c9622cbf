//! Colours.

/// Red, green and blue from 0 to 1, as they stand in the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Colour {
    pub red: f32,
    pub green: f32,
    pub blue: f32,
}

pub const WHITE: Colour = Colour { red: 1.0, green: 1.0, blue: 1.0 };
pub const BLACK: Colour = Colour { red: 0.0, green: 0.0, blue: 0.0 };

/// From the palest to the darkest; a person's skin lies between two neighbours.
const SKINS: [Colour; 5] = [
    Colour { red: 0.97, green: 0.83, blue: 0.73 },
    Colour { red: 0.90, green: 0.70, blue: 0.54 },
    Colour { red: 0.77, green: 0.55, blue: 0.38 },
    Colour { red: 0.57, green: 0.38, blue: 0.26 },
    Colour { red: 0.38, green: 0.25, blue: 0.18 },
];

impl Colour {
    /// Hue in turns, saturation and lightness from 0 to 1.
    pub fn hsl(hue: f32, saturation: f32, lightness: f32) -> Colour {
        let chroma = saturation * lightness.min(1.0 - lightness);
        let channel = |offset: f32| {
            let k = (offset + hue * 12.0) % 12.0;
            lightness - chroma * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0)
        };
        Colour { red: channel(0.0), green: channel(8.0), blue: channel(4.0) }
    }

    /// Skin, from pale at 0 to dark at 1.
    pub fn skin(tone: f32) -> Colour {
        let place = tone.clamp(0.0, 1.0) * (SKINS.len() - 1) as f32;
        let lower = (place as usize).min(SKINS.len() - 2);
        SKINS[lower].mix(SKINS[lower + 1], place - lower as f32)
    }

    /// This colour at 0, the other at 1.
    pub fn mix(self, other: Colour, share: f32) -> Colour {
        let mix = |a: f32, b: f32| a + (b - a) * share;
        Colour {
            red: mix(self.red, other.red),
            green: mix(self.green, other.green),
            blue: mix(self.blue, other.blue),
        }
    }

    /// Darker, where less light falls.
    pub fn shaded(self) -> Colour {
        self.mix(BLACK, 0.24)
    }

    /// Lighter, where more light falls.
    pub fn lit(self) -> Colour {
        self.mix(WHITE, 0.28)
    }
}
