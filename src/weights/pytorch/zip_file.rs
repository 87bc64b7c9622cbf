//! PyTorch's format since version 1.6: an uncompressed zip of one pickle and one file per storage.
//!
//! Source: pytorch, `torch/serialization.py`, `_save`.

use std::collections::HashMap;
use std::io::{Cursor as Bytes, Read};

use zip::{CompressionMethod, ZipArchive};

use super::unpickle::unpickle;
use super::{Found, collect, storage_type};
use crate::weights::cursor::{Cursor, Problem};

/// Reads a whole file.
pub(in crate::weights) fn read(bytes: &[u8]) -> Result<Found, Problem> {
    let archive = ZipArchive::new(Bytes::new(bytes)).map_err(|e| {
        format!("is cut short or damaged: its zip directory cannot be read ({e}); download it again")
    })?;
    // Entries of an honest file do not overlap, so together they cannot exceed it.
    let mut archive = Archive { zip: archive, budget: bytes.len() as u64 };
    let root = archive.root()?;
    if let Some(order) =
        archive.read(&format!("{root}byteorder"))?.filter(|order| order.trim_ascii() != b"little")
    {
        return Err(format!(
            "has byte order {:?}, which is not supported: load and save it on a little-endian machine",
            String::from_utf8_lossy(&order)
        ));
    }
    let pickle = archive.read(&format!("{root}data.pkl"))?.unwrap_or_default();
    let object =
        unpickle(&mut Cursor::new(&pickle)).map_err(|problem| format!("{problem} (in {root}data.pkl)"))?;

    let mut stored: HashMap<&str, Vec<u8>> = HashMap::new();
    for storage in &object.storages {
        if !stored.contains_key(storage.key.as_str()) {
            let name = format!("{root}data/{}", storage.key);
            let data = archive.read(&name)?.ok_or_else(|| {
                format!("is damaged: it has no {name}, which a tensor uses; download it again")
            })?;
            stored.insert(&storage.key, data);
        }
        let found = stored.get(storage.key.as_str()).map_or(0, Vec::len);
        let size = storage_type(storage.class).map_or(0, |kind| kind.size);
        if storage.count.checked_mul(size) != Some(found) {
            return Err(format!(
                "is damaged: {root}data/{} has {found} bytes, expected {} elements of {size}; download it again",
                storage.key, storage.count
            ));
        }
    }
    let parts: Vec<&[u8]> =
        object.storages.iter().filter_map(|s| Some(stored.get(s.key.as_str())?.as_slice())).collect();
    collect(&object, &parts, bytes.len())
}

struct Archive<'a> {
    zip: ZipArchive<Bytes<&'a [u8]>>,
    /// Bytes that may still be read.
    budget: u64,
}

impl Archive<'_> {
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
        if names().any(|name| name == format!("{root}constants.pkl")) {
            return Err(
                "is a TorchScript program, not weights: load it in PyTorch and save its state_dict()".into(),
            );
        }
        Ok(root)
    }

    /// An entry's verified contents, if it is there.
    fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>, Problem> {
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
        let mut contents = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        let mut entry = self.zip.by_index(index).map_err(|e| unreadable(&e))?;
        // Reading to the end compares the stored checksum.
        entry.read_to_end(&mut contents).map_err(|e| unreadable(&e))?;
        if contents.len() as u64 != size {
            return Err(unreadable(&format!("{} bytes instead of {size}", contents.len())));
        }
        Ok(Some(contents))
    }
}
