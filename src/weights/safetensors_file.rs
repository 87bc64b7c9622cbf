//! Safetensors in and out: this project's own checkpoint format.

use std::collections::{BTreeMap, HashMap};

use half::f16;
use rayon::prelude::*;
use safetensors::tensor::{Dtype, Metadata as Header, TensorInfo};

use super::cursor::{Cursor, Problem, short};
use super::element::{Element, elements};
use super::{Found, Metadata, Tensor, names};
use crate::network::System;
use crate::plan::Precision;

/// What `architecture` says in this project's files of I3D.
pub(super) const ARCHITECTURE: &str = "i3d-inception-v1";

const LENGTH: usize = 8;

/// The header of a network is 30 kB.
const MAX_HEADER: usize = 8 << 20;

/// Whether the bytes can be a safetensors file: a header length, then JSON.
pub(super) fn looks_like(bytes: &[u8]) -> bool {
    bytes.get(LENGTH) == Some(&b'{') && bytes.get(6..LENGTH) == Some(&[0, 0])
}

/// Reads a whole file.
pub(super) fn read(bytes: &[u8]) -> Result<Found, Problem> {
    let mut cursor = Cursor::new(bytes);
    let length = cursor.u64()?;
    let json = cursor.take_long(length)?;
    if json.len() > MAX_HEADER {
        return Err(format!(
            "has a safetensors header of {length} bytes, more than the {MAX_HEADER} that are read: this is no I3D checkpoint"
        ));
    }
    let data = &bytes[cursor.position()..];
    // The crate's own entry point adds lengths from the file without checking for overflow, so the end is compared here.
    let header: Header = serde_json::from_slice(json).map_err(|e| {
        format!("has a damaged safetensors header ({}); download it again", short(&e.to_string()))
    })?;
    if header.data_len() != data.len() {
        return Err(format!(
            "holds {} bytes of tensors, its header promises {}: it is cut short or damaged; download it again",
            data.len(),
            header.data_len()
        ));
    }
    let (skipped, named): (Vec<_>, Vec<_>) =
        BTreeMap::from_iter(header.tensors()).into_iter().partition(|(name, _)| names::is_bookkeeping(name));
    let tensor = |(name, info): (String, &TensorInfo)| {
        let element = match info.dtype {
            Dtype::F16 => Element::F16,
            Dtype::BF16 => Element::Bf16,
            Dtype::F32 => Element::F32,
            Dtype::F64 => Element::F64,
            other => {
                return Err(format!(
                    "tensor {} has type {other}; weights are F32 (F16, BF16, F64 are read too)",
                    short(&name)
                ));
            }
        };
        let (start, end) = info.data_offsets;
        let bytes = data
            .get(start..end)
            .filter(|bytes| {
                elements(&info.shape).and_then(|n| n.checked_mul(element.size())) == Some(bytes.len())
            })
            .ok_or_else(|| {
                format!("tensor {} lies outside of the file: it is damaged; download it again", short(&name))
            })?;
        Ok((name, Tensor { shape: info.shape.clone(), data: element.to_f32(bytes, false) }))
    };
    // Of several problems the first is told, whichever thread finds one first.
    let tensors: Vec<_> = named.into_par_iter().map(tensor).collect();
    let tensors = tensors.into_iter().collect::<Result<_, Problem>>()?;
    let skipped = skipped.into_iter().map(|(name, _)| name).collect();
    let metadata = header.metadata().as_ref().map(metadata_from).transpose()?.unwrap_or_default();
    Ok((tensors, skipped, metadata))
}

