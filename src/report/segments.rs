//! Segments as CSV rows and as subtitles that any player shows.

use std::fmt::Write;

use super::{Report, SegmentReport, Top};

/// The header of the CSV.
pub const CSV_HEADER: &str = "input,start_seconds,end_seconds,rank,index,label,probability,logit\n";

/// One row per segment and rank; without segments one row per rank, over the whole clip.
pub fn csv(report: &Report) -> String {
    let mut text = String::new();
    let mut rows = |start: Option<f64>, end: Option<f64>, top: &[Top]| {
        let seconds = |s: Option<f64>| s.map(|s| format!("{s:.3}")).unwrap_or_default();
        for (rank, t) in top.iter().enumerate() {
            let (input, label) = (quoted(&report.input), quoted(&t.label));
            let (start, end) = (seconds(start), seconds(end));
            let _ = writeln!(
                text,
                "{input},{start},{end},{},{},{label},{},{}",
                rank + 1,
                t.index,
                t.probability,
                t.logit
            );
        }
    };
    if report.segments.is_empty() {
        rows(None, None, &report.top);
    }
    for s in &report.segments {
        rows(Some(s.start_seconds), Some(s.end_seconds), &s.top);
    }
    text
}

/// A CSV field, in quotes where it must be (RFC 4180).
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_string(),
    }
}

/// Subtitles, one cue per stretch of time: windows overlap, so a cue lasts until the next window's cue begins.
fn cues(segments: &[SegmentReport]) -> impl Iterator<Item = (f64, f64, String)> + '_ {
    segments.iter().enumerate().map(|(i, segment)| {
        let end = segments
            .get(i + 1)
            .map_or(segment.end_seconds, |next| next.start_seconds.min(segment.end_seconds));
        let lines: Vec<String> = segment
            .top
            .iter()
            .take(3)
            .map(|t| format!("{} {:.0} %", t.label, 100.0 * t.probability))
            .collect();
        (segment.start_seconds, end, lines.join("\n"))
    })
}

/// SubRip.
pub fn srt(segments: &[SegmentReport]) -> String {
    let cue = |(i, (start, end, text))| {
        format!("{}\n{} --> {}\n{text}\n\n", i + 1, time(start, ','), time(end, ','))
    };
    cues(segments).enumerate().map(cue).collect()
}

/// WebVTT.
pub fn vtt(segments: &[SegmentReport]) -> String {
    let cue = |(start, end, text): (f64, f64, String)| {
        // These two characters begin markup in WebVTT.
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        format!("{} --> {}\n{text}\n\n", time(start, '.'), time(end, '.'))
    };
    std::iter::once("WEBVTT\n\n".to_string()).chain(cues(segments).map(cue)).collect()
}

/// `hh:mm:ss` and milliseconds behind `point`.
fn time(seconds: f64, point: char) -> String {
    let ms = (seconds * 1e3).round() as u64;
    let (s, ms) = (ms / 1000, ms % 1000);
    format!("{:02}:{:02}:{:02}{point}{ms:03}", s / 3600, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_hours_and_milliseconds() {
        assert_eq!(time(3723.0456, ','), "01:02:03,046");
        assert_eq!(time(0.0, '.'), "00:00:00.000");
    }

    #[test]
    fn fields_with_commas_and_quotes_are_quoted() {
        assert_eq!(quoted("playing cricket"), "playing cricket");
        assert_eq!(quoted("say \"hi\", wave"), "\"say \"\"hi\"\", wave\"");
    }
}
