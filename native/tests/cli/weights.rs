//! Weights that cannot be used.

use i3d::network::Stream;

use crate::fixtures::{checkpoint, claiming, npy, safetensors};
use crate::pickle::{Pickle, Style, zip};
use crate::tf_writer::{Options, bundle, items};
use crate::{Run, Sandbox};

fn classify_with(sandbox: &Sandbox, weights: &str) -> Run {
    sandbox.write("clip.npy", npy(9, 3));
    sandbox.classify(&format!("clip.npy --rgb {weights}"))
}

#[test]
fn damaged_checkpoints_are_told() {
    let sandbox = Sandbox::new();
    let whole = safetensors(Stream::Rgb, 5);
    sandbox.write("cut.safetensors", &whole[..whole.len() - 1000]);
    classify_with(&sandbox, "cut.safetensors").fails_with(2, "cut.safetensors: ", &["cut short", "download"]);
    sandbox.write("empty.safetensors", "");
    classify_with(&sandbox, "empty.safetensors").fails(2, "empty.safetensors: is empty: download it again");
    sandbox.write("page.pt", "<!DOCTYPE html><html>Sign in</html>");
    classify_with(&sandbox, "page.pt").fails_with(2, "page.pt: is a web page", &["download the file itself"]);
    classify_with(&sandbox, "none.pt").fails(2, "none.pt: there is no such file or folder; check the name");
    sandbox.write("bare/readme.txt", "words");
    classify_with(&sandbox, "bare").fails_with(2, "bare: ", &["no .index file", "give"]);
}

#[test]
fn one_flipped_byte_names_the_tensor() {
    let sandbox = Sandbox::new();
    let tensors = checkpoint(Stream::Rgb, 5).tensors;
    let (index, mut shards) = bundle(items(&tensors, "RGB/inception_i3d/"), Options::default());
    shards[0][100_000] ^= 0x10;
    sandbox.write("tf/model.ckpt.index", index);
    sandbox.write("tf/model.ckpt.data-00000-of-00001", &shards[0]);
    // Which tensor lies at that byte: they follow each other in the order of their names.
    let mut end = 0;
    let broken = tensors.iter().find(|(_, tensor)| {
        end += 4 * tensor.data.len();
        end > 100_000
    });
    let name = broken.expect("the file is longer").0;
    classify_with(&sandbox, "tf").fails_with(2, "tf/model.ckpt", &[name, "checksum", "download"]);
    std::fs::remove_file(sandbox.path("tf/model.ckpt.data-00000-of-00001")).expect("it was there");
    let gone = "tf/model.ckpt.data-00000-of-00001: there is no such file or folder; check the name";
    classify_with(&sandbox, "tf/model.ckpt").fails(2, gone);
}

#[test]
fn hostile_files_run_nothing_and_take_no_memory() {
    let sandbox = Sandbox::new();
    let mut pickle = Pickle::new(2, Style::Python3);
    pickle.global("os", "system");
    pickle.text("touch hacked");
    pickle.0.extend(b"\x85R.");
    sandbox.write("evil.pt", zip(&[("model/data.pkl".into(), pickle.0)]));
    classify_with(&sandbox, "evil.pt").fails_with(
        2,
        "evil.pt: ",
        &["`os.system`", "never runs", "state_dict()"],
    );
    assert!(!sandbox.path("hacked").exists());
    let bomb = claiming(zip(&[("model/data.pkl".into(), b"\x80\x02}.".to_vec())]), 100_000_000_000);
    sandbox.write("giant.pt", bomb);
    classify_with(&sandbox, "giant.pt").fails_with(
        2,
        "giant.pt: ",
        &["claims 100000000000 bytes", "download"],
    );
    // A header that claims a hundred gigabytes.
    let mut giant = 100_000_000_000u64.to_le_bytes().to_vec();
    giant.extend(b"{\"x\":");
    sandbox.write("giant.safetensors", giant);
    classify_with(&sandbox, "giant.safetensors").fails_with(2, "giant.safetensors: ", &["download"]);
}

#[test]
fn networks_of_other_sizes_are_told() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("seven.safetensors", safetensors(Stream::Flow, 7));
    sandbox.write("clip.npy", npy(9, 3));
    sandbox.classify("clip.npy --rgb rgb.safetensors --flow seven.safetensors").fails(
        2,
        "seven.safetensors: has 7 classes where rgb.safetensors has 5; give two streams of one model",
    );
    sandbox.write("labels.txt", "a\nb\nc\n");
    sandbox
        .classify("clip.npy --rgb rgb.safetensors --labels labels.txt")
        .fails(2, "labels.txt: 3 labels for a network with 5 classes; give a list with one line per class");
    sandbox.write("labels.txt", [0xff, 0xfe, b'a']);
    sandbox.classify("clip.npy --rgb rgb.safetensors --labels labels.txt").fails_with(
        2,
        "labels.txt: this is no UTF-8 text",
        &["one class name per line"],
    );
}

#[test]
fn models_that_are_not_here_are_told() {
    let sandbox = Sandbox::new();
    sandbox.write("clip.npy", npy(9, 3));
    sandbox
        .classify("clip.npy --model kinetics-600")
        .fails(2, "kinetics-600 is not on this machine; fetch it with `i3d models pull kinetics-600`");
    sandbox.classify("clip.npy --model kinetics").fails_with(
        2,
        "there is no model called \"kinetics\"",
        &["choose one of kinetics-400, "],
    );
    sandbox.classify("clip.npy --model random --rgb rgb.safetensors").exits(2);
}
