//! What ffmpeg and ffprobe print: which lines tell of damaged pictures, and which one tells the most.

use super::tools::Input;
use std::collections::VecDeque;

/// Lines that are kept: enough to find the telling one; a broken file can print thousands.
const KEPT: usize = 16;

/// The errors that a program printed.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    lines: VecDeque<Complaint>,
    /// What was said while the file was only looked at. ffmpeg looks in the same way before it decodes, so it says the same once more.
    foretold: Vec<String>,
    /// Whether the decoder of the pictures complained after its first picture, or of something else than missing references.
    pub damaged: bool,
    /// Whether the decoder complained before its first picture of references that a recording lacks which begins in the middle.
    pub headless: bool,
}

#[derive(Debug)]
struct Complaint {
    of_pictures: bool,
    text: String,
}

/// Whose complaints those of the pictures are.
#[derive(Debug, Clone)]
pub(super) struct Pictures {
    /// The codec, as ffprobe names it.
    pub codec: String,
    /// The index of the stream in the file.
    pub stream: usize,
}

impl Complaints {
    /// Those of a program that first says again what was said in `before`.
    pub fn after(before: &Complaints) -> Complaints {
        let foretold = before.lines.iter().map(|line| line.text.clone()).collect();
        Complaints { foretold, ..Complaints::default() }
    }

    /// Takes a line in. `shown` says whether a picture came before it.
    pub fn hear(&mut self, line: &str, input: &Input, pictures: Option<&Pictures>, shown: bool) {
        let Some(Line { components, text }) = Line::parse(line, input) else {
            return;
        };
        let of_pictures = pictures.is_some_and(|pictures| pictures.complain(&components, text));
        let full = match components.last() {
            // A demuxer's name is the list of all formats that it reads.
            Some(name) => format!("{}: {text}", name.split(',').next().unwrap_or(name)),
            None => text.to_owned(),
        };
        let said = self.foretold.iter().position(|line| *line == full);
        if let Some(said) = said {
            self.foretold.swap_remove(said);
        } else if of_pictures {
            match !shown && HEADLESS.iter().any(|words| text.contains(words)) {
                true => self.headless = true,
                // The summing-up adds nothing to the line that it sums up.
                false if !shown && self.headless && is_vague(text) => {}
                false => self.damaged = true,
            }
        }
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(Complaint { of_pictures, text: full });
    }

    /// Whether nothing was printed.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The most telling line: about the pictures if there is one, and not one that only repeats that something is wrong.
    pub fn words(&self) -> Option<&str> {
        let last = |of_pictures: bool, vague: bool| {
            let fits =
                |line: &&Complaint| (line.of_pictures || !of_pictures) && (vague || !is_vague(&line.text));
            self.lines.iter().rev().find(fits)
        };
        let line = last(true, false).or_else(|| last(false, false)).or_else(|| last(false, true))?;
        Some(&line.text)
    }

    /// The demuxer that ffmpeg would have used, where it was refused because it reads other files.
    pub fn refused_format(&self) -> Option<&str> {
        let line = self.lines.iter().find(|line| line.text.contains("Format not on whitelist"))?;
        line.text.split(':').next()
    }
}

impl Pictures {
    fn complain(&self, components: &[&str], text: &str) -> bool {
        let Pictures { codec, stream } = self;
        let of_stream = format!("#0:{stream}");
        components.iter().any(|name| {
            // `[h264 @ 0x..]`; newer versions add `[vist#0:0/h264 @ 0x..] [dec:h264 @ 0x..]`.
            let name = name.strip_prefix("dec:").unwrap_or(name);
            let own_stream = name.strip_prefix("vist").and_then(|name| name.split('/').next());
            name == codec || own_stream == Some(of_stream.as_str()) || WRAPPERS.contains(&(codec, name))
        }) || text
            .split_once("stream ")
            .is_some_and(|(_, rest)| rest.split(':').take(2).eq(of_stream.split(':')))
    }
}

/// Decoders whose name is not that of the codec.
const WRAPPERS: [(&str, &str); 7] = [
    ("av1", "libdav1d"),
    ("av1", "libaom-av1"),
    ("vp8", "libvpx"),
    ("vp9", "libvpx-vp9"),
    ("hevc", "libde265"),
    ("msmpeg4v3", "msmpeg4"),
    ("mpeg2video", "mpegvideo"),
];

/// Lines that only repeat that something went wrong.
const VAGUE: [&str; 10] = [
    "Invalid data found when processing input",
    "Conversion failed",
    "Error while decoding stream",
    "Error while processing the decoded data",
    "Error submitting packet to decoder",
    "Error opening input",
    "Error splitting the input",
    "Task finished with error code",
    "Terminating thread with return code",
    "Nothing was written into output file",
];

fn is_vague(text: &str) -> bool {
    VAGUE.iter().any(|words| text.contains(words))
}

/// Complaints about the bookkeeping of intact streams, or about our own output; they say nothing about pictures.
const HARMLESS: [&str; 5] = [
    "mmco: unref short failure",
    "co located POCs unavailable",
    "number of reference frames",
    "non monotonically increasing dts",
    "deprecated pixel format",
];

