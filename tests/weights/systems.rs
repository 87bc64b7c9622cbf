//! The networks of the paper's other systems in files of this project.

use std::collections::HashMap;

use ::safetensors::SafeTensors;
use i3d::network::{Form, Input, Network, Stream, System};
use i3d::plan::Precision;
use i3d::weights::{Checkpoint, Metadata, Parameters, Weights};

use super::{assert_says, read, sentence};

fn networks() -> impl Iterator<Item = Network> {
    let inputs = [Input::One(Stream::Rgb), Input::One(Stream::Flow), Input::Both];
    let small = |system, input| Network { width: 0.0625, input_size: 48, ..Network::new(system, input, 5) };
    let of = move |system: System| {
        inputs.into_iter().filter(move |&input| system.takes(input)).map(move |input| small(system, input))
    };
    System::ALL.into_iter().flat_map(of)
}

#[test]
fn what_is_written_is_read_again() {
    for network in networks() {
        let parameters = Parameters::new(&network, 3);
        let checkpoint = parameters.to_checkpoint("model", Metadata::default());
        let bytes = checkpoint.to_safetensors(None, Precision::F32).unwrap();
        let again = read(&bytes);
        assert_eq!(again.network().unwrap(), network);
        assert_eq!(Parameters::from_checkpoint(&again, &network).unwrap(), parameters);
        // Folded and unfolded it is the same network.
        let weights = parameters.folded().unwrap();
        let unfolded = Checkpoint::from_weights("model", &weights);
        let (loaded, report) = unfolded.load(&network).unwrap();
        assert!(report.missing.is_empty() && report.unused.is_empty());
        let near = |a: &Weights, b: &Weights| {
            let pairs = a.units.iter().zip(&b.units);
            pairs.flat_map(|(a, b)| a.kernel.iter().zip(&b.kernel)).all(|(a, b)| (a - b).abs() < 1e-6)
        };
        assert!(near(&weights, &loaded), "{network:?}");
    }
}

#[test]
fn every_classifier_is_replaced() {
    for network in networks() {
        for classes in [3, 5, 9] {
            let before = Parameters::new(&network, 3);
            let after = before.clone().with_classes(classes, 4);
            let wanted = Network { classes, ..network };
            let bytes =
                after.to_checkpoint("model", Metadata::default()).to_safetensors(None, Precision::F32);
            assert_eq!(read(&bytes.unwrap()).network().unwrap(), wanted);
            let pairs = network.units().into_iter().zip(before.units.iter().zip(&after.units));
            for (unit, (before, after)) in pairs {
                assert_eq!(before == after, unit.form != Form::Bias, "{}", unit.name);
            }
        }
    }
}

/// A file of a network with other metadata.
fn saying(network: &Network, changes: &[(&str, Option<&str>)]) -> Vec<u8> {
    let checkpoint = Parameters::new(network, 3).to_checkpoint("model", Metadata::default());
    let bytes = checkpoint.to_safetensors(None, Precision::F32).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut words: HashMap<String, String> = header.metadata().clone().unwrap();
    for (key, value) in changes {
        match value {
            Some(value) => words.insert((*key).into(), (*value).into()),
            None => words.remove(*key),
        };
    }
    ::safetensors::serialize(SafeTensors::deserialize(&bytes).unwrap().tensors(), Some(words)).unwrap()
}

#[test]
fn files_that_say_too_little_or_something_else_are_refused() {
    let network = networks().filter(|network| network.system == System::Fused).last().unwrap();
    let error = |changes: &[(&str, Option<&str>)]| {
        let read = Checkpoint::from_bytes("model", &saying(&network, changes));
        sentence(read.and_then(|checkpoint| checkpoint.network()))
    };
    assert_says(&error(&[("width", None)]), &["3d-fused", "width and classes"]);
    assert_says(&error(&[("architecture", Some("convnet-lstm"))]), &["convnet-lstm"]);
    assert_says(
        &error(&[("architecture", Some("slowfast"))]),
        &["\"slowfast\"", "i3d-inception-v1", "3d-fused"],
    );
    assert_says(
        &error(&[("width", Some("0.5"))]),
        &[
            "3d-fused of width 0.5, which has",
            "RGB/Conv3d_1a_7x7/conv_3d/w [1, 7, 7, 3, 32], not [1, 7, 7, 3, 4]",
        ],
    );
}
