// usage: node wasm.mjs PKG MODEL.safetensors PIXELS FRAMES
// Runs the module of the page on the CPU and prints the logits. PIXELS are [FRAMES, 224, 224, 3]; they go in as the middle of
// pictures of 256x256, which the module neither resizes nor turns.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [pkg, model, pixels, frames] = process.argv.slice(2);
const { default: init, Engine, ModelFile } = await import(pathToFileURL(join(pkg, "i3d_web.js")));
await init({ module_or_path: readFileSync(join(pkg, "i3d_web_bg.wasm")) });

const bytes = readFileSync(model);
const file = new ModelFile("model.safetensors", bytes.length);
file.push(bytes);
const engine = await Engine.open("cpu", false);
engine.load("model.safetensors", [file]);

const [size, whole, count] = [224, 256, Number(frames)];
const data = readFileSync(pixels);
const layout = { format: "RGB", width: whole, height: whole, planes: [{ offset: 0, stride: 3 * whole }], seconds: 0 };
engine.begin("rgb", { window: count, step: count });
for (let t = 0; t < count; t++) {
  const picture = new Uint8Array(3 * whole * whole);
  for (let y = 0; y < size; y++) {
    const from = 3 * size * (t * size + y);
    picture.set(data.subarray(from, from + 3 * size), 3 * ((y + 16) * whole + 16));
  }
  await engine.push({ ...layout, seconds: t / 25 }, picture, 1, () => {});
}
await engine.finish(() => {});
const info = { frames: count, fps: 25, width: whole, height: whole, rotation: 0, duration_seconds: null, codec: null, pixel_format: null };
const facts = { name: "pattern", info, decoded: count, decodeMs: 0, totalMs: 0 };
const report = JSON.parse(engine.report("rgb", "json", facts));
console.log(JSON.stringify(report.streams.rgb.logits));
