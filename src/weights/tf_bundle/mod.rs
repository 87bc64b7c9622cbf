//! TensorFlow's V2 checkpoint, the "tensor bundle": an `.index` table of names and the raw bytes in `.data` files.
//!
//! Source of the format: tensorflow/core/util/tensor_bundle and tensorflow/core/lib/io/format.

mod proto;
mod table;
mod v1;

pub(super) use table::MAGIC;
pub(super) use v1::read as read_v1;

use rayon::prelude::*;

use super::cursor::Problem;
use super::element::{Element, elements};
use super::{Tensor, names};
use crate::error::{Error, Result};

/// What an `.index` file lists.
#[derive(Debug, Clone)]
pub struct Index {
    /// Number of `.data-SSSSS-of-NNNNN` files.
    pub shards: u32,
    /// All tensors, sorted by name.
    pub entries: Vec<Entry>,
}

/// Where a tensor lies and what it must look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The variable's full name.
    pub name: String,
    /// Type of its elements.
    pub dtype: DataType,
    /// Its dimensions; empty for a scalar.
    pub shape: Vec<usize>,
    /// Number of its data file.
    pub shard: u32,
    /// First byte in the data file.
    pub offset: u64,
    /// Bytes in the data file.
    pub size: u64,
    /// Masked CRC-32C of those bytes.
    pub masked_crc32c: u32,
    /// Whether the variable is partitioned, its parts being stored under other keys.
    pub sliced: bool,
}

/// TensorFlow's number of an element type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataType(pub u32);

impl DataType {
    fn element(self) -> Option<Element> {
        match self.0 {
            1 => Some(Element::F32),
            2 => Some(Element::F64),
            14 => Some(Element::Bf16),
            19 => Some(Element::F16),
            _ => None,
        }
    }
}

impl std::fmt::Display for DataType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            1 => "float32",
            2 => "float64",
            3 => "int32",
            4 => "uint8",
            7 => "string",
            9 => "int64",
            10 => "bool",
            14 => "bfloat16",
            19 => "float16",
            other => return write!(f, "type {other}"),
        })
    }
}

/// Reads an `.index` file; `place` names it in errors.
pub fn read_index(place: &str, bytes: &[u8]) -> Result<Index> {
    index(bytes).map_err(|problem| Error::checkpoint(place, problem))
}

fn index(bytes: &[u8]) -> Result<Index, Problem> {
    let mut header = None;
    let mut entries = Vec::new();
    table::records(bytes, |key, value| {
        // The empty key sorts first.
        let Some(proto::Header { shards, .. }) = &header else {
            if !key.is_empty() {
                return Err("is no index of a V2 checkpoint: its first record is not the header".into());
            }
            let first = proto::header(value).map_err(|e| {
                format!("has a header that is no V2 checkpoint's (perhaps a V1 checkpoint?): it {e}")
            })?;
            if first.big_endian {
                return Err("was written on a big-endian machine, which is not supported: \
                            restore and save it on another machine"
                    .into());
            }
            header = Some(first);
            return Ok(());
        };
        let name = proto::text(key)?;
        let entry = proto::entry(name, value).map_err(|problem| format!("tensor {name}: {problem}"))?;
        if entry.shard >= *shards {
            return Err(format!(
                "is damaged: tensor {name} is said to lie in data file {} of {shards}",
                entry.shard
            ));
        }
        entries.push(entry);
        Ok(())
    })?;
    let header = header.ok_or("lists nothing, not even a header: download it again")?;
    Ok(Index { shards: header.shards, entries })
}

/// Source tensors under their own names, and the names of those left out.
type Found = (Vec<(String, Tensor)>, Vec<String>);

/// Reads every model tensor of a bundle and verifies its checksum.
pub(super) fn read(place: &str, index: &[u8], shards: &[&[u8]]) -> Result<Found> {
    let index = read_index(place, index)?;
    if index.shards as usize != shards.len() {
        return Err(Error::checkpoint(
            place,
            format!(
                "belongs to {} data file(s) (.data-00000-of-{:05}), {} given: give all of them, in order",
                index.shards,
                index.shards,
                shards.len()
            ),
        ));
    }
    let (skipped, entries): (Vec<Entry>, Vec<Entry>) =
        index.entries.into_iter().partition(|entry| names::is_bookkeeping(&entry.name));
    // Tensors of a real bundle never overlap, so together they cannot exceed the files.
    let mut budget: u64 = shards.iter().map(|s| s.len() as u64).sum();
    for Entry { name, size, .. } in &entries {
        budget = budget.checked_sub(*size).ok_or_else(|| {
            let problem = "the index promises more data than the data files hold: they are cut short or do not belong to \
                           it; download them again";
            Error::checkpoint(format!("{place}: tensor {name}"), problem)
        })?;
    }
    let read = |entry: Entry| {
        // Bounded by the number of shards, which was compared with the files given.
        let bytes = shards.get(entry.shard as usize).copied().unwrap_or_default();
        let tensor = tensor(&entry, bytes)
            .map_err(|problem| Error::checkpoint(format!("{place}: tensor {}", entry.name), problem))?;
        Ok((entry.name, tensor))
    };
    // Of several problems the first is told, whichever thread finds one first.
    let tensors: Vec<_> = entries.into_par_iter().map(read).collect();
    Ok((tensors.into_iter().collect::<Result<_>>()?, skipped.into_iter().map(|entry| entry.name).collect()))
}

fn tensor(entry: &Entry, shard: &[u8]) -> Result<Tensor, Problem> {
    let Entry { shape, offset, size, dtype, .. } = entry;
    if entry.sliced {
        return Err(
            "is stored in partitions, which is not supported: save it again without partitioner".into()
        );
    }
    let element = dtype.element().ok_or_else(|| {
        format!("has type {dtype}; weights are float32 (float64, float16 and bfloat16 are read too)")
    })?;
    let expected = elements(shape).and_then(|n| n.checked_mul(element.size()));
    if expected.map(|n| n as u64) != Some(*size) {
        return Err(format!("has {size} bytes, which is not what {dtype} of shape {shape:?} takes"));
    }
    let range = usize::try_from(*offset).ok().zip(usize::try_from(offset.saturating_add(*size)).ok());
    let bytes = range.and_then(|(start, end)| shard.get(start..end)).ok_or_else(|| {
        format!(
            "lies at bytes {offset} to {} of data file {}, which has {}: it is cut short or belongs to another index; \
             download both again",
            offset.saturating_add(*size),
            entry.shard,
            shard.len()
        )
    })?;
    let found = table::masked_crc(bytes);
    if found != entry.masked_crc32c {
        return Err(format!(
            "is damaged: its masked checksum is {found:08x}, the index says {:08x}; download the data file again",
            entry.masked_crc32c
        ));
    }
    Ok(Tensor { shape: shape.clone(), data: element.to_f32(bytes, false) })
}
