//! What the targets share: wrappers with right checksums around arbitrary bytes, and everything that callers do with a result.

use std::io::{Cursor, Write};

use i3d::clip::Clip;
use i3d::weights::Checkpoint;

/// Reads bytes as a checkpoint, and a network from it.
pub fn checkpoint(bytes: &[u8]) {
    outcome(Checkpoint::from_bytes("fuzz", bytes));
}

/// What callers do with a checkpoint; messages must stay short.
pub fn outcome(checkpoint: i3d::Result<Checkpoint>) {
    let loaded = checkpoint.and_then(|checkpoint| {
        let whole = checkpoint.with_classifier(1);
        let network = whole.network()?;
        whole.load(&network).map(|(_, report)| report.to_string())
    });
    if let Err(error) = loaded {
        assert!(error.to_string().len() < 3000, "{error:.300}");
    }
}

/// Reads bytes as a clip.
pub fn clip(bytes: &[u8]) {
    match Clip::from_bytes("fuzz", bytes, None) {
        Ok(clip) => {
            assert_eq!(clip.data.len(), clip.frames * clip.frame_len());
            let _ = clip.range_outside().map(|range| range.to_string());
        }
        Err(error) => assert!(error.to_string().len() < 3000, "{error:.300}"),
    }
}

/// The magic number of PyTorch's legacy files, then the bytes.
pub fn with_magic(bytes: &[u8]) -> Vec<u8> {
    let magic = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];
    [&magic, bytes].concat()
}

/// A zip file of those entries.
pub fn archive(entries: &[(&str, &[u8])], deflated: bool) -> Vec<u8> {
    let method = if deflated { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, contents) in entries {
        zip.start_file(*name, options).expect("a small entry");
        zip.write_all(contents).expect("memory takes it");
    }
    zip.finish().expect("memory takes it").into_inner()
}

/// PyTorch's zip file with that pickle and a few storages.
pub fn zip_around(pickle: &[u8]) -> Vec<u8> {
    let numbers = [0x3f; 4096];
    archive(
        &[("m/data.pkl", pickle), ("m/data/0", &numbers[..16]), ("m/data/1", &numbers), ("m/data/2", &[])],
        false,
    )
}

/// A table whose keys are numbers and whose values are pieces of the bytes: each begins with its length.
pub fn table_around(bytes: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    let mut data = Vec::new();
    let mut index = 0u32;
    while let [low, high, tail @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(tail.len());
        let (value, tail) = tail.split_at(length);
        // The first key is empty, as that of a header.
        let key = if index == 0 { String::new() } else { format!("{index:06}") };
        entry(&mut data, key.as_bytes(), value);
        index += 1;
        rest = tail;
    }
    data.extend([0, 0, 0, 0, 1, 0, 0, 0]);
    let mut file = Vec::new();
    let handle = block(&mut file, &data);
    let mut blocks = Vec::new();
    entry(&mut blocks, b"~", &handle);
    blocks.extend([0, 0, 0, 0, 1, 0, 0, 0]);
    let handle = block(&mut file, &blocks);
    let mut footer = [&[0, 0][..], &handle].concat();
    footer.resize(40, 0);
    footer.extend(0xdb47_7524_8b80_fb57_u64.to_le_bytes());
    file.extend(footer);
    file
}

/// A key that shares nothing with the one before, and its value.
fn entry(block: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    [0, key.len(), value.len()].into_iter().for_each(|number| varint(block, number));
    block.extend(key);
    block.extend(value);
}

/// Appends a block and gives its handle.
fn block(file: &mut Vec<u8>, contents: &[u8]) -> Vec<u8> {
    let mut handle = Vec::new();
    varint(&mut handle, file.len());
    varint(&mut handle, contents.len());
    let stored = [contents, &[0]].concat();
    file.extend(&stored);
    file.extend(masked(&stored).to_le_bytes());
    handle
}

fn masked(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
