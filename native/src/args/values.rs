//! What options may say.

use clap::ValueEnum;
use i3d::flow::{Quantize, Tvl1};
use i3d::fusion::Fusion;
use i3d::network::{Input, MIN_FRAMES, Network, Stream, System};
use i3d::plan::Precision;
use i3d::preprocess::Resize;

/// More threads than any machine has cores for; many more cannot even be started.
const MOST_THREADS: usize = 1024;

/// Several times the classes of any data set of actions; a slip of the finger need not fill the memory.
const MOST_CLASSES: usize = 65_536;

/// Values of `--preset`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PresetArg {
    /// As OpenCV's CPU code.
    Reference,
    /// Approximate: faster, 0.03 to 0.09 px from the reference on real pairs.
    Fast,
}

impl From<PresetArg> for Tvl1 {
    fn from(arg: PresetArg) -> Tvl1 {
        match arg {
            PresetArg::Reference => Tvl1::REFERENCE,
            PresetArg::Fast => Tvl1::FAST,
        }
    }
}

/// Values of `--quantize`.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum QuantizeArg {
    /// Not at all.
    None,
    /// As MediaPipe's graph: truncated to 8 bits.
    Mediapipe,
    /// As denseflow's JPEGs: rounded to 8 bits.
    Denseflow,
    /// As video_features: rounded around 128.
    VideoFeatures,
}

impl From<QuantizeArg> for Quantize {
    fn from(arg: QuantizeArg) -> Quantize {
        match arg {
            QuantizeArg::None => Quantize::None,
            QuantizeArg::Mediapipe => Quantize::Mediapipe,
            QuantizeArg::Denseflow => Quantize::Denseflow,
            QuantizeArg::VideoFeatures => Quantize::VideoFeatures,
        }
    }
}

/// Values of `--resize`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ResizeArg {
    /// Every pixel counts, as in Pillow and ffmpeg.
    Antialias,
    /// Between the two nearest pixels of each axis, as in OpenCV.
    Bilinear,
}

impl From<ResizeArg> for Resize {
    fn from(arg: ResizeArg) -> Resize {
        match arg {
            ResizeArg::Antialias => Resize::Antialias,
            ResizeArg::Bilinear => Resize::Bilinear,
        }
    }
}

/// Values of `--precision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PrecisionArg {
    /// 32-bit floats.
    F32,
    /// 16-bit floats: half the memory, about three decimal digits; sums still have 32 bits.
    F16,
}

impl From<PrecisionArg> for Precision {
    fn from(arg: PrecisionArg) -> Precision {
        match arg {
            PrecisionArg::F32 => Precision::F32,
            PrecisionArg::F16 => Precision::F16,
        }
    }
}

/// How many frames of a video make its clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frames {
    /// The first so many.
    First(usize),
    /// Every one.
    All,
}

impl std::str::FromStr for Frames {
    type Err = String;

    fn from_str(text: &str) -> Result<Frames, String> {
        match text {
            "all" => Ok(Frames::All),
            number => parse_frames(number).map(Frames::First).map_err(|e| format!("{e}, or `all`")),
        }
    }
}

/// Values of `--streams`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Streams {
    /// Colour frames only.
    Rgb,
    /// Optical flow only.
    Flow,
    /// Both, fused.
    Both,
}

impl Streams {
    /// The streams that are true; RGB where neither is.
    pub fn of(rgb: bool, flow: bool) -> Streams {
        match (rgb, flow) {
            (true, true) => Streams::Both,
            (false, true) => Streams::Flow,
            (_, false) => Streams::Rgb,
        }
    }

    /// Whether `stream` is among them.
    pub fn contains(self, stream: Stream) -> bool {
        match self {
            Streams::Rgb => stream == Stream::Rgb,
            Streams::Flow => stream == Stream::Flow,
            Streams::Both => true,
        }
    }

    /// One or two streams, RGB first.
    pub fn each(self) -> impl Iterator<Item = Stream> {
        [Stream::Rgb, Stream::Flow].into_iter().filter(move |&stream| self.contains(stream))
    }
}

