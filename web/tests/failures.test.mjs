/** What goes wrong gets a sentence and, where there is one, another way; never just an error on the console. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, classify, drop, launch, open, result, save, scratch, serve, set } from "./common.mjs";

const SAMPLE = join(ROOT, "samples/jumping_jacks.mp4");

function ffmpeg(...options) {
  execFileSync("ffmpeg", ["-v", "error", "-y", ...options]);
  return options.at(-1);
}

/** The page with something put before the worker's own code, as a browser with other abilities would have it. */
async function pageWith(t, { before = "", launch: options = {}, host, ready = true } = {}) {
  const change = (name, text) => (/^assets\/worker-.*\.js$/.test(name) ? `${before};${text}` : text);
  const server = await serve({ change, host });
  const browser = await launch({ webgpu: true, ...options });
  t.after(() => Promise.all([browser.close(), server.close()]));
  const address = host ? server.url.replace("127.0.0.1", outside()) : server.url;
  const opened = await open(browser.context, address, { ready });
  return { ...opened, browser, server };
}

/** This machine's address as others see it: to a browser that is no secure place. */
function outside() {
  const own = Object.values(networkInterfaces()).flat().find(({ family, internal }) => family === "IPv4" && !internal);
  return own?.address;
}

const hint = (page) => page.locator("footer").innerText();
const notices = (page) => page.locator(".notice").allInnerTexts();

async function runs(page, { device = "cpu", view = "RGB" } = {}) {
  await drop(page, SAMPLE);
  const found = await classify(page, { view, timeout: 200_000 });
  assert.equal(found.device.backend, device);
  assert.equal(found.top[0].label, "jumping jacks");
}

test("an insecure address", { skip: outside() ? false : "this machine has no address but its own" }, async (t) => {
  const { page, complaints } = await pageWith(t, { host: "0.0.0.0" });
  assert.match(await hint(page), /not open over https, and browsers give the GPU and storage to secure pages only/);
  await set(page, { Streams: "RGB alone (faster)" });
  // WebCodecs is for secure pages too, so a video cannot be read; a GIF can.
  await drop(page, SAMPLE);
  await page.getByRole("alert").waitFor();
  assert.match(await page.getByRole("alert").innerText(), /lacks WebCodecs.*over https, or give a GIF/);
  await drop(page, join(ROOT, "samples/jumping_jacks.gif"));
  assert.equal((await classify(page, { view: "RGB" })).top[0].label, "jumping jacks");
  assert.deepEqual(complaints, []);
});

test("a browser without WebGPU", async (t) => {
  const { page, complaints } = await pageWith(t, { before: "delete WorkerNavigator.prototype.gpu" });
  assert.match(await hint(page), /This browser has no WebGPU, so the CPU does the work/);
  await set(page, { Streams: "RGB alone (faster)", Device: "GPU (WebGPU)" });
  await runs(page);
  assert.match((await notices(page)).join(), /Going on with the CPU/);
  assert.deepEqual(complaints, []);
});

test("a browser with WebGPU and no adapter", async (t) => {
  const { page, complaints } = await pageWith(t, { launch: { webgpu: false } });
  assert.match(await hint(page), /offers no GPU here/);
  await set(page, { Streams: "RGB alone (faster)" });
  await runs(page);
  assert.deepEqual(complaints, []);
});

test("a GPU with small limits", async (t) => {
  const before = `{
    const limits = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, "limits").get;
    const small = { maxStorageBufferBindingSize: 2_000_000, maxBufferSize: 2_000_000 };
    const get = (all, name) => small[name] ?? all[name];
    Object.defineProperty(GPUAdapter.prototype, "limits", { get() { return new Proxy(limits.call(this), { get }); } });
  }`;
  const { page, complaints } = await pageWith(t, { before });
  await set(page, { Streams: "RGB alone (faster)", Device: "GPU (WebGPU)" });
  await runs(page);
  assert.match((await notices(page)).join(), /The GPU cannot do this \(.*needs 4\.0 MiB in one binding, this device allows 1\.9 MiB\)\. Going on with the CPU/);
  assert.deepEqual(complaints, []);
});

/** Every device is lost after some submissions, as many devices as `times`. */
const losing = (times, after) => `{
  let lost = 0;
  const made = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (options) {
    const device = await made.call(this, options);
    device.queue.owner = device;
    device.queue.left = ${after};
    return device;
  };
  const submit = GPUQueue.prototype.submit;
  GPUQueue.prototype.submit = function (buffers) {
    submit.call(this, buffers);
    if (this.left-- === 0 && lost++ < ${times}) this.owner.destroy();
  };
}`;

test("a device that is lost once is tried again in small pieces", async (t) => {
  const { page, complaints } = await pageWith(t, { before: losing(1, 2) });
  await set(page, { Streams: "RGB alone (faster)", Device: "GPU (WebGPU)" });
  await runs(page, { device: "webgpu" });
  assert.match((await notices(page)).join(), /The GPU stopped working \(.*\)\. Trying once more with smaller pieces/s);
  assert.deepEqual(complaints, []);
});

test("a device that is always lost leaves the work to the CPU", async (t) => {
  const { page, complaints } = await pageWith(t, { before: losing(9, 2) });
  await set(page, { Streams: "RGB alone (faster)", Device: "GPU (WebGPU)" });
  await runs(page, { device: "cpu" });
  const said = await notices(page);
  assert.match(said.join(), /Trying once more.*Going on with the CPU/s);
  assert.equal(said.length, 2);
  assert.deepEqual(complaints, []);
});

