//! The command line: only parsing.

mod bench;
mod eval;
mod flow;
mod models;
mod synth;
mod train;
mod values;

pub use bench::BenchArgs;
pub use eval::{DatasetArg, EvalArgs};
pub use flow::{FlowArgs, VideoFlowArgs};
pub use models::{ModelsArgs, ModelsCommand, SelftestArgs, WeightArgs};
pub use synth::SynthArgs;
pub use train::{ModeArg, TrainArgs};
pub use values::{Frames, FusionArg, InputArg, PrecisionArg, ResizeArg, StreamArg, Streams, SystemArg};
use values::{parse_classes, parse_frames, parse_steps, parse_threads};

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use i3d::backend::{DeviceRequest, RunOptions};
use i3d::video::Rate;
use i3d::{Error, Result};

/// What are people doing in this video?
///
/// Runs the Inflated 3D ConvNet (I3D) on a GPU through wgpu, or on the CPU. Nothing is uploaded.
#[derive(Debug, Parser)]
#[command(name = "i3d", version, max_term_width = 110)]
#[command(
    after_help = "Exit status: 0 done, 1 some inputs failed, 2 usage or bad input, 3 no device as requested.\n\n\
        An output may be a file, - for standard output, a device or a pipe. A file that is there already is replaced if\n\
        it is of the kind that is written, by its content (JSON by JSON, safetensors by safetensors) or, where it is text\n\
        of no known kind, by its ending; or if it is empty. Anything else is replaced only with --overwrite, and what the\n\
        command reads never."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say less: no progress, no notes.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more: what was loaded, chosen and found.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Replace an output that is there already, also one that is of another kind or write-protected
    #[arg(long, global = true)]
    pub overwrite: bool,
    /// Read playlists, SVG drawings and other inputs that name further files; only for inputs you trust
    #[arg(long, global = true)]
    pub playlists: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Name the actions in videos
    #[command(
        after_help = "Example:\n  i3d classify tennis.mp4 --rgb checkpoints/rgb_imagenet --json result.json\n\n\
        INPUT is a video file, an animated GIF, a folder of images, a glob in quotes, or a .npy/.npz clip of\n\
        float32 [T,H,W,C] that is fed to the network as it is (3 channels: rgb, 2: flow)."
    )]
    Classify(ClassifyArgs),
    /// Compute the optical flow of a video (TV-L1)
    #[command(
        after_help = "Example:\n  i3d flow tennis.mp4 -o flow.npy          the flow in pixels, [T-1, H, W, 2], u then v\n  \
        i3d flow tennis.mp4 -o flow/             flow_x_00001.jpg, flow_y_00001.jpg, ...: grey, -20 to 20 px\n  \
        i3d flow tennis.mp4 -o flow.gif          to look at: hue is direction, strength is speed (also .mp4)"
    )]
    Flow(VideoFlowArgs),
    /// Train a network on your own videos
    #[command(
        after_help = "Examples:\n  i3d train clips/ -o run/                        a small network from nothing\n  \
        i3d train clips/ -o run/ --from kinetics-400 --mode fixed   a classifier on a pulled model's features\n  \
        i3d train clips/ -o run/ --resume                 go on after a break"
    )]
    Train(Box<TrainArgs>),
    /// Test a model on UCF-101, HMDB-51, Kinetics or a folder per class
    #[command(
        after_help = "Examples:\n  i3d eval --dataset ucf101 --data UCF-101 --annotations ucfTrainTestlist --split 1 --rgb rgb.safetensors -o out\n  \
        i3d eval --dataset hmdb51 --data hmdb51 --annotations testTrainMulti_7030_splits --split all \\\n    \
        --rgb rgb-{split}.safetensors --flow flow-{split}.safetensors -o out\n  \
        i3d eval --dataset kinetics --data val --annotations val.csv --split val --rgb kinetics-400 --flow kinetics-400 -o out"
    )]
    Eval(Box<EvalArgs>),
    /// Write a checkpoint as safetensors
    #[command(
        after_help = "Example:\n  i3d convert data/checkpoints/rgb_imagenet/model.ckpt rgb.safetensors"
    )]
    Convert(ConvertArgs),
    /// Make I3D out of a 2-D Inception-V1, to train it
    #[command(
        after_help = "Examples:\n  i3d inflate googlenet-1378be20.pth start.safetensors --stream rgb\n  \
        i3d inflate inception_v1.ckpt start.safetensors --stream flow --labels labels.txt\n\n\
        WEIGHTS2D is torchvision's GoogLeNet, TF-slim's inception_v1.ckpt, or a safetensors file with kernels\n\
        [1, kH, kW, Cin, Cout] under I3D's names, each of a network that takes pictures in [-1, 1]."
    )]
    Inflate(InflateArgs),
    /// Write the values of one endpoint as .npy
    #[command(
        after_help = "Example:\n  i3d dump tennis.mp4 --rgb rgb.safetensors --endpoint Mixed_5c -o mixed_5c.npy\n\n\
        The endpoint `input` is the preprocessed clip itself."
    )]
    Dump(DumpArgs),
    /// Compare two devices endpoint by endpoint
    #[command(
        after_help = "Example:\n  i3d compare tennis.mp4 --rgb rgb.safetensors --frames 16 --device gpu --against cpu"
    )]
    Compare(CompareArgs),
    /// Print the plan: shapes, padding, memory, work
    #[command(
        after_help = "Example:\n  i3d plan --frames 64\n  i3d plan --stream flow --frames 250 --device gpu\n  \
        i3d plan --system 3d-fused --stream both"
    )]
    Plan(PlanArgs),
    /// List the paper's five systems: parameters, and what they see of a video
    #[command(after_help = "Example:\n  i3d systems --classes 101")]
    Systems(SystemsArgs),
    /// Measure how long a clip takes, and which layers take it
    #[command(
        after_help = "Example:\n  i3d bench --rgb rgb.safetensors --per-layer\n  i3d bench --device gpu --frames 64 \
        --json bench.json\n\nTimes are those of the networks alone, from the clip in memory to the logits; without weights, random \
        ones\nrun, which take as long."
    )]
    Bench(BenchArgs),
    /// Draw clips of the synthetic action set
    #[command(
        after_help = "Example:\n  i3d synth actions                                    class folders, labels.txt and clips.csv\n  \
        i3d synth door.gif --classes \"opening a door\"        one clip to look at\n\n\
        The same seed draws the same clips. Six pairs of classes are the same frames backwards."
    )]
    Synth(SynthArgs),
    /// List the devices that i3d can run on
    #[command(after_help = "Example:\n  i3d devices --json")]
    Devices(DevicesArgs),
    /// Check the released models against their published outputs
    #[command(
        after_help = "Examples:\n  i3d selftest --pull               fetches the sample clips first (79 MB, once)\n  \
        i3d selftest --device gpu --json -\n\nChecks the models that are installed (`i3d models pull`). Exit status: 0 what could be checked is as \
        published,\n1 something is not, or a check was not made: of an installed model, or of one that is named."
    )]
    Selftest(SelftestArgs),
    /// Install models by name: the released ones, and your own
    #[command(
        after_help = "Example:\n  i3d models pull kinetics-400\n  i3d models pull kinetics-400 --from kinetics-i3d/   without a network: from a clone of DeepMind's repository\n  \
        i3d models add mine rgb.pt flow.pt                  weights of your own, by a name\n  i3d classify tennis.mp4 --model mine"
    )]
    Models(ModelsArgs),
}

