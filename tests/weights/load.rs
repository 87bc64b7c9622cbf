//! From checkpoints to folded weights.

use i3d::network::{BATCH_NORM_EPSILON, Network, Stream};
use i3d::weights::{Checkpoint, Tensor, Weights};

use super::{Tensors, assert_says, network, sentence, variables};

fn checkpoint(tensors: Tensors) -> Checkpoint {
    let empty = b"\x02\0\0\0\0\0\0\0{}";
    Checkpoint { tensors, ..Checkpoint::from_bytes("model", empty).unwrap() }
}

#[test]
fn batch_norm_is_folded() {
    let tensors = variables(&network());
    let (weights, report) = checkpoint(tensors.clone()).load(&network()).unwrap();
    assert_eq!(report.to_string(), "230 used, 0 missing, 0 unused, 0 skipped");
    for (unit, folded) in network().units().iter().zip(&weights.units) {
        let get = |variable: &str| &tensors[&format!("{}/{variable}", unit.name)].data;
        let w = get("conv_3d/w");
        assert_eq!(folded.kernel.len(), w.len());
        if !unit.batch_norm() {
            assert_eq!((&folded.kernel, &folded.bias), (w, get("conv_3d/b")));
            continue;
        }
        let channels = unit.out_channels;
        let scale = |c: usize| 1.0 / (get("batch_norm/moving_variance")[c] + BATCH_NORM_EPSILON).sqrt();
        for (i, x) in folded.kernel.iter().enumerate() {
            assert!((x - w[i] * scale(i % channels)).abs() <= 1e-6, "{} {i}", unit.name);
        }
        for (c, x) in folded.bias.iter().enumerate() {
            let expected = get("batch_norm/beta")[c] - get("batch_norm/moving_mean")[c] * scale(c);
            assert!((x - expected).abs() <= 1e-6, "{} {c}", unit.name);
        }
    }
}

#[test]
fn the_network_is_inferred() {
    for width in [0.0625, 0.25] {
        for stream in [Stream::Rgb, Stream::Flow] {
            let network = Network { width, ..Network::i3d(stream, 2) };
            assert_eq!(checkpoint(variables(&network)).network().unwrap(), network);
        }
    }
}

#[test]
fn another_stream_or_class_count_is_told() {
    let flow = Network { in_channels: 2, ..network() };
    let said = sentence(checkpoint(variables(&flow)).load(&network()));
    assert_says(&said, &["expected rgb (3 input channels)", "found flow (2 input channels)"]);
    let said = sentence(checkpoint(variables(&network())).load(&Network { classes: 400, ..network() }));
    assert_says(&said, &["5 classes", "expected 400", "labels"]);
}

#[test]
fn another_width_is_told() {
    let said = sentence(checkpoint(variables(&network())).load(&Network { width: 0.5, ..network() }));
    let parts = ["tensor Conv3d_1a_7x7/conv_3d/w", "[7, 7, 7, 3, 4]", "expected [7, 7, 7, 3, 32]", "others"];
    assert_says(&said, &parts);
}

#[test]
fn missing_and_unexpected_tensors_are_told() {
    let mut tensors = variables(&network());
    tensors.remove("Mixed_4e/Branch_1/Conv3d_0b_3x3/batch_norm/beta");
    let said = sentence(checkpoint(tensors.clone()).load(&network()));
    assert_says(&said, &["lacks", "Mixed_4e/Branch_1/Conv3d_0b_3x3/batch_norm/beta", "229 of 230"]);
    tensors.remove("Mixed_5c/Branch_0/Conv3d_0a_1x1/conv_3d/w");
    assert_says(&sentence(checkpoint(tensors).load(&network())), &["and 1 other", "228 of 230"]);

    let mut tensors = variables(&network());
    tensors.insert("Mixed_6a/conv_3d/w".into(), Tensor { shape: vec![1], data: vec![0.0] });
    let said = sentence(checkpoint(tensors).load(&network()));
    assert_says(&said, &["Mixed_6a/conv_3d/w", "does not have"]);

    let said = sentence(checkpoint(Tensors::new()).network());
    assert_says(&said, &["Conv3d_1a_7x7/conv_3d/w", "no I3D checkpoint", "no tensors"]);
}

#[test]
fn numbers_that_are_none_are_told() {
    for (value, shown) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let mut tensors = variables(&network());
        tensors.get_mut("Mixed_3c/Branch_3/Conv3d_0b_1x1/conv_3d/w").unwrap().data[17] = value;
        let said = sentence(checkpoint(tensors).load(&network()));
        assert_says(&said, &["Mixed_3c/Branch_3/Conv3d_0b_1x1/conv_3d/w", shown, "index 17", "finite"]);
    }
    let mut tensors = variables(&network());
    tensors.get_mut("Conv3d_2b_1x1/batch_norm/moving_variance").unwrap().data[1] = -0.25;
    let said = sentence(checkpoint(tensors).load(&network()));
    assert_says(&said, &["Conv3d_2b_1x1/batch_norm/moving_variance", "-0.25", "index 1"]);
}

#[test]
fn random_weights_are_the_same_everywhere() {
    let weights = Weights::random(&network(), 42);
    let digest = weights.units.iter().flat_map(|unit| unit.kernel.iter().chain(&unit.bias));
    let digest = digest.fold(0u32, |hash, x| hash.rotate_left(5) ^ x.to_bits());
    assert_eq!(digest, 3_806_280_333);
}
