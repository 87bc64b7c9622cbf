//! Options of `i3d bench`.

use std::path::PathBuf;

use clap::Args;

use super::{RunArgs, values::parse_frames};

/// `i3d bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// RGB weights, as for `i3d classify` [default: seeded random ones]
    #[arg(long, value_name = "PATH")]
    pub rgb: Option<PathBuf>,
    /// Flow weights; with --rgb, both streams are measured one after the other
    #[arg(long, value_name = "PATH")]
    pub flow: Option<PathBuf>,
    /// Frames per clip
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = parse_frames)]
    pub frames: usize,
    /// Clips per run
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub batch: usize,
    /// Where to run.
    #[command(flatten)]
    pub run: RunArgs,
    /// Timed runs, after the first one and the warm-up
    #[arg(long, default_value_t = 9, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Also the time of every layer, against the device's measured peaks
    #[arg(long)]
    pub per_layer: bool,
    /// Measure which kernels the adapter runs fastest, check each, and use the best from now on
    #[arg(long, conflicts_with_all = ["per_layer", "batch", "precise"])]
    pub tune: bool,
    /// Write the numbers as JSON, `-` for standard output
    #[arg(long, value_name = "PATH")]
    pub json: Option<PathBuf>,
    /// Multiplier of all channel counts of the network with random weights
    #[arg(long, default_value_t = 1.0, value_name = "W", hide = true)]
    pub width: f64,
    /// Height and width of its clip in pixels
    #[arg(long, default_value_t = 224, value_name = "PIXELS", hide = true)]
    pub input_size: usize,
    /// Only write the random weights to a safetensors file, for other programs to run
    #[arg(long, value_name = "FILE", hide = true)]
    pub save_weights: Option<PathBuf>,
    /// Run this .npy clip once for every line of standard input, and answer with a line of JSON
    #[arg(long, value_name = "FILE", hide = true)]
    pub turns: Option<PathBuf>,
}