/// Where to run.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// auto, cpu, gpu, or a part of an adapter's name (see `i3d devices`)
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: DeviceRequest,
    /// Threads of everything that is computed on the CPU, together [default: one per core]
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "N", value_parser = parse_threads)]
    pub threads: usize,
    /// Direct convolution only: slower, and free of the rounding that faster algorithms add (about 1e-5 of a logit)
    #[arg(long)]
    pub precise: bool,
    /// How the networks' weights and activations are stored; f16 needs a GPU that has it (see `i3d devices`)
    #[arg(long, value_enum, default_value = "f32")]
    pub precision: PrecisionArg,
}

impl RunArgs {
    /// How the networks are run.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub fn options(&self) -> Result<RunOptions> {
        let problem = match (self.precision, self.precise, &self.device) {
            (PrecisionArg::F16, true, _) => {
                "--precise is about rounding that --precision f16 exceeds; leave one of them out"
            }
            (PrecisionArg::F16, _, DeviceRequest::Cpu) => {
                "--device cpu has no 16-bit floats; use --precision f32, or a GPU that has them (see `i3d devices`)"
            }
            (_, precise, _) => return Ok(RunOptions { precise, precision: self.precision.into() }),
        };
        Err(Error::Usage(problem.into()))
    }
}

/// How a video becomes a clip.
#[derive(Debug, Args)]
pub struct ClipArgs {
    /// Use the first N sampled frames, or `all`; shorter videos are looped to N [default: all, up to 250]
    #[arg(long, value_name = "N")]
    pub frames: Option<Frames>,
    /// Frames per second to sample at, or `native` for every frame
    #[arg(long, default_value = "25", value_name = "FPS")]
    pub fps: Rate,
    /// How pictures become smaller.
    #[command(flatten)]
    pub resize: ResizeArgs,
}

