//! The five networks from the clip to the logits. Where the paper is silent the choice stands beside the code, with its reason.

use super::inception::{self, FEATURES, LOGITS, LOGITS_PER_STEP, Time};
use super::node::{Form, Node, Nodes, Operation, Place, Pool, unit};
use super::{Network, System, Tower};

/// Pools of (b), each of which halves the picture, rounded up.
const HALVINGS: u32 = 5;

/// The network as a list of operations in the order in which they run.
pub(super) fn nodes(network: &Network) -> Vec<Node> {
    let mut nodes = Nodes { network, all: Vec::new() };
    match network.system {
        System::ConvNetLstm => convnet_lstm(&mut nodes),
        System::ConvNet3d => convnet_3d(&mut nodes),
        System::TwoStream => two_stream(&mut nodes),
        System::Fused => fused(&mut nodes),
        System::I3d => i3d(&mut nodes),
    }
    nodes.all
}

/// Average pool over `frames` steps and the picture, and the classifier behind it, whose logits go to channels from `first` on.
fn classify(
    nodes: &mut Nodes<'_>,
    scope: &str,
    frames: usize,
    (channels, source): (usize, Place),
    first: usize,
) {
    let features = Place::new(format!("{scope}{FEATURES}"), 0);
    nodes.push(&features.tensor.clone(), Operation::AvgPool(frames), source, features.clone());
    classifier(nodes, scope, (channels, features), first);
}

/// The classifier: a bias, no batch norm, no ReLU.
fn classifier(nodes: &mut Nodes<'_>, scope: &str, (channels, source): (usize, Place), first: usize) {
    let name = format!("{scope}{LOGITS_PER_STEP}");
    let unit = unit(&name, [1; 3], [channels, nodes.network.classes], Form::Bias);
    nodes.push(&name, Operation::Conv(unit), source, Place::new(LOGITS_PER_STEP, first));
}

fn finish(nodes: &mut Nodes<'_>, operation: Operation) {
    nodes.push(LOGITS, operation, Place::new(LOGITS_PER_STEP, 0), Place::new(LOGITS, 0));
}

/// (e) The inflated trunk and an average pool over two steps.
fn i3d(nodes: &mut Nodes<'_>) {
    let end = Place::new("Mixed_5c", 0);
    let channels = inception::trunk(nodes, Time::Inflated, "", (0, nodes.network.in_channels), &end);
    classify(nodes, "", 2, (channels, end), 0);
    finish(nodes, Operation::TimeMean);
}

/// (a) The flat trunk on every frame, an LSTM of 512 units over their features, and the classifier on what it remembers. The
/// loss is on the logits of all steps, the result the last one's.
///
/// Dropout, of which the paper says nothing here, is where I3D has it: on the pooled features.
fn convnet_lstm(nodes: &mut Nodes<'_>) {
    let network = nodes.network;
    let end = Place::new("Mixed_5c", 0);
    let channels = inception::trunk(nodes, Time::Flat, "", (0, network.in_channels), &end);
    let features = Place::new(FEATURES, 0);
    nodes.push(FEATURES, Operation::AvgPool(1), end, features.clone());
    let hidden = network.channels(512);
    let lstm = unit("LSTM", [1; 3], [channels + hidden, 4 * hidden], Form::Lstm);
    let memory = Place::new("LSTM", 0);
    nodes.push("LSTM", Operation::Lstm(lstm), features, memory.clone());
    classifier(nodes, "", (hidden, memory), 0);
    finish(nodes, Operation::LastStep);
}

