//! What follows a JPEG picture in its file: more pictures make it raw MJPEG, an MP4 makes it a motion photo. Both begin as a picture does.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// What a file is that begins with a JPEG picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// A picture, whatever else stands behind it.
    Picture,
    /// Pictures of one size, one behind the other.
    Stream,
    /// A video that begins at this byte.
    Video(u64),
}

/// Bytes behind the picture that are searched for the beginning of a video: phones put it at once behind the picture, or behind a second
/// picture of a few megabytes.
const SEARCHED: u64 = 64 << 20;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;

/// Looks behind the first picture of `path`.
pub(super) fn behind(path: &Path) -> io::Result<Tail> {
    let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
    let Some(first) = picture(&mut file)? else { return Ok(Tail::Picture) };
    let end = file.stream_position()?;
    if !first.multi_picture {
        // A stream's pictures touch; two are enough to know.
        if picture(&mut file)?.is_some_and(|second| second.size == first.size) {
            return Ok(Tail::Stream);
        }
        file.seek(SeekFrom::Start(end))?;
    }
    let at = find_video(&mut file.take(SEARCHED))?;
    Ok(at.map_or(Tail::Picture, |at| Tail::Video(end + at)))
}

struct Picture {
    /// Height and width, as the frame header has them.
    size: [u8; 4],
    /// Whether it says that other pictures follow (CIPA DC-007).
    multi_picture: bool,
}

/// Reads one picture to its end (ITU-T T.81, annex B); nothing where there is none or it has no end.
fn picture(file: &mut impl BufRead) -> io::Result<Option<Picture>> {
    let mut start = [0; 2];
    if !fill(file, &mut start)? || start != [0xff, SOI] {
        return Ok(None);
    }
    let mut found = Picture { size: [0; 4], multi_picture: false };
    let mut next = marker(file)?;
    loop {
        let Some(code) = next else { return Ok(None) };
        match code {
            EOI => return Ok(Some(found)),
            // Markers without a segment: restarts, and an empty one.
            0x01 | 0xd0..=0xd7 => {
                next = marker(file)?;
                continue;
            }
            _ => {}
        }
        let mut length = [0; 2];
        if !fill(file, &mut length)? {
            return Ok(None);
        }
        let Some(length) = u16::from_be_bytes(length).checked_sub(2) else { return Ok(None) };
        let mut segment = vec![0; usize::from(length)];
        if !fill(file, &mut segment)? {
            return Ok(None);
        }
        match code {
            // Frame headers: precision, then height and width.
            0xc0..=0xcf if !matches!(code, 0xc4 | 0xc8 | 0xcc) => {
                if let Some(size) = segment.get(1..5) {
                    found.size.copy_from_slice(size);
                }
            }
            0xe2 if segment.starts_with(b"MPF\0") => found.multi_picture = true,
            _ => {}
        }
        next = if code == SOS { after_scan(file)? } else { marker(file)? };
    }
}

/// The next marker; fill bytes before it are skipped.
fn marker(file: &mut impl BufRead) -> io::Result<Option<u8>> {
    let mut byte = [0];
    if !fill(file, &mut byte)? || byte[0] != 0xff {
        return Ok(None);
    }
    while byte[0] == 0xff {
        if !fill(file, &mut byte)? {
            return Ok(None);
        }
    }
    Ok(Some(byte[0]))
}

/// Goes through the coded data of a scan and gives the marker that ends it; nothing where the file ends before.
fn after_scan(file: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let Some(at) = bytes.iter().position(|&byte| byte == 0xff) else {
            let all = bytes.len();
            file.consume(all);
            continue;
        };
        file.consume(at);
        match marker(file)? {
            // A coded 0xff, and restarts, which stand within a scan.
            Some(0x00 | 0xd0..=0xd7) => {}
            marker => return Ok(marker),
        }
    }
}

/// Fills `buffer`; false where the file ends before.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Where an MP4 begins: a `ftyp` box, which is short and comes first.
fn find_video(file: &mut impl Read) -> io::Result<Option<u64>> {
    let mut window = vec![0; 1 << 16];
    let (mut kept, mut at) = (0, 0u64);
    loop {
        let got = file.read(&mut window[kept..])?;
        if got == 0 {
            return Ok(None);
        }
        let bytes = &window[..kept + got];
        for place in 4..bytes.len().saturating_sub(3) {
            if bytes[place..].starts_with(b"ftyp") {
                let size = u32::from_be_bytes([
                    bytes[place - 4],
                    bytes[place - 3],
                    bytes[place - 2],
                    bytes[place - 1],
                ]);
                if (12..=1024).contains(&size) {
                    return Ok(Some(at + place as u64 - 4));
                }
            }
        }
        let keep = bytes.len().min(7);
        let drop = bytes.len() - keep;
        window.copy_within(drop..drop + keep, 0);
        (kept, at) = (keep, at + drop as u64);
    }
}