/// How pictures become smaller.
#[derive(Debug, Clone, Copy, Args)]
pub struct ResizeArgs {
    /// Filter for pictures that become smaller; `bilinear` is for parity with OpenCV
    #[arg(long, value_enum, default_value = "antialias")]
    pub resize: ResizeArg,
    /// Take pixels for square whatever the video says, as OpenCV does
    #[arg(long)]
    pub ignore_aspect: bool,
}

/// `i3d classify`.
#[derive(Debug, Args)]
pub struct ClassifyArgs {
    /// Videos, GIFs, folders of images, globs, or .npy/.npz clips
    #[arg(value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// What to run.
    #[command(flatten)]
    pub weights: WeightArgs,
    /// How to sample.
    #[command(flatten)]
    pub clip: ClipArgs,
    /// Where to run.
    #[command(flatten)]
    pub run: RunArgs,
    /// Which streams to run [default: those that have weights]
    #[arg(long, value_enum)]
    pub streams: Option<Streams>,
    /// An RGB clip as .npy/.npz, alone or beside --flow-clip
    #[arg(long, value_name = "FILE")]
    pub rgb_clip: Option<PathBuf>,
    /// A flow clip as .npy/.npz, alone or beside --rgb-clip or one INPUT
    #[arg(long, value_name = "FILE")]
    pub flow_clip: Option<PathBuf>,
    /// Class names, one per line [default: those of the checkpoint, or Kinetics]
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// How many actions to show
    #[arg(long, default_value_t = 5, value_name = "K")]
    pub top_k: usize,
    /// How rgb and flow become one result
    #[arg(long, value_enum, default_value = "logit-sum")]
    pub fusion: FusionArg,
    /// How flow is computed and rounded.
    #[command(flatten)]
    pub tvl1: FlowArgs,
    /// Say what happens when: classify window after window, over the whole video
    #[arg(long)]
    pub timeline: bool,
    /// Frames per window of the timeline
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = parse_frames)]
    pub window: usize,
    /// Frames from one window's start to the next one's
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub step: usize,
    /// Write the whole result as JSON, `-` for standard output, where text is left out then
    #[arg(long, value_name = "PATH")]
    pub json: Option<PathBuf>,
    /// Write the ranking as CSV, one row per segment and rank, `-` for standard output
    #[arg(long, value_name = "PATH")]
    pub csv: Option<PathBuf>,
    /// Write the segments as SubRip subtitles, `-` for standard output
    #[arg(long, value_name = "PATH", requires = "timeline")]
    pub srt: Option<PathBuf>,
    /// Write the segments as WebVTT subtitles, `-` for standard output
    #[arg(long, value_name = "PATH", requires = "timeline")]
    pub vtt: Option<PathBuf>,
}

