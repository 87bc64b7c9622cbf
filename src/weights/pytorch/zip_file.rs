//! PyTorch's format since version 1.6: an uncompressed zip of one pickle and one file per storage.
//!
//! Source: pytorch, `torch/serialization.py`, `_save`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Cursor as Bytes;

use zip::{CompressionMethod, ZipArchive};

use crate::weights::cursor::{Cursor, Problem};
use crate::weights::pickle::{Found, collect, unpickle};

/// Reads a whole file.
pub(in crate::weights) fn read(bytes: &[u8]) -> Result<Found, Problem> {
    let archive = ZipArchive::new(Bytes::new(bytes)).map_err(|e| {
        format!("is cut short or damaged: its zip directory cannot be read ({e}); download it again")
    })?;
    // Entries of an honest file do not overlap, so together they cannot exceed it.
    let mut archive = Archive { zip: archive, bytes, budget: bytes.len() as u64 };
    let root = archive.root()?;
    if let Some(order) =
        archive.read(&format!("{root}byteorder"))?.filter(|order| order.trim_ascii() != b"little")
    {
        return Err(format!(
            "has byte order {:?}, which is not supported: load and save it on a little-endian machine",
            String::from_utf8_lossy(order).chars().take(20).collect::<String>()
        ));
    }
    let pickle = archive.read(&format!("{root}data.pkl"))?.unwrap_or_default();
    let object =
        unpickle(&mut Cursor::new(pickle)).map_err(|problem| format!("{problem} (in {root}data.pkl)"))?;

    // Each is checked once.
    let mut stored: HashMap<Cow<str>, &[u8]> = HashMap::new();
    collect(&object, bytes.len(), |storage| {
        let key = object.name(storage.key);
        let name = || format!("{root}data/{key}");
        let data = match stored.get(&key) {
            Some(&data) => data,
            None => archive.read(&name())?.ok_or_else(|| {
                format!("is damaged: it has no {}, which a tensor uses; download it again", name())
            })?,
        };
        let size = storage.class.size;
        if storage.count.checked_mul(size) != Some(data.len()) {
            return Err(format!(
                "is damaged: {} has {} bytes, expected {} elements of {size}; download it again",
                name(),
                data.len(),
                storage.count
            ));
        }
        stored.insert(key, data);
        Ok(data)
    })
}

struct Archive<'a> {
    zip: ZipArchive<Bytes<&'a [u8]>>,
    /// The whole file.
    bytes: &'a [u8],
    /// Bytes that may still be read.
    budget: u64,
}

impl<'a> Archive<'a> {
    /// The folder that `data.pkl` lies in, with its slash.
    fn root(&self) -> Result<String, Problem> {
        let names = || self.zip.file_names().filter_map(|name| name.ok());
        let root = names()
            .filter_map(|name| Some(name.strip_suffix("data.pkl")?.to_string()))
            .filter(|root| root.is_empty() || root.ends_with('/'))
            .min_by_key(|root| root.matches('/').count())
            .ok_or(
                "is a zip file without data.pkl, so not one of PyTorch: give the file that torch.save wrote",
            )?;
        let program = format!("{root}constants.pkl");
        if names().any(|name| name == program) {
            return Err(
                "is a TorchScript program, not weights: load it in PyTorch and save its state_dict()".into(),
            );
        }
        Ok(root)
    }

    /// An entry's verified contents, if it is there.
    fn read(&mut self, name: &str) -> Result<Option<&'a [u8]>, Problem> {
        let unreadable = |e: &dyn std::fmt::Display| {
            format!("is damaged: {name} in it cannot be read ({e}); download it again")
        };
        let Some(index) = self.zip.index_for_name(name) else {
            return Ok(None);
        };
        let entry = self.zip.by_index_data(index).map_err(|e| unreadable(&e))?;
        let (size, compression, encrypted) = (entry.size(), entry.compression(), entry.encrypted());
        if encrypted {
            return Err(format!("is encrypted ({name}): decrypt it first"));
        }
        if compression != CompressionMethod::Stored {
            return Err(format!(
                "is compressed ({name} by {compression}), which torch.save never does: unpack it and zip it again \
                 without compression, or save it again with torch.save"
            ));
        }
        self.budget = self.budget.checked_sub(size).ok_or_else(|| {
            format!("is damaged: {name} claims {size} bytes, more than the file has; download it again")
        })?;
        let entry = self.zip.by_index(index).map_err(|e| unreadable(&e))?;
        let start = entry.data_start().and_then(|start| usize::try_from(start).ok());
        let range =
            start.zip(usize::try_from(size).ok()).and_then(|(start, n)| Some(start..start.checked_add(n)?));
        let contents = range
            .and_then(|range| self.bytes.get(range))
            .ok_or_else(|| unreadable(&format!("it is cut short: {size} bytes are promised")))?;
        match crc32fast::hash(contents) == entry.crc32() {
            true => Ok(Some(contents)),
            false => Err(unreadable(&"its checksum is another")),
        }
    }
}
