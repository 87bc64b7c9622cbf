//! What a tape holds on the device, and the way there and back.

use std::borrow::Cow;

use super::super::Gpu;
use super::{launches, lstm};
use crate::backend::Pass;
use crate::error::Result;
use crate::network::Unit;
use crate::plan::{INPUT, Kernel, Plan};
use crate::weights::{Moments, UnitParameters};

/// Buffers of a plan and its units. Each has memory of its own, so no dispatch binds one both ways.
pub(super) struct Memory {
    /// Values of every buffer of the plan, as they are stored.
    pub values: Vec<wgpu::Buffer>,
    /// Their gradients; the input has none.
    pub grads: Vec<wgpu::Buffer>,
    /// One per unit.
    pub units: Vec<UnitMemory>,
    /// Of every step that is a max pool, which tap won.
    pub winners: Vec<Option<wgpu::Buffer>>,
    /// Of every step that dropout follows, what it multiplies the features by.
    pub factors: Vec<Option<wgpu::Buffer>>,
    /// Gradient of the values of the unit whose turn it is.
    pub values_grad: wgpu::Buffer,
    /// Parts of the gradient of its weights.
    pub parts: wgpu::Buffer,
    /// The bias of every convolution with batch norm, which would lose another in its mean.
    pub zeros: wgpu::Buffer,
}

/// What one unit needs. Channels are stored in fours.
///
/// # Shapes
/// `kernel` and `kernel_grad` `[kT, kH, kW, Cin, Cout]`, `offset` `[Cout]`, `values` `[positions, Cout]`; mean and variance,
/// and what `norm_sums.wgsl` gives, `[2, Cout]`, of which the first half is the gradient of the offset
pub(super) struct UnitMemory {
    pub kernel: wgpu::Buffer,
    pub offset: wgpu::Buffer,
    pub kernel_grad: wgpu::Buffer,
    pub offset_grad: wgpu::Buffer,
    /// The convolution's values before batch norm.
    pub values: wgpu::Buffer,
    pub moments: wgpu::Buffer,
    /// What an LSTM needs besides.
    pub lstm: Option<lstm::LstmMemory>,
}

/// Bytes of the smallest buffer, where a tensor is not used.
const NOTHING: u64 = 16;

pub(super) fn buffer(gpu: &Gpu, label: &str, size: u64) -> wgpu::Buffer {
    gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: size.max(NOTHING),
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    })
}

impl Memory {
    /// Memory for `plan`, whose units are `units`.
    pub fn new(gpu: &Gpu, plan: &Plan, units: &[Unit]) -> Memory {
        let activations = |kind: &str, input: bool| -> Vec<wgpu::Buffer> {
            let bytes =
                |id: usize| if id != INPUT || input { plan.buffers[id].stored_bytes() } else { NOTHING };
            let new = |id: usize| buffer(gpu, &format!("{} {kind}", plan.buffers[id].name), bytes(id));
            (0..plan.buffers.len()).map(new).collect()
        };
        let (mut winners, mut own, mut factors) = (Vec::new(), Vec::new(), Vec::new());
        let (mut values_grad, mut parts, mut zeros) = (NOTHING, NOTHING, NOTHING);
        for step in &plan.steps {
            let output = plan.buffers[step.output].stored_bytes();
            winners.push(matches!(step.kernel, Kernel::MaxPool(_)).then(|| buffer(gpu, "winners", output)));
            factors.push(matches!(step.kernel, Kernel::AvgPool(_)).then(|| buffer(gpu, "dropout", output)));
            match step.kernel {
                // Units stand in the plan in their own order.
                Kernel::Conv { unit, window, .. } => {
                    let params = launches::conv(plan, step, window);
                    let (channels, weights) =
                        (16 * u64::from(params.channels[1]), 4 * params.weights() as u64);
                    let values = params.positions() as u64 * channels;
                    let norm = |size: u64| if units[unit].batch_norm() { size } else { NOTHING };
                    let new = |size: u64| buffer(gpu, &step.name, size);
                    own.push(UnitMemory {
                        kernel: new(weights),
                        offset: new(channels),
                        kernel_grad: new(weights),
                        offset_grad: new(2 * channels),
                        values: new(norm(values)),
                        moments: new(norm(2 * channels)),
                        lstm: None,
                    });
                    zeros = zeros.max(channels);
                    values_grad = values_grad.max(values);
                    if params.parts() > 1 {
                        parts = parts.max(params.parts() as u64 * weights);
                    }
                }
                Kernel::Lstm { .. } => {
                    let (memory, needed) = lstm::memory(gpu, plan, step);
                    own.push(memory);
                    parts = parts.max(needed);
                }
                Kernel::MaxPool(_) | Kernel::AvgPool(_) | Kernel::TimeMean(_) => {}
            }
        }
        Memory {
            values: activations("values", true),
            grads: activations("gradient", false),
            units: own,
            winners,
            factors,
            values_grad: buffer(gpu, "gradient of values", values_grad),
            parts: buffer(gpu, "parts", parts),
            zeros: buffer(gpu, "zeros", zeros),
        }
    }