/// `i3d convert`.
#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// A TensorFlow checkpoint (prefix or folder), a PyTorch file, or a safetensors file
    #[arg(value_name = "CHECKPOINT")]
    pub checkpoint: PathBuf,
    /// The file to write
    #[arg(value_name = "OUT.safetensors")]
    pub output: PathBuf,
    /// Class names to store with the weights, one per line [default: Kinetics where 400 or 600 classes]
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// How convolution kernels are stored: f16 halves the file
    #[arg(long, value_enum, default_value = "f32")]
    pub precision: PrecisionArg,
}

/// `i3d inflate`.
#[derive(Debug, Args)]
pub struct InflateArgs {
    /// A 2-D network trained on pictures: PyTorch file, TensorFlow V1 checkpoint, or safetensors file
    #[arg(value_name = "WEIGHTS2D")]
    pub weights: PathBuf,
    /// The file to write
    #[arg(value_name = "OUT.safetensors")]
    pub output: PathBuf,
    /// What it will see: colours (3 channels) or flow (2)
    #[arg(long, value_enum)]
    pub stream: StreamArg,
    /// Classes of the new classifier
    #[arg(long, default_value_t = 400, value_name = "N", value_parser = parse_classes, conflicts_with = "labels")]
    pub classes: usize,
    /// Names of the classes, one per line, instead of their number
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// What the new classifier's first weights are drawn from
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
}

/// `i3d dump`.
#[derive(Debug, Args)]
pub struct DumpArgs {
    /// A video, GIF, folder of images, or .npy/.npz clip
    #[arg(value_name = "INPUT")]
    pub input: PathBuf,
    /// The endpoint, by DeepMind's name, or `input`
    #[arg(long, value_name = "NAME")]
    pub endpoint: String,
    /// The file to write, `-` for standard output
    #[arg(short, long, value_name = "X.npy")]
    pub output: PathBuf,
    /// What to run.
    #[command(flatten)]
    pub weights: WeightArgs,
    /// How flow is computed and rounded.
    #[command(flatten)]
    pub tvl1: FlowArgs,
    /// How to sample.
    #[command(flatten)]
    pub clip: ClipArgs,
    /// Where to run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// `i3d compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// A video, GIF, folder of images, or .npy/.npz clip
    #[arg(value_name = "INPUT")]
    pub input: PathBuf,
    /// The last endpoint to compare [default: Logits]
    #[arg(long, value_name = "NAME")]
    pub until: Option<String>,
    /// The device to compare with, always in f32
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub against: DeviceRequest,
    /// What to run.
    #[command(flatten)]
    pub weights: WeightArgs,
    /// How to sample.
    #[command(flatten)]
    pub clip: ClipArgs,
    /// Where to run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// `i3d systems`.
#[derive(Debug, Args)]
pub struct SystemsArgs {
    /// Number of classes
    #[arg(long, default_value_t = 400, value_name = "N", value_parser = parse_classes)]
    pub classes: usize,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `i3d plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Frames, or time steps, per clip [default: those that the system is trained on]
    #[arg(long, value_name = "N", value_parser = parse_steps)]
    pub frames: Option<usize>,
    /// Clips per run
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub batch: usize,
    /// Which of the paper's systems
    #[arg(long, value_enum, default_value = "i3d")]
    pub system: SystemArg,
    /// The network: rgb has 3 input channels, flow 2, or as many as its system stacks
    #[arg(long, value_enum, default_value = "rgb")]
    pub stream: InputArg,
    /// Number of classes
    #[arg(long, default_value_t = 400, value_name = "N")]
    pub classes: usize,
    /// Multiplier of all channel counts
    #[arg(long, default_value_t = 1.0, value_name = "W")]
    pub width: f64,
    /// Height and width of the clip in pixels [default: 224; 112 for 3d-convnet]
    #[arg(long, value_name = "PIXELS")]
    pub input_size: Option<usize>,
    /// How weights and activations are stored
    #[arg(long, value_enum, default_value = "f32")]
    pub precision: PrecisionArg,
    /// Check the plan against this device's limits
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceRequest>,
}

/// `i3d devices`.
#[derive(Debug, Args)]
pub struct DevicesArgs {
    /// As JSON
    #[arg(long)]
    pub json: bool,
}
