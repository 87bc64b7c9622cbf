//! The endpoints of I3D in order (facts of DeepMind's `i3d.py`), and the units that they consist of.

use super::Network;
use super::node::{Form, Nodes, Operation, Place, Pool, unit};

/// Batch-norm epsilon: Sonnet 1's default, 1e-3, with no gamma. (PyTorch's and Sonnet 2's default of 1e-5 gives
/// other logits.)
pub const BATCH_NORM_EPSILON: f32 = 1e-3;

/// Name of the average pool's output, the features that pipelines use: `[N, T', 1, 1, 1024]`.
pub const FEATURES: &str = "Logits/AvgPool_0a_7x7";

/// Name of the classifier's output for every time step: `[N, T', 1, 1, classes]`; of two streams with a classifier each, side by
/// side.
pub const LOGITS_PER_STEP: &str = "Logits/Conv3d_0c_1x1";

/// Name of the last endpoint, `[N, 1, 1, 1, classes]`: the mean over time of the classifier's output, and over streams; of an
/// LSTM its last step.
pub const LOGITS: &str = "Logits";

/// The shortest clip that yields a logit: below 9 frames the final 2-frame average pool has no full window.
pub const MIN_FRAMES: usize = 9;

/// One named stage of the network.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// DeepMind's name.
    pub name: &'static str,
    /// What the stage does.
    pub block: Block,
}

/// What an endpoint consists of. Channel counts are the paper's, before `width` is applied.
#[derive(Debug, Clone, Copy)]
pub enum Block {
    /// Convolution, batch norm, ReLU.
    Conv {
        /// Output channels.
        out: usize,
        /// Kernel `[kT, kH, kW]`.
        kernel: [usize; 3],
        /// Stride `[T, H, W]`.
        stride: [usize; 3],
    },
    /// Max pool with SAME padding, which never wins.
    MaxPool(Pool),
    /// Inception module: four branches, concatenated on channels.
    Mixed(Mixed),
    /// Average pool `[2, g, g]` (g = final grid) without padding, then the 1x1x1 classifier with bias.
    Logits,
}

/// Output channels of the units of an Inception module.
#[derive(Debug, Clone, Copy)]
pub struct Mixed {
    /// `Branch_0/Conv3d_0a_1x1`.
    pub b0: usize,
    /// `Branch_1/Conv3d_0a_1x1`.
    pub b1a: usize,
    /// `Branch_1/Conv3d_0b_3x3`.
    pub b1b: usize,
    /// `Branch_2/Conv3d_0a_1x1`.
    pub b2a: usize,
    /// `Branch_2/Conv3d_0b_3x3` (the paper draws 5x5; the released network has 3x3).
    pub b2b: usize,
    /// `Branch_3/Conv3d_0b_1x1`, behind the module's max pool.
    pub b3b: usize,
}

impl Mixed {
    /// The same module with all channel counts scaled by the network's width.
    fn scaled(self, network: &Network) -> Mixed {
        Mixed {
            b0: network.channels(self.b0),
            b1a: network.channels(self.b1a),
            b1b: network.channels(self.b1b),
            b2a: network.channels(self.b2a),
            b2b: network.channels(self.b2b),
            b3b: network.channels(self.b3b),
        }
    }

    /// The max pool that opens `Branch_3`: 3x3x3, stride 1.
    pub const POOL: Pool = Pool { window: [3, 3, 3], stride: [1, 1, 1] };

    /// Name of the 3x3x3 unit of `Branch_2` in the module `endpoint`, with or without scope.
    ///
    /// The one irregular name of the checkpoints: DeepMind's code, like TF-slim's before it, calls this unit
    /// `Conv3d_0a_3x3` in `Mixed_5b` and `Conv3d_0b_3x3` everywhere else.
    pub fn branch_2_3x3(endpoint: &str) -> &'static str {
        if endpoint.ends_with("Mixed_5b") { "Branch_2/Conv3d_0a_3x3" } else { "Branch_2/Conv3d_0b_3x3" }
    }
}

const fn conv(name: &'static str, out: usize, kernel: [usize; 3], stride: [usize; 3]) -> Endpoint {
    Endpoint { name, block: Block::Conv { out, kernel, stride } }
}

const fn pool(name: &'static str, window: [usize; 3], stride: [usize; 3]) -> Endpoint {
    Endpoint { name, block: Block::MaxPool(Pool { window, stride }) }
}

const fn mixed(
    name: &'static str,
    b0: usize,
    [b1a, b1b]: [usize; 2],
    [b2a, b2b]: [usize; 2],
    b3b: usize,
) -> Endpoint {
    Endpoint { name, block: Block::Mixed(Mixed { b0, b1a, b1b, b2a, b2b, b3b }) }
}