/// (b) C3D's layers with its names, batch norm behind each, and two steps in time for every pool, the first one's too.
///
/// The paper does not say how the last pool is padded; its parameters (79 million) are those of 8192 features, which C3D's SAME
/// padding gives: a grid of 7 becomes one of 4. No dropout: batch norm is behind the fully connected layers as well, and the
/// paper names no other means.
fn convnet_3d(nodes: &mut Nodes<'_>) {
    let network = nodes.network;
    let layers: [(&str, &[usize], &[&str]); 5] = [
        ("pool1", &[64], &["conv1a"]),
        ("pool2", &[128], &["conv2a"]),
        ("pool3", &[256, 256], &["conv3a", "conv3b"]),
        ("pool4", &[512, 512], &["conv4a", "conv4b"]),
        ("pool5", &[512, 512], &["conv5a", "conv5b"]),
    ];
    let (mut source, mut channels) = (Place::new(Place::INPUT, 0), network.in_channels);
    for (pool, widths, names) in layers {
        for (&width, name) in widths.iter().zip(names) {
            let (out, target) = (network.channels(width), Place::new(*name, 0));
            nodes.conv(name, [3; 3], [channels, out], source, target.clone());
            (source, channels) = (target, out);
        }
        let target = Place::new(pool, 0);
        nodes.push(pool, Operation::MaxPool(Pool { window: [2; 3], stride: [2; 3] }), source, target.clone());
        source = target;
    }
    let grid = (0..HALVINGS).fold(network.input_size, |size, _| size.div_ceil(2));
    let hidden = network.channels(4096);
    for (name, kernel) in [("fc6", [1, grid, grid]), ("fc7", [1; 3])] {
        let unit = unit(name, kernel, [channels, hidden], Form::Norm);
        let target = Place::new(name, 0);
        nodes.push(name, Operation::Linear(unit), source, target.clone());
        (source, channels) = (target, hidden);
    }
    classifier(nodes, "", (channels, source), 0);
    finish(nodes, Operation::TimeMean);
}

/// (c) The flat trunk on single frames, on stacked flow, or both with the mean of their logits: each stream has a network of its
/// own, and they are trained through the mean. Logits are averaged, not probabilities, as the released I3D adds them.
fn two_stream(nodes: &mut Nodes<'_>) {
    let network = nodes.network;
    // Logits stand side by side, those of each stream where four channels begin; what is between them is nobody's.
    for (index, Tower { scope, first, channels }) in network.towers().into_iter().enumerate() {
        let end = Place::new(format!("{scope}Mixed_5c"), 0);
        let channels = inception::trunk(nodes, Time::Flat, scope, (first, channels), &end);
        classify(nodes, scope, 1, (channels, end), index * network.classes.next_multiple_of(4));
    }
    finish(nodes, Operation::TimeMean);
}

/// (d) The flat trunks of both streams on some frames, joined by a 3x3x3 convolution and a max pool.
///
/// The streams' features are concatenated, as the paper's number of parameters implies. The convolution has SAME padding
/// like all others. The pool's stride is two, as that of every 3x3x3 pool between the stages of the trunk. What is left of
/// the grid is averaged before the classifier, as in I3D: a classifier on the whole grid would have more parameters than the
/// paper's, and this way tests run on any number of steps.
fn fused(nodes: &mut Nodes<'_>) {
    let network = nodes.network;
    let mut joined = Place::new("Mixed_5c", 0);
    for Tower { scope, first, channels } in network.towers() {
        joined.first += inception::trunk(nodes, Time::Flat, scope, (first, channels), &joined);
    }
    let (channels, out) = (joined.first, network.channels(512));
    let fusion = Place::new("Conv3d_6a_3x3", 0);
    nodes.conv("Conv3d_6a_3x3", [3; 3], [channels, out], Place::new("Mixed_5c", 0), fusion.clone());
    let pooled = Place::new("MaxPool3d_6a_3x3", 0);
    let pool = Pool { window: [3; 3], stride: [2; 3] };
    nodes.push("MaxPool3d_6a_3x3", Operation::MaxPool(pool), fusion, pooled.clone());
    classify(nodes, "", 1, (out, pooled), 0);
    finish(nodes, Operation::TimeMean);
}
