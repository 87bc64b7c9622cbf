/**
 * Lets i3d and its peers take turns in one Chromium, all in one page.
 *
 * usage: node bench.mjs FILES OUT.json RUNS
 *
 * FILES is a folder under the repository's root where `random_network.py` wrote.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { launch, ROOT, serve } from "../../web/tests/common.mjs";

const [files, out, runs] = process.argv.slice(2);

/** Whoever is slower than this in the warm-up has at most `SLOW_RUNS` turns: a comparison should take minutes. */
const SLOW_MS = 10_000;
const SLOW_RUNS = 2;

/** Between two turns, so that the threads of the one before go to sleep. */
const PAUSE_MS = 300;

const NETWORKS = ["i3d, WebGPU", "i3d, WASM", "ONNX Runtime Web, WebGPU", "ONNX Runtime Web, WASM"];
const LAYERS = ["Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3"];

const version = (name) => {
  const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")).version;
};

const server = await serve({ root: ROOT });
const browser = await launch();
const page = await browser.context.newPage();
page.on("pageerror", (error) => console.error(String(error)));
// Whatever a peer leaves to the CPU, it says here.
page.on("console", (message) => message.type() === "error" && console.error(message.text()));
await page.goto(`${server.url}benches/web/index.html?files=/${encodeURIComponent(files)}`);
await page.waitForFunction(() => globalThis.contenders);
const cdp = await browser.context.newCDPSession(page);
const { product } = await cdp.send("Browser.getVersion");
const adapter = await page.evaluate(async () => {
  const { vendor, architecture, description } = (await navigator.gpu?.requestAdapter())?.info ?? {};
  return [description, vendor, architecture].filter(Boolean).join(", ");
});

const rows = [...NETWORKS, ...LAYERS].map((name) => ({ name, ms: [] }));
for (const row of rows) {
  row.version = row.name.startsWith("ONNX") ? version("onnxruntime-web") : "";
}

/** One step of a contender, in the page; one that fails is left out from then on. */
async function step(row, what) {
  try {
    return await page.evaluate(async ([name, what]) => {
      try {
        return { done: await globalThis.contenders[name][what]() };
      } catch (error) {
        // What a program throws need not be an error; playwright hands on only its own kind.
        return { failed: String(error?.message ?? error) };
      }
    }, [row.name, what]);
  } catch (error) {
    return { failed: String(error.message) };
  }
}

const logits = {};
for (let run = -2; run < Number(runs); run++) {
  for (const row of rows) {
    if (row.skipped || (row.slow && run >= SLOW_RUNS)) continue;
    const { done, failed } = await step(row, run === -2 ? "open" : "turn");
    if (failed !== undefined) {
      row.skipped = failed.split("\n")[0];
      console.log(`${row.name}: ${row.skipped}`);
      continue;
    }
    if (run === -2) {
      Object.assign(row, done);
      continue;
    }
    console.log(`${row.name}: ${done.ms.toFixed(1)} ms${run < 0 ? " (warm-up)" : ""}`);
    if (run < 0) row.slow = done.ms > SLOW_MS;
    else {
      row.ms.push(done.ms);
      if (done.network_ms !== undefined) (row.network_ms ??= []).push(done.network_ms);
    }
    if (done.difference !== undefined) row.difference = done.difference;
    if (done.logits) logits[row.name] = done.logits;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
const reference = logits["i3d, WASM"];
for (const row of rows) {
  const found = logits[row.name];
  if (reference && found) row.difference = Math.max(...reference.map((x, i) => Math.abs(x - found[i])));
}
const networks = rows.filter((row) => NETWORKS.includes(row.name));
const layers = rows.filter((row) => LAYERS.includes(row.name));
const { frames, size, macs } = JSON.parse(readFileSync(`${files}/network.json`, "utf8"));
const largest = reference ? Math.max(...reference.map(Math.abs)) : null;
const tensorflow = version("@tensorflow/tfjs-backend-webgpu");
const found = { browser: product, adapter, frames, size, macs, largest, tensorflow, networks, layers };
writeFileSync(out, JSON.stringify(found, null, 1));
await browser.close();
await server.close();
