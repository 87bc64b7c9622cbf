/** Weights: the bundled model, released ones fetched, verified, converted and kept, and checkpoints that the user gave. */

import { ModelFile, convert, type ModelEntry, type Stream } from "../../pkg/i3d_web";
import demoFlow from "../../../samples/demo_flow.safetensors?url";
import demoRgb from "../../../samples/demo_rgb.safetensors?url";
import type { Download, ModelState } from "../protocol";
import { Failure, codeOf } from "./failure";

/** The bundled model and the checkpoint from the user's disk, as settings name them. */
export const DEMO = "demo";
export const OWN = "file";

const KEPT = "i3d-models-1";
const ATTEMPTS = 4;
const TITLES: Record<string, string> = {
  "kinetics-400": "Kinetics-400",
  "kinetics-400-scratch": "Kinetics-400, without ImageNet",
  "kinetics-600": "Kinetics-600",
  charades: "Charades",
};

/** A checkpoint as the module takes it. */
export interface Weights {
  place: string;
  files: ModelFile[];
}

/** The table of models, which the build wrote beside the page and a deployment may edit. */
let table: Promise<ModelEntry[]> | null = null;

function entries(): Promise<ModelEntry[]> {
  table ??= fetch(new URL("models.json", base())).then(
    (response) => {
      if (response.ok) return response.json();
      throw new Failure("download", `The table of models (models.json) is not there (${response.status}). Reload the page.`);
    },
    () => {
      throw new Failure("download", "The table of models (models.json) cannot be reached. Check the connection and reload the page.");
    },
  );
  table.catch(() => (table = null));
  return table;
}

/** The folder of the page; the worker's own file lies one deeper. */
function base(): string {
  return new URL(import.meta.env.DEV ? "/" : "../", import.meta.url).href;
}

async function entry(name: string): Promise<ModelEntry> {
  const found = (await entries()).find((model) => model.name === name);
  if (!found) throw new Failure("usage", `There is no model called ${name}. Choose another in the settings.`);
  return found;
}

/** Where a stream's converted weights are kept; the address says which bytes they were made of. */
function keptAt(model: ModelEntry, stream: Stream): string {
  const files = model.streams.find((source) => source.stream === stream)?.files ?? [];
  return new URL(`kept/${model.name}/${stream}-${files.at(-1)?.blob}.safetensors`, base()).href;
}

/** The browser's storage for models; none in an insecure context. */
async function storage(): Promise<Cache | null> {
  return typeof caches === "undefined" ? null : caches.open(KEPT);
}

/** Every model, and what of it is here. */
export async function list(): Promise<ModelState[]> {
  const cache = await storage();
  const demo: ModelState = {
    name: DEMO,
    title: "Demo",
    description: "16 actions of drawn figures; small, and part of this page",
    classes: 16,
    licence: "as i3d",
    streams: ["rgb", "flow"],
    download: 0,
    kept: 0,
    bundled: true,
  };
  const state = async (model: ModelEntry): Promise<ModelState> => {
    const streams = model.streams.map((source) => source.stream);
    const sizes = await Promise.all(
      streams.map(async (stream) => Number((await cache?.match(keptAt(model, stream)))?.headers.get("content-length") ?? 0)),
    );
    const files = model.streams.flatMap((source) => source.files);
    const download = files.every((file) => file.size !== null) ? files.reduce((sum, file) => sum + (file.size ?? 0), 0) : null;
    const { name, description, classes, licence } = model;
    const kept = sizes.every((size) => size > 0) ? sizes.reduce((sum, size) => sum + size, 0) : 0;
    return { name, title: TITLES[name] ?? name, description, classes, licence, streams, download, kept, bundled: false };
  };
  return [demo, ...(await Promise.all((await entries()).map(state)))];
}

/** The streams that a model has. */
export async function streams(name: string): Promise<Stream[]> {
  return name === DEMO ? ["rgb", "flow"] : (await entry(name)).streams.map((source) => source.stream);
}

/** A stream's weights, from the page itself or from the browser's storage. */
export async function stored(name: string, stream: Stream, heard: (bytes: number, total: number) => void): Promise<Weights> {
  if (name === DEMO) {
    const response = await fetch(stream === "rgb" ? demoRgb : demoFlow).catch(() => null);
    if (!response?.ok) throw new Failure("download", "The demo model could not be loaded. Check the connection and reload the page.");
    return { place: `demo model, ${stream}`, files: [await filled(response, heard)] };
  }
  const model = await entry(name);
  const kept = await (await storage())?.match(keptAt(model, stream));
  const weights = kept ? { place: `${name}, ${stream}`, files: [await filled(kept, heard)] } : fresh.get(keptAt(model, stream))?.();
  if (!weights) throw new Failure("usage", `${TITLES[name] ?? name} is not on this device yet. Get it in the settings.`);
  return weights;
}

/** What was fetched and could not be kept, for as long as the page is open. */
const fresh = new Map<string, () => Weights>();

/** Unfinished downloads by blob id: another attempt goes on where the last was cut. */
const unfinished = new Map<string, ModelFile>();

