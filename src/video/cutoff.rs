//! Whether a file ends before its container says it does: what an interrupted copy or download leaves.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// True where the container states a length that the file does not have. False where it states none, as recordings of a live stream do,
/// and for containers whose end cannot be told.
pub(super) fn is_cut_off(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut start = [0; 64];
    let got = read_up_to(&mut file, &mut start)?;
    let start = &start[..got];
    if start.get(4..8) == Some(b"ftyp") {
        return boxes(&mut file, length);
    }
    if start.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        return Ok(matroska_end(&mut file)?.is_some_and(|end| end > length));
    }
    if start.starts_with(b"RIFF") {
        // Files beyond 4 GB have more than their first RIFF; programs that were interrupted leave zero.
        let stated = number(start, 4).map_or(0, |bytes| u64::from(u32::from_le_bytes(bytes)));
        return Ok(stated != u64::from(u32::MAX) && stated + 8 > length);
    }
    if start.starts_with(b"FLV") {
        return flv_ends_within_a_tag(&mut file, length);
    }
    Ok(false)
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// Whether a top-level box of an ISO base media file (ISO/IEC 14496-12, 4.2) goes beyond the end.
fn boxes(file: &mut File, length: u64) -> io::Result<bool> {
    let mut at = 0;
    // Fragmented files have two boxes a fragment; a day of them in steps of a second.
    for _ in 0..200_000 {
        let mut header = [0; 16];
        file.seek(SeekFrom::Start(at))?;
        let got = read_up_to(file, &mut header)?;
        let size = match number(&header, 0).map_or(0, u32::from_be_bytes) {
            _ if got < 8 => return Ok(false),
            // The box goes on to the end of the file, wherever that is.
            0 => return Ok(false),
            1 if got == 16 => number(&header, 8).map_or(0, u64::from_be_bytes),
            size => u64::from(size),
        };
        if size < 8 {
            return Ok(false);
        }
        at = at.saturating_add(size);
        if at >= length {
            return Ok(at > length);
        }
    }
    Ok(false)
}

/// Where the first segment of a Matroska file ends (RFC 8794, 9559); nothing where its size is not known.
fn matroska_end(file: &mut File) -> io::Result<Option<u64>> {
    const SEGMENT: u64 = 0x1853_8067;
    let mut at = 0;
    for _ in 0..2 {
        file.seek(SeekFrom::Start(at))?;
        let mut header = [0; 16];
        let got = read_up_to(file, &mut header)?;
        let Some((id, id_length)) = variable(&header[..got], true) else { return Ok(None) };
        let Some((size, size_length)) = variable(&header[id_length..got], false) else { return Ok(None) };
        let unknown = size == (1 << (7 * size_length)) - 1;
        at += (id_length + size_length) as u64;
        at = at.saturating_add(size);
        if id == SEGMENT {
            return Ok((!unknown).then_some(at));
        }
    }
    Ok(None)
}

/// A number of variable length and the bytes that it takes; an identifier keeps the bit that marks its length.
fn variable(bytes: &[u8], keep_marker: bool) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    let all = bytes.get(..length).filter(|_| length <= 8)?;
    let value = all.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
    let mask = if keep_marker { u64::MAX } else { (1 << (7 * length)) - 1 };
    Some((value & mask, length))
}

/// Each tag of an FLV file ends with its size, so the last four bytes lead back to the last tag.
fn flv_ends_within_a_tag(file: &mut File, length: u64) -> io::Result<bool> {
    if length < 13 + 15 {
        return Ok(false);
    }
    let mut bytes = [0; 4];
    file.seek(SeekFrom::Start(length - 4))?;
    file.read_exact(&mut bytes)?;
    let size = u64::from(u32::from_be_bytes(bytes));
    let Some(tag) = (length - 4).checked_sub(size).filter(|_| size >= 11) else { return Ok(true) };
    file.seek(SeekFrom::Start(tag))?;
    let mut header = [0; 4];
    file.read_exact(&mut header)?;
    let [kind, a, b, c] = header;
    let known = matches!(kind & 0x1f, 8 | 9 | 18);
    Ok(!known || u64::from(u32::from_be_bytes([0, a, b, c])) + 11 != size)
}
