//! The `.npy` format of numpy: a short header in Python's notation, then the bare values.

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// What a `.npy` header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The type as numpy writes it, such as `<f4`; of a structured array, the whole list.
    pub descr: String,
    /// True where the first axis runs fastest.
    pub fortran_order: bool,
    pub shape: Vec<usize>,
}

impl Header {
    /// Splits a file into its header and its values. The error is the beginning of a sentence.
    pub fn parse(bytes: &[u8]) -> Result<(Header, &[u8]), String> {
        let Some(rest) = bytes.strip_prefix(MAGIC) else {
            return Err("this is no .npy file, nor a .npz archive".into());
        };
        let cut = || "the file is cut off inside its header".to_owned();
        let (length, rest) = match *rest {
            [1, _, a, b, ..] => (usize::from(u16::from_le_bytes([a, b])), &rest[4..]),
            [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([a, b, c, d]) as usize, &rest[6..]),
            [version, _, _, _, _, _, ..] => {
                return Err(format!("the file has .npy version {version}; expected 1, 2 or 3"));
            }
            _ => return Err(cut()),
        };
        let (header, values) = rest.split_at_checked(length).ok_or_else(cut)?;
        let unclear = |what: &str| format!("the header of the file is damaged ({what} cannot be read)");
        let header = std::str::from_utf8(header).map_err(|_| unclear("its text"))?;
        let header = Header {
            descr: descr(header).ok_or_else(|| unclear("`descr`"))?,
            fortran_order: match value(header, "fortran_order").ok_or_else(|| unclear("`fortran_order`"))? {
                text if text.starts_with("True") => true,
                text if text.starts_with("False") => false,
                _ => return Err(unclear("`fortran_order`")),
            },
            shape: shape(header).ok_or_else(|| unclear("`shape`"))?,
        };
        Ok((header, values))
    }

    /// The shape as people write it.
    pub fn shape_text(&self) -> String {
        let dims: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        format!("[{}]", dims.join(", "))
    }

    /// The values, in the order of the file. Errors are whole sentences.
    pub fn float(&self, values: &[u8]) -> Result<Vec<f32>, String> {
        let convert: fn([u8; 4]) -> f32 = match self.descr.as_str() {
            "<f4" => f32::from_le_bytes,
            ">f4" => f32::from_be_bytes,
            // numpy writes "=f4" never, but old files do; those machines were little-endian.
            "=f4" | "f4" => f32::from_le_bytes,
            other => {
                let name = type_name(other);
                let advice = match name {
                    "Python objects" => "build one array of numbers and save it with allow_pickle=False",
                    "uint8" | "int8" => "scale it to [-1, 1] and convert it with array.astype(numpy.float32)",
                    _ => "convert it with array.astype(numpy.float32)",
                };
                return Err(format!("the array holds {name} (`{other}`); expected float32, so {advice}"));
            }
        };
        let count = self.shape.iter().try_fold(4usize, |bytes, &dim| bytes.checked_mul(dim));
        let found = values.len();
        // Checked before anything of that size is set aside.
        match count {
            Some(expected) if expected == found => {}
            Some(expected) if expected < found => {
                let more = found - expected;
                return Err(format!(
                    "the file has {more} bytes more than its shape {} needs; save it again",
                    self.shape_text()
                ));
            }
            expected => {
                let expected = expected
                    .map_or("more bytes than any computer holds".to_owned(), |n| format!("{n} bytes"));
                let shape = self.shape_text();
                return Err(format!(
                    "the file is cut off: its shape {shape} needs {expected} of values, but {found} are there; copy or save it again"
                ));
            }
        }
        let (words, _) = values.as_chunks::<4>();
        Ok(words.iter().map(|&word| convert(word)).collect())
    }
}

/// What stands behind `'key':` in a Python dictionary.
fn value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let quoted =
        |quote: char| header.split_once(&format!("{quote}{key}{quote}:")).map(|(_, rest)| rest.trim_start());
    quoted('\'').or_else(|| quoted('"'))
}

fn descr(header: &str) -> Option<String> {
    let text = value(header, "descr")?;
    let first = text.chars().next()?;
    match first {
        '\'' | '"' => Some(text[1..].split_once(first)?.0.to_owned()),
        '[' => Some(
            text.split_once("'fortran_order'")
                .map_or(text, |(list, _)| list)
                .trim_end_matches([' ', ','])
                .to_owned(),
        ),
        _ => None,
    }
}

fn shape(header: &str) -> Option<Vec<usize>> {
    let (dims, _) = value(header, "shape")?.strip_prefix('(')?.split_once(')')?;
    // Python writes one dimension as "(5,)", and Python 2 large ones as "5L".
    let dims = dims.split(',').map(|dim| dim.trim().trim_end_matches('L')).filter(|dim| !dim.is_empty());
    dims.map(|dim| dim.parse().ok()).collect()
}

fn type_name(descr: &str) -> &str {
    match descr.trim_start_matches(['<', '>', '|', '=']) {
        "f8" => "float64",
        "f2" => "float16",
        "f16" => "float128",
        "u1" => "uint8",
        "i1" => "int8",
        "i4" => "int32",
        "i8" => "int64",
        "b1" => "booleans",
        "O" => "Python objects",
        _ if descr.starts_with('[') => "records",
        _ => "another type",
    }
}

/// An array as a `.npy` file, float32, little-endian, C order.
///
/// # Shapes
/// `data` holds as many values as the product of `shape`.
pub fn npy_bytes(shape: &[usize], data: &[f32]) -> Vec<u8> {
    let mut dims: Vec<String> = shape.iter().map(usize::to_string).collect();
    if dims.len() == 1 {
        dims.push(String::new());
    }
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", dims.join(", ").trim_end());
    // numpy wants the values to start at a multiple of 64, behind 10 bytes, the header and a line end.
    let padding = (64 - (MAGIC.len() + 4 + header.len() + 1) % 64) % 64;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    let mut file = Vec::with_capacity(10 + header.len() + data.len() * 4);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&[1, 0]);
    file.extend_from_slice(&(header.len() as u16).to_le_bytes());
    file.extend_from_slice(header.as_bytes());
    file.extend(data.iter().flat_map(|value| value.to_le_bytes()));
    file
}
