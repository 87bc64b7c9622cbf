//! Options of `i3d flow`, and of flow wherever it is computed.

use std::path::PathBuf;

use clap::Args;
use i3d::video::Rate;

use super::values::{PresetArg, QuantizeArg};
use super::{ResizeArgs, RunArgs};

/// `i3d flow`.
#[derive(Debug, Args)]
pub struct VideoFlowArgs {
    /// A video, GIF or folder of images
    #[arg(value_name = "INPUT")]
    pub input: PathBuf,
    /// X.npy, X.gif, X.mp4, `-` for an array on standard output, or a folder for JPEG pictures
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Only the flow of the first N sampled frames
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub frames: Option<u32>,
    /// Frames per second to sample at, or `native` for every frame
    #[arg(long, default_value = "25", value_name = "FPS")]
    pub fps: Rate,
    /// Resize the short side to so many pixels first
    #[arg(long, default_value_t = 256, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(16..=4096))]
    pub short_side: u32,
    /// Number of the first JPEG pictures: 1 as yjxiong/dense_flow writes them, 0 as open-mmlab/denseflow does [default: 1]
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u32).range(0..=1))]
    pub start_index: Option<u32>,
    /// How pictures become smaller.
    #[command(flatten)]
    pub resize: ResizeArgs,
    /// How flow is computed and rounded.
    #[command(flatten)]
    pub tvl1: FlowArgs,
    /// Where to run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// How optical flow is computed and rounded.
#[derive(Debug, Args)]
pub struct FlowArgs {
    /// TV-L1 with OpenCV's defaults, or an approximation with fewer iterations
    #[arg(long, value_enum, default_value = "reference")]
    pub preset: PresetArg,
    /// Round flow as 8-bit pipelines do
    #[arg(long, value_enum, default_value = "none")]
    pub quantize: QuantizeArg,
}
