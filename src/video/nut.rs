//! Reads the NUT container as `ffmpeg` writes it: one raw video stream, every frame with its exact time.
//!
//! NUT is the simplest container of ffmpeg that carries raw frames together with exact times, on one pipe; the plain
//! `rawvideo` output has no times, and Matroska rounds them to milliseconds. Names follow the NUT specification.

use std::io::{self, ErrorKind, Read};

const FILE_ID: &[u8; 25] = b"nut/multimedia container\0";
const MAIN: u64 = 0x4E4D_7A56_1F5F_04AD;
const STREAM: u64 = 0x4E53_1140_5BF2_F9DB;
const SYNCPOINT: u64 = 0x4E4B_E4AD_EECA_4569;

const FLAG_EOR: u64 = 1 << 1;
const FLAG_CODED_PTS: u64 = 1 << 3;
const FLAG_STREAM_ID: u64 = 1 << 4;
const FLAG_SIZE_MSB: u64 = 1 << 5;
const FLAG_CHECKSUM: u64 = 1 << 6;
const FLAG_RESERVED: u64 = 1 << 7;
const FLAG_SIDE_DATA: u64 = 1 << 8;
const FLAG_HEADER_IDX: u64 = 1 << 10;
const FLAG_MATCH_TIME: u64 = 1 << 11;
const FLAG_CODED: u64 = 1 << 12;
const FLAG_INVALID: u64 = 1 << 13;

/// Frames above this size never leave out a header.
const ELISION_LIMIT: u64 = 4096;
/// No header is larger; a larger one is damage.
const HEADER_LIMIT: u64 = 1 << 24;

#[derive(Debug, Clone, Copy, Default)]
struct FrameCode {
    flags: u64,
    pts_delta: i64,
    size_mul: u64,
    size_lsb: u64,
    reserved: u64,
    header: usize,
}

/// The frames of a NUT stream.
#[derive(Debug)]
pub struct NutReader<R> {
    input: R,
    codes: Vec<FrameCode>,
    headers: Vec<Vec<u8>>,
    time_bases: Vec<(u64, u64)>,
    time_base: usize,
    msb_pts_shift: u32,
    last_pts: i64,
    width: u64,
    height: u64,
}

/// A frame.
#[derive(Debug)]
pub struct NutFrame {
    /// Its time in units of [`NutReader::time_base`].
    pub ticks: i64,
    /// Its bytes.
    pub data: Vec<u8>,
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the NUT stream from ffmpeg is damaged: {what}"))
}

