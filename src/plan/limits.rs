//! Does the plan fit the device? Asked before any work starts.

use super::{Plan, Precision};
use crate::error::{Error, Result};
use crate::network::System;

/// What a device lets one buffer and one binding hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceLimits {
    /// Largest range of a buffer that one kernel may see, in bytes (WebGPU's `maxStorageBufferBindingSize`).
    pub max_binding_bytes: u64,
    /// Largest buffer in bytes (WebGPU's `maxBufferSize`).
    pub max_buffer_bytes: u64,
}

impl DeviceLimits {
    /// What every WebGPU device guarantees: 128 MiB a binding, 256 MiB a buffer.
    pub const WEBGPU: DeviceLimits =
        DeviceLimits { max_binding_bytes: 128 << 20, max_buffer_bytes: 256 << 20 };
}

impl Plan {
    /// Fails with a sentence where a buffer of the plan is larger than the device allows.
    pub fn check(&self, limits: &DeviceLimits) -> Result<()> {
        let Some(excess) = self.excess(limits) else { return Ok(()) };
        let cpu = match self.precision {
            Precision::F32 => "--device cpu",
            Precision::F16 => "--device cpu --precision f32",
        };
        let advice = match self.most_frames(limits) {
            Some(steps) if self.network.system != System::I3d => {
                format!("use at most {steps} time steps, a smaller batch, or {cpu}")
            }
            Some(frames) if self.batch == 1 => {
                format!("use at most {frames} frames (--frames {frames}) or {cpu}")
            }
            Some(frames) => format!("use at most {frames} frames, a smaller batch, or {cpu}"),
            None => format!("use a smaller batch or {cpu}"),
        };
        Err(Error::Limits(format!("{excess}; {advice}")))
    }

    /// The longest clip that fits the device at this batch size, if any does.
    pub fn most_frames(&self, limits: &DeviceLimits) -> Option<usize> {
        let fits = |frames: usize| {
            Plan::new(&self.network, self.batch, frames)
                .is_ok_and(|plan| plan.with_precision(self.precision).excess(limits).is_none())
        };
        // Sizes grow with the length, so the answer is found by bisection between a length that fits and one that does not.
        let (mut low, mut high) = (self.network.min_frames(), self.frames + 1);
        if !fits(low) {
            return None;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if fits(middle) { low = middle } else { high = middle }
        }
        Some(low)
    }

    fn excess(&self, limits: &DeviceLimits) -> Option<String> {
        let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
        let binding = self.buffers.iter().find(|b| b.stored_bytes() > limits.max_binding_bytes).map(|b| {
            let (needed, allowed) = (mib(b.stored_bytes()), mib(limits.max_binding_bytes));
            let what = if b.name == "input" { "the input clip".into() } else { format!("{} output", b.name) };
            format!("{what} needs {needed:.1} MiB in one binding, this device allows {allowed:.1} MiB")
        });
        binding.or_else(|| {
            let needed = self.arenas().into_iter().max().filter(|&bytes| bytes > limits.max_buffer_bytes)?;
            let (needed, allowed) = (mib(needed), mib(limits.max_buffer_bytes));
            Some(format!(
                "the activations need {needed:.1} MiB in one buffer, this device allows {allowed:.1} MiB"
            ))
        })
    }
}
