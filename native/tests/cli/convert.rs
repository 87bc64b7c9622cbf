//! `i3d convert`: every format becomes the same safetensors file.

use i3d::network::Stream;
use i3d::weights::Checkpoint;

use crate::Sandbox;
use crate::fixtures::{checkpoint, npy};
use crate::pickle::{Model, Style, entries};
use crate::tf_writer::{Options, bundle, items};

fn read(sandbox: &Sandbox, name: &str) -> Checkpoint {
    Checkpoint::from_bytes(name, &sandbox.read(name)).expect("a checkpoint")
}

#[test]
fn tensorflow_checkpoints_by_folder_prefix_or_any_of_their_files() {
    let sandbox = Sandbox::new();
    let original = checkpoint(Stream::Rgb, 5);
    let options = Options { snappy: true, shards: 2, ..Options::default() };
    let (index, shards) = bundle(items(&original.tensors, "RGB/inception_i3d/"), options);
    sandbox.write("tf/model.ckpt.index", index);
    for (i, shard) in shards.iter().enumerate() {
        sandbox.write(&format!("tf/model.ckpt.data-0000{i}-of-00002"), shard);
    }
    let files = ["tf", "tf/model.ckpt", "tf/model.ckpt.index", "tf/model.ckpt.data-00001-of-00002"];
    for (i, path) in files.into_iter().enumerate() {
        let run = sandbox.i3d(&format!("convert {path} {i}.safetensors")).ok();
        assert_eq!(run.stdout, "");
        assert!(run.stderr.contains("(TensorFlow checkpoint): 230 used, 0 missing, 0 unused"), "{run:?}");
        assert!(run.stderr.contains("5 classes, width 0.0625"), "{run:?}");
        assert_eq!(read(&sandbox, &format!("{i}.safetensors")).tensors, original.tensors, "{path}");
        assert!(sandbox.read("0.safetensors") == sandbox.read(&format!("{i}.safetensors")), "{path}");
    }
    // Without metadata the network's clips are of the paper's size.
    sandbox.write("clip.npy", npy(9, 3));
    let said =
        "clip.npy: the clip has 32x32 pixels where the rgb network takes 224x224; make the clip of that size";
    sandbox.classify("clip.npy --rgb 0.safetensors").fails(2, said);
    // Two checkpoints in one folder.
    sandbox.write("tf/other.index", "");
    let run = sandbox.i3d("convert tf x.safetensors");
    run.fails_with(2, "tf: ", &["holds several checkpoints", "name one", "model.ckpt", "other"]);
}

#[test]
fn pytorch_files_and_our_own() {
    let sandbox = Sandbox::new();
    let original = checkpoint(Stream::Flow, 5);
    let model = Model::new(&entries(&original.tensors, 1, true), Style::Python3);
    sandbox.write("zip.pt", model.zip());
    sandbox.write("legacy.pt", model.legacy());
    for (name, format) in [("zip.pt", "PyTorch zip file"), ("legacy.pt", "PyTorch legacy file")] {
        let run = sandbox.i3d(&format!("convert {name} out.safetensors")).ok();
        assert!(run.stderr.starts_with(&format!("{name} ({format}): 230 used")), "{run:?}");
        let written = read(&sandbox, "out.safetensors");
        assert_eq!(written.tensors, original.tensors);
        assert_eq!(written.metadata.stream, Some(Stream::Flow));
        assert_eq!(written.metadata.source.as_deref(), Some(name));
    }
    // Again, onto itself.
    let once = sandbox.read("out.safetensors");
    sandbox.i3d("convert out.safetensors out.safetensors --quiet").ok();
    assert!(sandbox.read("out.safetensors") == once);
}

#[test]
fn kernels_of_16_bits_make_half_a_file() {
    let sandbox = Sandbox::with_weights();
    sandbox.i3d("convert rgb.safetensors whole.safetensors").ok();
    sandbox.i3d("convert rgb.safetensors half.safetensors --precision f16").ok();
    let size = |name: &str| sandbox.read(name).len() as f64;
    assert!(size("half.safetensors") < 0.6 * size("whole.safetensors"));
    sandbox.write("a.npy", npy(9, 3));
    let logits = |name: &str| {
        crate::logits(&sandbox.classify(&format!("a.npy --rgb {name} --json -")).ok().json(), "rgb")
    };
    let (whole, half) = (logits("whole.safetensors"), logits("half.safetensors"));
    assert_ne!(whole, half);
    // As for `--precision f16`, see docs/precision.md.
    crate::assert_close(&whole, &half, 0.05);
}

