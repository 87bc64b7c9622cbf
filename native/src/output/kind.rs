//! What lies at a path already, told by its content: an earlier result may be replaced, anything else not without a word.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde::de::IgnoredAny;

/// What this program writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Json,
    /// A JSON object per line.
    Lines,
    Csv,
    Srt,
    Vtt,
    Text,
    Svg,
    Safetensors,
    Npy,
    Gif,
    Mp4,
}

/// Bytes of a file that are looked at; JSON alone is read to its end.
const HEAD: u64 = 1 << 16;

/// The longest header that the safetensors format allows.
const MOST_HEADER: u64 = 100_000_000;

impl Kind {
    /// In a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Json => "JSON",
            Kind::Lines => "lines of JSON",
            Kind::Csv => "CSV",
            Kind::Srt => "SubRip subtitles",
            Kind::Vtt => "WebVTT subtitles",
            Kind::Text => "text",
            Kind::Svg => "an SVG picture",
            Kind::Safetensors => "safetensors",
            Kind::Npy => "an .npy array",
            Kind::Gif => "a GIF",
            Kind::Mp4 => "an MP4 video",
        }
    }

    /// Whether a terminal cannot show it.
    pub fn is_binary(self) -> bool {
        matches!(self, Kind::Safetensors | Kind::Npy | Kind::Gif | Kind::Mp4)
    }

    /// How the names of such files end, where they are text.
    fn ending(self) -> Option<&'static str> {
        match self {
            Kind::Json => Some("json"),
            Kind::Lines => Some("jsonl"),
            Kind::Csv => Some("csv"),
            Kind::Srt => Some("srt"),
            Kind::Vtt => Some("vtt"),
            Kind::Text => Some("txt"),
            Kind::Svg => Some("svg"),
            Kind::Safetensors | Kind::Npy | Kind::Gif | Kind::Mp4 => None,
        }
    }

    /// Whether the file at `path` may be replaced by one of this kind: it is of it, or it is text of no kind in particular,
    /// such as the first half of a result, under a name that ends as this kind's do.
    pub fn may_replace(self, path: &Path) -> bool {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        let named = ending.is_some() && ending.as_deref() == self.ending();
        self.fits(path) || (named && describe(path) == Kind::Text.name())
    }

    /// Whether the file at `path` is of this kind.
    pub fn fits(self, path: &Path) -> bool {
        let Some(head) = head(path) else { return false };
        match self {
            // The beginning of much else looks like the beginning of JSON.
            Kind::Json => self.fits_head(&head) && is_json(path),
            _ => self.fits_head(&head),
        }
    }

    fn fits_head(self, head: &[u8]) -> bool {
        match self {
            Kind::Safetensors => {
                let length = head.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
                head.get(8) == Some(&b'{') && length.is_some_and(|length| length <= MOST_HEADER)
            }
            Kind::Npy => head.starts_with(b"\x93NUMPY"),
            Kind::Gif => head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a"),
            Kind::Mp4 => head.get(4..8) == Some(b"ftyp"),
            Kind::Text => text(head).is_some(),
            _ => text(head).is_some_and(|text| self.fits_text(text)),
        }
    }

    fn fits_text(self, text: &str) -> bool {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let mut lines = text.lines();
        match self {
            Kind::Json => text.starts_with(['{', '[']),
            // A run that was killed may have left half a line.
            Kind::Lines => match text.split_once('\n') {
                Some((first, _)) => {
                    first.starts_with('{') && serde_json::from_str::<IgnoredAny>(first).is_ok()
                }
                None => text.starts_with('{'),
            },
            Kind::Vtt => text.starts_with("WEBVTT"),
            Kind::Svg => text.contains("<svg"),
            Kind::Srt => {
                lines.next().is_some_and(|number| number.trim().parse::<u64>().is_ok())
                    && lines.next().is_some_and(|times| times.contains("-->"))
            }
            Kind::Csv => !text.starts_with(['{', '[']) && is_table(text),
            Kind::Text | Kind::Safetensors | Kind::Npy | Kind::Gif | Kind::Mp4 => false,
        }
    }
}

