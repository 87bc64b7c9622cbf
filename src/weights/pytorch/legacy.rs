//! PyTorch's format before version 1.6: five pickles, then every storage's element count and bytes.
//!
//! Source: pytorch, `torch/serialization.py`, `_legacy_save`.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::weights::cursor::{Cursor, Problem, short};
use crate::weights::pickle::{Found, Node, Object, StorageNode, collect, unpickle};

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
    match *version.node(version.root) {
        Node::Int(1001) => {}
        Node::Int(other) => return Err(format!("is of PyTorch's file protocol {other}; 1001 is known")),
        _ => return Err("is damaged: its file protocol is no number; download it again".into()),
    }
    let system = unpickle(&mut cursor)?;
    let of_system = |key: &str| {
        let entry = system.entries(system.root)?.iter().find(|&&(k, _)| system.name(k) == key)?;
        Some(system.node(entry.1))
    };
    if let Some(Node::Bool(false)) = of_system("little_endian") {
        return Err(
            "was written on a big-endian machine, which is not supported: load and save it elsewhere".into(),
        );
    }
    let object = unpickle(&mut cursor)?;
    let keys = unpickle(&mut cursor)?;
    let stored = stored(&object, &keys, &mut cursor)?;
    collect(&object, bytes.len(), |storage| part(&object, storage, &stored))
}

/// The bytes of every storage by its key; they follow each other in the order of `keys`.
fn stored<'o, 'a>(
    object: &'o Object,
    keys: &'o Object,
    cursor: &mut Cursor<'a>,
) -> Result<HashMap<Cow<'o, str>, &'a [u8]>, Problem> {
    let list =
        keys.items(keys.root).ok_or("is damaged: its list of storages is no list; download it again")?;
    let mut described: HashMap<Cow<str>, &StorageNode> = HashMap::new();
    for storage in &object.storages {
        let first = *described.entry(object.name(storage.key)).or_insert(storage);
        if (first.class, first.count) != (storage.class, storage.count) {
            return Err(format!(
                "is damaged: it describes storage {} in two ways; download it again",
                object.name(storage.key)
            ));
        }
    }
    let mut stored: HashMap<Cow<str>, &[u8]> = HashMap::new();
    for &key in list {
        if !matches!(keys.node(key), Node::Text(_) | Node::Int(_)) {
            return Err(format!(
                "is damaged: a storage's key is {}; download it again",
                keys.node(key).describe()
            ));
        }
        let key = keys.name(key);
        let Some(storage) = described.get(&key) else {
            return Err(format!(
                "is damaged: it holds storage {}, which no tensor uses; download it again",
                short(&key)
            ));
        };
        let count = cursor.i64()?;
        if usize::try_from(count) != Ok(storage.count) {
            return Err(format!(
                "is cut short or damaged: storage {key} has {count} elements, expected {}; download it again",
                storage.count
            ));
        }
        let length = storage.count.saturating_mul(storage.class.size);
        stored.insert(key, cursor.take(length)?);
    }
    Ok(stored)
}

/// The bytes that a reference means: a storage, or a part of one.
fn part<'a>(
    object: &Object,
    storage: &StorageNode,
    stored: &HashMap<Cow<str>, &'a [u8]>,
) -> Result<&'a [u8], Problem> {
    let StorageNode { class, key, view, .. } = storage;
    let key = object.name(*key);
    let bytes = stored
        .get(&key)
        .ok_or_else(|| format!("is damaged: storage {key} is used but not in the file; download it again"))?;
    let Some((offset, count)) = view else {
        return Ok(bytes);
    };
    let range = offset
        .checked_mul(class.size)
        .zip(offset.checked_add(*count).and_then(|end| end.checked_mul(class.size)));
    range.and_then(|(start, end)| bytes.get(start..end)).ok_or_else(|| {
        format!("is damaged: elements {offset} on of storage {key} are not in it; download it again")
    })
}
