//! Number types that a tensor may be stored in, and their conversion to f32.

/// A stored floating-point type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    F16,
    Bf16,
    F32,
    F64,
}

impl Element {
    pub const fn size(self) -> usize {
        match self {
            Element::F16 | Element::Bf16 => 2,
            Element::F32 => 4,
            Element::F64 => 8,
        }
    }

    /// Numbers as f32; a rest shorter than one number is ignored, callers check lengths before.
    pub fn to_f32(self, bytes: &[u8], big_endian: bool) -> Vec<f32> {
        fn convert<const N: usize>(bytes: &[u8], swap: bool, number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
            let chunks = bytes.as_chunks::<N>().0.iter();
            match swap {
                false => chunks.map(|&chunk| number(chunk)).collect(),
                true => chunks
                    .map(|&(mut chunk)| {
                        chunk.reverse();
                        number(chunk)
                    })
                    .collect(),
            }
        }
        match self {
            Element::F16 => convert(bytes, big_endian, |b| half::f16::from_le_bytes(b).to_f32()),
            Element::Bf16 => convert(bytes, big_endian, |b| half::bf16::from_le_bytes(b).to_f32()),
            Element::F32 => convert(bytes, big_endian, f32::from_le_bytes),
            Element::F64 => convert(bytes, big_endian, |b| f64::from_le_bytes(b) as f32),
        }
    }
}

/// The product of a shape, if it fits.
pub(super) fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n))
}

#[cfg(test)]
mod tests {
    use super::Element;

    #[test]
    fn every_type_reads_one_and_a_half() {
        for (element, bytes) in [
            (Element::F16, &[0x00, 0x3e][..]),
            (Element::Bf16, &[0xc0, 0x3f]),
            (Element::F32, &[0, 0, 0xc0, 0x3f]),
            (Element::F64, &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
        ] {
            assert_eq!(element.size(), bytes.len());
            assert_eq!(element.to_f32(bytes, false), [1.5]);
            let turned: Vec<u8> = bytes.iter().rev().copied().collect();
            assert_eq!(element.to_f32(&turned, true), [1.5]);
        }
    }
}
