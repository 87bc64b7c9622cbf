//! PyTorch's format before version 1.6: five pickles, then every storage's element count and bytes.
//!
//! Source: pytorch, `torch/serialization.py`, `_legacy_save`.

use std::collections::HashMap;

use super::object::{Node, StorageNode};
use super::unpickle::unpickle;
use super::{Found, collect, storage_type};
use crate::weights::cursor::{Cursor, Problem};

/// The magic number, pickled: any protocol, then the ten bytes of `0x1950a86a20f9469cfc6c`.
const MAGIC: [u8; 13] = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];

/// Whether the bytes start as a legacy file does.
pub(in crate::weights) fn is_legacy(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x80) && bytes.get(2..2 + MAGIC.len()) == Some(&MAGIC)
}

/// Reads a whole file.
pub(in crate::weights) fn read(bytes: &[u8]) -> Result<Found, Problem> {
    let mut cursor = Cursor::new(bytes);
    let _magic = unpickle(&mut cursor)?;
    let version = unpickle(&mut cursor)?;
    match version.root() {
        Node::Int(1001) => {}
        Node::Int(other) => return Err(format!("is of PyTorch's file protocol {other}; 1001 is known")),
        _ => return Err("is damaged: its file protocol is no number; download it again".into()),
    }
    let system = unpickle(&mut cursor)?;
    let endianness =
        system.entries(system.root()).and_then(|mut entries| entries.find(|(k, _)| k == "little_endian"));
    if let Some((_, Node::Bool(false))) = endianness {
        return Err(
            "was written on a big-endian machine, which is not supported: load and save it elsewhere".into(),
        );
    }
    let object = unpickle(&mut cursor)?;
    let keys = unpickle(&mut cursor)?;
    let keys =
        keys.items(keys.root()).ok_or("is damaged: its list of storages is no list; download it again")?;

    let mut described: HashMap<&str, &StorageNode> = HashMap::new();
    for storage in &object.storages {
        let first = *described.entry(&storage.key).or_insert(storage);
        if (first.class, first.count) != (storage.class, storage.count) {
            return Err(format!(
                "is damaged: it describes storage {} in two ways; download it again",
                storage.key
            ));
        }
    }
    let mut stored: HashMap<String, &[u8]> = HashMap::new();
    for key in keys {
        let key = match key {
            Node::Text(key) => key.to_string(),
            Node::Int(key) => key.to_string(),
            other => {
                return Err(format!(
                    "is damaged: a storage's key is {}; download it again",
                    other.describe()
                ));
            }
        };
        let Some((storage, kind)) =
            described.get(key.as_str()).and_then(|s| Some((s, storage_type(s.class)?)))
        else {
            return Err(format!(
                "is damaged: it holds storage {key}, which no tensor uses; download it again"
            ));
        };
        let count = cursor.i64()?;
        if usize::try_from(count) != Ok(storage.count) {
            return Err(format!(
                "is cut short or damaged: storage {key} has {count} elements, expected {}; download it again",
                storage.count
            ));
        }
        let length = storage.count.saturating_mul(kind.size);
        stored.insert(key, cursor.take(length)?);
    }
    let parts =
        object.storages.iter().map(|storage| part(storage, &stored)).collect::<Result<Vec<_>, _>>()?;
    collect(&object, &parts, bytes.len())
}

/// The bytes that a reference means: a storage, or a part of one.
fn part<'a>(storage: &StorageNode, stored: &HashMap<String, &'a [u8]>) -> Result<&'a [u8], Problem> {
    let StorageNode { class, key, view, .. } = storage;
    let bytes = stored
        .get(key)
        .ok_or_else(|| format!("is damaged: storage {key} is used but not in the file; download it again"))?;
    let Some((offset, count)) = view else {
        return Ok(bytes);
    };
    let size = storage_type(class).map_or(0, |kind| kind.size);
    let range =
        offset.checked_mul(size).zip(offset.checked_add(*count).and_then(|end| end.checked_mul(size)));
    range.and_then(|(start, end)| bytes.get(start..end)).ok_or_else(|| {
        format!("is damaged: elements {offset} on of storage {key} are not in it; download it again")
    })
}
