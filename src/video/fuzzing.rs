//! The parsers behind this module's files and programs, for the fuzz targets in `fuzz/`; no part of the library's interface.

use std::io::Cursor;

use super::nut::NutReader;

/// No frame of a fuzzed stream is larger.
const FRAME: u64 = 1 << 16;

/// A stream as `ffmpeg` writes it.
pub fn nut(bytes: &[u8]) {
    let Ok(mut reader) = NutReader::new(Cursor::new(bytes)) else { return };
    while let Ok(Some(_)) = reader.next_frame(FRAME) {}
}

/// What `ffprobe` says of a file.
pub fn probe(bytes: &[u8]) {
    super::probe::fuzz(bytes);
}