#[test]
fn labels_travel_with_the_weights() {
    let sandbox = Sandbox::with_weights();
    sandbox.write("labels.txt", "run\nwalk\nsit\nstand\nswim\n");
    sandbox.i3d("convert rgb.safetensors named.safetensors --labels labels.txt").ok();
    sandbox.write("a.npy", npy(9, 3));
    let top = &sandbox.classify("a.npy --rgb named.safetensors --json -").ok().json()["top"][0];
    let label = top["label"].as_str().expect("a label");
    assert!(["run", "walk", "sit", "stand", "swim"].contains(&label), "{label}");
    sandbox.write("few.txt", "run\nwalk\n");
    sandbox
        .i3d("convert rgb.safetensors x.safetensors --labels few.txt")
        .fails(2, "few.txt: 2 labels for a network with 5 classes; give a list with one line per class");
    assert!(!sandbox.path("x.safetensors").exists());
}

#[test]
fn folders_of_tensorflow_checkpoints_may_have_any_name() {
    let sandbox = Sandbox::new();
    let original = checkpoint(Stream::Rgb, 5);
    let (index, shards) = bundle(items(&original.tensors, "RGB/inception_i3d/"), Options::default());
    let mut folders =
        vec![std::ffi::OsString::from("exp.data-v2"), "a.index".into(), "n.data-00000-of-00001".into()];
    #[cfg(target_os = "linux")]
    folders.push(std::os::unix::ffi::OsStringExt::from_vec(b"n\xff".to_vec()));
    for folder in folders {
        let folder = sandbox.path("").join(folder);
        std::fs::create_dir(&folder).unwrap();
        for name in ["model.ckpt", "model.data-v2"] {
            std::fs::write(folder.join(format!("{name}.index")), &index).unwrap();
            std::fs::write(folder.join(format!("{name}.data-00000-of-00001")), &shards[0]).unwrap();
            for ending in ["", ".index", ".data-00000-of-00001"] {
                let mut command = sandbox.command("convert");
                command.arg(folder.join(format!("{name}{ending}"))).arg("out.safetensors");
                sandbox.finish(&mut command).ok();
                assert_eq!(
                    read(&sandbox, "out.safetensors").tensors,
                    original.tensors,
                    "{folder:?} {name}{ending}"
                );
                std::fs::remove_file(sandbox.path("out.safetensors")).unwrap();
            }
        }
    }
}

#[test]
fn a_network_without_classifier_gives_features_and_begins_training() {
    let sandbox = Sandbox::with_weights();
    let mut headless = checkpoint(Stream::Rgb, 5);
    headless.tensors.retain(|name, _| !name.starts_with("Logits"));
    let model = Model::new(&entries(&headless.tensors, 1, true), Style::Python3);
    sandbox.write("trunk.pt", model.zip());
    let said = ["is a network without classifier", "dump --endpoint", "train --from"];
    sandbox.i3d("convert trunk.pt out.safetensors").fails_with(2, "trunk.pt: ", &said);
    // A PyTorch file says nothing of the size of its clips, so they have the paper's.
    let values = vec![0.25; 9 * 224 * 224 * 3];
    sandbox.write("clip.npy", i3d::clip::npy_bytes(&[9, 224, 224, 3], &values));
    sandbox.classify("clip.npy --rgb trunk.pt").fails_with(2, "trunk.pt: ", &said);
    let whole = Model::new(&entries(&checkpoint(Stream::Rgb, 5).tensors, 1, true), Style::Python3);
    sandbox.write("whole.pt", whole.zip());
    for endpoint in ["Mixed_5c", i3d::network::FEATURES] {
        for file in ["trunk", "whole"] {
            sandbox
                .i3d(&format!(
                    "dump --device cpu clip.npy --rgb {file}.pt --endpoint {endpoint} -o {file}.npy"
                ))
                .ok();
        }
        assert!(sandbox.read("trunk.npy") == sandbox.read("whole.npy"), "{endpoint}");
    }
    let logits = "dump --device cpu clip.npy --rgb trunk.pt --endpoint Logits -o x.npy";
    sandbox.i3d(logits).fails_with(2, "trunk.pt: ", &said);
}
