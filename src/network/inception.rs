//! The endpoints of I3D in order (facts of DeepMind's `i3d.py`), and the units that they consist of.

use super::Network;

/// Batch-norm epsilon: Sonnet 1's default, 1e-3, with no gamma. (PyTorch's and Sonnet 2's default of 1e-5 gives
/// other logits.)
pub const BATCH_NORM_EPSILON: f32 = 1e-3;

/// Name of the average pool's output, the features that pipelines use: `[N, T', 1, 1, 1024]`.
pub const FEATURES: &str = "Logits/AvgPool_0a_7x7";

/// Name of the classifier's output before the mean over time: `[N, T', 1, 1, classes]`.
pub const LOGITS_PER_STEP: &str = "Logits/Conv3d_0c_1x1";

/// Name of the last endpoint: the classifier's mean over time, `[N, 1, 1, 1, classes]`.
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

/// A pooling window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Window `[T, H, W]`.
    pub window: [usize; 3],
    /// Stride `[T, H, W]`.
    pub stride: [usize; 3],
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

    /// Name of the 3x3x3 unit of `Branch_2` in the module `endpoint`.
    ///
    /// The one irregular name of the checkpoints: DeepMind's code, like TF-slim's before it, calls this unit
    /// `Conv3d_0a_3x3` in `Mixed_5b` and `Conv3d_0b_3x3` everywhere else.
    pub fn branch_2_3x3(endpoint: &str) -> &'static str {
        if endpoint == "Mixed_5b" { "Branch_2/Conv3d_0a_3x3" } else { "Branch_2/Conv3d_0b_3x3" }
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

/// One operation of the network: what a [`Block`] consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The endpoint it belongs to.
    pub endpoint: &'static str,
    /// Full name, for example `Mixed_3b/Branch_3/MaxPool3d_0a_3x3`.
    pub name: String,
    /// What it computes.
    pub operation: Operation,
    /// What it reads.
    pub source: Source,
    /// Where it writes.
    pub target: Target,
}

/// What a [`Node`] computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Convolution with SAME padding and folded batch norm, ReLU where the unit has batch norm.
    Conv(Unit),
    /// Max pool with SAME padding.
    MaxPool(Pool),
    /// Average pool over `[2, g, g]` without padding; g is the final grid.
    AvgPool,
    /// Mean over time.
    TimeMean,
}

/// What a [`Node`] reads: a convolution as many channels as its unit has inputs, a pool all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The output of the endpoint before.
    Endpoint,
    /// Channels of a tensor inside the endpoint, from `first` on.
    Inner {
        /// The tensor's name.
        tensor: String,
        /// First channel.
        first: usize,
    },
}

/// Where a [`Node`] writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Channels of the endpoint's output, from `first` on.
    Endpoint {
        /// First channel.
        first: usize,
    },
    /// Channels of a tensor inside the endpoint, from `first` on.
    Inner {
        /// The tensor's name.
        tensor: String,
        /// First channel.
        first: usize,
    },
}

/// One convolution with all its sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// DeepMind's name, for example `Mixed_3b/Branch_1/Conv3d_0b_3x3`.
    pub name: String,
    /// Kernel `[kT, kH, kW]`.
    pub kernel: [usize; 3],
    /// Stride `[T, H, W]`.
    pub stride: [usize; 3],
    /// Input channels.
    pub in_channels: usize,
    /// Output channels.
    pub out_channels: usize,
    /// Batch norm and ReLU follow; otherwise a bias and nothing (the classifier).
    pub batch_norm: bool,
}

impl Unit {
    /// Number of weights, `kT * kH * kW * Cin * Cout`.
    pub fn weights(&self) -> usize {
        self.kernel.iter().product::<usize>() * self.in_channels * self.out_channels
    }
}

/// The network as a list of operations in the order in which they run.
pub(super) fn nodes(network: &Network) -> Vec<Node> {
    let output = |first| Target::Endpoint { first };
    let into = |tensor: &str, first| Target::Inner { tensor: tensor.into(), first };
    let from = |tensor: &str, first| Source::Inner { tensor: tensor.into(), first };
    let mut nodes = Vec::new();
    let mut channels = network.in_channels;
    for Endpoint { name: endpoint, block } in ENDPOINTS {
        let mut push = |name: String, operation, source, target| {
            nodes.push(Node { endpoint, name, operation, source, target });
        };
        let unit = |name: &str, kernel, stride, in_channels, out_channels| Unit {
            name: name.to_string(),
            kernel,
            stride,
            in_channels,
            out_channels,
            batch_norm: true,
        };
        match block {
            Block::Conv { out, kernel, stride } => {
                let out = network.channels(out);
                let unit = unit(endpoint, kernel, stride, channels, out);
                push(endpoint.into(), Operation::Conv(unit), Source::Endpoint, output(0));
                channels = out;
            }
            Block::MaxPool(pool) => {
                push(endpoint.into(), Operation::MaxPool(pool), Source::Endpoint, output(0));
            }
            Block::Mixed(mixed) => {
                let Mixed { b0, b1a, b1b, b2a, b2b, b3b } = mixed.scaled(network);
                let mut conv = |branch: &str, size, source, in_channels, out, target| {
                    let name = format!("{endpoint}/{branch}");
                    let unit = unit(&name, [size; 3], [1; 3], in_channels, out);
                    push(name, Operation::Conv(unit), source, target);
                };
                // The inputs of both 3x3x3 units are one tensor: the three units that read the module's input stand
                // side by side, and so do the two that follow, so that a backend can run them together.
                let reduced = format!("{endpoint}/Branch_1+2/Conv3d_0a_1x1");
                let branch_2 = Mixed::branch_2_3x3(endpoint);
                conv("Branch_0/Conv3d_0a_1x1", 1, Source::Endpoint, channels, b0, output(0));
                conv("Branch_1/Conv3d_0a_1x1", 1, Source::Endpoint, channels, b1a, into(&reduced, 0));
                conv("Branch_2/Conv3d_0a_1x1", 1, Source::Endpoint, channels, b2a, into(&reduced, b1a));
                conv("Branch_1/Conv3d_0b_3x3", 3, from(&reduced, 0), b1a, b1b, output(b0));
                conv(branch_2, 3, from(&reduced, b1a), b2a, b2b, output(b0 + b1b));
                let pool = format!("{endpoint}/Branch_3/MaxPool3d_0a_3x3");
                push(pool.clone(), Operation::MaxPool(Mixed::POOL), Source::Endpoint, into(&pool, 0));
                let name = format!("{endpoint}/Branch_3/Conv3d_0b_1x1");
                let last = unit(&name, [1; 3], [1; 3], channels, b3b);
                push(name, Operation::Conv(last), from(&pool, 0), output(b0 + b1b + b2b));
                channels = b0 + b1b + b2b + b3b;
            }
            Block::Logits => {
                push(FEATURES.into(), Operation::AvgPool, Source::Endpoint, into(FEATURES, 0));
                let classifier = Unit {
                    batch_norm: false,
                    ..unit(LOGITS_PER_STEP, [1; 3], [1; 3], channels, network.classes)
                };
                let name = classifier.name.clone();
                push(name, Operation::Conv(classifier), from(FEATURES, 0), into(LOGITS_PER_STEP, 0));
                push(endpoint.into(), Operation::TimeMean, from(LOGITS_PER_STEP, 0), output(0));
            }
        }
    }
    nodes
}
