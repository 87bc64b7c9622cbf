//! `i3d models add`: the user's own weights by name, and names where weights can be given.

use i3d::network::Stream;
use i3d::weights::Checkpoint;

use crate::fixtures::{checkpoint, npy, safetensors};
use crate::tf_writer::{Options, bundle, items};
use crate::{Sandbox, logits};

#[test]
fn they_are_listed_found_verified_used_and_removed() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("rgb.npy", npy(9, 3));
    sandbox.write("flow.npy", npy(9, 2));
    sandbox.write("names.txt", "a\nb\nc\nd\ne\n");
    let added = sandbox.i3d("models add mine rgb.safetensors --labels names.txt").ok();
    let path = added.stdout.trim_end();
    assert!(path.ends_with("/mine/rgb.safetensors"), "{path}");
    let stored =
        Checkpoint::from_bytes("", &std::fs::read(path).expect("it is there")).expect("a checkpoint");
    assert_eq!(stored.metadata.labels.map(|names| names.concat()), Some("abcde".into()));
    assert_eq!(stored.metadata.name.as_deref(), Some("mine"));

    let list = sandbox.i3d("models list").ok().stdout;
    let line = list.lines().find(|line| line.starts_with("mine ")).expect("it is listed");
    assert!(line.contains(" rgb ") && line.contains("   5 classes") && line.contains("MiB"), "{line}");
    assert_eq!(sandbox.i3d("models path mine").ok().stdout, added.stdout);
    assert_eq!(sandbox.i3d("models verify mine").ok().stdout.matches("  ok\n").count(), 1);

    let by_path = sandbox.classify("rgb.npy --rgb rgb.safetensors --json -").ok().json();
    for arguments in ["--model mine", "--rgb mine"] {
        let result = sandbox.classify(&format!("rgb.npy {arguments} --json -")).ok().json();
        assert_eq!(logits(&result, "rgb"), logits(&by_path, "rgb"), "{arguments}");
    }
    let lacks = "the flow stream of mine is not on this machine; add it with `i3d models add mine FILE`";
    sandbox.classify("flow.npy --model mine").fails(2, lacks);
    sandbox.classify("flow.npy --flow mine").fails(2, lacks);
    sandbox.i3d("models pull mine").fails(
        2,
        "mine was not released, so it cannot be fetched; add its files with `i3d models add mine FILES`",
    );

    // The other stream later makes it whole.
    sandbox.i3d("models add mine flow.safetensors").ok();
    let line = sandbox.i3d("models list").ok().stdout;
    assert!(line.lines().any(|line| line.starts_with("mine ") && line.contains("rgb + flow")), "{line}");
    assert_eq!(sandbox.i3d("models path mine").ok().stdout.lines().count(), 2);
    let result =
        sandbox.classify("--rgb-clip rgb.npy --flow-clip flow.npy --model mine --json -").ok().json();
    assert_eq!(result["fused"]["logits"].as_array().map(Vec::len), Some(5));
    sandbox.i3d("models remove mine").ok();
    sandbox.i3d("models path mine").fails_with(2, "there is no model called \"mine\"", &["choose one of"]);
    assert!(!sandbox.path("cache/i3d/models/mine").exists());
}

#[test]
fn every_kind_of_checkpoint_and_its_folder() {
    let sandbox = Sandbox::with_weights();
    let (index, shards) =
        bundle(items(&checkpoint(Stream::Rgb, 5).tensors, "RGB/inception_i3d/"), Options::default());
    sandbox.write("tf/deep/model.ckpt.index", index);
    sandbox.write("tf/deep/model.ckpt.data-00000-of-00001", &shards[0]);
    let data = "tf/deep/model.ckpt.data-00000-of-00001";
    for (i, given) in ["tf", "tf/deep/model.ckpt", "tf/deep/model.ckpt.index", data].iter().enumerate() {
        sandbox.i3d(&format!("models add tf{i} {given}")).ok();
    }
    // Both files of one checkpoint are one checkpoint.
    sandbox.i3d(&format!("models add both tf/deep/model.ckpt.index {data} flow.safetensors")).ok();
    assert_eq!(sandbox.i3d("models path both").ok().stdout.lines().count(), 2);
    sandbox.i3d("models verify").ok();
}

