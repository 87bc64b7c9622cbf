//! Flow fields to the input of the flow network.

use super::{Flow, Tvl1};
use crate::clip::Clip;
use crate::error::{Error, Result};

/// Displacements beyond so many pixels are cut off: the training data was, in both published recipes.
pub const BOUND: f32 = 20.0;

/// How flow is rounded on its way to the network. Flow networks were trained on flow stored in 8 bits, each pipeline
/// with its own formula; all of them map -20 to 20 pixels to about -1 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantize {
    /// Not at all: `v / 20`.
    #[default]
    None,
    /// MediaPipe's `flow_quantizer_model.cc` and its inverse: `q = trunc(clamp((v + 20) / 40, 0, 1) * 255)`, then
    /// `(q / 255 - 0.5) * 2`. Truncation makes still pictures slightly negative.
    Mediapipe,
    /// TSN's dense_flow: `q = round(255 * (v + 20) / 40)`, then `2 q / 255 - 1` as pytorch-i3d reads it.
    Denseflow,
    /// video_features: `q = round(128 + 255 / 40 * v)`, which reaches 256, then `2 q / 255 - 1`. Still pictures become
    /// 0.0039.
    VideoFeatures,
}

impl Quantize {
    /// The network's input for a displacement in pixels; [`BOUND`] is applied first.
    pub fn apply(self, flow_px: f32) -> f32 {
        let v = flow_px.clamp(-BOUND, BOUND);
        match self {
            Quantize::None => v / BOUND,
            Quantize::Mediapipe => {
                let q = (((v + BOUND) / (2.0 * BOUND)).clamp(0.0, 1.0) * 255.0).trunc();
                (q / 255.0 - 0.5) * 2.0
            }
            Quantize::Denseflow => {
                let q = (255.0 * (v + BOUND) / (2.0 * BOUND)).round_ties_even();
                2.0 * q / 255.0 - 1.0
            }
            Quantize::VideoFeatures => {
                let q = (128.0 + 255.0 / 40.0 * v).round_ties_even();
                2.0 * q / 255.0 - 1.0
            }
        }
    }
}

/// Every parameter of the way from frames to flow input, for results that can be repeated.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct FlowPreprocess {
    /// How flow is found.
    pub algorithm: &'static str,
    /// Its parameters.
    pub tvl1: Tvl1,
    /// How colours become grey.
    pub grey: &'static str,
    /// Displacement in pixels that is cut off and becomes 1.
    pub bound_px: f32,
    /// How it is rounded.
    pub quantize: Quantize,
}

impl FlowPreprocess {
    /// The description of flow with these parameters.
    pub fn new(tvl1: Tvl1, quantize: Quantize) -> FlowPreprocess {
        let (algorithm, grey) = ("TV-L1, OpenCV semantics", "0.299 r + 0.587 g + 0.114 b, whole numbers");
        FlowPreprocess { algorithm, tvl1, grey, bound_px: BOUND, quantize }
    }
}

/// The flow network's input: the centre of every flow field, cut off at [`BOUND`], quantised and scaled.
///
/// # Shapes
/// T flows `[H, W, 2]`; returns `[T, crop, crop, 2]`, values in about `[-1, 1]`. The crop lies where that of the RGB
/// frames lies: odd margins are rounded down at the left and top.
///
/// # Errors
/// No flow, flows of different sizes, and a crop larger than the flow.
pub fn flow_clip(flows: &[Flow], crop: usize, quantize: Quantize) -> Result<Clip> {
    let [first, ..] = flows else {
        return Err(Error::clip("flow clip", "there is no flow; give at least two frames"));
    };
    let (width, height) = (first.width, first.height);
    if crop == 0 || crop > width.min(height) {
        let most = width.min(height);
        let problem = format!("a crop of {crop} pixels does not fit into {width}x{height}; give 1 to {most}");
        return Err(Error::clip("flow clip", problem));
    }
    let (left, top) = ((width - crop) / 2, (height - crop) / 2);
    let mut clip = Clip::empty(crop, crop, 2);
    for (index, flow) in flows.iter().enumerate() {
        if (flow.width, flow.height) != (width, height) {
            let problem = format!(
                "flow {} is {}x{} where the first is {width}x{height}; resize all frames to one size",
                index + 1,
                flow.width,
                flow.height
            );
            return Err(Error::clip("flow clip", problem));
        }
        let rows = (top..top + crop).flat_map(|y| &flow.data[2 * (y * width + left)..][..2 * crop]);
        clip.push_frame(&rows.map(|&v| quantize.apply(v)).collect::<Vec<f32>>())?;
    }
    Ok(clip)
}

/// Figures that tell whether flow is sane.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct FlowStatistics {
    /// The smallest component in pixels.
    pub min: f32,
    /// The largest component in pixels.
    pub max: f32,
    /// Mean length of the displacements in pixels.
    pub mean_magnitude: f64,
    /// Share of components that [`BOUND`] cuts off.
    pub clipped: f64,
}

impl FlowStatistics {
    /// The statistics over all `flows`; all zero where there are none.
    pub fn new<'a>(flows: impl IntoIterator<Item = &'a Flow>) -> FlowStatistics {
        let (mut min, mut max) = (f32::INFINITY, f32::NEG_INFINITY);
        let (mut magnitude, mut clipped, mut pixels) = (0.0, 0usize, 0usize);
        for &[u, v] in flows.into_iter().flat_map(|flow| flow.data.as_chunks::<2>().0) {
            min = min.min(u).min(v);
            max = max.max(u).max(v);
            magnitude += f64::from(u).hypot(f64::from(v));
            clipped += usize::from(u.abs() > BOUND) + usize::from(v.abs() > BOUND);
            pixels += 1;
        }
        if pixels == 0 {
            return FlowStatistics { min: 0.0, max: 0.0, mean_magnitude: 0.0, clipped: 0.0 };
        }
        let mean_magnitude = magnitude / pixels as f64;
        FlowStatistics { min, max, mean_magnitude, clipped: clipped as f64 / (2 * pixels) as f64 }
    }
}