/// The network, in order. Source: deepmind/kinetics-i3d, `i3d.py`, `VALID_ENDPOINTS`.
pub const ENDPOINTS: [Endpoint; 17] = [
    conv("Conv3d_1a_7x7", 64, [7, 7, 7], [2, 2, 2]),
    pool("MaxPool3d_2a_3x3", [1, 3, 3], [1, 2, 2]),
    conv("Conv3d_2b_1x1", 64, [1, 1, 1], [1, 1, 1]),
    conv("Conv3d_2c_3x3", 192, [3, 3, 3], [1, 1, 1]),
    pool("MaxPool3d_3a_3x3", [1, 3, 3], [1, 2, 2]),
    mixed("Mixed_3b", 64, [96, 128], [16, 32], 32),
    mixed("Mixed_3c", 128, [128, 192], [32, 96], 64),
    pool("MaxPool3d_4a_3x3", [3, 3, 3], [2, 2, 2]),
    mixed("Mixed_4b", 192, [96, 208], [16, 48], 64),
    mixed("Mixed_4c", 160, [112, 224], [24, 64], 64),
    mixed("Mixed_4d", 128, [128, 256], [24, 64], 64),
    mixed("Mixed_4e", 112, [144, 288], [32, 64], 64),
    mixed("Mixed_4f", 256, [160, 320], [32, 128], 128),
    pool("MaxPool3d_5a_2x2", [2, 2, 2], [2, 2, 2]),
    mixed("Mixed_5b", 256, [160, 320], [32, 128], 128),
    mixed("Mixed_5c", 384, [192, 384], [48, 128], 128),
    Endpoint { name: "Logits", block: Block::Logits },
];

/// Whether kernels and windows reach over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    /// As in I3D.
    Inflated,
    /// The two-dimensional network before inflation, on every frame by itself: one time step of every kernel and window.
    Flat,
}

impl Time {
    fn of(self, [t, h, w]: [usize; 3]) -> [usize; 3] {
        match self {
            Time::Inflated => [t, h, w],
            Time::Flat => [1, h, w],
        }
    }
}

/// All endpoints before the head, on `channels` of the clip from `first` on. Names begin with `scope`. `Mixed_5c` is written to
/// `features`, whose channels the result counts.
///
/// The flat network carries the names of the inflated one, so that inflation finds every unit under its own name.
pub(super) fn trunk(
    nodes: &mut Nodes<'_>,
    time: Time,
    scope: &str,
    (first, mut channels): (usize, usize),
    features: &Place,
) -> usize {
    let network = nodes.network;
    let mut source = Place::new(Place::INPUT, first);
    for Endpoint { name, block } in ENDPOINTS {
        let endpoint = format!("{scope}{name}");
        let target = if name == LAST { features.clone() } else { Place::new(&endpoint, 0) };
        match block {
            Block::Conv { out, kernel, stride } => {
                let out = network.channels(out);
                let mut unit = unit(&endpoint, time.of(kernel), [channels, out], Form::Norm);
                unit.stride = time.of(stride);
                nodes.push(&endpoint, Operation::Conv(unit), source, target.clone());
                channels = out;
            }
            Block::MaxPool(Pool { window, stride }) => {
                let pool = Pool { window: time.of(window), stride: time.of(stride) };
                nodes.push(&endpoint, Operation::MaxPool(pool), source, target.clone());
            }
            Block::Mixed(mixed) => {
                channels =
                    module(nodes, time, &endpoint, mixed.scaled(network), (channels, &source), &target);
            }
            Block::Logits => break,
        }
        source = target;
    }
    channels
}

/// The last endpoint before the head.
const LAST: &str = "Mixed_5c";

/// An Inception module from `channels` of `source` into channels of `target` from its first on; gives how many.
fn module(
    nodes: &mut Nodes<'_>,
    time: Time,
    endpoint: &str,
    Mixed { b0, b1a, b1b, b2a, b2b, b3b }: Mixed,
    (channels, source): (usize, &Place),
    target: &Place,
) -> usize {
    let branch_2 = Mixed::branch_2_3x3(endpoint);
    // The inputs of both 3x3x3 units are one tensor: the three units that read the module's input stand side by side, and so do
    // the two that follow, so that a backend can run them together.
    let reduced = |first| Place::new(format!("{endpoint}/Branch_1+2/Conv3d_0a_1x1"), first);
    let output = |first| Place::new(&target.tensor, target.first + first);
    let mut conv = |branch: &str, size: usize, from: Place, inputs: usize, outputs: usize, to: Place| {
        nodes.conv(&format!("{endpoint}/{branch}"), time.of([size; 3]), [inputs, outputs], from, to);
    };
    conv("Branch_0/Conv3d_0a_1x1", 1, source.clone(), channels, b0, output(0));
    conv("Branch_1/Conv3d_0a_1x1", 1, source.clone(), channels, b1a, reduced(0));
    conv("Branch_2/Conv3d_0a_1x1", 1, source.clone(), channels, b2a, reduced(b1a));
    conv("Branch_1/Conv3d_0b_3x3", 3, reduced(0), b1a, b1b, output(b0));
    conv(branch_2, 3, reduced(b1a), b2a, b2b, output(b0 + b1b));
    let pool = format!("{endpoint}/Branch_3/MaxPool3d_0a_3x3");
    let Pool { window, stride } = Mixed::POOL;
    let window = Pool { window: time.of(window), stride };
    nodes.push(&pool, Operation::MaxPool(window), source.clone(), Place::new(&pool, 0));
    let last = format!("{endpoint}/Branch_3/Conv3d_0b_1x1");
    nodes.conv(&last, [1; 3], [channels, b3b], Place::new(&pool, 0), output(b0 + b1b + b2b));
    b0 + b1b + b2b + b3b
}