/// What decoders say of pictures whose references or parameters came before the file begins.
const HEADLESS: [&str; 18] = [
    "non-existing PPS",
    "non-existing SPS",
    "PPS id out of range",
    "SPS id out of range",
    "pps_id",
    "sps_id",
    "decode_slice_header error",
    "no frame!",
    "Missing reference picture",
    "reference picture missing",
    "Missing picture start code",
    "Could not find ref with POC",
    "Not all references are available",
    "Requested reference",
    "without a prior keyframe",
    "Invalid frame dimensions 0x0",
    "Invalid level prefix",
    "sequence header",
];

/// An error line, taken apart.
struct Line<'a> {
    /// `[NAME @ ADDRESS]`, outermost first.
    components: Vec<&'a str>,
    text: &'a str,
}

impl<'a> Line<'a> {
    /// Nothing for lines that are not errors.
    fn parse(line: &'a str, input: &Input) -> Option<Line<'a>> {
        let line = line.trim();
        let (before, text) =
            ["[error] ", "[fatal] ", "[panic] "].iter().find_map(|level| line.split_once(level))?;
        if HARMLESS.iter().any(|words| text.contains(words)) {
            return None;
        }
        // The message begins with the place already.
        let own_name = input.argument();
        let own_name = own_name.to_string_lossy();
        let text = text.trim();
        let text = text.strip_prefix(&*own_name).and_then(|text| text.strip_prefix(": ")).unwrap_or(text);
        let names = before.split('[').filter_map(|part| part.split_once(" @ ")).map(|(name, _)| name);
        Some(Line { components: names.collect(), text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &str, shown: bool) -> Complaints {
        let input = Input { path: "a b.mp4".into(), start: 0, format: None };
        let pictures = Pictures { codec: "h264".into(), stream: 1 };
        let mut complaints = Complaints::default();
        lines.lines().for_each(|line| complaints.hear(line, &input, Some(&pictures), shown));
        complaints
    }

    #[test]
    fn lines_of_ffmpeg() {
        let says = |line| heard(line, true).words().map(str::to_owned);
        assert_eq!(
            says("[h264 @ 0x55d0] [error] error while decoding MB 1 2").as_deref(),
            Some("h264: error while decoding MB 1 2")
        );
        assert_eq!(
            says("[mov,mp4,m4a @ 0x1] [error] moov atom not found").as_deref(),
            Some("mov: moov atom not found")
        );
        assert_eq!(says("[error] file:a b.mp4: Invalid data").as_deref(), Some("Invalid data"));
        assert_eq!(says("[swscaler @ 0x1] [warning] deprecated"), None);
        assert_eq!(says("[h264 @ 0x1] [error] mmco: unref short failure"), None);
    }

    #[test]
    fn the_telling_line_wins() {
        let lines = "[h264 @ 0x1] [error] bad slice\n[error] Error while decoding stream #0:1: Invalid data\n[aac @ 0x2] [error] bad sound\n[fatal] Conversion failed!";
        assert_eq!(heard(lines, true).words(), Some("h264: bad slice"));
        assert_eq!(heard(&"[error] again\n".repeat(1000), true).lines.len(), KEPT);
        assert_eq!(heard("", true).words(), None);
    }

    #[test]
    fn only_the_decoder_of_the_pictures_tells_of_damage() {
        for line in [
            "[h264 @ 0x1] [error] bad slice",
            "[error] Error while decoding stream #0:1: Invalid data",
            "[vist#0:1/h264 @ 0x1] [dec:h264 @ 0x2] [error] Error submitting packet to decoder: Invalid data",
        ] {
            assert!(heard(line, true).damaged, "{line}");
        }
        for line in [
            "[aac @ 0x1] [error] channel element 3.12 is not allocated",
            "[error] Error while decoding stream #0:0: Invalid data",
            "[error] Error while decoding stream #0:12: Invalid data",
            "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x1] [error] Referenced QT chapter track not found",
            "[aist#0:0/aac @ 0x1] [dec:aac @ 0x2] [error] Error submitting packet to decoder: Invalid data",
        ] {
            assert!(!heard(line, true).damaged, "{line}");
        }
    }

    #[test]
    fn what_was_said_before_decoding_says_nothing_of_decoding() {
        let line = "[h264 @ 0x1] [error] reference count 1 overflow";
        let mut complaints = Complaints::after(&heard(line, false));
        let input = Input { path: "a.flv".into(), start: 0, format: None };
        let pictures = Pictures { codec: "h264".into(), stream: 0 };
        complaints.hear(line, &input, Some(&pictures), false);
        assert!(!complaints.damaged);
        complaints.hear(line, &input, Some(&pictures), false);
        assert!(complaints.damaged);
    }

    #[test]
    fn a_recording_may_begin_in_the_middle() {
        let lines = "[h264 @ 0x1] [error] non-existing PPS 0 referenced\n[h264 @ 0x1] [error] decode_slice_header error\n[error] Error while decoding stream #0:1: Invalid data";
        let complaints = heard(lines, false);
        assert!(complaints.headless && !complaints.damaged);
        assert!(heard(lines, true).damaged);
        assert!(heard("[h264 @ 0x1] [error] error while decoding MB 1 2", false).damaged);
    }
}
