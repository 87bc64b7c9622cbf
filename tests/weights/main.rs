//! Checkpoint readers: every format gives the same tensors, and every bad input gives a sentence.
//!
//! The files are built here, byte by byte, from a tiny network (width 1/16).

// Clippy exempts test functions alone, not the functions they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod bombs;
mod flat;
mod flax;
mod inception_2d;
mod inert;
mod inflate;
mod load;
mod numpy_writer;
mod pickle;
mod pytorch;
mod released;
mod safetensors;
mod systems;
mod tensorflow;
mod tensorflow_v1;
mod tf_writer;

use std::collections::BTreeMap;

use i3d::network::{Network, Stream};
use i3d::weights::{Checkpoint, Tensor};

type Tensors = BTreeMap<String, Tensor>;

/// The tiny network.
fn network() -> Network {
    Network { width: 0.0625, ..Network::i3d(Stream::Rgb, 5) }
}

/// All variables of a network, every value different from its neighbours, variances positive.
fn variables(network: &Network) -> Tensors {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let low = if name.ends_with("variance") { 0.5 } else { -0.5 };
        let data = (0..shape.iter().product()).map(|_| low + next()).collect();
        (name, Tensor { shape, data })
    };
    network.variables().into_iter().map(tensor).collect()
}

/// A network's variables under the names of a column of `fixtures/weight_names.tsv`.
fn names(column: usize) -> BTreeMap<String, String> {
    let table = include_str!("../fixtures/weight_names.tsv");
    let row = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        (columns[0].to_string(), columns[column].to_string())
    };
    table.lines().skip(1).map(row).collect()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// The tensors are equal bit by bit.
#[track_caller]
fn assert_same(found: &Tensors, expected: &Tensors) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, expected) in expected {
        let found = &found[name];
        assert_eq!(found.shape, expected.shape, "{name}");
        assert!(bytes(&found.data) == bytes(&expected.data), "{name} differs");
    }
}

/// What an error says.
#[track_caller]
fn sentence<T>(result: i3d::Result<T>) -> String {
    match result {
        Ok(_) => panic!("the input was accepted"),
        Err(error) => {
            assert!(["checkpoint", "labels"].contains(&error.code()), "{error:?}");
            error.to_string()
        }
    }
}

/// A sentence that contains all parts and starts with the file's name.
#[track_caller]
fn assert_says(sentence: &str, parts: &[&str]) {
    assert!(sentence.starts_with("model"), "{sentence}");
    for part in parts {
        assert!(sentence.contains(part), "{sentence:?} lacks {part:?}");
    }
}

#[track_caller]
fn read(bytes: &[u8]) -> Checkpoint {
    Checkpoint::from_bytes("model", bytes).unwrap_or_else(|e| panic!("{e}"))
}
