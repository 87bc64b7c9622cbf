//! Protocol-buffer records, field by field, and the two of a bundle index.
//!
//! Source: tensorflow/core/protobuf/tensor_bundle.proto and tensor_shape.proto. Fields at their default are absent.

use super::super::cursor::{Cursor, Problem};
use super::{DataType, Entry};

/// TensorFlow's own limit.
pub(super) const MAX_AXES: usize = 254;

/// One field's value.
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64,
    Bytes(&'a [u8]),
}

/// Calls `visit` with every field's number and value.
pub(super) fn fields<'a>(
    record: &'a [u8],
    mut visit: impl FnMut(u64, Field<'a>) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut cursor = Cursor::new(record);
    while !cursor.is_empty() {
        let tag = cursor.varint()?;
        let field = match tag & 7 {
            0 => Field::Varint(cursor.varint()?),
            1 => {
                cursor.u64()?;
                Field::Fixed64
            }
            2 => {
                let length = cursor.varint()?;
                Field::Bytes(cursor.take_long(length)?)
            }
            5 => Field::Fixed32(cursor.u32()?),
            wire => {
                return Err(format!("is damaged: a record has a field of unknown wire type {wire}"));
            }
        };
        visit(tag >> 3, field)?;
    }
    Ok(())
}

/// `BundleHeaderProto`.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub shards: u32,
    pub big_endian: bool,
}

pub(super) fn header(record: &[u8]) -> Result<Header, Problem> {
    let mut header = Header::default();
    fields(record, |number, field| {
        match (number, field) {
            (1, Field::Varint(shards)) => header.shards = narrow(shards, "number of data files")?,
            (2, Field::Varint(endianness)) => header.big_endian = endianness != 0,
            _ => {}
        }
        Ok(())
    })?;
    Ok(header)
}

/// `BundleEntryProto`; errors do not name the tensor, the caller does.
pub(super) fn entry(name: &str, record: &[u8]) -> Result<Entry, Problem> {
    let mut entry = Entry {
        name: name.to_string(),
        dtype: DataType(0),
        shape: Vec::new(),
        shard: 0,
        offset: 0,
        size: 0,
        masked_crc32c: 0,
        sliced: false,
    };
    fields(record, |number, field| {
        match (number, field) {
            (1, Field::Varint(dtype)) => entry.dtype = DataType(narrow(dtype, "type")?),
            (2, Field::Bytes(shape)) => entry.shape = self::shape(shape)?,
            (3, Field::Varint(shard)) => entry.shard = narrow(shard, "data file number")?,
            (4, Field::Varint(offset)) => entry.offset = offset,
            (5, Field::Varint(size)) => entry.size = size,
            (6, Field::Fixed32(crc)) => entry.masked_crc32c = crc,
            (7, _) => entry.sliced = true,
            _ => {}
        }
        Ok(())
    })?;
    Ok(entry)
}

/// `TensorShapeProto`.
pub(super) fn shape(record: &[u8]) -> Result<Vec<usize>, Problem> {
    let mut shape = Vec::new();
    fields(record, |number, field| {
        match (number, field) {
            (2, Field::Bytes(dimension)) => {
                let mut length = 0;
                fields(dimension, |number, field| {
                    if let (1, Field::Varint(size)) = (number, field) {
                        length = narrow::<usize>(size, "dimension")?;
                    }
                    Ok(())
                })?;
                if shape.len() == MAX_AXES {
                    return Err(format!("is damaged: a tensor has more than {MAX_AXES} axes"));
                }
                shape.push(length);
            }
            (3, Field::Varint(unknown_rank)) if unknown_rank != 0 => {
                return Err("is damaged: a stored tensor has no shape".into());
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(shape)
}

/// Negative numbers are 64-bit varints with the top bit set, so they do not fit either.
pub(super) fn narrow<T: TryFrom<u64>>(value: u64, what: &str) -> Result<T, Problem> {
    T::try_from(value)
        .ok()
        .filter(|_| value <= i64::MAX as u64)
        .ok_or_else(|| format!("is damaged: {value} is no {what}; download it again"))
}

/// A name.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(bytes)
        .map_err(|_| "is damaged: a tensor's name is not text; download it again".into())
}
