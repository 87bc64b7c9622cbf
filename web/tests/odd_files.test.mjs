/** Files whose pictures are mirrored, late, not square, grey, trimmed, or not the only ones: the page takes them as the command line does. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { classify, drop, launch, open, scratch, serve, set } from "./common.mjs";
import { H264, ffmpeg, film, native, picture, same } from "./compare.mjs";
import { withEdits, withMatrix } from "./containers.mjs";

const VP9 = ["-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-b:v", "200k"];
const MATRICES = {
  "mirrored": [-1, 0, 0, 1], "mirrored top to bottom": [1, 0, 0, -1], "mirrored at one diagonal": [0, 1, 1, 0], "mirrored at the other": [0, -1, -1, 0],
  "turned right": [0, 1, -1, 0], "upside down": [-1, 0, 0, -1], "turned left": [0, -1, 1, 0],
};

const OPTIONS = { Window: "0.6 s (16 frames)", Streams: "RGB alone (faster)" };

/** A page that runs on the CPU. */
async function page(t) {
  const server = await serve();
  const browser = await launch({ webgpu: false });
  t.after(() => Promise.all([browser.close(), server.close()]));
  const opened = await open(browser.context, server.url);
  await set(opened.page, OPTIONS);
  return opened;
}

/** The page's result of a file, which it finds nothing wrong with, beside the command line's. */
async function agrees(page, file) {
  await drop(page, file);
  const found = await classify(page, { view: "RGB" });
  assert.deepEqual(await page.locator(".notice").allInnerTexts(), []);
  same(found, native(file, "--model", "demo", "--window", "16", "--step", "8", "--streams", "rgb"));
  return found;
}

/** Sound that begins at once, and the pictures of a file a second later. */
function late(from, to, ...options) {
  return ffmpeg("-f", "lavfi", "-i", "sine=duration=3", "-itsoffset", "1", "-i", from, "-map", "1:v", "-map", "0:a", "-c:v", "copy", ...options, to);
}

/** Files one behind the other, as recorders that restart leave them. */
function joined(to, ...from) {
  writeFileSync(to, Buffer.concat(from.map((path) => readFileSync(path))));
  return to;
}

test("mirrored and turned", async (t) => {
  const folder = scratch(t);
  const { page: view, complaints } = await page(t);
  const upright = film(join(folder, "film.mp4"));
  for (const [name, matrix] of Object.entries(MATRICES)) {
    await t.test(name, async () => {
      const found = await agrees(view, withMatrix(upright, join(folder, "matrix.mp4"), matrix));
      assert.equal(found.video.mirrored, name.startsWith("mirrored"));
    });
  }
  assert.deepEqual(complaints, []);
});