/** Fetches a model: every file verified by its git blob id, every stream converted and kept. Says what could not be kept. */
export async function get(name: string, heard: (download: Download) => void, signal: AbortSignal): Promise<string | null> {
  const model = await entry(name);
  const cache = await storage();
  let notKept: string | null = null;
  for (const source of model.streams) {
    const address = keptAt(model, source.stream);
    if (await cache?.match(address)) continue;
    const files: ModelFile[] = [];
    for (const file of source.files) {
      const say = (bytes: number, total: number | null) =>
        heard({ stream: source.stream, file: file.name, bytes, total, converting: false });
      files.push(await download(file, say, signal));
    }
    const bytes = files.reduce((sum, file) => sum + file.length, 0);
    heard({ stream: source.stream, file: "", bytes, total: bytes, converting: true });
    const place = source.files.at(-1)?.url ?? name;
    const safetensors = convert(name, source.stream, place, model.labels ?? undefined, files) as Uint8Array<ArrayBuffer>;
    fresh.set(address, () => {
      const file = new ModelFile(safetensors.length);
      file.push(safetensors);
      return { place: `${name}, ${source.stream}`, files: [file] };
    });
    try {
      const headers = { "content-type": "application/octet-stream", "content-length": String(safetensors.length) };
      if (!cache) throw new Failure("insecure", "pages without https have no storage");
      await cache.put(address, new Response(safetensors, { headers }));
      fresh.delete(address);
      // Without a promise from the browser it may throw models away when the disk is full; a refusal changes nothing.
      await navigator.storage?.persist?.().catch(() => false);
    } catch (thrown) {
      const why =
        codeOf(thrown) === "quota"
          ? "the browser's storage for this page is full. Remove another model to make room."
          : `${(thrown as Error).message}.`;
      notKept = `The model works now, but could not be kept for the next visit: ${why}`;
    }
  }
  return notKept;
}

/** Removes a model from the browser's storage. */
export async function remove(name: string): Promise<void> {
  const model = await entry(name);
  const cache = await storage();
  for (const { stream } of model.streams) {
    await cache?.delete(keptAt(model, stream));
    fresh.delete(keptAt(model, stream));
  }
}

/** Checkpoints that the user gave: single files, and the index and data files of TensorFlow's in any order. */
export async function own(chosen: File[]): Promise<Weights[]> {
  const part = (file: File) => (file.name.endsWith(".index") ? 0 : Number(/\.data-(\d+)-of-/.exec(file.name)?.[1] ?? 0) + 1);
  const groups = new Map<string, File[]>();
  for (const file of chosen.filter((file) => !/\.meta$|^checkpoint$/.test(file.name))) {
    const name = file.name.replace(/\.index$|\.data-\d+-of-\d+$/, "");
    groups.set(name, [...(groups.get(name) ?? []), file]);
  }
  const given: Weights[] = [];
  for (const group of groups.values()) {
    group.sort((a, b) => part(a) - part(b));
    const files: ModelFile[] = [];
    for (const file of group) files.push(await filled(new Response(file.stream(), { headers: { "content-length": String(file.size) } })));
    given.push({ place: group.map((file) => file.name).join(" + "), files });
  }
  return given;
}

type RemoteFile = ModelEntry["streams"][number]["files"][number];

async function download(file: RemoteFile, heard: (bytes: number, total: number | null) => void, signal: AbortSignal): Promise<ModelFile> {
  const host = new URL(file.url).host;
  let cut = "";
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, 300 * 2 ** attempt));
    // What was cut at its very end has nothing left to ask for; a resume that failed may be one that the host does not allow.
    if (attempt === 2 || unfinished.get(file.blob)?.length === file.size) unfinished.delete(file.blob);
    const have = unfinished.get(file.blob);
    try {
      const headers: HeadersInit = have && have.length > 0 ? { range: `bytes=${have.length}-` } : {};
      const response = await fetch(file.url, { headers, signal, credentials: "omit", referrerPolicy: "no-referrer" });
      if (response.status === 404) throw new Failure("download", `${host} does not have ${file.name} any more (404).`);
      if (!response.ok) throw new Error(`${host} answered ${response.status}`);
      const goesOn = response.status === 206 && have !== undefined;
      const start = goesOn ? have.length : 0;
      const target = goesOn ? have : new ModelFile(file.size ?? Number(response.headers.get("content-length") ?? 0));
      unfinished.set(file.blob, target);
      await fill(target, response, (bytes) => heard(start + bytes, file.size));
      if (file.size !== null && target.length < file.size) throw new Error("the connection was cut");
      unfinished.delete(file.blob);
      const blob = target.gitBlob();
      if (blob === file.blob) return target;
      throw new Failure(
        "download",
        `${file.name} from ${host} is not the file that was published: expected git blob ${file.blob}, found ${blob}. Try again later.`,
      );
    } catch (thrown) {
      if (thrown instanceof Failure || signal.aborted) throw thrown;
      cut = thrown instanceof Error ? thrown.message : String(thrown);
    }
  }
  const have = unfinished.get(file.blob)?.length ?? 0;
  const all = file.size === null ? "" : ` of ${megabytes(file.size)}`;
  throw new Failure(
    "download",
    have > 0
      ? `The download from ${host} was cut after ${megabytes(have)}${all} (${cut}). Check the connection and get the model again: it goes on from there.`
      : `${host} cannot be reached (${cut}). Check the connection and get the model again.`,
  );
}

async function filled(response: Response, heard?: (bytes: number, total: number) => void): Promise<ModelFile> {
  const total = Number(response.headers.get("content-length") ?? 0);
  const file = new ModelFile(total);
  await fill(file, response, (bytes) => heard?.(bytes, Math.max(bytes, total)));
  return file;
}

/** Streams a body into the module's memory. */
async function fill(file: ModelFile, response: Response, heard: (bytes: number) => void): Promise<void> {
  const reader = response.body?.getReader();
  let bytes = 0;
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    file.push(next.value);
    bytes += next.value.length;
    heard(bytes);
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
