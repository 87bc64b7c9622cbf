//! Reading numbers from bytes nobody has vouched for: every step is checked, nothing panics.

/// What is wrong with some bytes, as the end of a sentence that starts with the file's name.
pub(super) type Problem = String;

/// A text from a file as messages show it: its beginning, where it is longer than any real name.
pub(super) fn short(text: &str) -> std::borrow::Cow<'_, str> {
    const MOST: usize = 120;
    match text.char_indices().nth(MOST) {
        None => text.into(),
        Some((end, _)) => format!("{}...", &text[..end]).into(),
    }
}

/// A position in bytes.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes, at: 0 }
    }

    /// How many bytes were read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Problem> {
        let taken = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end)).ok_or_else(|| {
            format!(
                "is cut short or damaged: {count} bytes are expected at byte {}, {} are there; download it again",
                self.at,
                self.remaining()
            )
        })?;
        self.at += count;
        Ok(taken)
    }

    /// Takes a number of bytes that came from the file itself and may be anything.
    pub fn take_long(&mut self, count: u64) -> Result<&'a [u8], Problem> {
        self.take(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub fn u8(&mut self) -> Result<u8, Problem> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u16(&mut self) -> Result<u16, Problem> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Problem> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Problem> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn i64(&mut self) -> Result<i64, Problem> {
        self.array().map(i64::from_le_bytes)
    }

    pub fn i32(&mut self) -> Result<i32, Problem> {
        self.array().map(i32::from_le_bytes)
    }

    pub fn f64_big_endian(&mut self) -> Result<f64, Problem> {
        self.array().map(f64::from_be_bytes)
    }

    /// A base-128 little-endian number of at most 64 bits, as LevelDB and protocol buffers write them.
    pub fn varint(&mut self) -> Result<u64, Problem> {
        let start = self.at;
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(format!("is damaged: the number at byte {start} has more than 64 bits; download it again"))
    }

    /// The bytes before the next newline, which is consumed.
    pub fn line(&mut self) -> Result<&'a [u8], Problem> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&b| b == b'\n').ok_or_else(|| {
            format!("is cut short: the line at byte {} has no end; download it again", self.at)
        })?;
        self.at += end + 1;
        Ok(&rest[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn varints_are_read_to_64_bits_and_no_further() {
        for (bytes, value) in [
            (&[0u8][..], 0u64),
            (&[0x7f], 127),
            (&[0x80, 0x01], 128),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], u64::MAX),
        ] {
            assert_eq!(Cursor::new(bytes).varint(), Ok(value));
        }
        let long = Cursor::new(&[0xff; 12]).varint().unwrap_err();
        assert!(long.contains("more than 64 bits"), "{long}");
        assert!(Cursor::new(&[0x80]).varint().unwrap_err().contains("cut short"));
    }

    #[test]
    fn a_length_beyond_the_end_is_no_overflow() {
        let mut cursor = Cursor::new(&[1, 2, 3]);
        cursor.u8().unwrap();
        assert!(cursor.take_long(u64::MAX).is_err());
        assert_eq!(cursor.position(), 1);
    }
}
