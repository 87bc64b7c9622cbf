//! Options of `i3d train`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use i3d::backend::DeviceRequest;
use i3d::network::System;
use i3d::video::Rate;

use super::values::{parse_steps, parse_threads};
use super::{FlowArgs, InputArg, SystemArg};

/// Values of `--mode`, after the paper's table 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// Everything is trained from random weights; batch norm uses each batch's statistics.
    Original,
    /// Features of the model are computed once, and a softmax layer is fitted to them.
    Fixed,
    /// The model is trained on end to end; batch norm keeps its statistics.
    Full,
}

/// `i3d train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// A folder with a folder of videos per class, or a CSV file: path,label,split (train, val or test)
    #[arg(value_name = "DATA")]
    pub data: PathBuf,
    /// Folder for the model, checkpoints, train.jsonl and the learning curve
    #[arg(short, long, value_name = "FOLDER")]
    pub output: PathBuf,
    /// Which of the paper's systems to train [default: i3d, or the model's]
    #[arg(long, value_enum)]
    pub system: Option<SystemArg>,
    /// What the network sees
    #[arg(long, value_enum, default_value = "rgb")]
    pub stream: InputArg,
    /// The model to begin with, or `none`
    #[arg(long, default_value = "none", value_name = "MODEL")]
    pub from: PathBuf,
    /// What is trained [default: original without a model, full with one]
    #[arg(long, value_enum)]
    pub mode: Option<ModeArg>,
    /// Go on from the last checkpoint in the folder
    #[arg(long)]
    pub resume: bool,
    /// Steps in all
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: u64,
    /// Clips that run at once
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
    /// Batches of a step, whose gradients are averaged
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub accumulate: u32,
    /// Frames, or time steps, of a clip in training; tests see whole clips [default: 16 for i3d, the paper's for the others]
    #[arg(long, value_name = "N", value_parser = parse_steps)]
    pub frames: Option<usize>,
    /// Learning rate [default: 0.01; 0.001 for full, 0.05 for fixed]
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub rate: Option<f32>,
    /// Steps over which the rate rises from nought
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub warm_up: u64,
    /// Steps from which on the rate is a tenth of what it was, separated by commas
    #[arg(long, value_name = "STEPS", value_delimiter = ',')]
    pub tenths: Vec<u64>,
    /// The rate falls along half a cosine, to nought at the last of --steps
    #[arg(long, conflicts_with_all = ["tenths", "patience"])]
    pub cosine: bool,
    /// Also a tenth after so many validations without a better loss; 0 for never
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub patience: u32,
    /// Steps between validations
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub validate_every: u64,
    /// Steps between checkpoints
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub checkpoint_every: u64,
    /// One frame of each video, again and again: what can be told without motion
    #[arg(long)]
    pub single_frame: bool,
    /// No dropout of the features
    #[arg(long)]
    pub no_dropout: bool,
    /// No left-right flips, for actions that a mirror turns into others
    #[arg(long)]
    pub no_flip: bool,
    /// Multiplier of all channel counts of a new network
    #[arg(long, default_value_t = 0.25, value_name = "W")]
    pub width: f64,
    /// Height and width of a new network's input in pixels
    #[arg(long, default_value_t = 64, value_name = "PIXELS")]
    pub input_size: usize,
    /// Sampling rate of the videos, or `native`
    #[arg(long, default_value = "25", value_name = "FPS")]
    pub fps: Rate,
    /// Seed of everything that is random
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Disk space for decoded clips in MB; what does not fit is decoded every time
    #[arg(long, default_value_t = 4096, value_name = "MB")]
    pub cache_mb: u64,
    /// How flow is computed.
    #[command(flatten)]
    pub flow: FlowArgs,
    /// auto, cpu, gpu, or a part of an adapter's name (see `i3d devices`)
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: DeviceRequest,
    /// Threads [default: one per core]
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "N", value_parser = parse_threads)]
    pub threads: usize,
}

impl TrainArgs {
    /// Time steps of a clip of `system` in training: the paper's, but for I3D a quarter of them, which a laptop has time for.
    pub fn steps_of(&self, system: System) -> usize {
        let own = if system == System::I3d { 16 } else { system.protocol().train_steps };
        self.frames.unwrap_or(own)
    }
}

fn parse_rate(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 100.0 => Ok(rate),
        _ => Err("give a number above 0, at most 100".into()),
    }
}
