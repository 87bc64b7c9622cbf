//! Options of `i3d eval`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use i3d::network::{Input, Stream};
use i3d::video::Rate;
use serde::Serialize;

use super::values::parse_steps;
use super::{FlowArgs, RunArgs};

/// Values of `--dataset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DatasetArg {
    /// UCF-101: classInd.txt and testlist01.txt to testlist03.txt.
    Ucf101,
    /// HMDB-51: CLASS_test_split1.txt and so on.
    Hmdb51,
    /// A list of Kinetics: label,youtube_id,time_start,time_end,split.
    Kinetics,
    /// A folder with a folder of videos per class.
    Folder,
}

/// `i3d eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Whose lists and layout these are
    #[arg(long, value_enum)]
    pub dataset: DatasetArg,
    /// The folder of the videos: a folder per class, or all in one
    #[arg(long, value_name = "VIDEOS")]
    pub data: PathBuf,
    /// The lists: a folder for ucf101 and hmdb51; a CSV file, or a folder with SPLIT.csv, for kinetics
    #[arg(long, value_name = "PATH")]
    pub annotations: Option<PathBuf>,
    /// 1, 2, 3 or all for ucf101 and hmdb51; what the list's column says for kinetics, such as val
    #[arg(long, value_name = "SPLIT")]
    pub split: Option<String>,
    /// RGB model of any system: a file, or the name of a pulled model; {split} in it stands for the number of the split
    #[arg(long, value_name = "MODEL")]
    pub rgb: Option<PathBuf>,
    /// Flow model, of the same kinds
    #[arg(long, value_name = "MODEL")]
    pub flow: Option<PathBuf>,
    /// Model that sees both streams at once, of two-stream or 3d-fused, in place of the two
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["rgb", "flow"])]
    pub both: Option<PathBuf>,
    /// Folder for results.json, predictions.jsonl and the confusion matrices
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Frames of each video, from its first; shorter ones are looped
    #[arg(long, default_value_t = 250, value_name = "N", value_parser = parse_steps)]
    pub frames: usize,
    /// Sampling rate of the videos, or `native`
    #[arg(long, default_value = "25", value_name = "FPS")]
    pub fps: Rate,
    /// Go on behind the last video in OUT/predictions.jsonl
    #[arg(long)]
    pub resume: bool,
    /// Disk space for decoded clips in MB; nothing is kept with 0
    #[arg(long, default_value_t = 0, value_name = "MB")]
    pub cache_mb: u64,
    /// How flow is computed.
    #[command(flatten)]
    pub tvl1: FlowArgs,
    /// Where to run.
    #[command(flatten)]
    pub run: RunArgs,
}

impl EvalArgs {
    /// What the models see, and the models as they were given.
    pub fn models(&self) -> impl Iterator<Item = (Input, &PathBuf)> {
        let rgb = self.rgb.iter().map(|path| (Stream::Rgb.into(), path));
        let both = self.both.iter().map(|path| (Input::Both, path));
        rgb.chain(self.flow.iter().map(|path| (Stream::Flow.into(), path))).chain(both)
    }
}