    /// Writes the factors of dropout.
    pub fn upload_factors(&self, gpu: &Gpu, pass: Pass) {
        for (step, buffer) in self.factors.iter().enumerate() {
            let Some(buffer) = buffer else { continue };
            let factors = pass.factors(step, buffer.size() as usize / 4);
            gpu.queue.write_buffer(buffer, 0, bytemuck::cast_slice(&factors));
        }
    }

    /// Makes every gradient zero that steps add to: those of activations, and of an LSTM's bias.
    pub fn clear_gradients(&self, gpu: &Gpu) {
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let biases = self.units.iter().filter(|unit| unit.lstm.is_some()).map(|unit| &unit.offset_grad);
        self.grads.iter().chain(biases).for_each(|grad| encoder.clear_buffer(grad, 0, None));
        gpu.queue.submit([encoder.finish()]);
    }
}

impl UnitMemory {
    /// Writes the parameters of `unit`: kernel, offset, and moving averages where they are to be used.
    pub fn upload(&self, gpu: &Gpu, unit: &Unit, own: &UnitParameters, frozen: bool) {
        if self.lstm.is_some() {
            return lstm::upload(gpu, self, own);
        }
        let UnitParameters { kernel, offset, moments } = own;
        let write = |buffer: &wgpu::Buffer, first: usize, values: &[f32]| {
            gpu.queue.write_buffer(buffer, 4 * first as u64, bytemuck::cast_slice(values));
        };
        write(&self.kernel, 0, &stored_kernel(unit, kernel));
        write(&self.offset, 0, offset);
        if let Some(Moments { mean, variance }) = moments.as_ref().filter(|_| frozen) {
            write(&self.moments, 0, mean);
            write(&self.moments, unit.out_channels.next_multiple_of(4), variance);
        }
    }
}

/// A kernel as it is stored, `[kT, kH, kW, Cin, Cout]` with channels in fours.
fn stored_kernel<'a>(unit: &Unit, kernel: &'a [f32]) -> Cow<'a, [f32]> {
    let (rows, columns) = (unit.in_channels, unit.out_channels);
    let (stored_rows, stored) = (rows.next_multiple_of(4), columns.next_multiple_of(4));
    if (rows, columns) == (stored_rows, stored) {
        return Cow::Borrowed(kernel);
    }
    let taps = kernel.len() / (rows * columns);
    let mut wide = vec![0.0; taps * stored_rows * stored];
    for (to, from) in wide.chunks_exact_mut(stored_rows * stored).zip(kernel.chunks_exact(rows * columns)) {
        for (to, from) in to.chunks_exact_mut(stored).zip(from.chunks_exact(columns)) {
            to[..columns].copy_from_slice(from);
        }
    }
    Cow::Owned(wide)
}

/// Adds what is stored of the gradient of rows of a kernel to it.
pub(super) fn add_kernel(rows: usize, columns: usize, stored: &[f32], kernel: &mut [f32]) {
    let (stored_rows, wide) = (rows.next_multiple_of(4), columns.next_multiple_of(4));
    let taps = kernel.chunks_exact_mut(rows * columns).zip(stored.chunks_exact(stored_rows * wide));
    for (to, from) in taps {
        for (to, from) in to.chunks_exact_mut(columns).zip(from.chunks_exact(wide)) {
            to.iter_mut().zip(from).for_each(|(sum, grad)| *sum += grad);
        }
    }
}

/// The numbers of some buffers, all copied by one submission.
pub(super) async fn read_back<'a>(
    gpu: &Gpu,
    buffers: impl Iterator<Item = &'a wgpu::Buffer>,
) -> Result<Vec<Vec<f32>>> {
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    let copy = |from: &wgpu::Buffer| {
        let staging = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("staging"),
            size: from.size(),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        encoder.copy_buffer_to_buffer(from, 0, &staging, 0, from.size());
        staging
    };
    let copies: Vec<wgpu::Buffer> = buffers.map(copy).collect();
    let after = gpu.queue.submit([encoder.finish()]);
    let mut read = Vec::new();
    for staging in &copies {
        read.push(gpu.read(staging, Some(after.clone())).await?);
    }
    Ok(read)
}
