/** The page and the command line, same file, same weights: the same planes, the same logits, the same ranking. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, classify, drop, launch, open, result, scratch, serve, set } from "./common.mjs";
import { H264, film, native, same } from "./compare.mjs";

test("on the CPU, with WebGPU switched off", async (t) => {
  const folder = scratch(t);
  const server = await serve({ prefix: "/any/prefix/" });
  const browser = await launch({ webgpu: false });
  t.after(() => Promise.all([browser.close(), server.close()]));
  const { page, complaints } = await open(browser.context, server.url);
  await set(page, { Window: "0.6 s (16 frames)" });
  const turned = film(join(folder, "turned-first.mp4"));
  const videos = {
    "H.264 with B-frames, 30 fps": film(join(folder, "film.mp4")),
    "a phone's, on its side": ((path) => {
      execFileSync("ffmpeg", ["-v", "error", "-y", "-i", turned, "-c", "copy", "-metadata:s:v", "rotate=90", path]);
      return path;
    })(join(folder, "turned.mp4")),
    "BT.709, full range": film(join(folder, "wide.mp4"), { after: ["-vf", "scale=out_color_matrix=bt709:out_range=full", "-colorspace", "bt709", "-color_range", "pc"] }),
    "VP9 in WebM, 50 fps": film(join(folder, "film.webm"), { rate: 50, options: ["-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-b:v", "200k"] }),
    "H.264 in MKV, 12 fps": film(join(folder, "film.mkv"), { rate: 12 }),
    "a GIF": join(ROOT, "samples/opening_a_door.gif"),
  };
  for (const [name, file] of Object.entries(videos)) {
    await t.test(name, async (t) => {
      await drop(page, file);
      const found = await classify(page);
      assert.equal(found.device.backend, "cpu");
      assert.equal(found.video.rotation !== 0, name.includes("on its side"));
      t.diagnostic(`logits within ${same(found, native(file, "--model", "demo", "--window", "16", "--step", "8")).toExponential(1)}`);
    });
  }
  assert.deepEqual(complaints, []);
});

test("on WebGPU", async (t) => {
  const folder = scratch(t);
  const server = await serve();
  const browser = await launch();
  t.after(() => Promise.all([browser.close(), server.close()]));
  const { page, complaints } = await open(browser.context, server.url);
  await set(page, { Device: "GPU (WebGPU)", Window: "0.6 s (16 frames)" });
  // Flow takes a program that plays GPU long, so a short piece of a small film.
  const file = join(folder, "door.mp4");
  execFileSync("ffmpeg", ["-v", "error", "-y", "-i", join(ROOT, "samples/opening_a_door.mp4"), "-frames:v", "12", ...H264, file]);
  await drop(page, file);
  const found = await classify(page, { timeout: 300_000 });
  assert.equal(found.device.backend, "webgpu");
  t.diagnostic(`logits within ${same(found, native(file, "--model", "demo", "--window", "16", "--step", "8")).toExponential(1)}`);
  assert.deepEqual(complaints, []);
});

/** Full-size checkpoints are not part of the project; I3D_GOLDEN names a folder with `deepmind_rgb/model.ckpt.*`. */
const golden = process.env.I3D_GOLDEN;

test("the full-size network, 16 frames", { skip: golden ? false : "I3D_GOLDEN is not set" }, async (t) => {
  const folder = scratch(t);
  const checkpoint = join(golden, "deepmind_rgb/model.ckpt");
  const files = [".index", ".data-00000-of-00001"].map((ending) => checkpoint + ending);
  assert.ok(files.every(existsSync), `${checkpoint} is not there`);
  const server = await serve();
  t.after(() => server.close());
  const file = film(join(folder, "film.mp4"), { size: "340x256", rate: 25, seconds: 0.64 });
  const expected = native(file, "--rgb", checkpoint, "--window", "16", "--step", "8");
  for (const [webgpu, device] of [[true, "GPU (WebGPU)"], [false, "Automatic"]]) {
    const browser = await launch({ webgpu });
    try {
      const { page, complaints } = await open(browser.context, server.url);
      await set(page, { Device: device, Window: "0.6 s (16 frames)" });
      await page.getByLabel("Video file").setInputFiles(files);
      await page.locator("select option[value=file]").waitFor({ state: "attached", timeout: 60_000 });
      await page.getByLabel("Video file").setInputFiles(file);
      await page.getByRole("button", { name: "Find the actions" }).click();
      const found = await result(page, { view: "RGB", timeout: 300_000 });
      assert.equal(found.device.backend, webgpu ? "webgpu" : "cpu");
      const worst = same(found, expected);
      t.diagnostic(`${found.device.backend}: logits within ${worst.toExponential(1)}, network ${(found.timings.rgb_ms / 1000).toFixed(1)} s`);
      assert.deepEqual(complaints, []);
    } finally {
      await browser.close();
    }
  }
});
