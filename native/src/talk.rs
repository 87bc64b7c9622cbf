//! Standard error: progress on a terminal, notes, errors. Standard output belongs to data.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How much to say.
#[derive(Debug, Clone, Copy)]
pub struct Talk {
    /// Nothing but errors.
    pub quiet: bool,
}

impl Talk {
    /// A remark that is no error.
    pub fn note(self, text: impl std::fmt::Display) {
        if !self.quiet {
            anstream::eprintln!("{text}");
        }
    }

    /// A failure.
    pub fn error(self, text: impl std::fmt::Display) {
        anstream::eprintln!("error: {text}");
    }

    /// A bar over `total` steps of `unit` (`frames`, `GMAC`), drawn on a terminal only. A total of 0 is unknown.
    pub fn bar(self, what: &str, total: u64, unit: Unit) -> ProgressBar {
        if self.quiet {
            return ProgressBar::hidden();
        }
        let bar = if total == 0 { ProgressBar::no_length() } else { ProgressBar::new(total) };
        let count = match unit {
            Unit::Frames => "{human_pos}/{human_len} frames",
            Unit::Work => "{percent}%",
            Unit::Bytes => "{bytes}/{total_bytes}, {bytes_per_sec}",
        };
        let template = if total == 0 {
            "{spinner} {msg:<28} {human_pos}".to_string()
        } else {
            format!("{{spinner}} {{msg:<28}} [{{bar:24}}] {count}, {{eta}} left")
        };
        // The template is a constant of this file; a wrong one shows the default bar.
        bar.set_style(
            ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar.set_message(what.to_string());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }
}

/// What a bar counts.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    /// Video frames.
    Frames,
    /// Multiply-accumulates, shown as a share.
    Work,
    /// Bytes.
    Bytes,
}
