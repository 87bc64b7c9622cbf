//! TensorFlow's V1 checkpoint: one table file whose records hold the values themselves. Of the files that this project reads only
//! TF-slim's 2-D `inception_v1.ckpt` is one.
//!
//! Source of the format: tensorflow/core/util/saved_tensor_slice.proto and tensorflow/core/framework/tensor.proto. The keys
//! behind the first encode name and slice once more, so they are not looked at.

use std::collections::HashMap;

use super::super::cursor::Problem;
use super::super::element::{Element, elements};
use super::super::{Tensor, names};
use super::proto::{self, Field, fields};
use super::{DataType, Found, table};

/// What the first record says about a tensor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Meta {
    name: String,
    shape: Vec<usize>,
    dtype: u32,
    /// Number of slices that it is stored in.
    slices: usize,
}

/// Reads every model tensor of a V1 checkpoint.
pub(in crate::weights) fn read(file: &[u8]) -> Result<Found, Problem> {
    let mut listed: Option<HashMap<String, Meta>> = None;
    let mut found = Vec::new();
    let mut skipped = Vec::new();
    table::records(file, |key, value| {
        // The empty key sorts first.
        let Some(listed) = &listed else {
            let tensors = if key.is_empty() { self::listed(value)? } else { None };
            let tensors = tensors.ok_or_else(|| {
                Problem::from(
                    "is the index of a TensorFlow checkpoint, which holds no weights itself: give it together with its \
                     .data files (by the checkpoint's prefix)",
                )
            })?;
            listed = Some(tensors.into_iter().map(|meta| (meta.name.clone(), meta)).collect());
            return Ok(());
        };
        let Some(slice) = slice(value)? else { return Ok(()) };
        let name = slice.name;
        if names::is_bookkeeping(name) {
            skipped.push(name.to_string());
            return Ok(());
        }
        let tensor = listed
            .get(name)
            .ok_or_else(|| Problem::from("is not in the file's own list: it is damaged, download it again"))
            .and_then(|meta| tensor(meta, &slice))
            .map_err(|problem| format!("tensor {name} {problem}"))?;
        found.push((name.to_string(), tensor));
        Ok(())
    })?;
    Ok((found, skipped))
}

/// `SavedTensorSlices.meta`, the list of tensors; `None` where the record is of another kind, such as a V2 header.
fn listed(record: &[u8]) -> Result<Option<Vec<Meta>>, Problem> {
    let mut tensors = None;
    fields(record, |number, field| {
        if let (1, Field::Bytes(meta)) = (number, field) {
            let tensors = tensors.get_or_insert_with(Vec::new);
            fields(meta, |number, field| {
                if let (1, Field::Bytes(tensor)) = (number, field) {
                    if tensors.len() == table::MAX_RECORDS {
                        return Err(format!(
                            "lists more than {} tensors: this is no I3D checkpoint",
                            table::MAX_RECORDS
                        ));
                    }
                    tensors.push(self::meta(tensor)?);
                }
                Ok(())
            })?;
        }
        Ok(())
    })?;
    Ok(tensors)
}

/// `SavedSliceMeta`.
fn meta(record: &[u8]) -> Result<Meta, Problem> {
    let mut meta = Meta::default();
    fields(record, |number, field| {
        match (number, field) {
            (1, Field::Bytes(name)) => meta.name = proto::text(name)?.to_string(),
            (2, Field::Bytes(shape)) => meta.shape = proto::shape(shape)?,
            (3, Field::Varint(dtype)) => meta.dtype = proto::narrow(dtype, "type")?,
            (4, Field::Bytes(_)) => meta.slices += 1,
            _ => {}
        }
        Ok(())
    })?;
    Ok(meta)
}

/// `SavedSlice`.
struct Slice<'a> {
    name: &'a str,
    /// Start and length of every axis; no length is all of it. Empty is all of everything.
    extents: Vec<(u64, Option<u64>)>,
    /// `TensorProto`.
    data: &'a [u8],
}

/// `SavedTensorSlices.data`, where the record has it.
fn slice(record: &[u8]) -> Result<Option<Slice<'_>>, Problem> {
    let mut data = None;
    fields(record, |number, field| {
        if let (2, Field::Bytes(bytes)) = (number, field) {
            data = Some(bytes);
        }
        Ok(())
    })?;
    let Some(data) = data else { return Ok(None) };
    let mut slice = Slice { name: "", extents: Vec::new(), data: &[] };
    fields(data, |number, field| {
        match (number, field) {
            (1, Field::Bytes(name)) => slice.name = proto::text(name)?,
            (2, Field::Bytes(extents)) => {
                fields(extents, |number, field| {
                    if slice.extents.len() == proto::MAX_AXES {
                        return Err(format!("is damaged: a slice has more than {} axes", proto::MAX_AXES));
                    }
                    if let (1, Field::Bytes(extent)) = (number, field) {
                        slice.extents.push(self::extent(extent)?);
                    }
                    Ok(())
                })?;
            }
            (3, Field::Bytes(tensor)) => slice.data = tensor,
            _ => {}
        }
        Ok(())
    })?;
    Ok(Some(slice))
}

/// `TensorSliceProto.Extent`.
fn extent(record: &[u8]) -> Result<(u64, Option<u64>), Problem> {
    let mut extent = (0, None);
    fields(record, |number, field| {
        match (number, field) {
            (1, Field::Varint(start)) => extent.0 = start,
            (2, Field::Varint(length)) => extent.1 = Some(length),
            _ => {}
        }
        Ok(())
    })?;
    Ok(extent)
}

fn tensor(meta: &Meta, slice: &Slice) -> Result<Tensor, Problem> {
    let Meta { shape, dtype, slices, .. } = meta;
    // A slice that names all of an axis is as whole as one that names nothing.
    let whole = slice.extents.iter().enumerate().all(|(axis, &(start, length))| {
        start == 0 && length.is_none_or(|length| shape.get(axis).is_some_and(|&n| n as u64 == length))
    });
    if *slices > 1 || !whole {
        return Err(
            "is stored in partitions, which is not supported: save it again without partitioner".into()
        );
    }
    let dtype = DataType(*dtype);
    if dtype.element() != Some(Element::F32) {
        return Err(format!("has type {dtype}; weights in a V1 checkpoint are float32"));
    }
    let data = values(slice.data)?;
    if elements(shape) != Some(data.len()) {
        return Err(format!(
            "has {} values, which is not what shape {shape:?} takes: the file is damaged, download it again",
            data.len()
        ));
    }
    Ok(Tensor { shape: shape.clone(), data })
}

/// The float values of a `TensorProto`: `tensor_content`, or `float_val`, packed or one by one.
fn values(record: &[u8]) -> Result<Vec<f32>, Problem> {
    let mut values = Vec::new();
    fields(record, |number, field| {
        match (number, field) {
            (4 | 5, Field::Bytes(bytes)) if bytes.len() % Element::F32.size() != 0 => {
                return Err(format!("holds {} bytes, which are no float32 numbers", bytes.len()));
            }
            (4 | 5, Field::Bytes(bytes)) => values.extend(Element::F32.to_f32(bytes, false)),
            (5, Field::Fixed32(bits)) => values.push(f32::from_bits(bits)),
            _ => {}
        }
        Ok(())
    })?;
    Ok(values)
}
