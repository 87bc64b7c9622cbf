//! The five systems that the paper compares.

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
