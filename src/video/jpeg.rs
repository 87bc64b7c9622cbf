//! Whether a JPEG is all there. Decoders are lenient: they paint what is missing grey and say nothing.
//!
//! A JPEG that ends with its marker is taken for complete, whatever lies behind (a motion photo's film, padding). Without
//! that marker bits that belong to no picture are put behind the data: a complete picture does not change by them, a cut one
//! takes them for its own.

use image::codecs::jpeg::JpegDecoder;
use image::{DynamicImage, ImageResult};
use std::io::Cursor;

const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];

/// Bits that no decoder takes for nothing: neither all zeros nor all ones, which fill up what is cut.
const STRANGE: [u8; 8] = [0x5a, 0x93, 0xc6, 0x1d, 0xa7, 0x38, 0xe4, 0x6b];

/// How many of [`STRANGE`] are put behind the data: more than any block takes.
const STRANGE_TIMES: usize = 256;

/// A JPEG in memory.
pub(super) struct Jpeg {
    /// The file up to where the picture's coded data ends, then the end marker.
    bytes: Vec<u8>,
    /// Whether the file had the end marker.
    ended: bool,
    /// Whether all scans that make up the picture begin.
    scans: bool,
}

impl Jpeg {
    /// A JPEG and what its markers say about its end.
    pub fn new(mut bytes: Vec<u8>) -> Jpeg {
        let Walk { end, ended, scans } = walk(&bytes);
        bytes.truncate(end);
        if !ended {
            // Disks that were full leave zeros where data should be; half a stuffed byte is none.
            while bytes.ends_with(&[0, 0]) || bytes.ends_with(&[0xff]) {
                bytes.pop();
            }
        }
        bytes.extend(END_OF_IMAGE);
        Jpeg { bytes, ended, scans }
    }

    /// Its decoder.
    pub fn decoder(&self) -> ImageResult<JpegDecoder<Cursor<&[u8]>>> {
        JpegDecoder::new(Cursor::new(&self.bytes))
    }

    /// Whether `image`, which was decoded of this file, is the whole picture.
    pub fn is_whole(&self, image: &DynamicImage) -> bool {
        if self.ended {
            return true;
        }
        if !self.scans {
            return false;
        }
        let data = &self.bytes[..self.bytes.len() - END_OF_IMAGE.len()];
        let longer = [data, &STRANGE.repeat(STRANGE_TIMES), &END_OF_IMAGE].concat();
        let longer = JpegDecoder::new(Cursor::new(&longer)).and_then(DynamicImage::from_decoder);
        longer.is_ok_and(|longer| longer.as_bytes() == image.as_bytes())
    }
}

/// What the markers of a file say.
struct Walk {
    /// Where the data of the picture ends.
    end: usize,
    /// Whether the end marker stands there.
    ended: bool,
    /// Whether the scans so far have all bits of all coefficients.
    scans: bool,
}

/// Goes from marker to marker.
fn walk(bytes: &[u8]) -> Walk {
    let mut scans = Scans::default();
    let mut at = 2;
    loop {
        let Some(marker) = bytes.get(at..).and_then(next_marker) else {
            return Walk { end: bytes.len(), ended: false, scans: scans.complete() };
        };
        at += marker;
        match bytes[at] {
            0xd9 => return Walk { end: at - 1, ended: true, scans: true },
            // Another picture begins before this one has ended.
            0xd8 => return Walk { end: at - 1, ended: false, scans: scans.complete() },
            0x01 | 0xd0..=0xd7 => at += 1,
            code => {
                let length = bytes.get(at + 1..at + 3).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])));
                let Some(segment) = length.and_then(|length| bytes.get(at + 3..at + 1 + length.max(2)))
                else {
                    return Walk { end: bytes.len(), ended: false, scans: false };
                };
                scans.note(code, segment);
                at += 3 + segment.len();
            }
        }
    }
}

/// The place of the next marker's code in `bytes`; stuffed bytes and fill bytes are no markers.
fn next_marker(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += bytes[at..].iter().position(|&byte| byte == 0xff)? + 1;
        match bytes.get(at)? {
            0x00 => at += 1,
            0xff => {}
            _ => return Some(at),
        }
    }
}

/// Which bits of which coefficients the scans of a file have.
#[derive(Default)]
struct Scans {
    progressive: bool,
    /// Of each component its identifier, and of each coefficient how many of its lowest bits are missing.
    components: Vec<(u8, [u8; 64])>,
}

impl Scans {
    fn note(&mut self, code: u8, segment: &[u8]) {
        match code {
            // Start of frame; the other codes of this range are tables.
            0xc0..=0xcf if !matches!(code, 0xc4 | 0xc8 | 0xcc) => {
                self.progressive = matches!(code & 3, 2);
                let components = segment.get(6..).unwrap_or_default().chunks_exact(3);
                self.components = components.map(|component| (component[0], [u8::MAX; 64])).collect();
            }
            0xda => {
                let Some((&count, rest)) = segment.split_first() else { return };
                let (Some(selected), Some(&[from, to, bits])) = (
                    rest.get(..2 * usize::from(count)),
                    rest.get(2 * usize::from(count)..).and_then(<[u8]>::first_chunk),
                ) else {
                    return;
                };
                // Only progressive scans bring coefficients piece by piece.
                let (from, to, bits) =
                    if self.progressive { (from, to.min(63), bits & 15) } else { (0, 63, 0) };
                for component in selected.chunks_exact(2) {
                    let known = self.components.iter_mut().find(|known| known.0 == component[0]);
                    let range = known.and_then(|known| known.1.get_mut(usize::from(from)..=usize::from(to)));
                    range.unwrap_or_default().fill(bits);
                }
            }
            _ => {}
        }
    }

    /// Whether nothing is missing.
    fn complete(&self) -> bool {
        self.components.iter().all(|(_, missing)| missing.iter().all(|&bits| bits == 0))
    }
}
