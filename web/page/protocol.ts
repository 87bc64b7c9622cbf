/** What the page and its worker say to each other. */

import type { DeviceInfo, PartialSegment, Preview, Stream, VideoInfo } from "../pkg/i3d_web";

/** What a user can choose. */
export interface Settings {
  /** Name of a model of the table, `demo`, or `file` for a checkpoint that was dropped on the page. */
  model: string;
  streams: "both" | Stream;
  /** Frames per window; windows begin every half of that. */
  window: 16 | 32 | 64;
  device: "auto" | "gpu" | "cpu";
}

/** A stream, or both fused. */
export type View = Stream | "fused";

/** What can be told of a video before anything runs. */
export interface VideoDetails extends VideoInfo {
  container: string;
  /** The time of the first picture; times count from where the first of all tracks begins. */
  start_seconds: number;
  /** Where that is on the clock of the file itself. */
  clock_start: number;
}

/** Something the user should know, which does not stop the work. */
export interface Notice {
  code: "cpu" | "retry" | "fallback" | "not-kept" | "broken-end";
  text: string;
}

/** What a run tells while it goes on. */
export type RunEvent =
  | { type: "streams"; streams: Stream[] }
  | { type: "device"; device: DeviceInfo }
  | { type: "restart" }
  | { type: "end" }
  | { type: "notice"; notice: Notice }
  | { type: "loading"; stream: Stream; bytes: number; total: number }
  | { type: "progress"; stream: Stream; share: number | null }
  | { type: "segments"; stream: Stream; segments: PartialSegment[] }
  | { type: "previews"; stream: Stream; previews: Preview[] }
  | { type: "result"; view: View; json: string; csv: string; vtt: string };

/** A model and what of it is on this device. */
export interface ModelState {
  name: string;
  title: string;
  description: string;
  classes: number;
  licence: string;
  streams: Stream[];
  /** Bytes to download, where they are known. */
  download: number | null;
  /** Bytes that it takes in the browser's storage; 0 where it is not there. */
  kept: number;
  /** Part of the page. */
  bundled: boolean;
}

/** How far a download is. */
export interface Download {
  stream: Stream;
  file: string;
  bytes: number;
  total: number | null;
  converting: boolean;
}

/** What the browser can do, asked once. */
export interface Support {
  /** The adapter's name, or why there is none. */
  gpu: { state: "hardware" | "software"; name: string } | { state: "insecure" | "no-webgpu" | "no-adapter" };
  webCodecs: boolean;
}
