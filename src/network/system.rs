//! The five systems that the paper compares: what each sees of a video, and how.

use super::Stream;

/// A system of the paper's Figure 2 and Table 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum System {
    /// (a) Inception-V1 on single frames, and an LSTM over time.
    #[serde(rename = "convnet-lstm")]
    ConvNetLstm,
    /// (b) A variant of C3D: eight 3x3x3 convolutions and three fully connected layers.
    #[serde(rename = "3d-convnet")]
    ConvNet3d,
    /// (c) Inception-V1 on a single frame, and on a stack of ten flow frames.
    #[serde(rename = "two-stream")]
    TwoStream,
    /// (d) The same on five frames, their features joined by a 3x3x3 convolution.
    #[serde(rename = "3d-fused")]
    Fused,
    /// (e) The inflated Inception-V1.
    #[serde(rename = "i3d")]
    I3d,
}

impl System {
    /// All of them, in the paper's order.
    pub const ALL: [System; 5] =
        [System::ConvNetLstm, System::ConvNet3d, System::TwoStream, System::Fused, System::I3d];

    /// `convnet-lstm`, `3d-convnet`, `two-stream`, `3d-fused` or `i3d`.
    pub const fn name(self) -> &'static str {
        match self {
            System::ConvNetLstm => "convnet-lstm",
            System::ConvNet3d => "3d-convnet",
            System::TwoStream => "two-stream",
            System::Fused => "3d-fused",
            System::I3d => "i3d",
        }
    }
}

impl std::fmt::Display for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a network sees: one stream, or both at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Input {
    /// One stream.
    One(Stream),
    /// Both, side by side on channels: see [`Network::towers`](super::Network::towers).
    Both,
}

impl Input {
    /// All there are.
    pub const ALL: [Input; 3] = [Input::One(Stream::Rgb), Input::One(Stream::Flow), Input::Both];

    /// The streams, RGB first.
    pub fn streams(self) -> impl Iterator<Item = Stream> {
        let all = [Stream::Rgb, Stream::Flow];
        all.into_iter().filter(move |&stream| self == Input::Both || self == Input::One(stream))
    }

    /// `rgb`, `flow` or `both`.
    pub const fn name(self) -> &'static str {
        match self {
            Input::One(stream) => stream.name(),
            Input::Both => "both",
        }
    }
}

impl std::fmt::Display for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Input> for &'static str {
    fn from(input: Input) -> &'static str {
        input.name()
    }
}

impl TryFrom<String> for Input {
    type Error = String;

    fn try_from(name: String) -> Result<Input, String> {
        let known = Input::ALL.into_iter().find(|input| input.name() == name);
        known.ok_or_else(|| format!("{name:?} is neither rgb, flow nor both"))
    }
}

impl From<Stream> for Input {
    fn from(stream: Stream) -> Input {
        Input::One(stream)
    }
}

/// How a system samples a video of 25 frames per second, in training and in tests (the paper's Table 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// Time steps of the network's input in training.
    pub train_steps: usize,
    /// Those of a test.
    pub test_steps: usize,
    /// Pieces of a video that a test looks at one after the other; their logits are averaged.
    pub test_windows: usize,
    /// Frames from one step to the next.
    pub every: usize,
    /// Flow frames that a step stacks on channels, u and v of each: those from the step's own frame on.
    pub stack: usize,
}

/// The frame rate at which the paper samples every video.
const FRAMES_PER_SECOND: f64 = 25.0;

impl Protocol {
    /// Seconds of a video that training sees at once.
    pub fn train_seconds(&self) -> f64 {
        (self.train_steps * self.every) as f64 / FRAMES_PER_SECOND
    }

    /// Seconds of a video that a test sees.
    pub fn test_seconds(&self) -> f64 {
        (self.test_steps * self.test_windows * self.every) as f64 / FRAMES_PER_SECOND
    }
}

impl System {
    /// The system of that name.
    pub fn from_name(name: &str) -> Option<System> {
        System::ALL.into_iter().find(|system| system.name() == name)
    }

    /// What the paper calls it.
    pub const fn title(self) -> &'static str {
        match self {
            System::ConvNetLstm => "(a) ConvNet+LSTM",
            System::ConvNet3d => "(b) 3D-ConvNet",
            System::TwoStream => "(c) Two-Stream",
            System::Fused => "(d) 3D-Fused",
            System::I3d => "(e) Two-Stream I3D",
        }
    }

    /// How it samples videos.
    pub const fn protocol(self) -> Protocol {
        let (train_steps, test_steps, test_windows, every, stack) = match self {
            System::ConvNetLstm => (25, 50, 1, 5, 1),
            System::ConvNet3d => (16, 16, 15, 1, 1),
            System::TwoStream => (1, 25, 1, 10, 10),
            System::Fused => (5, 25, 1, 10, 10),
            System::I3d => (64, 250, 1, 1, 1),
        };
        Protocol { train_steps, test_steps, test_windows, every, stack }
    }

    /// Height and width of its clips in pixels.
    pub const fn input_size(self) -> usize {
        match self {
            System::ConvNet3d => 112,
            _ => 224,
        }
    }

    /// What its networks see in the paper, a network each.
    pub const fn inputs(self) -> &'static [Input] {
        match self {
            System::ConvNetLstm | System::ConvNet3d => &[Input::One(Stream::Rgb)],
            System::TwoStream | System::Fused => &[Input::Both],
            System::I3d => &[Input::One(Stream::Rgb), Input::One(Stream::Flow)],
        }
    }

    /// Channels of a clip: those of [`Stream::channels`], for flow as often as it is stacked. Both streams side by side take
    /// four for RGB, the last of them zero, so that the flow's begin where four channels do.
    pub const fn channels(self, input: Input) -> usize {
        let flow = Stream::Flow.channels() * self.protocol().stack;
        match input {
            Input::One(Stream::Rgb) => Stream::Rgb.channels(),
            Input::One(Stream::Flow) => flow,
            Input::Both => BESIDE + flow,
        }
    }

    /// What a clip of so many channels shows.
    pub fn input(self, channels: usize) -> Option<Input> {
        Input::ALL.into_iter().find(|&input| self.takes(input) && self.channels(input) == channels)
    }

    /// Whether it has networks for that: only two of the systems join streams.
    pub const fn takes(self, input: Input) -> bool {
        matches!(input, Input::One(_)) || matches!(self, System::TwoStream | System::Fused)
    }
}

/// Where the flow's channels begin in a clip of both streams.
pub(super) const BESIDE: usize = 4;
