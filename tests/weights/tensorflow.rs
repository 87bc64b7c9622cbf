//! TensorFlow V2 checkpoints.

use i3d::weights::tf_bundle::{DataType, read_index};
use i3d::weights::{Checkpoint, Format};

use super::tf_writer::{Item, Options, bundle, items, masked, table};
use super::{assert_same, assert_says, bytes, network, sentence, variables};

fn read(items: Vec<Item>, options: Options) -> i3d::Result<Checkpoint> {
    let (index, shards) = bundle(items, options);
    let shards: Vec<&[u8]> = shards.iter().map(Vec::as_slice).collect();
    Checkpoint::from_tensorflow("model", &index, &shards)
}

#[test]
fn plain_snappy_many_blocks_many_shards_and_every_prefix() {
    let expected = variables(&network());
    for prefix in ["RGB/inception_i3d/", "Flow/inception_i3d/", ""] {
        for options in [
            Options::default(),
            Options { snappy: true, ..Options::default() },
            Options { block: 7, snappy: true, ..Options::default() },
            Options { shards: 3, block: 16, ..Options::default() },
        ] {
            let checkpoint = read(items(&expected, prefix), options).unwrap();
            assert_eq!(checkpoint.format, Format::TensorFlow);
            assert_same(&checkpoint.tensors, &expected);
            assert!(checkpoint.skipped.is_empty());
            assert_eq!(checkpoint.network().unwrap(), network());
        }
    }
}

#[test]
fn the_index_lists_what_was_written() {
    let written = items(&variables(&network()), "RGB/inception_i3d/");
    let (index, shards) = bundle(written.clone(), Options::default());
    let index = read_index("model", &index).unwrap();
    assert_eq!((index.shards, index.entries.len()), (1, written.len()));
    for (entry, item) in index.entries.iter().zip(&written) {
        assert_eq!((&entry.name, &entry.shape, entry.dtype), (&item.name, &item.shape, DataType(1)));
        assert_eq!(entry.masked_crc32c, masked(&item.bytes));
        let (start, size) = (entry.offset as usize, entry.size as usize);
        assert_eq!(&shards[0][start..start + size], item.bytes);
    }
}

#[test]
fn optimizer_slots_are_skipped_and_vectors_of_rank_five_flattened() {
    let expected = variables(&network());
    let mut written = items(&expected, "");
    for item in &mut written {
        if item.name.contains("/batch_norm/") {
            item.shape.splice(0..0, [1; 4]);
        }
    }
    let slots: Vec<Item> = written
        .iter()
        .filter(|item| !item.name.contains("moving"))
        .map(|item| Item { name: format!("{}/Momentum", item.name), ..item.clone() })
        .collect();
    assert_eq!(slots.len(), 116);
    written.extend(slots);
    let checkpoint = read(written, Options::default()).unwrap();
    assert_same(&checkpoint.tensors, &expected);
    let (_, report) = checkpoint.load(&network()).unwrap();
    assert_eq!(report.to_string(), "230 used, 0 missing, 0 unused, 116 skipped (optimizer slots)");
}

#[test]
fn object_checkpoints_of_sonnet_2_are_translated() {
    let expected = variables(&network());
    let mut written = Vec::new();
    let mut add = |name: String, dtype: u32, shape: &[usize], bytes: Vec<u8>| {
        let name = format!("{name}/.ATTRIBUTES/VARIABLE_VALUE");
        written.push(Item { name, dtype: DataType(dtype), shape: shape.to_vec(), bytes });
    };
    add("save_counter".into(), 9, &[], vec![0; 8]);
    for (name, tensor) in &expected {
        let unit = name.replace("Logits/Conv3d_0c_1x1", "Logits/logits").replace("Branch_", "branch_");
        let unit = unit.replace("Conv3d_0a_1x1", "branch_a").replace("Conv3d_0b_3x3", "branch_b");
        let unit = unit.replace("Conv3d_0a_3x3", "branch_b").replace("Conv3d_0b_1x1", "branch_b");
        let unit = format!("model/{}", unit.replace("conv_3d/", "conv3d/").replace("/beta", "/offset"));
        if name.contains("/moving_") {
            add(format!("{unit}/average"), 1, &[1, 1, 1, 1, tensor.shape[0]], bytes(&tensor.data));
            add(format!("{unit}/_hidden"), 1, &tensor.shape, bytes(&tensor.data));
            add(format!("{unit}/_counter"), 9, &[], vec![0; 8]);
        } else {
            if name.ends_with("beta") {
                let ones = vec![1.0; tensor.shape[0]];
                add(unit.replace("/offset", "/scale"), 1, &tensor.shape, bytes(&ones));
            }
            add(unit, 1, &tensor.shape, bytes(&tensor.data));
        }
    }
    written.push(Item {
        name: "_CHECKPOINTABLE_OBJECT_GRAPH".into(),
        dtype: DataType(7),
        shape: vec![],
        bytes: b"graph".to_vec(),
    });
    let checkpoint = read(written, Options::default()).unwrap();
    assert_same(&checkpoint.tensors, &expected);
    // 57 scales, 2 x 2 x 57 running values, one counter, one graph.
    assert_eq!(checkpoint.skipped.len(), 57 + 228 + 2);
}