test("late, trimmed, restarted", async (t) => {
  const folder = scratch(t);
  const at = (name) => join(folder, name);
  const { page: view, complaints } = await page(t);
  const mp4 = film(at("film.mp4"), { rate: 25 });
  const webm = film(at("film.webm"), { rate: 25, options: VP9 });
  const ts = film(at("film.ts"), { rate: 25, seconds: 1 });
  const mkv = film(at("short.mkv"), { rate: 25, seconds: 1 });
  // Ticks of this file: 12,800 a second, the first picture at 1,024.
  const [first, second] = [1024, 12800];
  const starts = {
    "pictures a second after the sound, MP4": [late(mp4, at("late.mp4"), "-c:a", "aac"), 1],
    "pictures a second after the sound, WebM": [late(webm, at("late.webm"), "-c:a", "libopus"), 1.007],
    "pictures a second after the sound, MKV": [late(mp4, at("late.mkv"), "-c:a", "aac"), 1.023],
    "pictures a second after the sound, MPEG-TS": [late(mp4, at("late.ts"), "-c:a", "aac"), 1.023],
    "sound longer than the pictures": [ffmpeg("-f", "lavfi", "-i", "sine=duration=5", "-i", mp4, "-c:v", "copy", "-c:a", "aac", at("sound.mp4")), 0],
    "a clock that begins at 100 s, MKV": [ffmpeg("-i", mp4, "-c", "copy", "-output_ts_offset", "100", at("hundred.mkv")), 0],
    "a clock that begins at 100 s, WebM": [ffmpeg("-i", webm, "-c", "copy", "-output_ts_offset", "100", at("hundred.webm")), 0],
    "a clock that begins at 100 s, with the run-in of sound": [
      ffmpeg("-f", "lavfi", "-i", "sine=duration=2", "-i", webm, "-map", "1:v", "-map", "0:a", "-c:v", "copy", "-c:a", "libopus", "-output_ts_offset", "100", at("run-in.webm")),
      0.014,
    ],
    "a clock that begins at 100 s, MP4": [ffmpeg("-i", mp4, "-c", "copy", "-output_ts_offset", "100", at("hundred.mp4")), 0],
    "one frame a second": [film(at("slow.mp4"), { rate: 1, seconds: 4 }), 0],
    "an animation of one frame a second": [ffmpeg(...picture({ rate: 1, seconds: 3 }), at("slow.gif")), 0],
    "an edit that ends before the medium": [withEdits(mp4, at("trimmed.mp4"), [[900, first]]), 0],
    "an edit from between two pictures": [withEdits(mp4, at("between.mp4"), [[910, first + 7000]]), 0],
    "two edits": [withEdits(mp4, at("edits.mp4"), [[700, first], [600, first + second + 300]]), 0],
    "an edit behind an empty one": [withEdits(late(mp4, at("later.mp4"), "-c:a", "aac"), at("empty.mp4"), [[500, -1], [800, first + second / 2]]), 0.5],
    "a clock that starts again, MPEG-TS": [joined(at("again.ts"), ts, ts), 0],
    "a clock that starts again, MKV": [joined(at("again.mkv"), mkv, mkv), 0],
    "a clock that jumps": [joined(at("jump.ts"), ts, film(at("far.ts"), { rate: 25, seconds: 1, after: ["-output_ts_offset", "500"] })), 0],
  };
  for (const [name, [file, start]] of Object.entries(starts)) {
    await t.test(name, async () => {
      const { video } = await agrees(view, file);
      assert.ok(Math.abs(video.start_seconds - start) < 1e-3, `starts at ${video.start_seconds} s`);
    });
  }
  await t.test("a click on the timeline goes there, whatever the player's clock is", async () => {
    for (const [file, begin] of [[at("late.mp4"), 0], [at("hundred.webm"), 100]]) {
      const { segments } = await agrees(view, file);
      const player = view.locator("video");
      await player.evaluate((video) => video.readyState >= 2 || new Promise((resolve) => video.addEventListener("loadeddata", resolve, { once: true })));
      await view.locator(".slot").nth(2).click();
      const now = await player.evaluate((video) => video.currentTime);
      assert.ok(Math.abs(now - begin - segments[2].start_seconds) < 0.01, `at ${now} s for ${segments[2].start_seconds} s`);
    }
  });
  assert.deepEqual(complaints, []);
});

test("several tracks", async (t) => {
  const folder = scratch(t);
  const at = (name) => join(folder, name);
  const { page: view, complaints } = await page(t);
  const [small, large] = [picture({ seconds: 1 }), picture({ size: "256x192", seconds: 1 })];
  const still = ["-f", "lavfi", "-i", "testsrc=size=640x480:rate=25:duration=0.04"];
  const both = ["-map", "0", "-map", "1"];
  const films = {
    "the first is the default": [ffmpeg(...small, ...large, ...both, ...H264, at("first.mp4")), 192],
    "the second is the default": [ffmpeg(...large, ...small, ...both, ...H264, "-disposition:v:0", "0", "-disposition:v:1", "default", at("second.mkv")), 192],
    "none is, and the second is larger": [ffmpeg(...small, ...large, ...both, ...H264, "-disposition:v:0", "0", "-disposition:v:1", "0", at("larger.mkv")), 256],
    "a cover picture": [ffmpeg(...small, ...still, ...both, "-c:v:0", "libx264", "-pix_fmt", "yuv420p", "-c:v:1", "mjpeg", "-disposition:v:1", "attached_pic", at("cover.mp4")), 192],
    "a preview of one picture": [ffmpeg(...still, ...small, ...both, ...H264, at("preview.mp4")), 192],
  };
  for (const [name, [file, width]] of Object.entries(films)) await t.test(name, async () => assert.equal((await agrees(view, file)).video.width, width));
  assert.deepEqual(complaints, []);
});