fn metadata_from(map: &HashMap<String, String>) -> Result<Metadata, Problem> {
    fn parse<T: serde::de::DeserializeOwned>(
        map: &HashMap<String, String>,
        key: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = map.get(key) else { return Ok(None) };
        let value = serde_json::from_str(text).map_err(|e| {
            format!(
                "has metadata `{key}` that cannot be read ({:?}: {e}); convert the original again",
                short(text)
            )
        })?;
        Ok(Some(value))
    }
    let text = |key: &str| map.get(key).cloned();
    let architecture = text("architecture");
    let runs: Vec<&str> = System::ALL.into_iter().map(super::architecture).collect();
    if let Some(other) = architecture.as_deref().filter(|a| !runs.contains(a)) {
        return Err(format!(
            "is a checkpoint of architecture {:?}; this program runs {}",
            short(other),
            runs.join(", ")
        ));
    }
    let stream = match text("stream").as_deref() {
        None => None,
        Some("rgb") => Some(crate::network::Stream::Rgb),
        Some("flow") => Some(crate::network::Stream::Flow),
        Some(other) => {
            return Err(format!("has metadata `stream` = {:?}; expected \"rgb\" or \"flow\"", short(other)));
        }
    };
    Ok(Metadata {
        architecture,
        stream,
        width: parse(map, "width")?,
        input_size: parse(map, "input_size")?,
        classes: parse(map, "classes")?,
        labels: parse(map, "labels")?,
        source: text("source"),
        source_sha256: text("source_sha256"),
        name: text("name"),
    })
}

/// How a tensor is stored: kernels as asked for. Statistics and offsets stay as they are: they are few, and a variance can
/// be smaller than anything that 16 bits hold.
fn element(name: &str, kernels: Precision) -> Element {
    match kernels {
        Precision::F16 if name.ends_with(names::KERNEL) => Element::F16,
        _ => Element::F32,
    }
}

/// Writes a whole file, convolution kernels as `kernels` says. The same tensors and metadata give the same bytes: the
/// `safetensors` crate keeps metadata in a hash map, whose order is random, so the header is written here.
pub(super) fn write(
    tensors: &BTreeMap<String, Tensor>,
    metadata: &Metadata,
    kernels: Precision,
) -> Result<Vec<u8>, Problem> {
    #[derive(serde::Serialize)]
    struct Info<'a> {
        dtype: &'static str,
        shape: &'a [usize],
        data_offsets: [usize; 2],
    }
    #[derive(serde::Serialize)]
    #[serde(untagged)]
    enum Item<'a> {
        Metadata(BTreeMap<&'static str, String>),
        Tensor(Info<'a>),
    }
    let failed = |e: serde_json::Error| format!("cannot be written as safetensors: {e}");
    let mut header =
        BTreeMap::from([("__metadata__", Item::Metadata(metadata_map(metadata).map_err(failed)?))]);
    let mut end = 0;
    for (name, tensor) in tensors {
        let start = end;
        let (element, shape) = (element(name, kernels), &tensor.shape);
        end += element.size() * tensor.data.len();
        let dtype = if element == Element::F16 { "F16" } else { "F32" };
        header.insert(name, Item::Tensor(Info { dtype, shape, data_offsets: [start, end] }));
    }
    let mut json = serde_json::to_vec(&header).map_err(failed)?;
    // Tensors start at a multiple of eight bytes, so that a reader may map the file.
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut bytes = Vec::with_capacity(LENGTH + json.len() + end);
    bytes.extend_from_slice(&(json.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&json);
    for (name, Tensor { data, .. }) in tensors {
        if element(name, kernels) == Element::F32 {
            data.iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
            continue;
        }
        for &x in data {
            let half = f16::from_f32(x);
            if x.is_finite() && half.is_infinite() {
                return Err(format!("has {x} in {name}, more than 16 bits hold; write it with 32 bits"));
            }
            bytes.extend_from_slice(&half.to_le_bytes());
        }
    }
    Ok(bytes)
}

fn metadata_map(metadata: &Metadata) -> Result<BTreeMap<&'static str, String>, serde_json::Error> {
    let Metadata { architecture, stream, width, input_size, classes, labels, source, source_sha256, name } =
        metadata;
    let labels = labels.as_ref().map(serde_json::to_string).transpose()?;
    let entries = [
        ("architecture", architecture.clone()),
        ("stream", stream.map(|s| s.to_string())),
        ("width", width.map(|w| w.to_string())),
        ("input_size", input_size.map(|n| n.to_string())),
        ("classes", classes.map(|n| n.to_string())),
        ("labels", labels),
        ("source", source.clone()),
        ("source_sha256", source_sha256.clone()),
        ("name", name.clone()),
    ];
    Ok(entries.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}
