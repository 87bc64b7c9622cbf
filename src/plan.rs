//! A network, a batch and a clip length as a list of steps: shapes, pads, buffers, lifetimes, MACs and bytes.
//!
//! A plan is data. It can be printed and checked without a device; a backend (`backend`) runs it.

mod arena;
mod group;
mod limits;
mod part;
mod precision;
mod table;

pub use arena::ALIGNMENT;
pub use group::Group;
pub use limits::DeviceLimits;
pub use part::{Part, TimeRange};
pub use precision::Precision;

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::network::{LOGITS, LOGITS_PER_STEP, Network, Node, Operation, Place, Shape, Unit, same_padding};

/// Index of a [`Buffer`] in [`Plan::buffers`].
pub type BufferId = usize;

/// The buffer that holds the input clip.
pub const INPUT: BufferId = 0;

/// One activation and where it lives.
#[derive(Debug, Clone, PartialEq)]
pub struct Buffer {
    /// The endpoint or node whose output it is.
    pub name: String,
    /// Shape `[N, T, H, W, C]`.
    pub shape: Shape,
    /// How its values are stored.
    pub precision: Precision,
    /// First step that writes it; 0 for the input.
    pub first: usize,
    /// Last step that reads or writes it.
    pub last: usize,
    /// Which physical arena holds it. A step never reads and writes the same arena, because WebGPU does not let one
    /// dispatch bind one buffer both ways.
    pub arena: usize,
    /// Offset in its arena in bytes, a multiple of [`ALIGNMENT`].
    pub offset: u64,
}

impl Buffer {
    /// Channels as they are stored: rounded up to four, so that kernels move whole `vec4`s.
    pub fn stored_channels(&self) -> usize {
        self.shape.c.next_multiple_of(4)
    }

    /// Bytes as they are stored.
    pub fn stored_bytes(&self) -> u64 {
        self.bytes(self.stored_channels())
    }
}

/// A window over `[T, H, W]` with the padding that the plan found for these lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Window or kernel size.
    pub size: [usize; 3],
    /// Stride.
    pub stride: [usize; 3],
    /// Padding before the first element of each axis. Negative on the time axis of a part of a clip whose input begins
    /// earlier than the window needs, because another window needs it.
    pub pad_before: [isize; 3],
    /// Padding after the last element of each axis.
    pub pad_after: [usize; 3],
}

impl Window {
    /// TensorFlow's SAME padding for an input of `shape`, and the `[T, H, W]` that results.
    fn same(shape: Shape, size: [usize; 3], stride: [usize; 3]) -> (Window, [usize; 3]) {
        let mut window = Window { size, stride, pad_before: [0; 3], pad_after: [0; 3] };
        let mut out = [0; 3];
        for (axis, length) in shape.thw().into_iter().enumerate() {
            let (o, before, after) = same_padding(length, size[axis], stride[axis]);
            (out[axis], window.pad_before[axis], window.pad_after[axis]) = (o, before as isize, after);
        }
        (window, out)
    }

    /// A window without padding and with stride 1 (TensorFlow's VALID), at most as large as the input of `shape`, and the
    /// `[T, H, W]` that results.
    fn covering(shape: Shape, size: [usize; 3]) -> (Window, [usize; 3]) {
        let window = Window { size, stride: [1; 3], pad_before: [0; 3], pad_after: [0; 3] };
        let out = |axis: usize| (shape.thw()[axis] + 1).saturating_sub(size[axis]);
        (window, std::array::from_fn(out))
    }

    /// Elements of the window.
    pub fn taps(&self) -> usize {
        self.size.iter().product()
    }
}

/// What a step computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Convolution with bias, and ReLU if `relu`.
    Conv {
        /// Index into [`Network::units`] and the weights.
        unit: usize,
        /// Kernel, stride and padding.
        window: Window,
        /// Clamp negative outputs to zero.
        relu: bool,
    },
    /// Max pool; padding never wins.
    MaxPool(Window),
    /// Average pool over full windows.
    AvgPool(Window),
    /// Long short-term memory over time, of the unit with that index.
    Lstm {
        /// Index into [`Network::units`] and the weights.
        unit: usize,
    },
    /// Mean over time steps from that one on.
    TimeMean(usize),
}

