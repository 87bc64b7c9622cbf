//! The numbers of one stream, as JSON and to read.

use i3d::backend::DeviceInfo;
use i3d::network::Stream;
use i3d::plan::Precision;
use serde::Serialize;

use super::layers::Layers;

/// What was measured of one stream.
#[derive(Debug, Serialize)]
pub struct Entry {
    pub version: &'static str,
    pub stream: Stream,
    /// A file, or a description of what stands in for one.
    pub weights: String,
    pub device: DeviceInfo,
    /// How weights and activations are stored.
    pub precision: Precision,
    pub frames: usize,
    pub batch: usize,
    pub input_size: usize,
    pub runs: u32,
    pub median_ms: f64,
    pub q1_ms: f64,
    pub q3_ms: f64,
    /// From opening the device and loading the weights to the first result.
    pub cold_ms: f64,
    /// The most memory that the process has held so far; null where the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// All buffers on the GPU; null on the CPU.
    pub gpu_memory_bytes: Option<u64>,
    /// Operations of a run, two per multiply-accumulate of the direct convolution, in billions.
    pub gflop: f64,
    /// `gflop` over the median time.
    pub gflops: f64,
    /// With `--per-layer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<Layers>,
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Entry { stream, weights, device, precision, frames, batch, input_size, runs, .. } = self;
        writeln!(
            f,
            "clip     {stream}, {frames} frames of {input_size}x{input_size}, batch {batch}; {weights}"
        )?;
        writeln!(f, "device   {device}, {precision}")?;
        let [median, q1, q3] = [self.median_ms, self.q1_ms, self.q3_ms];
        writeln!(f, "median   {median:.2} ms, quartiles {q1:.2} and {q3:.2}, {runs} runs")?;
        writeln!(f, "cold     {:.2} ms, from opening the device to the first result", self.cold_ms)?;
        writeln!(f, "work     {:.2} GFLOP, {:.1} GFLOP/s", self.gflop, self.gflops)?;
        let mb = |bytes: Option<u64>| bytes.map(|bytes| format!("{:.0} MB", bytes as f64 / 1e6));
        let process = mb(self.peak_memory_bytes).unwrap_or_else(|| "unknown".into());
        let gpu = mb(self.gpu_memory_bytes).map(|gpu| format!(", {gpu} on the GPU")).unwrap_or_default();
        writeln!(f, "memory   {process} at the peak of the process{gpu}")?;
        match &self.layers {
            Some(layers) => write!(f, "{layers}"),
            None => Ok(()),
        }
    }
}
