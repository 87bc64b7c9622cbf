//! What stands beside the weights in a training checkpoint, and in front of their names; networks without a classifier.

use i3d::network::{FEATURES, LOGITS_PER_STEP};
use i3d::weights::{Checkpoint, Parameters};

use super::pickle::{Model, Pickle, Storage, Style, Torch, entries, zip};
use super::{Tensors, assert_same, assert_says, network, read, sentence, variables};

const PIERGIAJ: usize = 1;
const HASSONY2: usize = 2;

/// A state dict under `state_dict`, its names behind a prefix.
fn model(expected: &Tensors, column: usize, prefix: &str) -> Model {
    let mut entries = entries(expected, column, true);
    entries.iter_mut().for_each(|(name, _)| *name = format!("{prefix}{name}"));
    Model { wrappers: vec!["state_dict"], ..Model::new(&entries, Style::Python3) }
}

/// A tensor of its own, which may be of any class.
fn tensor(model: &mut Model, class: &'static str, size: usize, shape: &[usize]) -> Torch {
    let count = shape.iter().product();
    let key = format!("{}", 95_000_000 + model.storages.len());
    model.storages.push(Storage { key, class, count, bytes: vec![1; count * size] });
    let storage = model.storages.len() - 1;
    let strides = super::pickle::contiguous(shape);
    Torch { name: String::new(), storage, view: None, offset: 0, shape: shape.to_vec(), strides }
}

/// What calling a global with those pickled arguments is written as.
fn call(module: &str, name: &str, arguments: &[u8]) -> Vec<u8> {
    [format!("c{module}\n{name}\n").as_bytes(), arguments, b"R"].concat()
}

#[test]
fn tensors_beside_the_weights_are_left_out() {
    let expected = variables(&network());
    let mut model = model(&expected, PIERGIAJ, "");
    for (name, class, size, shape) in [
        ("best_acc1", "FloatStorage", 4, &[][..]),
        ("rng", "ByteStorage", 1, &[5056][..]),
        ("loss", "DoubleStorage", 8, &[1][..]),
        ("spectrum", "ComplexFloatStorage", 8, &[3][..]),
    ] {
        let tensor = tensor(&mut model, class, size, shape);
        model.more.push((name, vec![tensor]));
    }
    // A copy whose values are others.
    let copy: Vec<Torch> = (model.tensors.clone().into_iter().rev().zip(&model.tensors))
        .map(|(other, tensor)| Torch { storage: other.storage, ..tensor.clone() })
        .collect();
    model.more.push(("model_ema", copy));
    for file in [model.zip(), model.legacy()] {
        let checkpoint = read(&file);
        assert_same(&checkpoint.tensors, &expected);
        for name in ["best_acc1", "rng", "epoch", "model_ema/logits.conv3d.bias"] {
            assert!(checkpoint.skipped.contains(&name.to_string()), "{name}");
        }
        let (_, report) = checkpoint.load(&network()).unwrap();
        assert!(report.to_string().contains("what is beside the network"), "{report}");
    }
}

#[test]
fn values_of_python_classes_are_left_out() {
    let expected = variables(&network());
    let values = [
        call("collections", "Counter", b"}K\x03K\x01s\x85"),
        call("collections", "OrderedDict", b")"),
        call("collections", "defaultdict", b"c__builtin__\nlist\n\x85"),
        call("__builtin__", "set", b"]K\x01a\x85"),
        call("__builtin__", "complex", b"G?\xf0\0\0\0\0\0\0G?\xf0\0\0\0\0\0\0\x86"),
        call("_codecs", "encode", b"X\x01\0\0\0xX\x06\0\0\0latin1\x86"),
        call("torch", "device", b"X\x03\0\0\0cpu\x85"),
        call("torch", "Size", b"K\x01\x85\x85"),
        b"ctorch\nfloat16\n".to_vec(),
        // argparse.Namespace, with its attributes as state.
        b"cargparse\nNamespace\n)\x81}X\x02\0\0\0lrK\x01sb".to_vec(),
        call("pathlib", "PosixPath", b"X\x01\0\0\0/X\x01\0\0\0a\x86"),
        call("numpy.core.multiarray", "scalar", b"cnumpy\ndtype\nX\x02\0\0\0f8K\0K\x01\x87RX\x01\0\0\0x\x86"),
        // A class of the user's own, made in every way there is, used as list and as dictionary.
        b"cmine\nConfig\n)\x81X\x01\0\0\0aK\x01s".to_vec(),
        b"(cmine\nConfig\nK\x01o]K\x01a0".to_vec(),
        b"(K\x01imine\nConfig\nK\x01a".to_vec(),
        b"cmine\nConfig\n)}\x92(K\x01K\x02e".to_vec(),
    ];
    for value in values {
        let mut model = model(&expected, PIERGIAJ, "");
        model.beside = vec![("x", value.clone())];
        for file in [model.zip(), model.legacy()] {
            let checkpoint = Checkpoint::from_bytes("model", &file)
                .unwrap_or_else(|error| panic!("{}: {error}", String::from_utf8_lossy(&value)));
            assert_same(&checkpoint.tensors, &expected);
        }
    }
    // Names by which attacks run something are told, wherever they stand.
    for (module, name) in [
        ("os", "system"),
        ("builtins", "exec"),
        ("subprocess", "Popen"),
        ("runpy", "_run_code"),
        ("io", "open"),
    ] {
        let mut model = model(&expected, PIERGIAJ, "");
        model.beside = vec![("x", call(module, name, b"X\x02\0\0\0ls\x85"))];
        for file in [model.zip(), model.legacy()] {
            let said = sentence(Checkpoint::from_bytes("model", &file));
            assert_says(&said, &[&format!("`{module}.{name}`"), "never runs", "state_dict()"]);
        }
    }
}