test("pixels that are not square, and grey ones", async (t) => {
  const folder = scratch(t);
  const at = (name) => join(folder, name);
  const { page: view, complaints } = await page(t);
  const wide = (ratio) => ["-vf", `setsar=${ratio}`];
  const shapes = {
    "2:1, MP4": [film(at("wide.mp4"), { seconds: 1, after: wide("2/1") }), [2, 1]],
    "4:3, MKV": [film(at("wide.mkv"), { seconds: 1, after: wide("4/3") }), [4, 3]],
    "40:33, MP4": [film(at("table.mp4"), { seconds: 1, size: "176x144", after: wide("40/33") }), [40, 33]],
    "10:11, which MPEG-TS leaves to the codec": [film(at("narrow.ts"), { seconds: 1, after: wide("10/11") }), [10, 11]],
    "64:45, WebM": [film(at("wide.webm"), { seconds: 1, size: "720x64", options: VP9, after: wide("64/45") }), [64, 45]],
  };
  for (const [name, [file, [width, height]]] of Object.entries(shapes)) {
    await t.test(name, async () => assert.deepEqual((await agrees(view, file)).video.pixel_aspect, { width, height }));
  }
  const grey = {
    "grey H.264": film(at("grey.mp4"), { seconds: 1, options: ["-c:v", "libx264", "-pix_fmt", "gray"] }),
    "grey H.264 of the limited range": film(at("limited.mp4"), { seconds: 1, options: ["-c:v", "libx264", "-pix_fmt", "gray", "-color_range", "tv"] }),
    "grey AV1": film(at("grey-av1.mp4"), { seconds: 1, options: ["-c:v", "libaom-av1", "-cpu-used", "8", "-pix_fmt", "gray"] }),
  };
  for (const [name, file] of Object.entries(grey)) await t.test(name, async () => void (await agrees(view, file)));
  assert.deepEqual(complaints, []);
});

test("files that lack their end are told", async (t) => {
  const folder = scratch(t);
  const at = (name) => join(folder, name);
  const { page: view, complaints } = await page(t);
  const whole = film(at("film.mp4"), { rate: 25, seconds: 4 });
  const files = {
    "cut.mp4": ffmpeg("-i", whole, "-c", "copy", "-movflags", "+faststart", at("fast.mp4")),
    "cut-fragments.mp4": ffmpeg("-i", whole, "-c", "copy", "-movflags", "frag_keyframe+empty_moov", at("fragments.mp4")),
    "cut.mkv": ffmpeg("-i", whole, "-c", "copy", at("film.mkv")),
  };
  for (const [name, file] of Object.entries(files)) {
    await t.test(name, async () => {
      const bytes = readFileSync(file);
      writeFileSync(at(name), bytes.subarray(0, Math.floor(bytes.length * 0.7)));
      await drop(view, at(name));
      const { video } = await classify(view, { view: "RGB" });
      assert.ok(video.sampled_frames >= 40 && video.sampled_frames < 90, `${video.sampled_frames} frames`);
      const [notice] = await view.locator(".notice").allInnerTexts();
      assert.match(notice ?? "", /is damaged: its pictures end after [123]\.\d s.*What came before is classified/);
    });
  }
  assert.deepEqual(complaints, []);
});
