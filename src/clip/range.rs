//! Values that no right clip has.

use super::Clip;

/// Rounding at the ends of `[-1, 1]`.
const TOLERANCE: f32 = 1e-3;

/// What pictures were probably scaled to, where not to `[-1, 1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// 0 to 255, as pictures are stored.
    Bytes,
    /// By ImageNet's mean and standard deviation, as torchvision's models want it.
    ImageNet,
    /// Pixels of flow, not divided by 20.
    Pixels,
    /// Something else.
    Other,
}

/// The smallest and the largest value of a clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The smallest.
    pub min: f32,
    /// The largest.
    pub max: f32,
    /// What the values probably are.
    pub scale: Scale,
}

impl Clip {
    /// The range of values, where some lie outside of `[-1, 1]`; no clip that was made for the networks has such values, and whatever they
    /// say of it means little.
    pub fn range_outside(&self) -> Option<Range> {
        let mut ends = (f32::INFINITY, f32::NEG_INFINITY);
        for &value in &self.data {
            ends = (ends.0.min(value), ends.1.max(value));
        }
        let (min, max) = ends;
        let limit = 1.0 + TOLERANCE;
        if self.data.is_empty() || (min >= -limit && max <= limit) {
            return None;
        }
        let scale = match (self.channels, min, max) {
            (2, ..) => Scale::Pixels,
            (_, 0.0.., ..=255.0) => Scale::Bytes,
            // (0 - 0.485) / 0.229 = -2.118 and (1 - 0.406) / 0.225 = 2.640 are the ends of what ImageNet's numbers make.
            (_, -2.2.., ..=2.7) => Scale::ImageNet,
            _ => Scale::Other,
        };
        Some(Range { min, max, scale })
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Range { min, max, scale } = self;
        write!(f, "its values run from {min} to {max}, and the networks take [-1, 1]: ")?;
        f.write_str(match scale {
            Scale::Bytes => "it looks like 0 to 255, so make it array / 127.5 - 1",
            Scale::ImageNet => {
                "it looks normalised by ImageNet's mean and deviation, so undo that and scale 0 to 255 to [-1, 1]"
            }
            Scale::Pixels => "it looks like flow in pixels, so clip it to 20 and divide by 20",
            Scale::Other => "scale it, or expect nothing of the result",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(channels: usize, values: &[f32]) -> Option<Scale> {
        let clip = Clip { data: values.to_vec(), ..Clip::empty(1, 1, channels) };
        clip.range_outside().map(|range| range.scale)
    }

    #[test]
    fn only_values_that_no_right_clip_has_are_told() {
        for right in [&[][..], &[-1.0, 1.0], &[0.0, 0.5], &[1.0005, -1.0005]] {
            assert_eq!(scale(3, right), None);
        }
        assert_eq!(scale(3, &[0.0, 255.0]), Some(Scale::Bytes));
        assert_eq!(scale(3, &[-2.1, 2.6]), Some(Scale::ImageNet));
        assert_eq!(scale(3, &[-255.0, 2.6]), Some(Scale::Other));
        assert_eq!(scale(2, &[-20.0, 7.5]), Some(Scale::Pixels));
        assert_eq!(scale(2, &[-1.0, 0.99]), None);
    }
}
