//! Numbers on their way to the GPU and back: 32-bit floats here, stored as the network's are there.

use std::borrow::Cow;

use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

use super::Gpu;
use crate::error::Result;
use crate::plan::Precision;

/// The first of `values` that is too large to be stored as `precision` says.
pub(super) fn beyond(values: &[f32], precision: Precision) -> Option<f32> {
    let most = match precision {
        Precision::F32 => return None,
        Precision::F16 => half::f16::MAX.to_f32(),
    };
    values.iter().copied().find(|value| value.abs() > most)
}

/// `values` as they are stored.
pub(super) fn encode(values: &[f32], precision: Precision) -> Cow<'_, [u8]> {
    match precision {
        Precision::F32 => Cow::Borrowed(bytemuck::cast_slice(values)),
        Precision::F16 => {
            let mut bits = vec![0u16; values.len()];
            bits.reinterpret_cast_mut::<half::f16>().convert_from_f32_slice(values);
            Cow::Owned(bytemuck::cast_slice(&bits).to_vec())
        }
    }
}

impl Gpu {
    /// Reads back what `buffer` stores as `precision` says; see [`Gpu::read`].
    pub(super) async fn decode(
        &self,
        buffer: &wgpu::Buffer,
        precision: Precision,
        after: Option<wgpu::SubmissionIndex>,
    ) -> Result<Vec<f32>> {
        match precision {
            Precision::F32 => self.read(buffer, after).await,
            Precision::F16 => {
                let bits: Vec<u16> = self.read(buffer, after).await?;
                Ok(bits.reinterpret_cast::<half::f16>().to_f32_vec())
            }
        }
    }
}
