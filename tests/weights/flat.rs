//! A small 2-D network as its public checkpoints would hold it, for tests.

use i3d::network::{Network, Stream};
use i3d::weights::Tensor;
use i3d::weights::tf_bundle::DataType;

use super::pickle::entries;
use super::tf_writer::Item;
use super::{Tensors, bytes, names};

/// Columns of the table of names.
const SLIM: usize = 3;
const TORCHVISION: usize = 4;

/// Classes of the 2-D network.
pub const CLASSES: usize = 6;

/// Numbers in `[-1, 1)` that look random and are the same on every machine.
pub fn noise(seed: u32) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// The 2-D network's variables under the names of I3D's units, kernels `[1, kH, kW, Cin, Cout]`: 1/16 of the channels, and
/// values that neither vanish nor explode on their way.
pub fn variables() -> Tensors {
    let network = Network { width: 0.0625, ..Network::i3d(Stream::Rgb, CLASSES) };
    let mut next = noise(5);
    let tensor = |(name, mut shape): (String, Vec<usize>)| {
        if name.ends_with("/w") {
            shape[0] = 1;
        }
        let fan_in: usize = shape.split_last().map_or(1, |(_, rest)| rest.iter().product());
        let (middle, reach) = match name.rsplit('/').next() {
            Some("w") => (0.0, (6.0 / fan_in as f32).sqrt()),
            Some("moving_variance") => (1.0, 0.3),
            Some("beta") => (0.2, 0.2),
            _ => (0.0, 0.2),
        };
        let data = (0..shape.iter().product()).map(|_| middle + reach * next()).collect();
        (name, Tensor { shape, data })
    };
    network.variables().into_iter().map(tensor).collect()
}

/// The state dict of torchvision's GoogLeNet: its names and layouts, batch-norm scales other than one, counters, and a part of
/// an auxiliary classifier.
pub fn torchvision(tensors: &Tensors) -> Vec<(String, Tensor)> {
    let mut next = noise(11);
    let mut dict = entries(tensors, TORCHVISION, true);
    for (name, tensor) in &mut dict {
        match tensor.shape[..] {
            [out, input, 1, 1, 1] if name == "fc.weight" => tensor.shape = vec![out, input],
            [out, input, 1, h, w] => tensor.shape = vec![out, input, h, w],
            _ if name.ends_with(".bn.weight") => tensor.data.iter_mut().for_each(|x| *x += 0.4 * next()),
            _ => {}
        }
    }
    dict.push(("aux1.conv.conv.weight".into(), Tensor { shape: vec![2, 1, 1, 1], data: vec![0.5; 2] }));
    dict.push(("aux2.fc1.bias".into(), Tensor { shape: vec![3], data: vec![0.5; 3] }));
    dict
}

/// TF-slim's variables, and what its training leaves beside them.
pub fn slim(tensors: &Tensors) -> Vec<Item> {
    let names = names(SLIM);
    let item = |name: String, shape: &[usize], values: &[f32]| Item {
        name,
        dtype: DataType(1),
        shape: shape.to_vec(),
        bytes: bytes(values),
    };
    let mut items = Vec::new();
    for (name, tensor) in tensors {
        let shape = if tensor.shape.len() == 5 { &tensor.shape[1..] } else { &tensor.shape[..] };
        items.push(item(names[name].clone(), shape, &tensor.data));
        if name.ends_with("/w") {
            items.push(item(format!("{}/RMSProp", names[name]), shape, &tensor.data));
        }
    }
    items.push(Item { name: "global_step".into(), dtype: DataType(9), shape: vec![], bytes: vec![0; 8] });
    items
}
