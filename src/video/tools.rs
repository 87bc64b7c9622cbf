//! Where `ffmpeg` and `ffprobe` are, and what they may do.

use crate::error::Error;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Longest wait for the next frame, or for the description of a file, before a program counts as hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where `ffmpeg` and `ffprobe` are, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// The decoder: a path, or a name to look for on the search path.
    pub ffmpeg: PathBuf,
    /// The program that describes files.
    pub ffprobe: PathBuf,
    /// Whether a file may name other files that are read in its place: playlists, drawings, numbered series. Whoever gives a file
    /// could choose them, so by default it may not.
    pub playlists: bool,
    /// How long the programs may go without giving anything before they are ended.
    pub patience: Duration,
}

impl Default for Tools {
    fn default() -> Self {
        Tools { ffmpeg: "ffmpeg".into(), ffprobe: "ffprobe".into(), playlists: false, patience: PATIENCE }
    }
}

impl Tools {
    /// The defaults, changed by environment variables: `I3D_FFMPEG` and `I3D_FFPROBE` name the programs, `I3D_PLAYLISTS=1` allows
    /// playlists, and `I3D_DECODER_SECONDS` is the patience in seconds.
    pub fn from_env() -> Self {
        let or = |variable, default: PathBuf| std::env::var_os(variable).map_or(default, PathBuf::from);
        let seconds = std::env::var("I3D_DECODER_SECONDS").ok().and_then(|text| text.parse::<u32>().ok());
        let Tools { ffmpeg, ffprobe, playlists, patience } = Tools::default();
        Tools {
            ffmpeg: or("I3D_FFMPEG", ffmpeg),
            ffprobe: or("I3D_FFPROBE", ffprobe),
            playlists: std::env::var_os("I3D_PLAYLISTS").map_or(playlists, |value| value == "1"),
            patience: seconds.map_or(patience, |seconds| Duration::from_secs(seconds.max(1).into())),
        }
    }

    /// A command with the arguments that both programs share.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // With colours forced on, ffmpeg's messages would be full of escape sequences.
        command.env("AV_LOG_FORCE_NOCOLOR", "1").env_remove("AV_LOG_FORCE_COLOR").env_remove("FFREPORT");
        command.arg("-hide_banner");
        command
    }

    /// The arguments that name an input: which formats it may have, and where it lies.
    pub(super) fn input(&self, input: &Input) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["-protocol_whitelist".into(), "file,subfile".into()];
        if !self.playlists {
            arguments.extend(["-format_whitelist".into(), FORMATS.join(",").into()]);
        }
        if let Some(format) = input.format {
            arguments.extend(["-f".into(), format.into()]);
        }
        arguments.extend(["-i".into(), input.argument()]);
        arguments
    }

    pub(super) fn cannot_start(&self, program: &Path, error: std::io::Error, place: &str) -> Error {
        let program = program.display();
        let problem = match error.kind() {
            ErrorKind::NotFound => format!(
                "decoding video needs ffmpeg, and `{program}` was not found; install it (Debian and Ubuntu: \
                 `sudo apt install ffmpeg`, Fedora: `sudo dnf install ffmpeg-free`, macOS: `brew install ffmpeg`, \
                 Windows: `winget install Gyan.FFmpeg`) or name it in I3D_FFMPEG and I3D_FFPROBE"
            ),
            _ => {
                format!("`{program}` cannot be started ({error}); name ffmpeg in I3D_FFMPEG and I3D_FFPROBE")
            }
        };
        Error::video(place, problem)
    }
}

/// The bytes that a video is read from.
#[derive(Debug, Clone)]
pub(super) struct Input {
    /// The file.
    pub path: PathBuf,
    /// Where the video begins in the file; it goes on to the end.
    pub start: u64,
    /// The format, by ffmpeg's name, where it is known already.
    pub format: Option<&'static str>,
}

impl Input {
    /// As an argument that ffmpeg cannot take for an option or a protocol.
    pub fn argument(&self) -> OsString {
        let mut argument = match self.start {
            0 => OsString::from("file:"),
            start => OsString::from(format!("subfile,,start,{start},end,0,,:file:")),
        };
        argument.push(&self.path);
        argument
    }
}

/// The demuxers of files that hold their pictures themselves. Left out are those that read what other files hold: playlists (hls,
/// concat, dash, imf, sdp), numbered series (image2), drawings that may link to others (svg); and those that make video of anything,
/// such as text (tty).
const FORMATS: &[&str] = &[
    "mov",
    "matroska",
    "avi",
    "mpegts",
    "mpeg",
    "mpegvideo",
    "flv",
    "live_flv",
    "kux",
    "ogg",
    "asf",
    "nut",
    "mxf",
    "gif",
    "apng",
    "yuv4mpegpipe",
    "h261",
    "h263",
    "h264",
    "hevc",
    "vvc",
    "evc",
    "av1",
    "obu",
    "ivf",
    "m4v",
    "vc1",
    "vc1test",
    "dirac",
    "cavsvideo",
    "avs2",
    "avs3",
    "mjpeg",
    "mjpeg_2000",
    "mpjpeg",
    "dv",
    "rm",
    "wtv",
    "gxf",
    "nsv",
    "swf",
    "r3d",
    "amv",
    "bink",
    "smk",
    "roq",
    "flic",
    "film_cpk",
    "ea",
    "idcin",
    "ivr",
    "ipmovie",
    "thp",
    "wc3movie",
    "wsvqa",
    "xmv",
    "nuv",
    "mtv",
    "mm",
    "rpl",
    "rl2",
    "tiertexseq",
    "vmd",
    "4xm",
    "anm",
    "avs",
    "bethsoftvid",
    "bfi",
    "c93",
    "cdg",
    "cdxl",
    "cine",
    "dsicin",
    "dxa",
    "filmstrip",
    "frm",
    "gdv",
    "hnm",
    "iv8",
    "jv",
    "lmlm4",
    "lvf",
    "lxf",
    "mlv",
    "moflex",
    "mv",
    "mvi",
    "paf",
    "pmp",
    "psxstr",
    "pva",
    "qcp",
    "seq",
    "sga",
    "siff",
    "smjpeg",
    "smush",
    "sol",
    "tmv",
    "txd",
    "ty",
    "viv",
    "vivo",
    "vividas",
    "xwma",
    "yop",
    "webp",
    "webp_pipe",
    "bmp_pipe",
    "cri_pipe",
    "dds_pipe",
    "dpx_pipe",
    "exr_pipe",
    "gem_pipe",
    "gif_pipe",
    "hdr_pipe",
    "j2k_pipe",
    "jpeg_pipe",
    "jpegls_pipe",
    "jpegxl_pipe",
    "pam_pipe",
    "pbm_pipe",
    "pcx_pipe",
    "pfm_pipe",
    "pgm_pipe",
    "pgmyuv_pipe",
    "pgx_pipe",
    "phm_pipe",
    "photocd_pipe",
    "pictor_pipe",
    "png_pipe",
    "ppm_pipe",
    "psd_pipe",
    "qdraw_pipe",
    "qoi_pipe",
    "sgi_pipe",
    "sunrast_pipe",
    "tiff_pipe",
    "vbn_pipe",
    "xbm_pipe",
    "xpm_pipe",
    "xwd_pipe",
];
