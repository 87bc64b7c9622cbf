//! The shapes of objects that cross the border, for Rust and, word for word, for TypeScript.

use i3d::video::VideoInfo;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

/// Where a plane lies in the bytes of a frame.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct PlaneLayout {
    /// Its first byte.
    pub offset: usize,
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// What the bytes of a frame mean.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrameLayout {
    /// `I420`, `NV12`, `RGBA`, `RGBX`, `BGRA`, `BGRX` as WebCodecs has them, or `RGB`.
    pub format: String,
    /// Width of the planes in pixels, before rotation.
    pub width: usize,
    /// Height of the planes in pixels, before rotation.
    pub height: usize,
    /// One entry per plane.
    pub planes: Vec<PlaneLayout>,
    /// Presentation time.
    pub seconds: f64,
    /// Clockwise degrees that bring the picture upright.
    #[serde(default)]
    pub rotation: f64,
    /// Whether left and right of the planes change places before the turn.
    #[serde(default)]
    pub mirrored: bool,
    /// Width and height of a pixel; square where the stream does not say.
    #[serde(default)]
    pub pixel_aspect: Option<[u32; 2]>,
    /// The matrix as WebCodecs names it; none where the stream does not say.
    #[serde(default)]
    pub matrix: Option<String>,
    /// Whether samples have the full range; none where the stream does not say.
    #[serde(default)]
    pub full_range: Option<bool>,
}

/// How planes are brought upright: mirrored left to right first, where they are mirrored, then turned.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Upright {
    /// Clockwise degrees: 0, 90, 180 or 270.
    pub rotation: u32,
    /// Whether left and right of the planes change places before the turn.
    pub mirrored: bool,
}

/// How to go through a video once.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PassOptions {
    /// Frames per window.
    pub window: usize,
    /// Frames from one window's start to the next one's.
    pub step: usize,
    /// Frames between two previews; 0 for none.
    #[serde(default)]
    pub preview_every: usize,
    /// Whether the flow stream runs too: flow lies between two frames, so the last frame is left out.
    #[serde(default)]
    pub both_streams: bool,
    /// Average frames per second of the video, where known.
    #[serde(default)]
    pub fps: Option<f64>,
    /// Whether the container says of every frame how long it is shown; see the library's `VideoInfo`.
    #[serde(default)]
    pub states_durations: bool,
}

/// The page's part of a result: what it knows of the video.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoFacts {
    /// What the result calls it.
    pub name: String,
    /// What the container says.
    pub info: VideoInfo,
    /// Frames that were decoded.
    pub decoded: u64,
    /// Time in which the page waited for the decoder.
    pub decode_ms: f64,
    /// From the first frame to the result.
    pub total_ms: f64,
}

/// A network that was loaded.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInfo {
    /// Its stream.
    pub stream: i3d::network::Stream,
    /// Number of classes.
    pub classes: usize,
    /// Height and width of its input in pixels.
    pub input_size: usize,
    /// 1 is the paper's.
    pub width: f64,
    /// The checkpoint's own name, where it has one.
    pub name: Option<String>,
}

/// One window so far.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartialSegment {
    /// Where it begins.
    pub start_seconds: f64,
    /// Where it ends.
    pub end_seconds: f64,
    /// Its most probable classes, best first.
    pub top: Vec<PartialTop>,
}

/// A class of a window.
#[derive(Debug, Clone, Serialize)]
pub struct PartialTop {
    /// Its name.
    pub label: String,
    /// Its probability.
    pub probability: f32,
}

#[wasm_bindgen(typescript_custom_section)]
const TYPESCRIPT: &str = r#"
export type Stream = "rgb" | "flow";

/** What every error of this package carries beside its message. */
export interface I3dError extends Error {
  code: "io" | "video" | "clip" | "checkpoint" | "labels" | "training" | "download" | "usage" | "no-device" | "limits" | "device";
}

export interface PlaneLayout { offset: number; stride: number }

