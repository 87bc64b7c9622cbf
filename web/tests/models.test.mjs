/** Models in the page: fetched from a stand-in for their host, verified, converted, kept, found again, removed; and checkpoints of the user's own. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, classify, drop, launch, open, serve, set } from "./common.mjs";

const FIXTURES = process.env.I3D_FIXTURES ?? join(ROOT, "target/browser-fixtures");
const SAMPLE = join(ROOT, "samples/jumping_jacks.mp4");
const FILES = ["rgb.ckpt.index", "rgb.ckpt.data-00000-of-00001", "flow.ckpt.index", "flow.ckpt.data-00000-of-00001"];

assert.ok(FILES.every((name) => existsSync(join(FIXTURES, name))), `${FIXTURES} lacks the fixtures; write them with the example browser_fixtures`);

function blob(bytes) {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

/**
 * A stand-in for the host of the released models, and the page with a table that names it. `spoil(name, request, response, bytes)` may
 * answer in another way.
 */
async function hosts(t, { spoil, change = (_, text) => text } = {}) {
  const contents = Object.fromEntries(FILES.map((name) => [name, readFileSync(join(FIXTURES, name))]));
  const host = await serve({
    answer(request, response) {
      const name = request.url.split("/").at(-1);
      const bytes = contents[name];
      response.setHeader("access-control-allow-origin", "*");
      if (spoil?.(name, request, response, bytes)) return true;
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      response.writeHead(from > 0 ? 206 : 200, { "content-length": bytes.length - from });
      response.end(bytes.subarray(from));
      return true;
    },
  });
  const file = (name) => ({ name, url: `${host.url}tiny/${name}`, blob: blob(contents[name]), size: contents[name].length });
  const stream = (stream) => ({ stream, format: "tensorflow", files: FILES.filter((name) => name.startsWith(stream)).map(file) });
  const tiny = { name: "tiny", description: "a stand-in", classes: 400, licence: "none", labels: null, streams: [stream("rgb"), stream("flow")] };
  const server = await serve({
    prefix: "/app/",
    change: (name, text) =>
      name === "models.json" ? JSON.stringify([tiny])
      : name === "index.html" ? text.replaceAll("https://raw.githubusercontent.com", host.url.slice(0, -1))
      : change(name, text),
  });
  t.after(() => Promise.all([server.close(), host.close()]));
  return { host, server };
}

async function browserFor(t, options = {}) {
  const browser = await launch({ webgpu: false, ...options });
  t.after(() => browser.close());
  return browser;
}

const item = (page, title) => page.locator(".models li").filter({ has: page.locator("strong", { hasText: new RegExp(`^${title}$`) }) });

async function get(page) {
  const settings = page.locator("details.settings");
  if (!(await settings.evaluate((details) => details.open))) await settings.locator("summary").click();
  await item(page, "tiny").getByRole("button", { name: /^Get/ }).click();
}

test("a TensorFlow pair is fetched, verified, converted, kept, and found again without a request", async (t) => {
  const { host, server } = await hosts(t);
  const browser = await browserFor(t);
  const { page, complaints } = await open(browser.context, server.url);
  assert.match(await item(page, "tiny").textContent(), /Get \(716 kB\)/);
  await get(page);
  await item(page, "tiny").getByRole("button", { name: /^Remove \(\d+ kB\)$/ }).waitFor();
  assert.deepEqual(host.requests.map(({ path }) => path.split("/").at(-1)), FILES);
  assert.equal(await page.getByRole("combobox", { name: "Model" }).inputValue(), "tiny");
  await set(page, { Window: "0.6 s (16 frames)" });
  await drop(page, SAMPLE);
  const first = await classify(page, { timeout: 300_000 });
  assert.equal(first.streams.rgb.logits.length, 400);
  assert.equal(first.model.name, "tiny");

  // Another visit, without the host.
  await host.close();
  const again = await open(browser.context, server.url);
  await drop(again.page, SAMPLE);
  const second = await classify(again.page, { timeout: 300_000 });
  assert.deepEqual(second.fused, first.fused);
  assert.deepEqual(second.model, first.model);
  assert.equal(host.requests.length, FILES.length);

  await again.page.locator("details.settings summary").click();
  await item(again.page, "tiny").getByRole("button", { name: /^Remove/ }).click();
  await item(again.page, "tiny").getByRole("button", { name: /^Get/ }).waitFor();
  assert.equal(await again.page.getByRole("combobox", { name: "Model" }).inputValue(), "demo");
  const kept = () => caches.open("i3d-models-1").then((cache) => cache.keys()).then((keys) => keys.length);
  assert.equal(await again.page.evaluate(kept), 0);
  assert.deepEqual([...complaints, ...again.complaints], []);
});