fn byte(input: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    input.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// A `v`: seven bits a byte, the highest first, the top bit set on all but the last.
fn unsigned(input: &mut impl Read) -> io::Result<u64> {
    let mut value = 0u64;
    loop {
        let next = byte(input)?;
        if value >> 57 != 0 {
            return Err(damaged("a number has more than 64 bits"));
        }
        value = value << 7 | u64::from(next & 0x7f);
        if next & 0x80 == 0 {
            return Ok(value);
        }
    }
}

/// An `s`: a `v` that counts 0, 1, -1, 2, -2 and so on.
fn signed(input: &mut impl Read) -> io::Result<i64> {
    let coded = unsigned(input)?.saturating_add(1);
    let half = (coded >> 1) as i64;
    Ok(if coded & 1 == 1 { -half } else { half })
}

/// The contents of a packet behind its start code, without the checksum at its end.
fn packet(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let size = unsigned(input)?;
    if !(4..=HEADER_LIMIT).contains(&size) {
        return Err(damaged("a header has an impossible size"));
    }
    if size > 4096 {
        input.read_exact(&mut [0; 4])?;
    }
    let mut payload = vec![0; size as usize];
    input.read_exact(&mut payload)?;
    payload.truncate(size as usize - 4);
    Ok(payload)
}

impl<R: Read> NutReader<R> {
    /// Reads the headers up to the description of the stream. An end of file here means that no stream came.
    pub fn new(mut input: R) -> io::Result<Self> {
        let mut id = [0; FILE_ID.len()];
        input.read_exact(&mut id)?;
        if &id != FILE_ID {
            return Err(damaged("it does not begin as one"));
        }
        let mut reader = NutReader {
            input,
            codes: Vec::new(),
            headers: vec![Vec::new()],
            time_bases: Vec::new(),
            time_base: 0,
            msb_pts_shift: 0,
            last_pts: 0,
            width: 0,
            height: 0,
        };
        loop {
            let first = byte(&mut reader.input)?;
            let (code, payload) = reader.start_code_packet(first)?;
            match code {
                MAIN => reader.main_header(&mut payload.as_slice())?,
                STREAM => {
                    reader.stream_header(&mut payload.as_slice())?;
                    return Ok(reader);
                }
                _ => {}
            }
        }
    }

    /// Width and height of the frames in pixels, as the container says.
    pub fn size(&self) -> (u64, u64) {
        (self.width, self.height)
    }

    /// The unit of frame times in seconds, as a fraction.
    pub fn time_base(&self) -> (u64, u64) {
        self.time_bases[self.time_base]
    }

    fn start_code_packet(&mut self, first: u8) -> io::Result<(u64, Vec<u8>)> {
        let mut code = [first; 8];
        self.input.read_exact(&mut code[1..])?;
        if first != b'N' {
            return Err(damaged("a start code is missing"));
        }
        Ok((u64::from_be_bytes(code), packet(&mut self.input)?))
    }

    fn main_header(&mut self, input: &mut &[u8]) -> io::Result<()> {
        let version = unsigned(input)?;
        if version != 3 {
            return Err(damaged(&format!("version {version} where 3 was expected")));
        }
        if unsigned(input)? != 1 {
            return Err(damaged("it has more than one stream"));
        }
        let _max_distance = unsigned(input)?;
        self.time_bases.clear();
        for _ in 0..unsigned(input)?.min(1024) {
            let (numerator, denominator) = (unsigned(input)?, unsigned(input)?);
            if numerator == 0 || denominator == 0 {
                return Err(damaged("a time base is zero"));
            }
            self.time_bases.push((numerator, denominator));
        }
        self.frame_codes(input)?;
        if !input.is_empty() {
            self.headers.truncate(1);
            for _ in 0..unsigned(input)?.min(128) {
                let mut header = vec![0; unsigned(input)?.min(256) as usize];
                input.read_exact(&mut header)?;
                self.headers.push(header);
            }
        }
        Ok(())
    }

    /// The table that gives each first byte of a frame its meaning, run-length coded.
    fn frame_codes(&mut self, input: &mut &[u8]) -> io::Result<()> {
        self.codes.clear();
        let (mut pts_delta, mut size_mul, mut header) = (0, 1, 0);
        while self.codes.len() < 256 {
            let flags = unsigned(input)?;
            let fields = unsigned(input)?;
            if fields > 0 {
                pts_delta = signed(input)?;
            }
            if fields > 1 {
                size_mul = unsigned(input)?;
            }
            if fields > 2 {
                let _stream = unsigned(input)?;
            }
            let size = if fields > 3 { unsigned(input)? } else { 0 };
            let reserved = if fields > 4 { unsigned(input)? } else { 0 };
            let count = if fields > 5 { unsigned(input)? } else { size_mul.saturating_sub(size) };
            if fields > 6 {
                let _match_time = signed(input)?;
            }
            if fields > 7 {
                header = unsigned(input)?;
            }
            for _ in 8..fields {
                unsigned(input)?;
            }
            let mut left = count;
            while left > 0 && self.codes.len() < 256 {
                // 'N' starts the start codes, so it is never a frame and takes no part in a run.
                if self.codes.len() == usize::from(b'N') {
                    self.codes.push(FrameCode { flags: FLAG_INVALID, ..FrameCode::default() });
                    continue;
                }
                let size_lsb = size.saturating_add(count - left);
                let header = header as usize;
                self.codes.push(FrameCode { flags, pts_delta, size_mul, size_lsb, reserved, header });
                left -= 1;
            }
        }
        Ok(())
    }

    fn stream_header(&mut self, input: &mut &[u8]) -> io::Result<()> {
        let _id = unsigned(input)?;
        if unsigned(input)? != 0 {
            return Err(damaged("the stream is no video"));
        }
        let fourcc = unsigned(input)?;
        skip(input, fourcc)?;
        self.time_base = unsigned(input)? as usize;
        if self.time_base >= self.time_bases.len() {
            return Err(damaged("the stream names no time base"));
        }
        self.msb_pts_shift = unsigned(input)?.min(32) as u32;
        let _max_pts_distance = unsigned(input)?;
        let _decode_delay = unsigned(input)?;
        let _stream_flags = unsigned(input)?;
        let codec_specific = unsigned(input)?;
        skip(input, codec_specific)?;
        self.width = unsigned(input)?;
        self.height = unsigned(input)?;
        Ok(())
    }

    /// A syncpoint resets the time against which the next frame's time is coded.
    fn syncpoint(&mut self, input: &mut &[u8]) -> io::Result<()> {
        let coded = unsigned(input)?;
        let bases = self.time_bases.len() as u64;
        let (from, to) = (self.time_bases[(coded % bases) as usize], self.time_bases[self.time_base]);
        let scaled = u128::from(coded / bases) * u128::from(from.0) * u128::from(to.1)
            / (u128::from(from.1) * u128::from(to.0));
        self.last_pts = i64::try_from(scaled).map_err(|_| damaged("a time is out of range"))?;
        Ok(())
    }

    /// The next frame. `None` at the end of the stream; an
    /// [`ErrorKind::UnexpectedEof`] where it ends inside a frame. `limit` bounds the size of a frame in bytes.
    pub fn next_frame(&mut self, limit: u64) -> io::Result<Option<NutFrame>> {
        loop {
            let mut first = [0];
            match self.input.read(&mut first) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if first[0] == b'N' {
                let (code, payload) = self.start_code_packet(first[0])?;
                if code == SYNCPOINT {
                    self.syncpoint(&mut payload.as_slice())?;
                }
                continue;
            }
            if let Some(frame) = self.frame(first[0], limit)? {
                return Ok(Some(frame));
            }
        }
    }

    fn frame(&mut self, first: u8, limit: u64) -> io::Result<Option<NutFrame>> {
        let input = &mut self.input;
        let Some(&code) = self.codes.get(usize::from(first)) else {
            return Err(damaged("a frame comes before the main header"));
        };
        let FrameCode { mut flags, pts_delta, size_mul, size_lsb, mut reserved, mut header } = code;
        if flags & FLAG_INVALID != 0 {
            return Err(damaged("a frame begins with an invalid code"));
        }
        if flags & FLAG_CODED != 0 {
            flags ^= unsigned(input)?;
        }
        if flags & FLAG_STREAM_ID != 0 {
            let _stream = unsigned(input)?;
        }
        let pts = if flags & FLAG_CODED_PTS != 0 {
            let coded = i64::try_from(unsigned(input)?).map_err(|_| damaged("a time is out of range"))?;
            let wrap = 1i64 << self.msb_pts_shift;
            if coded < wrap {
                // Only the low bits are written: the full time is the one nearest to the last.
                let lowest = self.last_pts.saturating_sub((wrap - 1) / 2);
                (coded.wrapping_sub(lowest) & (wrap - 1)).saturating_add(lowest)
            } else {
                coded - wrap
            }
        } else {
            self.last_pts.saturating_add(pts_delta)
        };
        let mut size = size_lsb;
        if flags & FLAG_SIZE_MSB != 0 {
            size = size.saturating_add(size_mul.saturating_mul(unsigned(input)?));
        }
        if flags & FLAG_MATCH_TIME != 0 {
            signed(input)?;
        }
        if flags & FLAG_HEADER_IDX != 0 {
            header = unsigned(input)? as usize;
        }
        if flags & FLAG_RESERVED != 0 {
            reserved = unsigned(input)?;
        }
        for _ in 0..reserved.min(256) {
            unsigned(input)?;
        }
        if flags & FLAG_CHECKSUM != 0 {
            input.read_exact(&mut [0; 4])?;
        }
        if flags & FLAG_SIDE_DATA != 0 {
            return Err(damaged("a frame carries side data"));
        }
        self.last_pts = pts;
        if flags & FLAG_EOR != 0 && size == 0 {
            return Ok(None);
        }
        if size > limit {
            return Err(damaged(&format!("a frame has {size} bytes where at most {limit} were expected")));
        }
        let mut data = Vec::with_capacity(size as usize);
        if size <= ELISION_LIMIT {
            data.extend_from_slice(
                self.headers.get(header).ok_or_else(|| damaged("a frame names no header"))?,
            );
        }
        let left = size
            .checked_sub(data.len() as u64)
            .ok_or_else(|| damaged("a frame is shorter than its header"))?;
        if input.take(left).read_to_end(&mut data)? as u64 != left {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(NutFrame { ticks: pts, data }))
    }
}

fn skip(input: &mut &[u8], bytes: u64) -> io::Result<()> {
    let rest = usize::try_from(bytes).ok().and_then(|n| input.get(n..));
    *input = rest.ok_or(ErrorKind::UnexpectedEof)?;
    Ok(())
}
