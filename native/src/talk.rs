//! Standard error: progress on a terminal, notes, errors. Standard output belongs to data.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use i3d::backend::{Device, Progress};
use i3d::network::Stream;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

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
            say(text);
        }
    }

    /// A failure.
    pub fn error(self, text: impl std::fmt::Display) {
        say(format_args!("error: {text}"));
    }

    /// Asks a person at the terminal, who may just press Enter to agree. Without a terminal, or where nothing is to be said, nobody
    /// agrees.
    pub fn agrees(self, question: &str) -> bool {
        let there = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if self.quiet || !there {
            return false;
        }
        loop {
            let _ = write!(anstream::stderr(), "{question} [Y/n] ");
            let mut answer = String::new();
            // The end of the input is no answer, and no agreement.
            if !matches!(std::io::stdin().read_line(&mut answer), Ok(1..)) {
                say("");
                return false;
            }
            match answer.trim().to_lowercase().as_str() {
                "" | "y" | "yes" => return true,
                "n" | "no" => return false,
                _ => say("answer y or n"),
            }
        }
    }

    /// Shows how far the networks on `device` are, for as long as the closure lives.
    pub fn work(self, device: &Device) -> impl FnMut(Stream, Progress) + use<> {
        let backend = device.info().backend;
        let bar = self.bar("network", 1, Unit::Work);
        move |stream, progress| {
            bar.set_message(format!("{stream} network, {backend}"));
            bar.set_length(progress.total_macs);
            bar.set_position(progress.done_macs);
        }
    }

    /// A bar over `total` steps of `unit`, drawn on a terminal only and until it is dropped. A total of 0 is unknown.
    pub fn bar(self, what: &str, total: u64, unit: Unit) -> ProgressBar {
        if self.quiet {
            return ProgressBar::hidden();
        }
        let bar = if total == 0 { ProgressBar::no_length() } else { ProgressBar::new(total) };
        let bar = bar.with_finish(ProgressFinish::AndClear);
        let count = match unit {
            Unit::Runs => "{human_pos}/{human_len} runs",
            Unit::Clips => "{human_pos}/{human_len} clips",
            Unit::Frames => "{human_pos}/{human_len} frames",
            Unit::Steps => "{human_pos}/{human_len} steps",
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

/// A line on standard error; nothing can be done where nobody reads it.
fn say(text: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// What a bar counts.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    /// Runs of a network.
    Runs,
    /// Clips.
    Clips,
    /// Video frames.
    Frames,
    /// Steps of training.
    Steps,
    /// Multiply-accumulates, shown as a share.
    Work,
    /// Bytes.
    Bytes,
}
