//! Inflation: a video of one picture gives what the picture gives, where the clip's ends are far.

use i3d::backend::{Device, Model as Network3d, RunOptions};
use i3d::network::Stream;
use i3d::plan::Plan;
use i3d::weights::{Checkpoint, Parameters, Tensor};

use super::flat::{self, CLASSES, noise};
use super::inception_2d::{Inception, Map};
use super::pickle::{Model, Style};
use super::tf_writer::{Options, bundle, v1};
use super::{assert_same, assert_says, read, sentence};

/// Height and width of the picture in pixels.
const SIZE: usize = 64;

/// Largest difference between the inflated network in f32 and the 2-D one in f64, where values are of order 10.
const BOUND: f64 = 1e-4;

/// The time steps that equal the 2-D network's, first and last; `None` where none does. Elsewhere zeros beyond the clip's
/// ends are felt: each kernel of three steps carries them one step on.
type Exact = (&'static str, Option<(usize, usize)>);

const OF_64_FRAMES: [Exact; 17] = [
    ("Conv3d_1a_7x7", Some((1, 29))),
    ("MaxPool3d_2a_3x3", Some((1, 29))),
    ("Conv3d_2b_1x1", Some((1, 29))),
    ("Conv3d_2c_3x3", Some((2, 28))),
    ("MaxPool3d_3a_3x3", Some((2, 28))),
    ("Mixed_3b", Some((3, 27))),
    ("Mixed_3c", Some((4, 26))),
    ("MaxPool3d_4a_3x3", Some((2, 12))),
    ("Mixed_4b", Some((3, 11))),
    ("Mixed_4c", Some((4, 10))),
    ("Mixed_4d", Some((5, 9))),
    ("Mixed_4e", Some((6, 8))),
    ("Mixed_4f", Some((7, 7))),
    ("MaxPool3d_5a_2x2", None),
    ("Mixed_5b", None),
    ("Mixed_5c", None),
    ("Logits/Conv3d_0c_1x1", None),
];

const OF_128_FRAMES: [Exact; 17] = [
    ("Conv3d_1a_7x7", Some((1, 61))),
    ("MaxPool3d_2a_3x3", Some((1, 61))),
    ("Conv3d_2b_1x1", Some((1, 61))),
    ("Conv3d_2c_3x3", Some((2, 60))),
    ("MaxPool3d_3a_3x3", Some((2, 60))),
    ("Mixed_3b", Some((3, 59))),
    ("Mixed_3c", Some((4, 58))),
    ("MaxPool3d_4a_3x3", Some((2, 28))),
    ("Mixed_4b", Some((3, 27))),
    ("Mixed_4c", Some((4, 26))),
    ("Mixed_4d", Some((5, 25))),
    ("Mixed_4e", Some((6, 24))),
    ("Mixed_4f", Some((7, 23))),
    ("MaxPool3d_5a_2x2", Some((4, 11))),
    ("Mixed_5b", Some((5, 10))),
    ("Mixed_5c", Some((6, 9))),
    ("Logits/Conv3d_0c_1x1", Some((6, 8))),
];

fn picture(channels: usize) -> Map {
    let mut next = noise(3);
    let data = (0..SIZE * SIZE * channels).map(|_| f64::from(next())).collect();
    Map { h: SIZE, w: SIZE, c: channels, data }
}

/// Runs the inflated network over so many copies of the picture and compares step by step.
fn compare(parameters: &Parameters, picture: &Map, want: &[(&str, Map)], frames: usize, exact: &[Exact]) {
    let weights = parameters.folded().unwrap();
    // Direct convolution, so that rounding stays far below what the clip's ends do.
    let options = RunOptions { precise: true, ..RunOptions::default() };
    let mut model = Network3d::new(&Device::Cpu { threads: 0 }, weights, &options).unwrap();
    let plan = Plan::new(&parameters.network, 1, frames).unwrap();
    let frame: Vec<f32> = picture.data.iter().map(|&x| x as f32).collect();
    let names: Vec<&str> = exact.iter().map(|(name, _)| *name).collect();
    let output = pollster::block_on(model.run(&plan, &frame.repeat(frames), &names, &mut |_| ())).unwrap();
    for ((name, want), (_, expected)) in want.iter().zip(exact) {
        let got = output.get(name).unwrap();
        let (steps, size) = (got.shape.t, want.data.len());
        assert_eq!(got.data.len(), steps * size, "{name}");
        let at = |step: usize| &got.data[step * size..][..size];
        let off = |step: usize| {
            at(step).iter().zip(&want.data).map(|(&g, &w)| (f64::from(g) - w).abs()).fold(0.0, f64::max)
        };
        let all: Vec<f64> = (0..steps).map(off).collect();
        let place = format!("{name} of {frames} frames, off by {all:?}");
        assert!(all[0] > 0.01 && all[steps - 1] > 0.01, "the ends are felt: {place}");
        let Some((first, last)) = *expected else {
            assert!(all.iter().all(|&off| off > BOUND), "{place}");
            continue;
        };
        assert!(all[first..=last].iter().all(|&off| off <= BOUND), "{place}");
        // What the ends do fades with every kernel, down to what rounding does; but equal steps are equal bit by bit.
        let equal: Vec<usize> = (0..steps).filter(|&step| at(step) == at((first + last) / 2)).collect();
        assert_eq!(equal, (first..=last).collect::<Vec<_>>(), "{place}");
    }
}

#[test]
fn a_still_clip_gives_what_the_picture_gives_layer_by_layer() {
    let dict = flat::torchvision(&flat::variables());
    let file = Model::new(&dict, Style::Python3);
    let picture = picture(3);
    let want = Inception(&dict).endpoints(&picture);
    for bytes in [file.zip(), file.legacy()] {
        let mut parameters = read(&bytes).inflate(Stream::Rgb).unwrap();
        assert_eq!((parameters.network.width, parameters.network.classes), (0.0625, CLASSES));
        parameters.network.input_size = SIZE;
        compare(&parameters, &picture, &want, 64, &OF_64_FRAMES);
        compare(&parameters, &picture, &want, 128, &OF_128_FRAMES);
    }
}

#[test]
fn still_flow_gives_what_a_picture_of_two_channels_gives() {
    let mut dict = flat::torchvision(&flat::variables());
    let file = Model::new(&dict, Style::Python3).zip();
    let mut parameters = read(&file).inflate(Stream::Flow).unwrap();
    parameters.network.input_size = SIZE;
    // The rule: the mean of the three filters, for both channels, times 3/2.
    let (_, first) = dict.iter_mut().find(|(name, _)| name == "conv1.conv.weight").unwrap();
    let taps = 49;
    let data = first.data.chunks_exact(3 * taps).flat_map(|filter| {
        let mean = |tap: usize| (filter[tap] + filter[taps + tap] + filter[2 * taps + tap]) / 3.0;
        (0..2 * taps).map(move |i| 1.5 * mean(i % taps)).collect::<Vec<f32>>()
    });
    let data = data.collect();
    *first = Tensor { shape: vec![first.shape[0], 2, 7, 7], data };
    let picture = picture(2);
    let want = Inception(&dict).endpoints(&picture);
    compare(&parameters, &picture, &want, 64, &OF_64_FRAMES);
    compare(&parameters, &picture, &want, 128, &OF_128_FRAMES);
}

#[test]
fn every_kernel_is_repeated_and_divided() {
    let tensors = flat::variables();
    let (index, shards) = bundle(super::tf_writer::items(&tensors, ""), Options::default());
    let flat = Checkpoint::from_tensorflow("model", &index, &[&shards[0]]).unwrap();
    let inflated = flat.inflate(Stream::Rgb).unwrap();
    let written = inflated.to_checkpoint("model", flat.metadata.clone()).tensors;
    for (name, found) in &written {
        let source = &tensors[name];
        let times = if name.ends_with("/w") { found.shape[0] } else { 1 };
        assert_eq!(times > 1, name.ends_with("3x3/conv_3d/w") || name.ends_with("7x7/conv_3d/w"), "{name}");
        let expected: Vec<f32> = source.data.iter().map(|w| w / times as f32).collect();
        assert_eq!(found.data, expected.repeat(times), "{name}");
    }
    // Another classifier, and everything else as it was.
    let other = inflated.clone().with_classes(9, 1);
    assert_eq!(other.units.last().unwrap().offset, [0.0; 9]);
    assert_eq!(other.units[..57], inflated.units[..57]);
}

#[test]
fn all_sources_give_the_same_network() {
    let tensors = flat::variables();
    let mut dict = flat::torchvision(&tensors);
    dict.iter_mut().filter(|(name, _)| name.ends_with(".bn.weight")).for_each(|(_, t)| t.data.fill(1.0));
    let torchvision = read(&Model::new(&dict, Style::Python2).legacy());
    let slim =
        read(&v1(&flat::slim(&tensors), &[], Options { snappy: true, block: 5, ..Options::default() }));
    let ours = read(&slim.to_safetensors(None, i3d::plan::Precision::F32).unwrap());
    for source in [torchvision, slim, ours] {
        assert_same(&source.tensors, &tensors);
        let expected = source.inflate(Stream::Flow).unwrap();
        assert_eq!(expected.network.stream(), Some(Stream::Flow));
    }
}

#[test]
fn what_cannot_be_inflated_is_told() {
    let tensors = flat::variables();
    let of = |dict: &[(String, Tensor)]| read(&Model::new(dict, Style::Python3).zip());
    let dict = flat::torchvision(&tensors);

    let said = sentence(of(&dict).load(&super::network()));
    assert_says(&said, &["is a 2-D network", "i3d inflate"]);

    let name = "inception4b.branch3.1.conv.weight";
    let mut wide = dict.clone();
    let (_, kernel) = wide.iter_mut().find(|(n, _)| n == name).unwrap();
    let [out, input] = [kernel.shape[0], kernel.shape[1]];
    *kernel = Tensor { shape: vec![out, input, 5, 5], data: vec![0.1; out * input * 25] };
    let said = sentence(of(&wide).inflate(Stream::Rgb));
    let expected =
        ["Mixed_4c/Branch_2/Conv3d_0b_3x3/conv_3d/w", "[1, 5, 5, 4, 4]", "expected [1, 3, 3, 4, 4]"];
    assert_says(&said, &expected);

    let mut short = dict.clone();
    short.retain(|(n, _)| n != "inception5b.branch1.bn.running_var");
    let said = sentence(of(&short).inflate(Stream::Rgb));
    assert_says(&said, &["lacks", "Mixed_5c/Branch_0/Conv3d_0a_1x1/batch_norm/moving_variance"]);

    let mut long = dict.clone();
    long.push(("inception6a.conv.weight".into(), Tensor { shape: vec![1], data: vec![0.0] }));
    assert_says(&sentence(of(&long).inflate(Stream::Rgb)), &["inception6a.conv.weight", "does not have"]);

    let (index, shards) =
        bundle(super::tf_writer::items(&super::variables(&super::network()), ""), Options::default());
    let solid = Checkpoint::from_tensorflow("model", &index, &[&shards[0]]).unwrap();
    assert_says(&sentence(solid.inflate(Stream::Rgb)), &["has time already", "i3d train --from"]);

    let grey = of(&dict).inflate(Stream::Flow).unwrap().to_checkpoint("model", Default::default());
    let mut grey = grey.tensors;
    grey.iter_mut().filter(|(name, _)| name.ends_with("/w")).for_each(|(_, t)| {
        t.data.truncate(t.data.len() / t.shape[0]);
        t.shape[0] = 1;
    });
    let grey = Checkpoint { tensors: grey, ..of(&dict) };
    assert!(grey.inflate(Stream::Flow).is_ok(), "two channels stay two");
    assert_says(&sentence(grey.inflate(Stream::Rgb)), &["takes 2 input channels", "3 (colours)"]);
}