/** What the bytes of a frame mean; `format` as in WebCodecs, or `RGB`. */
export interface FrameLayout {
  format: "I420" | "NV12" | "RGBA" | "RGBX" | "BGRA" | "BGRX" | "RGB";
  /** Width of the planes in pixels, before rotation. */
  width: number;
  /** Height of the planes in pixels, before rotation. */
  height: number;
  planes: PlaneLayout[];
  seconds: number;
  /** Clockwise degrees that bring the picture upright. */
  rotation?: number;
  /** Whether left and right of the planes change places before the turn. */
  mirrored?: boolean;
  /** Width and height of a pixel; square where it is left out. */
  pixelAspect?: [number, number] | null;
  /** The matrix as WebCodecs names it. */
  matrix?: string | null;
  fullRange?: boolean | null;
}

/** How planes are brought upright: mirrored left to right first, where they are mirrored, then turned clockwise. */
export interface Orientation { rotation: number; mirrored: boolean }

export interface PassOptions {
  /** Frames per window, at least 9. */
  window: number;
  /** Frames from one window's start to the next one's. */
  step: number;
  /** Frames between two previews; 0 or nothing for none. */
  previewEvery?: number;
  /** Whether the flow stream runs too: then the last frame is left out. */
  bothStreams?: boolean;
  /** Average frames per second of the video, where known. */
  fps?: number | null;
  /** Whether the container says of every frame how long it is shown: then a long step is a still picture and not a jump. */
  statesDurations?: boolean;
}

/** What a container says about its video. */
export interface VideoInfo {
  frames: number | null;
  fps: number | null;
  /** Width in pixels, before rotation. */
  width: number;
  /** Height in pixels, before rotation. */
  height: number;
  rotation: number;
  mirrored: boolean;
  pixel_aspect: { width: number; height: number };
  states_durations: boolean;
  duration_seconds: number | null;
  codec: string | null;
  pixel_format: string | null;
}

export interface VideoFacts {
  name: string;
  info: VideoInfo;
  decoded: number;
  decodeMs: number;
  totalMs: number;
}

export interface NetworkInfo { stream: Stream; classes: number; inputSize: number; width: number; name: string | null }

export interface DeviceInfo { backend: "cpu" | "webgpu"; name: string; driver: string }

export interface Top { index: number; label: string; probability: number; logit: number; rgb_logit?: number; flow_logit?: number }

export interface Segment { start_seconds: number; end_seconds: number; top: Top[] }

/** The result, the JSON of the command line. */
export interface Report {
  input: string;
  version: string;
  device: DeviceInfo;
  precision: "f32" | "f16";
  model: { name: string; rgb: { source: string; sha256: string | null } | null; flow: { source: string; sha256: string | null } | null };
  preprocess: unknown;
  video: { frames: number; fps: number | null; width: number; height: number; rotation: number; mirrored: boolean; pixel_aspect: { width: number; height: number }; duration_seconds: number | null; start_seconds: number; sampled_frames: number; clip_frames: number; looped: boolean; planes_crc32c: string };
  streams: { rgb?: { logits: number[]; norm: number }; flow?: { logits: number[]; norm: number } };
  fused: { logits: number[]; norm: number } | null;
  top: Top[];
  segments: Segment[];
  timings: { decode_ms: number; flow_ms: number; rgb_ms: number; flow_network_ms: number; total_ms: number };
}

export interface PartialSegment { startSeconds: number; endSeconds: number; top: { label: string; probability: number }[] }

/** A small picture of what a network sees, RGBA, `size` by `size`. */
export interface Preview { seconds: number; size: number; rgba: Uint8ClampedArray<ArrayBuffer> }

/** Where the files of a released model lie. */
export interface ModelEntry {
  name: string;
  description: string;
  classes: number;
  licence: string;
  labels: string[] | null;
  streams: { stream: Stream; format: "tensorflow" | "file"; files: { name: string; url: string; blob: string; size: number | null }[] }[];
}
"#;
