//! Options of `i3d synth`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use i3d_synth::Split;

use crate::film::Format;

/// `i3d synth`.
#[derive(Debug, Args)]
pub struct SynthArgs {
    /// A new folder for clips, or one film: X.mp4 or X.gif
    #[arg(value_name = "OUTPUT")]
    pub output: PathBuf,
    /// Splits, which share neither people nor colours; one film is of the first
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SPLIT", default_value = "train,val,test")]
    pub split: Vec<SplitArg>,
    /// Clips per class: one number for every split, or one for each, separated by commas [default: 10]
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=99_999))]
    pub clips: Vec<u64>,
    /// Classes by name, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub classes: Vec<String>,
    /// Frames per clip, 25 a second
    #[arg(long, default_value_t = 48, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub frames: u32,
    /// Width and height in pixels
    #[arg(long, default_value = "128x96", value_name = "WxH", value_parser = parse_size)]
    pub size: (u32, u32),
    /// Format of the clips in a folder [default: mp4]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Another seed, another set
    #[arg(long, default_value_t = 0, value_name = "S")]
    pub seed: u64,
}

/// Values of `--split`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SplitArg {
    /// To train on.
    Train,
    /// To validate while training.
    Val,
    /// To test in the end.
    Test,
}

impl From<SplitArg> for Split {
    fn from(arg: SplitArg) -> Split {
        match arg {
            SplitArg::Train => Split::Train,
            SplitArg::Val => Split::Val,
            SplitArg::Test => Split::Test,
        }
    }
}

/// Two sides that the set can be drawn with.
fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let side = |text: &str| text.parse().ok().filter(|side| i3d_synth::SIDES.contains(side));
    let sides = text.split_once('x').and_then(|(width, height)| Some((side(width)?, side(height)?)));
    let (least, most) = (i3d_synth::SIDES.start(), i3d_synth::SIDES.end());
    sides.ok_or_else(|| format!("give width and height as in 128x96, each from {least} to {most}"))
}
