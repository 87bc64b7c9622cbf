//! TensorFlow V1 checkpoints.

use i3d::weights::tf_bundle::DataType;
use i3d::weights::{Checkpoint, Format};

use super::flat;
use super::tf_writer::{Item, Options, table, v1, v1_record};
use super::{assert_same, assert_says, bytes, read, sentence};

#[test]
fn plain_and_snappy_blocks_large_and_small() {
    let tensors = flat::variables();
    for (snappy, block) in [(false, 1000), (true, 1000), (true, 3), (false, 1)] {
        let file = v1(&flat::slim(&tensors), &[], Options { snappy, block, ..Options::default() });
        let checkpoint = read(&file);
        assert_eq!(checkpoint.format, Format::TensorFlowV1);
        assert_same(&checkpoint.tensors, &tensors);
        assert_eq!(checkpoint.skipped.len(), 58 + 1, "slots and a counter");
    }
}

fn item(name: &str, shape: &[usize], values: &[f32]) -> Item {
    Item { name: name.into(), dtype: DataType(1), shape: shape.to_vec(), bytes: bytes(values) }
}

#[test]
fn a_slice_that_names_the_whole_is_whole_and_others_are_refused() {
    let one = [item("x", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])];
    let read = |slice: &[(u64, u64)]| Checkpoint::from_bytes("model", &v1(&one, slice, Options::default()));
    for whole in [&[][..], &[(0, 2), (0, 3)]] {
        assert_eq!(read(whole).unwrap().tensors["x"].data, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }
    for part in [&[(0, 1), (0, 3)][..], &[(1, 2), (0, 3)], &[(0, 2), (0, 3), (0, 1)]] {
        assert_says(&sentence(read(part)), &["tensor x", "partitions", "without partitioner"]);
    }
}

#[test]
fn values_may_be_packed_single_or_raw() {
    let values = bytes(&[1.5, -2.0]);
    let packed = [&[0x2a, 8][..], &values].concat();
    let raw = [&[0x08, 1, 0x22, 8][..], &values].concat();
    let single = [&[0x2d][..], &values[..4], &[0x2d], &values[4..]].concat();
    let header = meta(&[("x", 2)]);
    for tensor in [packed, raw, single] {
        let records = [(String::new(), header.clone()), ("k".into(), v1_record("x", &[], &tensor))];
        let checkpoint = read(&table(&records, Options::default()));
        assert_eq!(checkpoint.tensors["x"].data, [1.5, -2.0]);
    }
}

/// The first record of a file with vectors of so many floats.
fn meta(tensors: &[(&str, u8)]) -> Vec<u8> {
    let tensor = |&(name, length): &(&str, u8)| {
        let meta = [
            &[0x0a, name.len() as u8][..],
            name.as_bytes(),
            &[0x12, 4, 0x12, 2, 8, length, 0x18, 1, 0x22, 2, 0x0a, 0],
        ]
        .concat();
        [&[0x0a, meta.len() as u8][..], &meta].concat()
    };
    let all: Vec<u8> = tensors.iter().flat_map(tensor).collect();
    [&[0x0a, all.len() as u8][..], &all].concat()
}

#[test]
fn what_does_not_fit_together_is_told() {
    let with = |record: Vec<u8>| {
        let records = [(String::new(), meta(&[("x", 2)])), ("k".into(), record)];
        sentence(Checkpoint::from_bytes("model", &table(&records, Options::default())))
    };
    let two = [&[0x2a, 8][..], &bytes(&[1.0, 2.0])].concat();
    assert_says(&with(v1_record("y", &[], &two)), &["tensor y", "not in the file's own list"]);
    assert_says(&with(v1_record("x", &[], &[0x2a, 4, 0, 0, 0, 0])), &["tensor x has 1 values", "[2]"]);
    assert_says(&with(v1_record("x", &[], &[0x2a, 3, 0, 0, 0])), &["tensor x holds 3 bytes"]);
    assert_says(&with(v1_record("x", &[], &[0x2a, 200])), &["cut short"]);
    assert_says(&with(v1_record("\u{7f}", &[], &two)), &["not in the file's own list"]);

    let integers = [Item { dtype: DataType(3), ..item("x", &[1], &[1.0]) }];
    let said = sentence(Checkpoint::from_bytes("model", &v1(&integers, &[], Options::default())));
    assert_says(&said, &["tensor x", "int32", "float32"]);

    let tensors = [item("x", &[1], &[1.0])];
    let twice = [tensors.clone(), tensors].concat();
    let said = sentence(Checkpoint::from_bytes("model", &v1(&twice, &[], Options::default())));
    assert_says(&said, &["not in order"]);
}
