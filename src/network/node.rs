//! What every network consists of: operations on named tensors.

use super::Network;

/// One operation of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Full name, for example `Mixed_3b/Branch_3/MaxPool3d_0a_3x3`.
    pub name: String,
    /// What it computes.
    pub operation: Operation,
    /// What it reads: a unit as many channels as it has inputs, anything else all of them.
    pub source: Place,
    /// Where it writes.
    pub target: Place,
}

/// What a [`Node`] computes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Convolution with SAME padding, and what the unit's [`Form`] says.
    Conv(Unit),
    /// A fully connected layer: its kernel covers the whole picture, so it is a convolution without padding.
    Linear(Unit),
    /// A layer of long short-term memory, over time; see [`Form::Lstm`].
    Lstm(Unit),
    /// Max pool with SAME padding.
    MaxPool(Pool),
    /// Average pool over that many time steps and the whole picture, without padding.
    AvgPool(usize),
    /// Mean over time; where streams stand side by side, over them too.
    TimeMean,
    /// The last time step.
    LastStep,
}

/// Channels of a tensor, from `first` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The tensor's name: [`Place::INPUT`], an endpoint or a tensor inside one.
    pub tensor: String,
    /// First channel.
    pub first: usize,
}

impl Place {
    /// The name of the clip.
    pub const INPUT: &'static str = "input";

    /// Channels of `tensor` from `first` on.
    pub fn new(tensor: impl Into<String>, first: usize) -> Place {
        Place { tensor: tensor.into(), first }
    }
}

/// A pooling window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Window `[T, H, W]`.
    pub window: [usize; 3],
    /// Stride `[T, H, W]`.
    pub stride: [usize; 3],
}

/// A layer with parameters, with all its sizes.
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
    /// What its parameters are, and what follows its product.
    pub form: Form,
}

/// The kinds of [`Unit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Batch norm and ReLU follow.
    Norm,
    /// A bias and nothing (the classifier).
    Bias,
    /// Long short-term memory with recurrent batch norm (Cooijmans et al., 2016). The unit's inputs are the layer's and then
    /// its own state, its outputs the four gates of every hidden unit: column `4 j + k` is gate `k` of unit `j`, in the order
    /// input, forget, candidate, output.
    ///
    /// `gates = BN(x Wx) + BN(h Wh) + b`, `c' = sigmoid(f) c + sigmoid(i) tanh(g)`, `h' = sigmoid(o) tanh(BN(c'))`, each BN
    /// with statistics of its own for each of the first [`Unit::LSTM_STEPS`] time steps. As everywhere in these networks batch norm
    /// learns no scale: only so does the paper's system have its 9 million parameters. (Cooijmans et al. learn one that begins
    /// at 0.1, against gradients that vanish over hundreds of steps; here there are 25.)
    Lstm,
}

impl Unit {
    /// Time steps with statistics of their own, as many as the paper trains on; later steps use those of the last.
    pub const LSTM_STEPS: usize = 25;

    /// Number of weights, `kT * kH * kW * Cin * Cout`.
    pub fn weights(&self) -> usize {
        self.kernel.iter().product::<usize>() * self.in_channels * self.out_channels
    }

    /// Whether batch norm and ReLU follow its convolution.
    pub fn batch_norm(&self) -> bool {
        self.form == Form::Norm
    }

    /// Hidden units of an LSTM.
    pub fn hidden(&self) -> usize {
        self.out_channels / 4
    }

    /// Values of each statistic, mean or variance, that it keeps: one per channel; of an LSTM, for each step those of the
    /// gates from the input, of the gates from the state, and of the cells.
    pub fn statistics(&self) -> usize {
        match self.form {
            Form::Norm => self.out_channels,
            Form::Bias => 0,
            Form::Lstm => Unit::LSTM_STEPS * 9 * self.hidden(),
        }
    }

    /// Its variables with their shapes under DeepMind's names, without scope prefix: weights, then offset or bias, then mean
    /// and variance where there are such. `<unit>/conv_3d/w` `[kT, kH, kW, Cin, Cout]`, then
    /// `<unit>/batch_norm/{beta,moving_mean,moving_variance}` `[Cout]`, or `<unit>/conv_3d/b` `[Cout]`; of an LSTM
    /// `<unit>/lstm/w_gates` `[inputs + hidden, 4 hidden]`, `<unit>/lstm/b_gates`, and
    /// `<unit>/batch_norm/{moving_mean,moving_variance}` `[steps, 9 hidden]`.
    pub fn variables(&self) -> Vec<(String, Vec<usize>)> {
        let [kt, kh, kw] = self.kernel;
        let (rows, columns) = (self.in_channels, self.out_channels);
        let kernel = vec![kt, kh, kw, rows, columns];
        let vector = || vec![columns];
        let steps = || vec![Unit::LSTM_STEPS, 9 * self.hidden()];
        let variables = match self.form {
            Form::Norm => vec![
                ("conv_3d/w", kernel),
                ("batch_norm/beta", vector()),
                ("batch_norm/moving_mean", vector()),
                ("batch_norm/moving_variance", vector()),
            ],
            Form::Bias => vec![("conv_3d/w", kernel), ("conv_3d/b", vector())],
            Form::Lstm => vec![
                ("lstm/w_gates", vec![rows, columns]),
                ("lstm/b_gates", vector()),
                ("batch_norm/moving_mean", steps()),
                ("batch_norm/moving_variance", steps()),
            ],
        };
        variables.into_iter().map(|(name, shape)| (format!("{}/{name}", self.name), shape)).collect()
    }
}

/// A network's nodes while they are written down.
pub(super) struct Nodes<'a> {
    pub network: &'a Network,
    pub all: Vec<Node>,
}

impl Nodes<'_> {
    pub fn push(&mut self, name: &str, operation: Operation, source: Place, target: Place) {
        self.all.push(Node { name: name.into(), operation, source, target });
    }

    /// A convolution of stride 1 with batch norm and ReLU.
    pub fn conv(
        &mut self,
        name: &str,
        kernel: [usize; 3],
        channels: [usize; 2],
        source: Place,
        target: Place,
    ) {
        let unit = unit(name, kernel, channels, Form::Norm);
        self.push(name, Operation::Conv(unit), source, target);
    }
}

/// A unit of stride 1 from so many to so many channels.
pub(super) fn unit(
    name: &str,
    kernel: [usize; 3],
    [in_channels, out_channels]: [usize; 2],
    form: Form,
) -> Unit {
    Unit { name: name.into(), kernel, stride: [1; 3], in_channels, out_channels, form }
}
