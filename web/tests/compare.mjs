/** What tests of the page against the command line share: films, the command line's result, and what has to be the same. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { I3D } from "./common.mjs";

/** The bound for logits: both are f32 sums of the same products in different orders, through some sixty layers. */
const TOLERANCE = 1e-3;

/** The bound for times, which are quotients in different orders. */
const SECONDS = 1e-6;

export const H264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-profile:v", "high", "-bf", "2", "-g", "25"];

export function ffmpeg(...options) {
  execFileSync("ffmpeg", ["-v", "error", "-y", ...options]);
  return options.at(-1);
}

/** ffmpeg's moving test picture, as input options. */
export function picture({ size = "192x144", rate = 30, seconds = 2 } = {}) {
  return ["-f", "lavfi", "-i", `testsrc2=size=${size}:rate=${rate}:duration=${seconds}`];
}

/** A moving test picture as a video file. */
export function film(path, { options = H264, after = [], ...source } = {}) {
  return ffmpeg(...picture(source), ...options, ...after, path);
}

/** The command line's result. */
export function native(file, ...options) {
  const json = execFileSync(I3D, ["classify", file, "--timeline", "--device", "cpu", "--json", "-", "--quiet", ...options], { encoding: "utf8" });
  return JSON.parse(json);
}

/** Fails unless both saw the same pictures at the same times and say the same of them; gives the largest difference of logits. */
export function same(page, native) {
  assert.equal(page.video.planes_crc32c, native.video.planes_crc32c, "the decoded planes differ");
  assert.deepEqual(page.preprocess, native.preprocess);
  for (const key of ["sampled_frames", "width", "height", "rotation", "mirrored", "pixel_aspect"]) assert.deepEqual(page.video[key], native.video[key], key);
  near([page.video.start_seconds], [native.video.start_seconds], SECONDS, "starts");
  assert.deepEqual(Object.keys(page.streams), Object.keys(native.streams));
  const pairs = Object.keys(native.streams).map((stream) => [page.streams[stream].logits, native.streams[stream].logits]);
  if (native.fused) pairs.push([page.fused.logits, native.fused.logits]);
  const worst = Math.max(...pairs.map(([a, b]) => near(a, b, TOLERANCE, "logits")));
  assert.deepEqual(page.top.map((row) => row.label), native.top.map((row) => row.label));
  const times = ({ segments }) => segments.flatMap((segment) => [segment.start_seconds, segment.end_seconds]);
  near(times(page), times(native), SECONDS, "times");
  return worst;
}

function near(a, b, bound, what) {
  assert.equal(a.length, b.length, `${what}: not as many`);
  const worst = Math.max(0, ...a.map((value, i) => (Number.isFinite(value) ? Math.abs(value - b[i]) : Infinity)));
  assert.ok(worst <= bound, `${what} differ by ${worst}`);
  return worst;
}
