/**
 * Whoever is compared, in the page: `globalThis.contenders` has for every name an `open` and a `turn`.
 *
 * A turn gives its milliseconds, `ms`; of whole networks also `logits`. `open` may give facts about the contender.
 */

import init, { Engine, ModelFile } from "../../web/pkg/i3d_web.js";

/** Where `random_network.py` wrote. */
const FILES = new URLSearchParams(location.search).get("files");

/** Frames of this size are only cropped by preprocessing, whose resize keeps the proportion 256 to 224. */
const { frames: FRAMES, size: SIZE } = await (await fetch(`${FILES}/network.json`)).json();
const SIDE = Math.floor((256 * SIZE + 112) / 224);
const BORDER = (SIDE - SIZE) / 2;

/** Numbers from 0 to 1, the same in every run (mulberry32). */
function* random(seed) {
  for (;;) {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    yield ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
}

function filled(array, seed, change) {
  const numbers = random(seed);
  for (let i = 0; i < array.length; i++) array[i] = change(numbers.next().value);
  return array;
}

/** The clip: one RGB picture a frame, of a size that preprocessing only crops. */
const CLIP = Array.from({ length: FRAMES }, (_, t) => filled(new Uint8Array(SIDE * SIDE * 3), t, (x) => 256 * x));

/** The clip as the network sees it, [1, 3, T, H, W]. */
function cropped() {
  const x = new Float32Array(3 * FRAMES * SIZE * SIZE);
  let at = 0;
  for (let c = 0; c < 3; c++) {
    for (const frame of CLIP) {
      for (let h = 0; h < SIZE; h++) {
        for (let w = 0; w < SIZE; w++) x[at++] = frame[((h + BORDER) * SIDE + w + BORDER) * 3 + c] / 127.5 - 1;
      }
    }
  }
  return x;
}

const bytes = async (name) => new Uint8Array(await (await fetch(`${FILES}/${name}`)).arrayBuffer());

/** i3d: from frames, so colours and crop are part of its time. */
function i3d(device) {
  let engine;
  const open = async () => {
    await init();
    engine = await Engine.open(device, false);
    const checkpoint = await bytes("random.safetensors");
    const file = new ModelFile(checkpoint.length);
    file.push(checkpoint);
    engine.load("random.safetensors", [file]);
    return { device: engine.device() };
  };
  const turn = async () => {
    const layout = { format: "RGB", width: SIDE, height: SIDE, planes: [{ offset: 0, stride: 3 * SIDE }] };
    const start = performance.now();
    engine.begin("rgb", { window: FRAMES, step: FRAMES });
    for (const [t, frame] of CLIP.entries()) await engine.push({ ...layout, seconds: t / 25 }, frame, 1, () => {});
    await engine.finish(() => {});
    const ms = performance.now() - start;
    const info = { frames: FRAMES, fps: 25, width: SIDE, height: SIDE, rotation: 0 };
    const facts = { name: "clip", info, decoded: FRAMES, decodeMs: 0, totalMs: ms };
    const { streams, timings } = JSON.parse(engine.report("rgb", "json", facts));
    return { ms, network_ms: timings.rgb_ms, logits: streams.rgb.logits };
  };
  return { open, turn };
}

/** ONNX Runtime: the clip is cropped before. */
function onnxruntime(build, provider) {
  let ort, session, x;
  const open = async () => {
    ort = await import(`./node_modules/onnxruntime-web/dist/ort.${build}.bundle.min.mjs`);
    ort.env.wasm.numThreads = 1;
    session = await ort.InferenceSession.create(await bytes("i3d.onnx"), { executionProviders: [provider] });
    x = cropped();
    return {};
  };
  const turn = async () => {
    const start = performance.now();
    const { logits } = await session.run({ x: new ort.Tensor("float32", x, [1, 3, FRAMES, SIZE, SIZE]) });
    const found = await logits.getData();
    return { ms: performance.now() - start, logits: [...found] };
  };
  return { open, turn };
}

/** One convolution of TensorFlow.js; its input, [1, T, H, W, inputs], is in the GPU's memory since the warm-up. */
function tensorflow({ kernel, stride, inputs, outputs, size }) {
  const tf = globalThis.tf;
  let x, w;
  const tensor = (shape, bound) => {
    const numbers = new Float32Array(shape.reduce((a, b) => a * b));
    return tf.tensor(filled(numbers, 1, (x) => bound * (2 * x - 1)), shape);
  };
  const macs = kernel ** 3 * inputs * outputs * size.reduce((a, n) => a * Math.ceil(n / stride), 1);
  const open = async () => {
    if (!(await tf.setBackend("webgpu"))) throw new Error("TensorFlow.js cannot open WebGPU");
    await tf.ready();
    x = tensor([1, ...size, inputs], 1);
    w = tensor([kernel, kernel, kernel, inputs, outputs], Math.sqrt(6 / (kernel ** 3 * inputs)));
    return { macs };
  };
  const turn = async () => {
    const start = performance.now();
    const y = tf.conv3d(x, w, stride, "same");
    // One number back says that all of it is done; the host computes the same one.
    const at = y.shape.map((n) => n >> 1);
    const one = tf.slice(y, at, [1, 1, 1, 1, 1]);
    const [found] = await one.data();
    const ms = performance.now() - start;
    y.dispose();
    one.dispose();
    return { ms, difference: Math.abs(found - (await expected(at))) };
  };
  /** The output at one place, computed as it is defined, with TensorFlow's SAME padding. */
  const expected = async ([, t, h, wide, c]) => {
    const [a, b] = [await x.data(), await w.data()];
    const before = size.map((n) => Math.max((Math.ceil(n / stride) - 1) * stride + kernel - n, 0) >> 1);
    const place = [t, h, wide];
    let sum = 0;
    for (let tap = 0; tap < kernel ** 3; tap++) {
      const taps = [Math.floor(tap / kernel ** 2), Math.floor(tap / kernel) % kernel, tap % kernel];
      const p = taps.map((k, axis) => place[axis] * stride + k - before[axis]);
      if (p.some((n, axis) => n < 0 || n >= size[axis])) continue;
      const row = ((p[0] * size[1] + p[1]) * size[2] + p[2]) * inputs;
      for (let i = 0; i < inputs; i++) sum += a[row + i] * b[(tap * inputs + i) * outputs + c];
    }
    return sum;
  };
  return { open, turn };
}

const quarter = SIZE / 4, steps = FRAMES / 2;
globalThis.contenders = {
  "i3d, WebGPU": i3d("webgpu"),
  "i3d, WASM": i3d("cpu"),
  "ONNX Runtime Web, WebGPU": onnxruntime("jspi", "webgpu"),
  "ONNX Runtime Web, WASM": onnxruntime("wasm", "wasm"),
  "Conv3d_1a_7x7": tensorflow({ kernel: 7, stride: 2, inputs: 3, outputs: 64, size: [FRAMES, SIZE, SIZE] }),
  "Conv3d_2b_1x1": tensorflow({ kernel: 1, stride: 1, inputs: 64, outputs: 64, size: [steps, quarter, quarter] }),
  "Conv3d_2c_3x3": tensorflow({ kernel: 3, stride: 1, inputs: 64, outputs: 192, size: [steps, quarter, quarter] }),
};
