//! Weights, and the commands about models.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use i3d::backend::DeviceRequest;

use super::values::{Streams, parse_threads};

/// Which weights.
#[derive(Debug, Args)]
pub struct WeightArgs {
    /// RGB weights: safetensors, a TensorFlow checkpoint (prefix or folder), a PyTorch file, a Flax pickle, or the name of an
    /// installed model
    #[arg(long, value_name = "PATH")]
    pub rgb: Option<PathBuf>,
    /// Flow weights, of the same kinds
    #[arg(long, value_name = "PATH")]
    pub flow: Option<PathBuf>,
    /// An installed model (see `i3d models list`), `demo`, which this program contains, or `random`: seeded random weights
    /// that know nothing [default: that of I3D_MODEL, or kinetics-400, or the only one that is installed]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["rgb", "flow"])]
    pub model: Option<String>,
    /// Fetch kinetics-400 (102 MB) where no model is installed, without asking (I3D_OFFLINE=1 forbids it)
    #[arg(short, long)]
    pub yes: bool,
}

/// `i3d selftest`.
#[derive(Debug, Args)]
pub struct SelftestArgs {
    /// Download the sample clips that are not here yet, and verify them
    #[arg(long)]
    pub pull: bool,
    /// Check this model alone
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Check these streams alone
    #[arg(long, value_enum)]
    pub streams: Option<Streams>,
    /// Write the checks as JSON, `-` for standard output
    #[arg(long, value_name = "PATH")]
    pub json: Option<PathBuf>,
    /// auto, cpu, gpu, or a part of an adapter's name (see `i3d devices`)
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: DeviceRequest,
    /// Threads of everything that is computed on the CPU, together [default: one per core]
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "N", value_parser = parse_threads)]
    pub threads: usize,
}

/// `i3d models`.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// What to do with them
    #[command(subcommand)]
    pub command: ModelsCommand,
}

/// The commands of `i3d models`.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Show what there is and what is installed
    List,
    /// Download, verify and convert a released model
    #[command(
        after_help = "Examples:\n  i3d models pull kinetics-400\n  i3d models pull kinetics-400 --streams rgb\n  \
        i3d models pull kinetics-400 --from kinetics-i3d/     a clone of DeepMind's repository; no network is needed\n\n\
        I3D_MODELS_URL names a mirror of https://raw.githubusercontent.com, I3D_CACHE the folder that models are kept in."
    )]
    Pull {
        /// Its name
        name: String,
        /// Which of its streams [default: all]
        #[arg(long, value_enum)]
        streams: Option<Streams>,
        /// A folder or file that holds the released files already, known by their hashes
        #[arg(long, value_name = "FOLDER")]
        from: Option<PathBuf>,
    },
    /// Install files of this machine under a name
    #[command(
        after_help = "Examples:\n  i3d models add mine rgb.pt flow.safetensors\n  i3d models add mine checkpoints/rgb/model.ckpt\n  \
        i3d models add kinetics-400 kinetics-i3d/\n\nFILES are checkpoints of any kind that --rgb takes, or folders of such; which stream each is of, its first\n\
        convolution tells. The name of a released model is for the released files alone, which are known by their hashes."
    )]
    Add {
        /// The name: letters, digits, `.`, `-` and `_`
        name: String,
        /// Checkpoints, at most one of each stream
        #[arg(required = true, value_name = "FILES")]
        files: Vec<PathBuf>,
        /// Class names, one per line [default: those of the checkpoint, or Kinetics where 400 or 600 classes]
        #[arg(long, value_name = "FILE")]
        labels: Option<PathBuf>,
        /// Replace streams that are there under this name
        #[arg(long)]
        overwrite: bool,
    },
    /// Check the installed files against their hashes
    Verify {
        /// Its name [default: every installed model]
        name: Option<String>,
    },
    /// Print the files of an installed model
    Path {
        /// Its name
        name: String,
    },
    /// Delete an installed model
    Remove {
        /// Its name
        name: String,
    },
}