#[test]
fn other_float_types_are_converted_and_integers_refused() {
    let expected = variables(&network());
    let with = |dtype: u32, convert: &dyn Fn(f32) -> Vec<u8>| {
        let mut written = items(&expected, "");
        for item in &mut written {
            item.dtype = DataType(dtype);
            item.bytes = expected[&item.name].data.iter().flat_map(|&x| convert(x)).collect();
        }
        read(written, Options::default())
    };
    let doubles = with(2, &|x| f64::from(x).to_le_bytes().to_vec()).unwrap();
    assert_same(&doubles.tensors, &expected);
    let bfloats = with(14, &|x| x.to_le_bytes()[2..].to_vec()).unwrap();
    let (name, tensor) = expected.first_key_value().unwrap();
    for (found, x) in bfloats.tensors[name].data.iter().zip(&tensor.data) {
        assert_eq!(found.to_bits(), x.to_bits() & 0xffff_0000);
    }
    let integers = sentence(with(9, &|x| (x as i64).to_le_bytes().to_vec()));
    assert_says(&integers, &["tensor Conv3d_1a_7x7/batch_norm/beta", "int64", "float32"]);
}

#[test]
fn a_flipped_byte_of_data_names_the_tensor() {
    let (index, mut shards) = bundle(items(&variables(&network()), "RGB/inception_i3d/"), Options::default());
    let entry = read_index("model", &index).unwrap().entries[40].clone();
    shards[0][entry.offset as usize + 3] ^= 0x10;
    let said = sentence(Checkpoint::from_tensorflow("model", &index, &[&shards[0]]));
    assert_says(&said, &[&entry.name, "checksum", &format!("{:08x}", entry.masked_crc32c), "download"]);
}

#[test]
fn a_data_file_cut_short_or_missing_is_told() {
    let (index, shards) = bundle(items(&variables(&network()), ""), Options::default());
    let short = &shards[0][..shards[0].len() - 1];
    assert_says(
        &sentence(Checkpoint::from_tensorflow("model", &index, &[short])),
        &["cut short", "download"],
    );
    let none = sentence(Checkpoint::from_tensorflow("model", &index, &[]));
    assert_says(&none, &["1 data file", "0 given"]);
    let (index, shards) =
        bundle(items(&variables(&network()), ""), Options { shards: 2, ..Options::default() });
    let one = sentence(Checkpoint::from_tensorflow("model", &index, &[&shards[0]]));
    assert_says(&one, &["2 data file", "1 given"]);
    let swapped = sentence(Checkpoint::from_tensorflow("model", &index, &[&shards[1], &shards[0]]));
    assert_says(&swapped, &["tensor "]);
}

#[test]
fn every_byte_of_the_index_is_covered_by_a_checksum() {
    let (index, shards) =
        bundle(items(&variables(&network()), ""), Options { block: 40, ..Options::default() });
    for at in 0..index.len() - 48 {
        let mut damaged = index.clone();
        damaged[at] ^= 0x04;
        // The empty metaindex block is the only one that is not read.
        if let Ok(checkpoint) = Checkpoint::from_tensorflow("model", &damaged, &[&shards[0]]) {
            assert_same(&checkpoint.tensors, &variables(&network()));
        }
    }
    let mut damaged = index.clone();
    damaged[20] ^= 1;
    assert_says(&sentence(read_index("model", &damaged)), &["checksum", "byte 0", "download"]);
}

#[test]
fn what_is_no_little_endian_v2_index_is_told() {
    let written = || items(&variables(&network()), "");
    let big = read(written(), Options { big_endian: true, ..Options::default() });
    assert_says(&sentence(big), &["big-endian"]);
    assert_says(&sentence(read_index("model", b"hello")), &["no TensorFlow index"]);
    let (index, _) = bundle(written(), Options::default());
    assert_says(&sentence(read_index("model", &index[..index.len() - 9])), &["cut short"]);
    let headless = table(&[("a", vec![8, 1])], Options::default());
    assert_says(&sentence(read_index("model", &headless)), &["V2", "header"]);
    let unsorted = [("", vec![8, 1]), ("b", vec![8, 1]), ("a", vec![8, 1])];
    assert_says(&sentence(read_index("model", &table(&unsorted, Options::default()))), &["not in order"]);
}

#[test]
fn both_streams_in_one_checkpoint_are_told_apart_from_one() {
    let tensors = variables(&network());
    let mut both = items(&tensors, "RGB/inception_i3d/");
    both.extend(items(&tensors, "Flow/inception_i3d/"));
    assert_says(&sentence(read(both, Options::default())), &["twice", "RGB/", "Flow/", "file of its own"]);
}
