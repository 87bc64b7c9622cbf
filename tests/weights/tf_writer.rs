//! Writers of TensorFlow V2 and V1 checkpoints, for tests.

use i3d::weights::tf_bundle::DataType;

use super::{Tensors, bytes};

/// A tensor to write.
#[derive(Clone)]
pub struct Item {
    pub name: String,
    pub dtype: DataType,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// How to write.
#[derive(Clone, Copy)]
pub struct Options {
    pub snappy: bool,
    pub shards: u32,
    pub big_endian: bool,
    /// Records per data block.
    pub block: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { snappy: false, shards: 1, big_endian: false, block: 1000 }
    }
}

pub fn items(tensors: &Tensors, prefix: &str) -> Vec<Item> {
    let item = |(name, tensor): (&String, &i3d::weights::Tensor)| Item {
        name: format!("{prefix}{name}"),
        dtype: DataType(1),
        shape: tensor.shape.clone(),
        bytes: bytes(&tensor.data),
    };
    tensors.iter().map(item).collect()
}

/// The index and the data files.
pub fn bundle(mut items: Vec<Item>, options: Options) -> (Vec<u8>, Vec<Vec<u8>>) {
    items.sort_by(|a, b| a.name.cmp(&b.name));
    let mut shards = vec![Vec::new(); options.shards as usize];
    let mut header = Vec::new();
    field(&mut header, 1, options.shards.into());
    if options.big_endian {
        field(&mut header, 2, 1);
    }
    field_bytes(&mut header, 3, &[8, 1]);
    let mut records = vec![(String::new(), header)];
    for (i, item) in items.iter().enumerate() {
        let shard = i % shards.len();
        let mut shape = Vec::new();
        for &n in &item.shape {
            let mut dimension = Vec::new();
            field(&mut dimension, 1, n as u64);
            field_bytes(&mut shape, 2, &dimension);
        }
        let mut entry = Vec::new();
        field(&mut entry, 1, item.dtype.0.into());
        field_bytes(&mut entry, 2, &shape);
        // Proto3 leaves out zeros.
        for (number, value) in [(3, shard), (4, shards[shard].len()), (5, item.bytes.len())] {
            if value != 0 {
                field(&mut entry, number, value as u64);
            }
        }
        entry.push(6 << 3 | 5);
        entry.extend(masked(&item.bytes).to_le_bytes());
        shards[shard].extend_from_slice(&item.bytes);
        records.push((item.name.clone(), entry));
    }
    (table(&records, options), shards)
}

/// A V1 checkpoint, values in `float_val`; `slices` are the extents that records state of themselves.
pub fn v1(items: &[Item], slices: &[(u64, u64)], options: Options) -> Vec<u8> {
    let mut listed = Vec::new();
    let mut records = Vec::new();
    for item in items {
        let mut shape = Vec::new();
        for &n in &item.shape {
            let mut dimension = Vec::new();
            field(&mut dimension, 1, n as u64);
            field_bytes(&mut shape, 2, &dimension);
        }
        // An axis without start and length is all of it.
        let mut slice = Vec::new();
        item.shape.iter().for_each(|_| field_bytes(&mut slice, 1, &[]));
        let mut meta = Vec::new();
        field_bytes(&mut meta, 1, item.name.as_bytes());
        field_bytes(&mut meta, 2, &shape);
        field(&mut meta, 3, item.dtype.0.into());
        field_bytes(&mut meta, 4, &slice);
        field_bytes(&mut listed, 1, &meta);

        if !slices.is_empty() {
            slice.clear();
            for &(start, length) in slices {
                let mut extent = Vec::new();
                field(&mut extent, 1, start);
                field(&mut extent, 2, length);
                field_bytes(&mut slice, 1, &extent);
            }
        }
        let mut tensor = Vec::new();
        field_bytes(&mut tensor, 5, &item.bytes);
        records.push((v1_key(&item.name, item.shape.len()), v1_record(&item.name, &slice, &tensor)));
    }
    let mut header = Vec::new();
    field_bytes(&mut header, 1, &listed);
    records.push((Vec::new(), header));
    records.sort();
    table(&records, options)
}

/// `SavedTensorSlices.data` with a `SavedSlice`.
pub fn v1_record(name: &str, slice: &[u8], tensor: &[u8]) -> Vec<u8> {
    let mut saved = Vec::new();
    field_bytes(&mut saved, 1, name.as_bytes());
    field_bytes(&mut saved, 2, slice);
    field_bytes(&mut saved, 3, tensor);
    let mut record = Vec::new();
    field_bytes(&mut record, 2, &saved);
    record
}

/// The ordered code of a whole tensor's slice: 0, the name and its end, the rank, and of each axis start 0 and length -1.
fn v1_key(name: &str, rank: usize) -> Vec<u8> {
    let mut key = vec![0];
    key.extend(name.bytes());
    key.extend([0, 1, 1, rank as u8]);
    (0..rank).for_each(|_| key.extend([0x80, 0x7f]));
    key
}

/// A sorted-table file.
pub fn table<K: AsRef<[u8]>>(records: &[(K, Vec<u8>)], options: Options) -> Vec<u8> {
    let mut file = Vec::new();
    let mut index = Vec::new();
    for chunk in records.chunks(options.block) {
        let handle = block(&mut file, chunk, options.snappy);
        index.push((chunk.last().unwrap().0.as_ref().to_vec(), handle));
    }
    let metaindex = block::<&[u8]>(&mut file, &[], false);
    let index = block(&mut file, &index, false);
    let mut footer = metaindex;
    footer.extend(index);
    footer.resize(40, 0);
    file.extend(footer);
    file.extend(0xdb47_7524_8b80_fb57_u64.to_le_bytes());
    file
}

/// Appends a block, answers its handle.
fn block<K: AsRef<[u8]>>(file: &mut Vec<u8>, records: &[(K, Vec<u8>)], snappy: bool) -> Vec<u8> {
    let mut contents = Vec::new();
    let mut restarts = Vec::new();
    let mut last: &[u8] = &[];
    for (i, (key, value)) in records.iter().enumerate() {
        let key = key.as_ref();
        let restart = i % 16 == 0;
        if restart {
            restarts.push(contents.len() as u32);
        }
        let shared = if restart { 0 } else { key.iter().zip(last).take_while(|(a, b)| a == b).count() };
        varint(&mut contents, shared as u64);
        varint(&mut contents, (key.len() - shared) as u64);
        varint(&mut contents, value.len() as u64);
        contents.extend_from_slice(&key[shared..]);
        contents.extend_from_slice(value);
        last = key;
    }
    if restarts.is_empty() {
        restarts.push(0);
    }
    restarts.iter().for_each(|r| contents.extend(r.to_le_bytes()));
    contents.extend((restarts.len() as u32).to_le_bytes());
    if snappy {
        contents = snap::raw::Encoder::new().compress_vec(&contents).unwrap();
    }
    let mut handle = Vec::new();
    varint(&mut handle, file.len() as u64);
    varint(&mut handle, contents.len() as u64);
    contents.push(snappy.into());
    let crc = masked(&contents);
    file.extend(contents);
    file.extend(crc.to_le_bytes());
    handle
}

/// The masked CRC-32C, bit by bit.
pub fn masked(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn field(out: &mut Vec<u8>, number: u64, value: u64) {
    varint(out, number << 3);
    varint(out, value);
}

fn field_bytes(out: &mut Vec<u8>, number: u64, value: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}
