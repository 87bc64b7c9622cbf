//! Flax's models: dictionaries of NumPy arrays in a pickle.

use i3d::weights::{Checkpoint, Format, Tensor};

use super::numpy_writer::{Arrays, Tree, file, tree};
use super::{assert_same, assert_says, network, read, sentence, variables};

fn said(tree: &Tree, arrays: Arrays) -> String {
    sentence(Checkpoint::from_bytes("model", &file(tree, arrays)))
}

/// An array as a value of another file: without the frame in front and the end behind.
fn bare(tensor: &Tensor, arrays: Arrays) -> Tree {
    let array = file(&Tree::Array(tensor.clone()), arrays);
    Tree::Raw(array[11..array.len() - 1].to_vec())
}

#[test]
fn every_way_of_writing_arrays_gives_the_same_tensors() {
    let expected = variables(&network());
    let plain = Arrays::default();
    for arrays in [
        plain,
        Arrays { protocol: 2, ..plain },
        Arrays { protocol: 3, ..plain },
        Arrays { protocol: 5, ..plain },
        Arrays { protocol: 5, numpy_2: true, fortran: true, ..plain },
        Arrays { numpy_2: true, ..plain },
        Arrays { order: ">", ..plain },
        Arrays { fortran: true, ..plain },
        Arrays { descr: "f8", ..plain },
        Arrays { descr: "f8", order: ">", fortran: true, ..plain },
        Arrays { jax: true, ..plain },
        Arrays { frozen: true, ..plain },
    ] {
        let checkpoint = read(&file(&tree(&expected), arrays));
        assert_eq!(checkpoint.format, Format::Flax, "{arrays:?}");
        assert_same(&checkpoint.tensors, &expected);
        assert_eq!(checkpoint.network().unwrap(), network());
        let (_, report) = checkpoint.load(&network()).unwrap();
        assert_eq!(report.to_string(), "230 used, 0 missing, 0 unused, 0 skipped");
    }
}

#[test]
fn half_floats_are_widened() {
    let expected = variables(&network());
    let checkpoint = read(&file(&tree(&expected), Arrays { descr: "f2", ..Arrays::default() }));
    for (name, tensor) in &checkpoint.tensors {
        let want: Vec<f32> = expected[name].data.iter().map(|&x| half::f16::from_f32(x).to_f32()).collect();
        assert!(tensor.data == want, "{name}");
    }
}

#[test]
fn the_network_is_found_inside_of_a_training_state() {
    let expected = variables(&network());
    let mut state = Tree::empty();
    let Tree::Dict(collections) = tree(&expected) else { unreachable!() };
    for (collection, variables) in collections {
        state.put(&format!("state/{collection}/backbone"), variables);
    }
    state.put("state/step", Tree::Raw(b"K\x07".to_vec()));
    state.put("state/opt_state", Tree::Raw(b"]".to_vec()));
    let scalar = Tensor { shape: vec![], data: vec![0.5] };
    state.put("state/loss", Tree::Array(scalar));
    let integer = Arrays { descr: "i4", ..Arrays::default() };
    state.put("count", bare(&Tensor { shape: vec![], data: vec![3.0] }, integer));
    let checkpoint = read(&file(&state, Arrays::default()));
    assert_same(&checkpoint.tensors, &expected);
    assert!(checkpoint.skipped.contains(&"state/loss".to_string()), "{:?}", checkpoint.skipped);
    // Scales that are not one belong to the weights.
    let mut scaled = tree(&expected);
    let twos = Tensor { shape: vec![4], data: vec![2.0; 4] };
    scaled.put("params/Conv3d_1a_7x7/BatchNorm_0/scale", Tree::Array(twos));
    let kernel = &read(&file(&scaled, Arrays::default())).tensors["Conv3d_1a_7x7/conv_3d/w"];
    let doubled: Vec<f32> = expected["Conv3d_1a_7x7/conv_3d/w"].data.iter().map(|x| 2.0 * x).collect();
    assert_eq!(kernel.data, doubled);
}

#[test]
fn arrays_of_anything_else_are_told() {
    let tree = tree(&variables(&network()));
    for (descr, parts) in [
        ("O8", &["Python objects", "never makes", "float32"][..]),
        ("i4", &["NumPy's type `i4`", "float32"]),
        ("V2", &["NumPy's type `V2`"]),
        ("f2", &[][..]),
    ] {
        let arrays = Arrays { descr, ..Arrays::default() };
        match parts {
            // Bytes of another size than the type's.
            [] => {
                let mut cut = file(&tree, Arrays::default());
                let at = cut.windows(2).position(|w| w == b"f4").unwrap();
                cut[at + 1] = b'8';
                let said = sentence(Checkpoint::from_bytes("model", &cut));
                assert_says(&said, &["tensor ", "bytes, which is not what shape", "download it again"]);
            }
            parts => assert_says(&said(&tree, arrays), parts),
        }
    }
    // Beside the network they do not matter.
    let mut beside = tree;
    let objects = Arrays { descr: "O8", ..Arrays::default() };
    beside.put("classes", bare(&Tensor { shape: vec![1], data: vec![0.0] }, objects));
    assert_same(&read(&file(&beside, Arrays::default())).tensors, &variables(&network()));
}

#[test]
fn a_pickle_without_arrays_is_told() {
    let said = |bytes: &[u8]| sentence(Checkpoint::from_bytes("model", bytes));
    assert_says(&said(b"\x80\x04]."), &["is a Python pickle that holds a list", "torch.save"]);
    assert_says(
        &said(b"\x80\x04}\x8c\x01aK\x01s."),
        &["pickle", "without tensors", "(its keys start with a)"],
    );
    assert_says(
        &said(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R."),
        &["`os.system`", "never runs"],
    );
    let cut = file(&tree(&variables(&network())), Arrays::default());
    assert_says(&said(&cut[..cut.len() / 2]), &["cut short", "download it again"]);
}

#[test]
fn no_damage_to_a_flax_pickle_panics() {
    let few: super::Tensors =
        variables(&network()).into_iter().filter(|(name, _)| name.contains("1a_7x7")).collect();
    for arrays in [
        Arrays::default(),
        Arrays { protocol: 5, ..Arrays::default() },
        Arrays { protocol: 2, ..Arrays::default() },
    ] {
        let file = file(&tree(&few), arrays);
        for at in (0..file.len()).filter(|at| *at < 800 || at % 97 == 0) {
            for bit in [0x01, 0x02, 0x10, 0x80, 0xff] {
                let mut damaged = file.clone();
                damaged[at] ^= bit;
                let _ = Checkpoint::from_bytes("model", &damaged).and_then(|checkpoint| checkpoint.network());
            }
            let _ = Checkpoint::from_bytes("model", &file[..at]);
        }
    }
}
