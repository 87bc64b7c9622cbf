//! What people give by mistake, and what nobody gives without intent: sentences, never a panic.

use i3d::plan::Precision;
use i3d::weights::Checkpoint;

use super::flat;
use super::pickle::{Model, Style, entries};
use super::tf_writer::{Options, bundle, items, v1, v1_record};
use super::{assert_says, network, sentence, variables};

#[test]
fn mistaken_files_are_named() {
    let (index, _) = bundle(items(&variables(&network()), ""), Options::default());
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 50883138\n";
    for (bytes, parts) in [
        (&b""[..], &["is empty", "download"][..]),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", &["web page", "download"]),
        (b"\n\n<html lang=en>", &["web page"]),
        (lfs, &["Git LFS pointer", "git lfs pull"]),
        (&index, &["index of a TensorFlow checkpoint", ".data"]),
        (b"\x89HDF\r\n\x1a\n", &["HDF5"]),
        (b"\x93NUMPY\x01\0", &["NumPy"]),
        (&tar, &["tar file"]),
        (b"\x80\x04}.", &["pickle", "torch.save"]),
        (b"\0\0\0\0 something", &["no known checkpoint format", "00 00 00 00"]),
        (b"PK\x05\x06", &["zip", "cut short"]),
    ] {
        assert_says(&sentence(Checkpoint::from_bytes("model", bytes)), parts);
    }
}

/// Everything a caller does with bytes; only panics matter.
fn try_all(bytes: &[u8], shard: &[u8]) {
    let _ = Checkpoint::from_bytes("model", bytes).and_then(|checkpoint| {
        let network = checkpoint.network()?;
        checkpoint.load(&network)
    });
    let _ = Checkpoint::from_tensorflow("model", bytes, &[shard]);
}

/// Cuts the file at many lengths and flips bits at many places, most of them in its first bytes, where sizes are.
fn torture(file: &[u8], shard: &[u8]) {
    let positions: Vec<usize> = (0..file.len()).filter(|i| i % 7 == 0 && *i < 4000 || i % 997 == 0).collect();
    let end = file.len().saturating_sub(400)..file.len();
    for at in positions.into_iter().chain(end.step_by(3)) {
        try_all(&file[..at], shard);
        for bit in [0x01, 0x80, 0xff] {
            let mut damaged = file.to_vec();
            damaged[at] ^= bit;
            try_all(&damaged, shard);
        }
    }
}

/// Ten tensors are enough to reach every reader.
fn few() -> super::Tensors {
    variables(&network())
        .into_iter()
        .filter(|(name, _)| name.contains("_2") || name.contains("Logits"))
        .collect()
}

#[test]
fn no_damage_to_an_index_panics() {
    for snappy in [false, true] {
        let (index, shards) =
            bundle(items(&few(), "RGB/inception_i3d/"), Options { snappy, ..Options::default() });
        torture(&index, &shards[0]);
    }
}

#[test]
fn no_damage_to_a_v1_checkpoint_panics() {
    let few: Vec<_> = flat::slim(&flat::variables()).into_iter().take(12).collect();
    for snappy in [false, true] {
        torture(&v1(&few, &[], Options { snappy, ..Options::default() }), &[]);
    }
    // Damage below the checksums.
    let header = vec![0x0a, 17, 0x0a, 15, 0x0a, 1, b'x', 0x12, 4, 0x12, 2, 8, 2, 0x18, 1, 0x22, 2, 0x0a, 0];
    let record = v1_record("x", &[0x0a, 0], &[0x2a, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    for at in 0..header.len() + record.len() {
        for change in 1..=255u8 {
            let (mut header, mut record) = (header.clone(), record.clone());
            match at.checked_sub(header.len()) {
                Some(at) => record[at] ^= change,
                None => header[at] ^= change,
            }
            let records = [(String::new(), header), ("k".to_string(), record)];
            try_all(&super::tf_writer::table(&records, Options::default()), &[]);
        }
    }
}

#[test]
fn no_damage_to_records_with_valid_checksums_panics() {
    // Damage below the checksums: records are changed, then the table is written around them.
    let (index, shards) = bundle(items(&few(), ""), Options::default());
    let entries = i3d::weights::tf_bundle::read_index("model", &index).unwrap().entries;
    assert!(!entries.is_empty());
    let header = vec![8, 1, 0x1a, 2, 8, 1];
    let entry = vec![8, 1, 0x12, 8, 0x12, 2, 8, 4, 0x12, 2, 8, 4, 0x20, 8, 0x28, 64, 0x35, 1, 2, 3, 4];
    for at in 0..header.len() + entry.len() {
        for change in 1..=255u8 {
            let (mut header, mut entry) = (header.clone(), entry.clone());
            match at.checked_sub(header.len()) {
                Some(at) => entry[at] ^= change,
                None => header[at] ^= change,
            }
            let records = [(String::new(), header), ("x".to_string(), entry)];
            let table = super::tf_writer::table(&records, Options::default());
            let _ = Checkpoint::from_tensorflow("model", &table, &[&shards[0]]);
        }
    }
}

#[test]
fn no_damage_to_a_pytorch_file_panics() {
    for style in [Style::Python2, Style::Python3] {
        let few = few();
        let model = Model::new(&entries(&few, 1, true), style);
        torture(&model.legacy(), &[]);
        torture(&model.zip(), &[]);
    }
}

#[test]
fn no_damage_to_a_pickle_inside_a_sound_zip_panics() {
    let model = Model::new(&entries(&few(), 2, false)[..4], Style::Python3);
    let pickle = model.pickle(2, false);
    for at in 0..pickle.len() {
        for change in [0x01, 0x02, 0x10, 0x80, 0xff] {
            let mut damaged = pickle.clone();
            damaged[at] ^= change;
            let mut files = vec![("m/data.pkl".to_string(), damaged)];
            files.extend(model.storages.iter().map(|s| (format!("m/data/{}", s.key), s.bytes.clone())));
            try_all(&super::pickle::zip(&files), &[]);
        }
    }
}

#[test]
fn no_damage_to_a_safetensors_file_panics() {
    let (index, shards) = bundle(items(&variables(&network()), ""), Options::default());
    let checkpoint = Checkpoint::from_tensorflow("model", &index, &[&shards[0]]).unwrap();
    torture(&checkpoint.to_safetensors(None, Precision::F32).unwrap(), &[]);
}
