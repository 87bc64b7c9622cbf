//! `i3d inflate`: 2-D networks of every kind, and what is none.

use i3d::network::Stream;
use i3d::weights::Checkpoint;

use crate::flat::{self, slim, torchvision};
use crate::pickle::{Model, Style};
use crate::tf_writer::{Options, v1};
use crate::{Run, Sandbox};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let dict = torchvision(&flat::variables());
    sandbox.write("googlenet.pth", Model::new(&dict, Style::Python3).zip());
    let options = Options { snappy: true, block: 20, ..Options::default() };
    sandbox.write("inception_v1.ckpt", v1(&slim(&flat::variables()), &[], options));
    sandbox
}

fn read(sandbox: &Sandbox, name: &str) -> Checkpoint {
    Checkpoint::from_bytes(name, &sandbox.read(name)).expect("a checkpoint")
}

#[test]
fn both_public_kinds_become_networks_to_train() {
    let sandbox = sandbox();
    for (file, format) in
        [("googlenet.pth", "PyTorch zip file"), ("inception_v1.ckpt", "TensorFlow V1 checkpoint")]
    {
        let run = sandbox.i3d(&format!("inflate {file} a.safetensors --stream flow --classes 7")).ok();
        assert_eq!(run.stdout, "");
        let said = format!("{file} ({format}): a 2-D network, inflated for flow\n");
        assert!(run.stderr.starts_with(&said), "{run:?}");
        assert!(run.stderr.contains("`i3d train --from a.safetensors`"), "{run:?}");
        let written = read(&sandbox, "a.safetensors");
        let network = written.network().expect("a network");
        assert_eq!((network.stream(), network.classes, network.width), (Some(Stream::Flow), 7, 0.0625));
        assert!(written.load(&network).is_ok());
        assert_eq!(written.metadata.source.as_deref(), Some(file));
        let source = read(&sandbox, file).sha256;
        assert_eq!(written.metadata.source_sha256, Some(source));
        assert_eq!(written.metadata.labels, None);
        // The seed decides the classifier and nothing else.
        sandbox.i3d(&format!("inflate {file} same.safetensors --stream flow --classes 7")).ok();
        assert!(sandbox.read("a.safetensors") == sandbox.read("same.safetensors"));
        sandbox.i3d(&format!("inflate {file} b.safetensors --stream flow --classes 7 --seed 1 -q")).ok();
        let other = read(&sandbox, "b.safetensors").tensors;
        let differ: Vec<_> = written.tensors.iter().filter(|(name, t)| other[*name] != **t).collect();
        assert_eq!(differ.len(), 1, "the classifier's weights");
    }
}

#[test]
fn labels_travel_along() {
    let sandbox = sandbox();
    sandbox.write("labels.txt", "run\nwalk\n");
    sandbox.i3d("inflate googlenet.pth a.safetensors --stream rgb --labels labels.txt").ok();
    let written = read(&sandbox, "a.safetensors");
    assert_eq!(written.metadata.labels, Some(vec!["run".to_string(), "walk".to_string()]));
    assert_eq!(written.metadata.stream, Some(Stream::Rgb));
    // Without either, Kinetics' number of classes.
    sandbox.i3d("inflate googlenet.pth a.safetensors --stream rgb").ok();
    assert_eq!(read(&sandbox, "a.safetensors").network().expect("a network").classes, 400);
}

#[test]
fn bad_input() {
    let sandbox = sandbox();
    let inflate = |arguments: &str| -> Run { sandbox.i3d(&format!("inflate {arguments}")) };
    inflate("none.pth x.safetensors --stream rgb")
        .fails(2, "none.pth: there is no such file or folder; check the name");
    inflate("googlenet.pth missing/x.safetensors --stream rgb").fails_with(
        2,
        "missing/x.safetensors: ",
        &["its folder does not exist"],
    );
    for wrong in ["--classes 0", "--classes many", "--classes 9999999"] {
        let run = inflate(&format!("googlenet.pth x.safetensors --stream rgb {wrong}")).exits(2);
        assert!(run.stderr.contains("give a number of classes, 1 to 65536"), "{run:?}");
    }
    let run = inflate("googlenet.pth x.safetensors").exits(2);
    assert!(run.stderr.contains("--stream <STREAM>"), "{run:?}");
    sandbox.write("labels.txt", "run\n\nwalk\n");
    let run = inflate("googlenet.pth x.safetensors --stream rgb --classes 2 --labels labels.txt").exits(2);
    assert!(run.stderr.contains("cannot be used with"), "{run:?}");
    inflate("googlenet.pth x.safetensors --stream rgb --labels labels.txt")
        .fails(2, "labels.txt: line 2 is empty; give every class a name, one per line");

    // A network that has time already, and a 2-D one where one with time belongs.
    sandbox.write("rgb.safetensors", crate::fixtures::safetensors(Stream::Rgb, 5));
    let parts = ["tensor Conv3d_1a_7x7/conv_3d/w", "has time already", "`i3d train --from`"];
    inflate("rgb.safetensors x.safetensors --stream rgb").fails_with(2, "rgb.safetensors: ", &parts);
    let flat = ["is a 2-D network", "inflate it first (`i3d inflate`)"];
    sandbox.i3d("convert googlenet.pth x.safetensors").fails_with(2, "googlenet.pth: ", &flat);

    let mut cut = sandbox.read("inception_v1.ckpt");
    cut[1000] ^= 1;
    sandbox.write("cut.ckpt", &cut);
    inflate("cut.ckpt x.safetensors --stream rgb").fails_with(2, "cut.ckpt: ", &["checksum", "download"]);
    cut.truncate(1000);
    sandbox.write("cut.ckpt", &cut);
    inflate("cut.ckpt x.safetensors --stream rgb").fails_with(2, "cut.ckpt: ", &["known checkpoint format"]);
    assert!(!sandbox.path("x.safetensors").exists());
}