test("a download that is cut goes on where it was", async (t) => {
  let cuts = 0;
  const spoil = (name, request, response, bytes) => {
    if (name !== FILES[1] || cuts > 0) return false;
    cuts += 1;
    response.writeHead(200, { "content-length": bytes.length });
    response.write(bytes.subarray(0, 200_000), () => setTimeout(() => response.destroy(), 200));
    return true;
  };
  const { host, server } = await hosts(t, { spoil });
  const { page } = await open((await browserFor(t)).context, server.url);
  await get(page);
  await item(page, "tiny").getByRole("button", { name: /^Remove/ }).waitFor();
  const ranges = host.requests.filter(({ range }) => range).map(({ range }) => range);
  assert.equal(ranges.length, 1);
  assert.match(ranges[0], /^bytes=\d+-$/);
  assert.notEqual(ranges[0], "bytes=0-");
});

test("a host that always cuts gets a sentence, and another attempt goes on", async (t) => {
  let broken = true;
  const spoil = (name, request, response, bytes) => {
    if (name !== FILES[1] || !broken) return false;
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, { "content-length": bytes.length - from });
    response.write(bytes.subarray(from, from + 50_000), () => setTimeout(() => response.destroy(), 100));
    return true;
  };
  const { server } = await hosts(t, { spoil });
  const { page } = await open((await browserFor(t)).context, server.url);
  await get(page);
  const problem = page.getByRole("alert");
  await problem.waitFor({ timeout: 30_000 });
  assert.match(await problem.innerText(), /The download from 127\.0\.0\.1:\d+ was cut after 0\.\d MB of 0\.4 MB .*it goes on from there\./);
  broken = false;
  await get(page);
  await item(page, "tiny").getByRole("button", { name: /^Remove/ }).waitFor();
  assert.equal(await problem.count(), 0);
});

test("a file that is not the published one is refused", async (t) => {
  const spoil = (name, request, response, bytes) => {
    if (name !== FILES[1]) return false;
    const other = Buffer.from(bytes);
    other[1000] ^= 1;
    response.end(other);
    return true;
  };
  const { server } = await hosts(t, { spoil });
  const { page } = await open((await browserFor(t)).context, server.url);
  await get(page);
  await page.getByRole("alert").waitFor();
  assert.match(await page.getByRole("alert").innerText(), /is not the file that was published: expected git blob [0-9a-f]{40}, found [0-9a-f]{40}/);
  assert.match(await item(page, "tiny").innerText(), /Get/);
});

test("a host that is not there, and one that has lost the file", async (t) => {
  let gone = false;
  const spoil = (_, request, response) => (gone ? response.writeHead(404).end() : request.destroy(), true);
  const { server } = await hosts(t, { spoil });
  const { page } = await open((await browserFor(t)).context, server.url);
  await get(page);
  await page.getByRole("alert").waitFor({ timeout: 30_000 });
  assert.match(await page.getByRole("alert").innerText(), /cannot be reached \(.*\)\. Check the connection/);
  gone = true;
  await get(page);
  await page.getByRole("alert").getByText("does not have rgb.ckpt.index any more (404)").waitFor();
});

test("a full storage is told, and the model works all the same", async (t) => {
  const { server } = await hosts(t);
  const browser = await browserFor(t);
  const { page } = await open(browser.context, server.url);
  const client = await browser.context.newCDPSession(page);
  await client.send("Storage.overrideQuotaForOrigin", { origin: new URL(server.url).origin, quotaSize: 1000 });
  await get(page);
  await page.getByText(/could not be kept for the next visit: the browser's storage for this page is full/).waitFor();
  await set(page, { Window: "0.6 s (16 frames)", Streams: "RGB alone (faster)" });
  await drop(page, SAMPLE);
  assert.equal((await classify(page, { view: "RGB", timeout: 300_000 })).model.name, "tiny");
});

test("checkpoints of one's own: dropped, run, and refused with a sentence", async (t) => {
  const { server } = await hosts(t);
  const { page, complaints } = await open((await browserFor(t)).context, server.url);
  const problem = page.getByRole("alert");
  await drop(page, join(ROOT, "samples/demo_rgb.safetensors"), join(ROOT, "samples/demo_flow.safetensors"));
  await page.locator("select option[value=file]").waitFor({ state: "attached" });
  await drop(page, SAMPLE);
  const own = await classify(page);
  assert.equal(own.top[0].label, "jumping jacks");
  assert.equal(own.model.name, "custom");
  assert.match(own.model.rgb.source, /demo_rgb\.safetensors/);

  // Streams of different models.
  await drop(page, join(FIXTURES, "rgb.safetensors"), join(ROOT, "samples/demo_flow.safetensors"));
  await problem.waitFor();
  assert.match(await problem.innerText(), /has 16 classes where .* has 400; give two streams of one model/);
  await problem.getByRole("button").click();
  // Half of a pair.
  await drop(page, join(FIXTURES, "rgb.ckpt.index"));
  await problem.waitFor();
  assert.match(await problem.innerText(), /index of a TensorFlow checkpoint, which holds no weights itself/);
  assert.deepEqual(complaints, []);
});
