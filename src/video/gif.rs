//! GIFs whose last byte, the trailer, is missing: whatever shows GIFs shows all of them, so they are complete.

use std::io::{BufRead, ErrorKind, Read, Result, Seek, SeekFrom};

const IMAGE: u8 = 0x2c;
const EXTENSION: u8 = 0x21;
const TRAILER: u8 = 0x3b;

/// The whole of a GIF that ends behind a picture without the trailer, with it; none for all others. The reader is then at
/// the file's start.
pub(super) fn with_trailer<R: BufRead + Seek>(reader: &mut R) -> Result<Option<Vec<u8>>> {
    let end = missing_trailer(reader).or_else(|error| match error.kind() {
        // What ends in the middle of a block is for the decoder to tell.
        ErrorKind::UnexpectedEof => Ok(None),
        _ => Err(error),
    })?;
    reader.seek(SeekFrom::Start(0))?;
    let Some(end) = end else { return Ok(None) };
    let mut bytes = Vec::new();
    reader.take(end).read_to_end(&mut bytes)?;
    bytes.push(TRAILER);
    Ok(Some(bytes))
}

/// Where the last block ends, if there is no trailer behind it and there is a picture before.
fn missing_trailer<R: BufRead + Seek>(reader: &mut R) -> Result<Option<u64>> {
    let mut header = [0; 13];
    reader.read_exact(&mut header)?;
    skip(reader, table(header[10]))?;
    let mut pictures = false;
    loop {
        let end = reader.stream_position()?;
        let found = pictures.then_some(end);
        if reader.fill_buf()?.is_empty() {
            return Ok(found);
        }
        match byte(reader)? {
            IMAGE => {
                let mut header = [0; 9];
                reader.read_exact(&mut header)?;
                skip(reader, table(header[8]) + 1)?;
                sub_blocks(reader)?;
                pictures = true;
            }
            EXTENSION => {
                skip(reader, 1)?;
                sub_blocks(reader)?;
            }
            // Padding instead of the trailer.
            0 if only_zeros(reader)? => return Ok(found),
            _ => return Ok(None),
        }
    }
}

/// Bytes of the colour table that these flags announce.
fn table(flags: u8) -> u64 {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

fn byte(reader: &mut impl Read) -> Result<u8> {
    let mut byte = [0];
    reader.read_exact(&mut byte)?;
    Ok(byte[0])
}

fn sub_blocks(reader: &mut impl Read) -> Result<()> {
    loop {
        match byte(reader)? {
            0 => return Ok(()),
            length => skip(reader, length.into())?,
        }
    }
}

fn skip(reader: &mut impl Read, count: u64) -> Result<()> {
    match std::io::copy(&mut reader.take(count), &mut std::io::sink())? {
        skipped if skipped == count => Ok(()),
        _ => Err(ErrorKind::UnexpectedEof.into()),
    }
}

fn only_zeros(reader: &mut impl BufRead) -> Result<bool> {
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() || bytes.iter().any(|&byte| byte != 0) {
            return Ok(bytes.is_empty());
        }
        let count = bytes.len();
        reader.consume(count);
    }
}