/// One operation on buffers.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Full name of the node, for example `Mixed_3b/Branch_0/Conv3d_0a_1x1`.
    pub name: String,
    /// What it computes.
    pub kernel: Kernel,
    /// The buffer that it reads.
    pub input: BufferId,
    /// First channel of the input that it reads.
    pub input_offset: usize,
    /// Number of channels that it reads.
    pub input_channels: usize,
    /// The buffer that it writes.
    pub output: BufferId,
    /// First channel of the output that it writes.
    pub channel_offset: usize,
    /// Number of channels that it writes.
    pub channels: usize,
    /// Multiply-accumulates; taps in the padding are counted as work.
    pub macs: u64,
}

/// The whole computation for one clip length and batch size.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The network.
    pub network: Network,
    /// Clips per run.
    pub batch: usize,
    /// Time steps of the input: frames per clip, or fewer in a part of one.
    pub frames: usize,
    /// Operations in order.
    pub steps: Vec<Step>,
    /// Activations; the first is the input.
    pub buffers: Vec<Buffer>,
    /// How the model that runs it stores weights and activations.
    pub precision: Precision,
}

impl Plan {
    /// Plans `network` for `batch` clips of `frames` frames, stored as 32-bit floats; see [`Plan::with_precision`].
    ///
    /// # Errors
    /// Clips shorter than [`Network::min_frames`], empty batches and networks that cannot be built.
    pub fn new(network: &Network, batch: usize, frames: usize) -> Result<Plan> {
        network.validate()?;
        if batch == 0 {
            return Err(Error::Usage("the batch is empty: give at least one clip".into()));
        }
        let least = network.min_frames();
        if frames < least {
            return Err(Error::Usage(format!(
                "{frames} frames are too few: the network needs at least {least}; loop the clip or give a longer one"
            )));
        }
        Ok(Builder::whole(network, batch, frames).place(network, batch, frames))
    }

    /// The names whose values a run can hand out: every endpoint, the features and the logits per time step.
    pub fn observable(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.buffers.iter().map(|b| b.name.as_str()).filter(|n| self.is_observable(n)).collect();
        names.dedup();
        names
    }

    /// The buffer of an observable name and the step after which it is complete.
    ///
    /// # Errors
    /// A name that is none, with the list of those that are.
    pub fn find(&self, name: &str) -> Result<(BufferId, usize)> {
        let id = self.buffers.iter().position(|b| b.name == name && self.is_observable(name)).ok_or_else(
            || {
                Error::Usage(format!(
                    "there is no endpoint {name:?}; the endpoints are {}",
                    self.observable().join(", ")
                ))
            },
        )?;
        let complete = self.steps.iter().rposition(|s| s.output == id).unwrap_or(0);
        Ok((id, complete))
    }

    /// The buffer that the loss is taken of: see [`Network::scored`].
    pub fn scored(&self) -> BufferId {
        self.buffers.iter().position(|b| b.name == self.network.scored()).unwrap_or(INPUT)
    }

    /// Whether a run hands out the buffer of that name: intermediate outputs of a module's branches have a `Branch_` in
    /// theirs and alias each other, and where logits of two streams stand side by side, what is between them is nobody's.
    fn is_observable(&self, name: &str) -> bool {
        let apart = self.network.features().is_some() || name != LOGITS_PER_STEP;
        name != Place::INPUT && !name.contains("/Branch_") && apart
    }

    /// Multiply-accumulates of the whole run.
    pub fn macs(&self) -> u64 {
        self.steps.iter().map(|s| s.macs).sum()
    }

    /// Bytes of each physical arena.
    pub fn arenas(&self) -> Vec<u64> {
        arena::sizes(&self.buffers)
    }

    /// Bytes of all activations together, aliased as planned.
    pub fn activation_bytes(&self) -> u64 {
        self.arenas().iter().sum()
    }

    /// Bytes of the folded weights and of the biases, which have 32 bits.
    pub fn weight_bytes(&self) -> u64 {
        let weights = |u: &Unit| self.precision.of_weights(u).bytes() * u.weights() as u64;
        self.network.units().iter().map(|u| weights(u) + 4 * u.out_channels as u64).sum()
    }
}