test("a GPU process that crashes in the middle", async (t) => {
  const { page, browser } = await pageWith(t);
  await set(page, { Streams: "RGB alone (faster)", Device: "GPU (WebGPU)" });
  await drop(page, SAMPLE);
  await page.getByRole("button", { name: "Find the actions" }).click();
  await page.getByText("on the GPU").waitFor();
  await page.waitForTimeout(1000);
  const client = await browser.context.newCDPSession(page);
  await client.send("Browser.crashGpuProcess");
  const found = await result(page, { view: "RGB", timeout: 200_000 });
  assert.equal(found.top[0].label, "jumping jacks");
  assert.match((await notices(page)).join(), /The GPU (stopped working|cannot do this)/);
});

test("a browser that cannot run the module", async (t) => {
  const { page } = await pageWith(t, { before: "WebAssembly.instantiateStreaming = WebAssembly.instantiate = async () => { throw new WebAssembly.CompileError('no SIMD here') }", ready: false });
  await page.getByRole("alert").waitFor();
  assert.match(await page.getByRole("alert").innerText(), /module could not start \(no SIMD here\).*use a current Chrome/);
});

test("no memory left", async (t) => {
  // 25 MB for the module.
  const { page } = await pageWith(t, { launch: { webgpu: false, flags: ["--js-flags=--wasm-max-mem-pages=400"] } });
  await set(page, { Streams: "RGB alone (faster)" });
  const large = ffmpeg("-f", "lavfi", "-i", "testsrc2=size=3840x2160:rate=25:duration=0.6", "-c:v", "libx264", "-pix_fmt", "yuv420p", join(scratch(t), "large.mp4"));
  await drop(page, large);
  await page.getByRole("button", { name: "Find the actions" }).click();
  const problem = page.getByRole("alert");
  await problem.waitFor({ timeout: 60_000 });
  assert.match(await problem.innerText(), /ran out of memory \(.*\)\. Choose a shorter window or a smaller video, or close other tabs/);
  // The page is not lost with the module.
  await runs(page);
});

test("broken and foreign files", async (t) => {
  const folder = scratch(t);
  const { page, complaints } = await pageWith(t, { launch: { webgpu: false } });
  await set(page, { Streams: "RGB alone (faster)", Window: "0.6 s (16 frames)" });
  const problem = page.getByRole("alert");
  const says = async (path, pattern) => {
    await drop(page, path);
    await problem.waitFor({ timeout: 30_000 });
    assert.match(await problem.innerText(), pattern);
    assert.equal(await page.getByRole("button", { name: "Find the actions" }).count(), 0);
  };
  const write = (name, bytes) => (writeFileSync(join(folder, name), bytes), join(folder, name));
  await says(write("empty.mp4", ""), /empty\.mp4 is empty \(0 bytes\)/);
  await says(write("notes.mp4", "these are no pictures at all"), /notes\.mp4 is no video that this page can read/);
  await says(ffmpeg("-f", "lavfi", "-i", "sine=duration=1", join(folder, "sound.mp4")), /sound\.mp4 holds no video, only sound/);
  const clip = ["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=2"];
  await says(ffmpeg(...clip, "-c:v", "libx265", "-x265-params", "log-level=error", "-tag:v", "hvc1", join(folder, "new.mp4")), /cannot decode HEVC \(H\.265\), the codec of new\.mp4/);
  await says(ffmpeg(...clip, "-c:v", "mpeg4", join(folder, "old.mp4")), /cannot decode .*mp4v.*convert the video to H\.264/);

  // Cut in the middle: what came before is classified.
  const whole = readFileSync(ffmpeg(...clip, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "10", "-movflags", "+faststart", join(folder, "whole.mp4")));
  await drop(page, write("cut.mp4", whole.subarray(0, Math.floor(whole.length * 0.7))));
  const found = await classify(page, { view: "RGB" });
  assert.ok(found.video.sampled_frames > 10 && found.video.sampled_frames < 49, `${found.video.sampled_frames} frames`);
  assert.match((await notices(page)).join(), /damaged.*What came before is classified/);
  assert.deepEqual(complaints, []);
});

test("cancelling keeps what is there, on a CPU that is too busy to hear", async (t) => {
  const folder = scratch(t);
  const { page, complaints } = await pageWith(t, { launch: { webgpu: false } });
  await set(page, { Window: "0.6 s (16 frames)" });
  const long = ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=60", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", join(folder, "long.mp4"));
  await drop(page, long);
  await page.getByRole("button", { name: "Find the actions" }).click();
  await page.locator(".slot").nth(2).waitFor({ timeout: 60_000 });
  // The page stays alive while the worker works.
  const delay = await page.evaluate(() => new Promise((resolve) => { const start = performance.now(); setTimeout(() => resolve(performance.now() - start), 0); }));
  assert.ok(delay < 500, `the page was busy for ${delay} ms`);
  assert.match(await page.locator(".progress").innerText(), /1 of 2: Watching the pictures \(RGB\)/);
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Find the actions" }).waitFor({ timeout: 5000 });
  assert.ok((await page.locator(".slot").count()) >= 3);
  assert.equal(await page.getByRole("alert").count(), 0);
  await drop(page, SAMPLE);
  const found = await classify(page);
  assert.equal(found.top[0].label, "jumping jacks");
  assert.match(await save(page, "Subtitles (VTT)"), /^WEBVTT\n\n00:00:00\.000 --> /);
  assert.match(await save(page, "CSV"), /^input,start_seconds,end_seconds,rank,index,label,probability,logit\n/);
  assert.deepEqual(complaints, []);
});
