//! Clips as arrays: `.npy` and `.npz`, good and bad.

use std::io::Write;

use i3d::clip::npy_bytes;

use crate::fixtures::{SIZE, bytes, claiming, clip_values, npy, npy_of};
use crate::{Sandbox, logits};

fn npz(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, contents) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(contents).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn every_kind_of_array_file_gives_the_same_result() {
    let sandbox = Sandbox::with_weights();
    let values = clip_values(10, 3);
    sandbox.write("a.npy", npy(10, 3));
    sandbox.write("batch.npy", npy_bytes(&[1, 10, SIZE, SIZE, 3], &values));
    let swapped: Vec<u8> = values.iter().flat_map(|x| x.to_be_bytes()).collect();
    sandbox.write("big.npy", npy_of(">f4", "10, 32, 32, 3", &swapped));
    sandbox.write("one.npz", npz(&[("clip.npy", &npy(10, 3))]));
    sandbox.write("named.npz", npz(&[("rgb.npy", &npy(10, 3)), ("other.npy", &npy(9, 3))]));
    let result = sandbox
        .classify("a.npy batch.npy big.npy one.npz named.npz --rgb rgb.safetensors --json -")
        .ok()
        .json();
    for i in 1..5 {
        assert_eq!(logits(&result[i], "rgb"), logits(&result[0], "rgb"), "{}", result[i]["input"]);
    }
}

#[test]
fn arrays_that_are_no_clip_are_told() {
    let sandbox = Sandbox::with_weights();
    let case = |name: &str, contents: &[u8], parts: &[&str]| {
        sandbox.write(name, contents);
        let run = sandbox.classify(&format!("{name} --rgb rgb.safetensors"));
        run.fails_with(2, name, parts);
    };
    let floats = bytes(&clip_values(9, 3));
    case(
        "bytes.npy",
        &npy_of("|u1", "9, 32, 32, 3", &floats),
        &["uint8", "expected float32", "scale it to [-1, 1]"],
    );
    case("double.npy", &npy_of("<f8", "9, 32, 32, 3", &floats), &["float64", "astype(numpy.float32)"]);
    case("objects.npy", &npy_of("|O", "9, 32, 32, 3", &floats), &["Python objects", "allow_pickle=False"]);
    case("rank.npy", &npy_of("<f4", "9, 32, 96", &floats), &["shape [9, 32, 96]", "expected [T, H, W, C]"]);
    case("channels.npy", &npy_of("<f4", "9, 3, 32, 32", &floats), &["32 channels", "transpose"]);
    case("two.npy", &npy_of("<f4", "2, 9, 32, 32, 3", &floats), &["2 clips", "give one clip"]);
    case("cut.npy", &npy(9, 3)[..5000], &["cut off", "copy or save it again"]);
    case("empty.npy", b"", &["0 bytes"]);
    case("text.npy", b"words", &["no .npy file", "numpy.save"]);
    for (name, value, said) in [("nan.npy", f32::NAN, "NaN"), ("inf.npy", f32::INFINITY, "inf")] {
        let mut values = clip_values(9, 3);
        values[SIZE * SIZE * 3 * 4 + 3 * SIZE + 5] = value;
        let contents = npy_bytes(&[9, SIZE, SIZE, 3], &values);
        case(name, &contents, &["[t=4, y=1, x=1, c=2]", said, "repair what computed it"]);
    }
    case("short.npy", &npy(8, 3), &["8 frames", "at least 9", "loop it with --frames 9"]);
    let small = npy_bytes(&[9, 16, 32, 3], &clip_values(9, 3)[..9 * 16 * 32 * 3]);
    case("small.npy", &small, &["16x32 pixels", "takes 32x32"]);
    case("flow.npy", &npy(9, 2), &["2 channels", "flow", "give --flow"]);
    case("text.npz", b"words", &["no .npy file"]);
    case("cut.npz", &npz(&[("a.npy", &npy(9, 3))])[..3000], &["no intact .npz", "numpy.savez"]);
    let two = npz(&[("a.npy", &npy(9, 3)), ("b.npy", &npy(9, 3))]);
    case("which.npz", &two, &["holds `a`, `b`", "none is named `rgb`, `flow` or `arr_0`", "save it alone"]);
    let both = npz(&[("rgb.npy", &npy(9, 3)), ("flow.npy", &npy(9, 2))]);
    case("both.npz", &both, &["both `rgb` and `flow`", "--rgb-clip", "--flow-clip"]);
    sandbox.write("both.npz", both);
    let run = sandbox.classify(
        "--rgb-clip both.npz --flow-clip both.npz --rgb rgb.safetensors --flow flow.safetensors --json -",
    );
    assert_eq!(run.ok().json()["input"], "both.npz + both.npz");
}

#[test]
fn sizes_that_a_file_only_claims_take_no_memory() {
    let sandbox = Sandbox::with_weights();
    let giant = npy_of("<f4", "100000, 512, 512, 3", b"few");
    sandbox.write("giant.npy", &giant);
    sandbox.classify("giant.npy --rgb rgb.safetensors").fails_with(
        2,
        "giant.npy",
        &["cut off", "3 are there"],
    );
    // An archive that claims as much.
    sandbox.write("giant.npz", claiming(npz(&[("a.npy", &giant)]), 100_000_000_000));
    let run = sandbox.classify("giant.npz --rgb rgb.safetensors");
    run.fails_with(2, "giant.npz", &["save"]);
}