/// What the file at `path` seems to be.
pub fn describe(path: &Path) -> &'static str {
    let head = head(path).unwrap_or_default();
    let known = [
        Kind::Npy,
        Kind::Safetensors,
        Kind::Gif,
        Kind::Mp4,
        Kind::Svg,
        Kind::Vtt,
        Kind::Srt,
        Kind::Csv,
        Kind::Json,
        Kind::Lines,
        Kind::Text,
    ];
    if let Some(kind) = known.into_iter().find(|kind| kind.fits(path)) {
        return kind.name();
    }
    let others: [(&[u8], &str); 5] = [
        (b"\x89PNG", "a PNG picture"),
        (b"\xff\xd8\xff", "a JPEG picture"),
        (b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
        (b"RIFF", "an AVI video or another RIFF file"),
        (b"PK\x03\x04", "a zip archive"),
    ];
    let other = others.iter().find(|(magic, _)| head.starts_with(magic));
    other.map_or("something that this program does not write", |(_, name)| *name)
}

fn head(path: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEAD).read_to_end(&mut head).ok()?;
    Some(head)
}

/// The bytes as text up to the last whole character, if they are text.
fn text(head: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The end of the head may lie within a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let printable = |c: char| !c.is_control() || c.is_whitespace();
    text.trim_start_matches('\u{feff}').chars().all(printable).then_some(text)
}

/// Whether all lines have equally many fields, two or more.
fn is_table(text: &str) -> bool {
    // The last line may be cut.
    let whole = text.rfind('\n').map_or(text, |end| &text[..end + 1]);
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(whole.as_bytes());
    let mut rows = rows.records().peekable();
    rows.peek().is_some() && rows.all(|row| row.is_ok_and(|row| row.len() >= 2))
}

fn is_json(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    serde_json::from_reader::<_, IgnoredAny>(BufReader::new(file)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_says_what_a_file_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("named.anything");
        let all = [
            Kind::Json,
            Kind::Lines,
            Kind::Csv,
            Kind::Srt,
            Kind::Vtt,
            Kind::Svg,
            Kind::Safetensors,
            Kind::Npy,
            Kind::Gif,
            Kind::Mp4,
        ];
        let cut = [b"input,label\na,".as_slice(), "ä".repeat(HEAD as usize).as_bytes()].concat();
        let cases: [(&[u8], &[Kind]); 14] = [
            (b"{\"top\": []}\n", &[Kind::Json, Kind::Lines]),
            (b"[1, [2]]", &[Kind::Json]),
            (b"{\"step\":1}\n{\"step\":2}\n{\"st", &[Kind::Lines]),
            (b"[package]\nname = \"i3d\"\n", &[]),
            (b"input,label\na,\"x, y\"\n", &[Kind::Csv]),
            (&cut, &[Kind::Csv]),
            (b"Dear all,\n\nit rains, and it pours, and it rains.\n", &[]),
            (b"1\n00:00:00,000 --> 00:00:01,000\nrun\n", &[Kind::Srt]),
            (b"\xef\xbb\xbfWEBVTT\n", &[Kind::Vtt]),
            (b"<svg width=\"1\"></svg>", &[Kind::Svg]),
            (b"\x02\0\0\0\0\0\0\0{}", &[Kind::Safetensors]),
            (b"\x93NUMPY\x01\0", &[Kind::Npy]),
            (b"GIF89a", &[Kind::Gif]),
            (b"\0\0\0\x18ftypisom", &[Kind::Mp4]),
        ];
        for (content, kinds) in cases {
            std::fs::write(&path, content).expect("it is written");
            let found: Vec<Kind> = all.into_iter().filter(|kind| kind.fits(&path)).collect();
            assert_eq!(found, kinds, "{}", String::from_utf8_lossy(&content[..content.len().min(40)]));
        }
        for (content, name) in [
            (&b"words, and more words"[..], "text"),
            (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
            (b"{\"top\": []}\n", "JSON"),
            (b"\x80\x02}q\x00", "something that this program does not write"),
        ] {
            std::fs::write(&path, content).expect("it is written");
            assert_eq!(describe(&path), name);
        }
        for (name, content, may) in [
            ("a.json", "{\n  \"top\": [", true),
            ("a.json", "an older result", true),
            ("a.JSON", "an older result", true),
            ("a.json", "WEBVTT\n", false),
            ("a.json", "GIF89a", false),
            ("a.txt", "an older result", false),
            ("json", "an older result", false),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, content).expect("it is written");
            assert_eq!(Kind::Json.may_replace(&path), may, "{name}: {content}");
        }
    }
}