impl std::fmt::Display for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Streams::Rgb => "rgb",
            Streams::Flow => "flow",
            Streams::Both => "both",
        })
    }
}

/// Values of `--stream`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum StreamArg {
    /// Colour frames.
    Rgb,
    /// Optical flow.
    Flow,
}

/// Values of `--stream` where a network may see both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum InputArg {
    /// Colour frames.
    Rgb,
    /// Optical flow.
    Flow,
    /// Both at once, for two-stream and 3d-fused.
    Both,
}

impl From<InputArg> for Input {
    fn from(arg: InputArg) -> Input {
        match arg {
            InputArg::Rgb => Input::One(Stream::Rgb),
            InputArg::Flow => Input::One(Stream::Flow),
            InputArg::Both => Input::Both,
        }
    }
}

/// Values of `--system`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SystemArg {
    /// (a) Inception-V1 on frames, and an LSTM.
    ConvnetLstm,
    /// (b) A variant of C3D.
    #[value(name = "3d-convnet")]
    Convnet3d,
    /// (c) Inception-V1 on a frame and on stacked flow.
    TwoStream,
    /// (d) The same on five frames, joined by a 3-D convolution.
    #[value(name = "3d-fused")]
    Fused,
    /// (e) The inflated Inception-V1.
    I3d,
}

impl SystemArg {
    /// The system's network for `input`.
    ///
    /// # Errors
    /// Both streams, where the system has a network for each.
    pub fn network(self, input: InputArg, classes: usize) -> i3d::Result<Network> {
        let (system, input) = (System::from(self), Input::from(input));
        if system.takes(input) {
            return Ok(Network::new(system, input, classes));
        }
        let problem = format!("{system} has a network for each stream; give --stream rgb or flow");
        Err(i3d::Error::Usage(problem))
    }
}

impl From<SystemArg> for System {
    fn from(arg: SystemArg) -> System {
        match arg {
            SystemArg::ConvnetLstm => System::ConvNetLstm,
            SystemArg::Convnet3d => System::ConvNet3d,
            SystemArg::TwoStream => System::TwoStream,
            SystemArg::Fused => System::Fused,
            SystemArg::I3d => System::I3d,
        }
    }
}

impl From<StreamArg> for Stream {
    fn from(arg: StreamArg) -> Stream {
        match arg {
            StreamArg::Rgb => Stream::Rgb,
            StreamArg::Flow => Stream::Flow,
        }
    }
}

/// Values of `--fusion`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum FusionArg {
    /// softmax(rgb + flow), as in the released code.
    LogitSum,
    /// softmax((rgb + flow) / 2), the wording of the paper.
    LogitMean,
    /// (softmax(rgb) + softmax(flow)) / 2.
    ProbMean,
}

impl From<FusionArg> for Fusion {
    fn from(arg: FusionArg) -> Fusion {
        match arg {
            FusionArg::LogitSum => Fusion::LogitSum,
            FusionArg::LogitMean => Fusion::LogitMean,
            FusionArg::ProbMean => Fusion::ProbMean,
        }
    }
}

/// A number of frames that the network can take.
pub fn parse_frames(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(frames) if frames >= MIN_FRAMES => Ok(frames),
        Ok(_) => Err(format!("the network needs at least {MIN_FRAMES} frames")),
        Err(_) => Err(format!("give a number of frames, at least {MIN_FRAMES}")),
    }
}

/// A number of time steps.
pub fn parse_steps(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&steps| steps > 0).ok_or_else(|| "give a number of frames, at least 1".into())
}

/// A number of classes within reason.
pub fn parse_classes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(classes) if (1..=MOST_CLASSES).contains(&classes) => Ok(classes),
        _ => Err(format!("give a number of classes, 1 to {MOST_CLASSES}")),
    }
}

/// A number of threads within reason.
pub fn parse_threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads) if threads <= MOST_THREADS => Ok(threads),
        _ => Err(format!("give a number of threads, at most {MOST_THREADS}")),
    }
}
