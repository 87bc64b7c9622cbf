//! The sorted-table file that a TensorFlow index is: blocks of prefix-compressed keys, as in LevelDB.

use std::borrow::Cow;

use super::super::cursor::{Cursor, Problem};

/// The last eight bytes of every table file.
pub(in crate::weights) const MAGIC: [u8; 8] = 0xdb47_7524_8b80_fb57_u64.to_le_bytes();

const FOOTER: usize = 48;
const TRAILER: usize = 5;

/// No real name is nearly as long; the bound keeps prefix-compressed keys from filling the memory.
const MAX_KEY: usize = 1024;

/// The largest known index has 520 records.
pub(super) const MAX_RECORDS: usize = 65_536;

/// What compressed blocks of a file may unpack to together: so many times the file, and so many bytes besides. Weights hardly shrink, and
/// names to a third.
const UNPACKED: (usize, usize) = (4, 64 << 20);

/// Undoes the masking of stored checksums: `rotate right by 15, add a constant`.
pub(super) fn unmask(masked: u32) -> u32 {
    masked.wrapping_sub(0xa282_ead8).rotate_left(15)
}

/// The masked CRC-32C of some bytes, as stored.
pub(super) fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Calls `visit` with every key and value of the table in order.
pub(super) fn records(
    file: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let Some(footer_at) = file.len().checked_sub(FOOTER).filter(|_| file.ends_with(&MAGIC)) else {
        return Err("is no TensorFlow index: it does not end in the table format's magic number; \
                    if it is an .index file, it is cut short: download it again"
            .into());
    };
    let mut footer = Cursor::new(&file[footer_at..]);
    let _metaindex = Handle::read(&mut footer)?;
    let mut budget = UNPACKED.0.saturating_mul(file.len()).saturating_add(UNPACKED.1);
    let index = block(&file[..footer_at], Handle::read(&mut footer)?, &mut budget)?;
    let mut count = 0;
    let mut last = Vec::new();
    let mut blocks_end = 0;
    entries(&index, |_, value| {
        let handle = Handle::read(&mut Cursor::new(value))?;
        // Blocks are written one behind the other, and no table reads one again and again.
        if handle.offset < blocks_end {
            return Err("is damaged: its blocks are not in order; download it again".into());
        }
        blocks_end = handle.offset.saturating_add(handle.size).saturating_add(TRAILER as u64);
        let data = block(&file[..footer_at], handle, &mut budget)?;
        entries(&data, |key, value| {
            if count > 0 && key <= last.as_slice() {
                return Err("is damaged: its keys are not in order; download it again".into());
            }
            last.clear();
            last.extend_from_slice(key);
            count += 1;
            if count > MAX_RECORDS {
                return Err(format!("has more than {MAX_RECORDS} records: this is no I3D checkpoint"));
            }
            visit(key, value)
        })
    })
}

/// Where a block lies.
#[derive(Clone, Copy)]
struct Handle {
    offset: u64,
    size: u64,
}

impl Handle {
    fn read(cursor: &mut Cursor) -> Result<Handle, Problem> {
        Ok(Handle { offset: cursor.varint()?, size: cursor.varint()? })
    }
}

/// A block's contents, verified and decompressed.
///
/// `budget` is how much may still be unpacked.
fn block<'f>(
    file: &'f [u8],
    Handle { offset, size }: Handle,
    budget: &mut usize,
) -> Result<Cow<'f, [u8]>, Problem> {
    let outside = || {
        format!(
            "is cut short or damaged: a block of {size} bytes at byte {offset} lies outside of its {} bytes; \
             download it again",
            file.len()
        )
    };
    let start = usize::try_from(offset).map_err(|_| outside())?;
    let length = usize::try_from(size).map_err(|_| outside())?;
    let end = start.checked_add(length).and_then(|end| end.checked_add(TRAILER)).ok_or_else(outside)?;
    let stored = file.get(start..end).ok_or_else(outside)?;
    let (checked, crc) = stored.split_at(length + 1);
    let expected = unmask(Cursor::new(crc).u32()?);
    let found = crc32c::crc32c(checked);
    if found != expected {
        return Err(format!(
            "is damaged: the block at byte {offset} has checksum {found:08x}, expected {expected:08x}; \
             download it again"
        ));
    }
    let (contents, kind) = (&checked[..length], checked[length]);
    match kind {
        0 => Ok(contents.into()),
        1 => decompress(contents, budget).map(Cow::Owned).map_err(|e| {
            format!("is damaged: the Snappy block at byte {offset} cannot be read ({e}); download it again")
        }),
        _ => Err(format!("is damaged: the block at byte {offset} has the unknown compression {kind}")),
    }
}

fn decompress(contents: &[u8], budget: &mut usize) -> Result<Vec<u8>, Problem> {
    // Snappy's longest copy makes 64 bytes of 3, so nothing honest grows more than this.
    let length = snap::raw::decompress_len(contents).map_err(|e| e.to_string())?;
    if length > contents.len().saturating_mul(32) {
        return Err(format!("{} bytes cannot hold the {length} it claims", contents.len()));
    }
    *budget = budget
        .checked_sub(length)
        .ok_or_else(|| format!("the file unpacks to more than {} times its size", UNPACKED.0))?;
    snap::raw::Decoder::new().decompress_vec(contents).map_err(|e| e.to_string())
}

/// Calls `visit` with every key and value of a block: entries, then restart offsets, then their count.
fn entries(block: &[u8], mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), Problem>) -> Result<(), Problem> {
    let damaged =
        || Problem::from("is damaged: a block's restart table is longer than the block; download it again");
    let count_at = block.len().checked_sub(4).ok_or_else(damaged)?;
    let restarts = Cursor::new(&block[count_at..]).u32()? as usize;
    let end = restarts.checked_mul(4).and_then(|n| count_at.checked_sub(n)).ok_or_else(damaged)?;
    let mut cursor = Cursor::new(&block[..end]);
    let mut key = Vec::new();
    while !cursor.is_empty() {
        let (shared, fresh, value) = (cursor.varint()?, cursor.varint()?, cursor.varint()?);
        let shared = usize::try_from(shared).unwrap_or(usize::MAX);
        if shared > key.len() {
            return Err(
                "is damaged: a key shares more than there is of the key before; download it again".into()
            );
        }
        key.truncate(shared);
        key.extend_from_slice(cursor.take_long(fresh)?);
        if key.len() > MAX_KEY {
            return Err(format!("has a tensor name of more than {MAX_KEY} bytes: this is no I3D checkpoint"));
        }
        visit(&key, cursor.take_long(value)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{masked_crc, unmask};

    #[test]
    fn checksums_agree_with_entries_of_released_checkpoints() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        let ones: Vec<u8> = [1f32; 64].iter().flat_map(|x| x.to_le_bytes()).collect();
        for (bytes, masked) in [(&ones[..], 0x59c4_c82d), (&[0; 256], 0x05a4_5bbd), (&[0; 8], 0x0798_0329)] {
            assert_eq!(masked_crc(bytes), masked);
            assert_eq!(unmask(masked), crc32c::crc32c(bytes));
        }
    }
}