#[test]
fn what_cannot_be_added_leaves_nothing() {
    let sandbox = Sandbox::with_weights();
    let cache = sandbox.path("cache/i3d/models");
    let fails = |arguments: &str, sentence: &str| {
        sandbox.i3d(&format!("models add {arguments}")).fails(2, sentence);
        assert!(!cache.join("mine").exists(), "{arguments}");
    };
    sandbox.write("again.safetensors", safetensors(Stream::Rgb, 7));
    fails(
        "mine rgb.safetensors again.safetensors",
        "rgb.safetensors and again.safetensors are both weights of the rgb stream; give one of them",
    );
    fails(
        "mine again.safetensors flow.safetensors",
        "two streams of one model have the same classes, and these have 7 and 5; give them two names",
    );
    fails("mine none.pt", "none.pt: there is no such file or folder; check the name");
    sandbox.write("empty/readme.txt", "words");
    fails("mine empty", "empty: no checkpoint was found there; give the files themselves");
    let whole = sandbox.read("flow.safetensors");
    sandbox.write("cut.safetensors", &whole[..whole.len() - 1000]);
    let run = sandbox.i3d("models add mine rgb.safetensors cut.safetensors").exits(2);
    assert!(run.errors()[0].contains("cut short") && !cache.join("mine").exists(), "{run:?}");
    let run = sandbox.i3d("models add kinetics-400 rgb.safetensors").exits(2);
    assert!(
        run.errors()[0].contains("these are not the weights that were released as kinetics-400"),
        "{run:?}"
    );
    assert!(!cache.join("kinetics-400").exists());
    let run = sandbox.i3d("models pull kinetics-400 --from empty").exits(2);
    assert!(
        run.errors()[0].ends_with("no file there has the hash of a released file of kinetics-400"),
        "{run:?}"
    );

    // A name that is taken.
    sandbox.i3d("models add taken rgb.safetensors").ok();
    let again = sandbox.i3d("models add taken rgb.safetensors").ok();
    assert!(again.stderr.contains("already here"), "{again:?}");
    let sentence =
        "taken has other weights of the rgb stream; add --overwrite to replace them, or choose another name";
    sandbox.i3d("models add taken again.safetensors").fails(2, sentence);
    let path = sandbox.i3d("models path taken").ok().stdout;
    sandbox.i3d("models add taken again.safetensors --overwrite").ok();
    let stored =
        Checkpoint::from_bytes("", &std::fs::read(path.trim_end()).expect("it is there")).expect("whole");
    assert_eq!(stored.network().expect("a network").classes, 7);
    sandbox.i3d("models verify taken").ok();
}

#[test]
fn a_file_of_that_name_comes_first_and_a_folder_does_not() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("rgb.npy", npy(9, 3));
    sandbox.i3d("models add mine rgb.safetensors").ok();
    sandbox.write("mine/video.txt", "not a checkpoint");
    sandbox.classify("rgb.npy --rgb mine --json -").ok();
    std::fs::remove_dir_all(sandbox.path("mine")).expect("it was there");
    sandbox.write("mine", safetensors(Stream::Rgb, 7));
    let run = sandbox.classify("rgb.npy --rgb mine --json -").ok();
    assert!(run.stderr.contains("mine is a file here and the name of a model; this is the file"), "{run:?}");
    assert_eq!(logits(&run.json(), "rgb").len(), 7);
    let unknown = "other: there is no such file, folder or model; check the name, or see `i3d models list`";
    sandbox.classify("rgb.npy --rgb other").fails(2, unknown);
    let result = sandbox.classify("rgb.npy --rgb demo --json -");
    assert!(!result.stderr.contains("no such file"), "{result:?}");
}