fn buffer(name: &str, shape: Shape, first: usize) -> Buffer {
    let precision = Precision::F32;
    Buffer { name: name.into(), shape, precision, first, last: first, arena: 0, offset: 0 }
}

/// The plan while it grows.
struct Builder {
    steps: Vec<Step>,
    buffers: Vec<Buffer>,
}

impl Builder {
    /// Every step and buffer of the network for whole clips; buffers have no place yet.
    fn whole(network: &Network, batch: usize, frames: usize) -> Builder {
        let size = network.input_size;
        let input = Shape::new(batch, frames, size, size, network.in_channels);
        let mut builder = Builder { steps: Vec::new(), buffers: vec![buffer("input", input, 0)] };
        builder.record(network);
        builder
    }

    /// The plan, with a place for every buffer.
    fn place(self, network: &Network, batch: usize, frames: usize) -> Plan {
        let Builder { steps, mut buffers } = self;
        arena::outlive(&steps, &mut buffers);
        let plan = Plan { network: *network, batch, frames, steps, buffers, precision: Precision::F32 };
        plan.with_precision(Precision::F32)
    }

    fn record(&mut self, network: &Network) {
        let mut tensors = BTreeMap::from([(Place::INPUT.to_string(), INPUT)]);
        let mut unit = 0;
        let nodes = network.nodes();
        for (step, Node { name, operation, source, target }) in nodes.iter().enumerate() {
            // Nodes stand in the order in which they run, so the tensor has been written.
            let input = tensors.get(&source.tensor).copied().unwrap_or(INPUT);
            let from = self.buffers[input].shape;
            let mut input_channels = from.c;
            let (kernel, thw, channels, macs_per_value) = match operation {
                Operation::Conv(u) | Operation::Linear(u) => {
                    let (window, thw) = match operation {
                        Operation::Conv(_) => Window::same(from, u.kernel, u.stride),
                        _ => Window::covering(from, u.kernel),
                    };
                    input_channels = u.in_channels;
                    let kernel = Kernel::Conv { unit, window, relu: u.batch_norm() };
                    (kernel, thw, u.out_channels, window.taps() * u.in_channels)
                }
                Operation::Lstm(u) => (Kernel::Lstm { unit }, from.thw(), u.hidden(), 4 * u.in_channels),
                Operation::MaxPool(pool) => {
                    let (window, thw) = Window::same(from, pool.window, pool.stride);
                    (Kernel::MaxPool(window), thw, from.c, 0)
                }
                Operation::AvgPool(steps) => {
                    let (window, thw) = Window::covering(from, [*steps, from.h, from.w]);
                    (Kernel::AvgPool(window), thw, from.c, 0)
                }
                Operation::TimeMean => (Kernel::TimeMean(0), [1, 1, 1], network.classes, 0),
                Operation::LastStep => (Kernel::TimeMean(from.t - 1), [1, 1, 1], network.classes, 0),
            };
            unit += usize::from(matches!(kernel, Kernel::Conv { .. } | Kernel::Lstm { .. }));
            let shape = Shape::new(from.n, thw[0], thw[1], thw[2], channels);
            let output = *tensors.entry(target.tensor.clone()).or_insert_with(|| {
                let total = tensor_channels(&nodes, &target.tensor).unwrap_or(channels);
                self.buffers.push(buffer(&target.tensor, shape.with_channels(total), step));
                self.buffers.len() - 1
            });
            self.buffers[input].last = step;
            self.buffers[output].last = step;
            self.steps.push(Step {
                name: name.clone(),
                kernel,
                input,
                input_offset: source.first,
                input_channels,
                output,
                channel_offset: target.first,
                channels,
                macs: (shape.positions() * channels) as u64 * macs_per_value as u64,
            });
        }
        debug_assert!([LOGITS_PER_STEP, LOGITS].iter().all(|n| tensors.contains_key(*n)));
    }
}

/// Channels of a tensor that units write, all its parts together; `None` where other nodes write it.
fn tensor_channels(nodes: &[Node], tensor: &str) -> Option<usize> {
    let end = |node: &Node| match &node.operation {
        Operation::Conv(unit) | Operation::Linear(unit) if node.target.tensor == tensor => {
            Some(node.target.first + unit.out_channels)
        }
        _ => None,
    };
    nodes.iter().filter_map(end).max()
}

#[cfg(test)]
mod tests;