#[test]
fn an_object_of_an_unknown_class_is_no_state_dict() {
    let mut pickle = Pickle::new(2, Style::Python3);
    pickle.0.extend(b"cmine\nI3D\n)\x81}b.");
    let said = sentence(Checkpoint::from_bytes("model", &zip(&[("m/data.pkl".into(), pickle.0)])));
    assert_says(&said, &["an object of the Python global `mine.I3D`", "never runs", "state_dict()"]);
    let mut pickle = Pickle::new(2, Style::Python3);
    pickle.0.extend(b"}X\x05\0\0\0modelcmine\nI3D\n)\x81s.");
    let said = sentence(Checkpoint::from_bytes("model", &zip(&[("m/data.pkl".into(), pickle.0)])));
    assert_says(&said, &["start with model", "`mine.I3D`", "state_dict()"]);
}

#[test]
fn whatever_stands_before_the_names_is_found() {
    let expected = variables(&network());
    for prefix in [
        "module.",
        "_orig_mod.",
        "module.basenet.",
        "backbone.",
        "net.",
        "model._orig_mod.module.",
        "a.b.c.d.e.f.",
    ] {
        for column in [PIERGIAJ, HASSONY2] {
            let model = model(&expected, column, prefix);
            assert_same(&read(&model.zip()).tensors, &expected);
        }
    }
    // A counter in the state dict itself.
    let mut counted = model(&expected, PIERGIAJ, "");
    let mut counter = tensor(&mut counted, "LongStorage", 8, &[]);
    counter.name = "n_averaged".into();
    counted.tensors.push(counter);
    assert_same(&read(&counted.zip()).tensors, &expected);
    // As part of another network, whose other tensors are beside it.
    let mut model = model(&expected, PIERGIAJ, "backbone.");
    let mut other = tensor(&mut model, "FloatStorage", 4, &[2, 3]);
    other.name = "cls_head.fc.weight".into();
    model.tensors.push(other);
    let checkpoint = read(&model.zip());
    assert_same(&checkpoint.tensors, &expected);
    assert!(
        checkpoint.skipped.contains(&"state_dict/cls_head.fc.weight".to_string()),
        "{:?}",
        checkpoint.skipped
    );
}

#[test]
fn two_networks_in_one_file_are_told() {
    let mut both = entries(&variables(&network()), PIERGIAJ, false);
    let other: Vec<_> = both.iter().map(|(name, tensor)| (format!("flow.{name}"), tensor.clone())).collect();
    both.iter_mut().for_each(|(name, _)| *name = format!("rgb.{name}"));
    both.extend(other);
    let said = sentence(Checkpoint::from_bytes("model", &Model::new(&both, Style::Python3).zip()));
    assert_says(&said, &["holds the network twice", "`flow.`", "`rgb.`", "file of its own"]);
}

#[test]
fn a_network_without_classifier_still_has_features() {
    let expected = variables(&network());
    let headless: Tensors = expected
        .iter()
        .filter(|(name, _)| !name.starts_with("Logits"))
        .map(|(n, t)| (n.clone(), t.clone()))
        .collect();
    let checkpoint = read(&model(&headless, PIERGIAJ, "backbone.").zip());
    assert!(checkpoint.is_headless());
    let said = sentence(checkpoint.network());
    assert_says(&said, &["without classifier", LOGITS_PER_STEP, "dump --endpoint", FEATURES, "train --from"]);

    let whole = checkpoint.with_classifier(7);
    assert!(!whole.is_headless());
    let found = whole.network().unwrap();
    assert_eq!(found, i3d::network::Network { classes: 7, ..network() });
    let parameters = Parameters::from_checkpoint(&whole, &found).unwrap();
    assert!(parameters.units.last().unwrap().kernel.iter().all(|&w| w == 0.0));
    // One that has a classifier stays as it is.
    let complete = read(&model(&expected, PIERGIAJ, "").zip());
    assert_same(&complete.with_classifier(7).tensors, &expected);
    // A part of a network is not one without classifier.
    let part: Tensors = headless.into_iter().filter(|(name, _)| !name.starts_with("Mixed_5c")).collect();
    let part = read(&model(&part, PIERGIAJ, "").zip());
    assert!(!part.is_headless());
    assert_says(&sentence(part.network()), &["holds no Logits/Conv3d_0c_1x1"]);
}
