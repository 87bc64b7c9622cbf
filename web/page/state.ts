/** The state of the page, and everything that changes it. */

import { computed, effect, signal } from "@preact/signals";
import type { DeviceInfo, PartialSegment, Preview, Report, Stream } from "../pkg/i3d_web";
import type { Download, ModelState, Notice, RunEvent, Settings, Support, VideoDetails, View } from "./protocol";
import { cancel, lasting, proxy, runner } from "./runner";

/** A video that was chosen. */
export interface Chosen {
  file: Blob;
  name: string;
  /** Address for the player. */
  url: string;
  details: VideoDetails | null;
}

/** What went wrong: a stable code, and the sentence. */
export interface Problem {
  code: string;
  message: string;
}

/** A result as data and as files. */
export interface Outcome {
  report: Report;
  json: string;
  csv: string;
  vtt: string;
}

/** Where a run is. */
export interface Stage {
  stream: Stream;
  loading: boolean;
  /** 0 to 1, where it is known. */
  share: number | null;
  /** When the stream began. */
  since: number;
}

const DEFAULTS: Settings = { model: "demo", streams: "both", window: 64, device: "auto" };
const SETTINGS_KEY = "i3d-settings";

export const settings = signal<Settings>(remembered());
export const support = signal<Support | null>(null);
export const models = signal<ModelState[]>([]);
export const own = signal<File[]>([]);
export const chosen = signal<Chosen | null>(null);
export const problem = signal<Problem | null>(null);
export const notices = signal<Notice[]>([]);
export const stage = signal<Stage | null>(null);
export const device = signal<DeviceInfo | null>(null);
/** The streams of the run: those that were asked for, as far as the model has them. */
export const running = signal<Stream[]>([]);
export const outcomes = signal<Partial<Record<View, Outcome>>>({});
export const partial = signal<Partial<Record<Stream, PartialSegment[]>>>({});
export const previews = signal<Record<Stream, Preview[]>>({ rgb: [], flow: [] });
export const view = signal<View>("rgb");
export const download = signal<(Download & { name: string }) | null>(null);

/** The model that is chosen, where the table is there. */
export const model = computed(() => models.value.find((model) => model.name === settings.value.model) ?? null);

effect(() => {
  // A checkpoint from the disk is gone with the page.
  const { model: name, ...rest } = settings.value;
  try {
    localStorage.setItem(SETTINGS_KEY, JSON.stringify(name === "file" ? rest : settings.value));
  } catch {
    // Private windows may forbid it; then nothing is remembered.
  }
});

function remembered(): Settings {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(SETTINGS_KEY) ?? "{}") };
  } catch {
    return DEFAULTS;
  }
}

/** Asks the browser what it can do and which models are here. */
export async function start() {
  await Promise.all([
    refreshModels(),
    lasting(runner().support()).then((can) => (support.value = can)).catch(fail),
  ]);
}

/** Looks again which models are here. */
export async function refreshModels() {
  try {
    models.value = await lasting(runner().models());
  } catch (thrown) {
    fail(thrown);
  }
}

/** Chooses a video and asks the file about itself; a checkpoint among the files is loaded instead. */
export async function choose(files: File[] | FileList, andRun = false) {
  const given = [...files];
  const weights = given.filter((file) => /\.(safetensors|pt|pth|index)$|\.data-\d+-of-\d+$/i.test(file.name));
  if (weights.length > 0) {
    // Not under the feet of what is running.
    if (stage.value || download.value) return;
    return useCheckpoint(weights);
  }
  const [file] = given;
  if (!file) return;
  await stop();
  forget();
  const name = file.name || "pasted video";
  const next: Chosen = { file, name, url: URL.createObjectURL(file), details: null };
  chosen.value = next;
  try {
    const details = await lasting(runner().details(file, name));
    if (chosen.value !== next) return;
    chosen.value = { ...next, details };
    if (andRun) await run();
  } catch (thrown) {
    if (chosen.value === next) fail(thrown);
  }
}

/** Puts the page back to its start. */
export async function reset() {
  await stop();
  forget();
}

function forget() {
  if (chosen.value) URL.revokeObjectURL(chosen.value.url);
  chosen.value = null;
  problem.value = null;
  notices.value = [];
  clearResults();
}

function clearResults() {
  outcomes.value = {};
  partial.value = {};
  previews.value = { rgb: [], flow: [] };
  view.value = "rgb";
}

/** Takes checkpoints from the user's disk as the model. */
async function useCheckpoint(files: File[]) {
  problem.value = null;
  try {
    await lasting(runner().check(files));
    own.value = files;
    settings.value = { ...settings.value, model: "file" };
  } catch (thrown) {
    fail(thrown);
  }
}

/** The run that is under way: events of one that is over, which may still be on their way, are not heard. */
let current: object | null = null;

/** Classifies the chosen video. */
export async function run() {
  const now = chosen.value;
  if (!now || stage.value || download.value) return;
  const mine = {};
  current = mine;
  problem.value = null;
  notices.value = [];
  clearResults();
  const first = settings.value.streams === "flow" ? "flow" : "rgb";
  view.value = first;
  stage.value = { stream: first, loading: true, share: null, since: performance.now() };
  try {
    await lasting(runner().run(now.file, now.name, settings.value, own.value, proxy((event: RunEvent) => (current === mine ? heard(event) : undefined))));
  } catch (thrown) {
    // What was there before a cancel stays.
    if ((thrown as Error).name !== "cancelled") fail(thrown);
  } finally {
    current = null;
    stage.value = null;
  }
}

/** Stops what is under way. */
export async function stop() {
  const mine = current;
  if (mine) await cancel("run", () => current !== mine);
}

function heard(event: RunEvent) {
  const at = stage.value;
  switch (event.type) {
    case "streams":
      running.value = event.streams;
      break;
    case "device":
      device.value = event.device;
      break;
    case "restart":
      clearResults();
      break;
    case "notice":
      notices.value = [...notices.value, event.notice];
      break;
    case "loading":
      move(event.stream, true, event.total > 0 ? event.bytes / event.total : null);
      break;
    case "progress":
      move(event.stream, false, event.share);
      break;
    case "segments":
      partial.value = { ...partial.value, [event.stream]: event.segments };
      if (at && !outcomes.value[view.value]) view.value = event.stream;
      break;
    case "previews":
      previews.value = { ...previews.value, [event.stream]: [...previews.value[event.stream], ...event.previews] };
      break;
    case "result": {
      const { view: of, json, csv, vtt } = event;
      outcomes.value = { ...outcomes.value, [of]: { report: JSON.parse(json), json, csv, vtt } };
      if (of !== "flow" || !outcomes.value.rgb) view.value = of;
    }
  }
}

function move(stream: Stream, loading: boolean, share: number | null) {
  const at = stage.value;
  const same = at?.stream === stream && at.loading === loading;
  stage.value = { stream, loading, share, since: same ? at.since : performance.now() };
}

/** Fetches a model and takes it. */
export async function getModel(name: string) {
  if (stage.value || download.value) return;
  problem.value = null;
  notices.value = [];
  download.value = { name, stream: "rgb", file: "", bytes: 0, total: null, converting: false };
  try {
    const heard = proxy((at: Download) => {
      if (download.value?.name === name) download.value = { name, ...at };
    });
    const notice = await lasting(runner().get(name, heard));
    if (notice) notices.value = [notice];
    settings.value = { ...settings.value, model: name };
  } catch (thrown) {
    if ((thrown as Error).name !== "cancelled") fail(thrown);
  } finally {
    download.value = null;
    await refreshModels();
  }
}

/** Stops a download; what is there of it is kept for another attempt. */
export async function cancelDownload() {
  await cancel("get", () => download.value === null);
}

/** Removes a model from this device. */
export async function removeModel(name: string) {
  await lasting(runner().remove(name)).catch(fail);
  if (settings.value.model === name) settings.value = { ...settings.value, model: DEFAULTS.model };
  await refreshModels();
}

/** A device in words; what the module cannot know of a GPU the page has asked the browser for. */
export function deviceName({ backend, name }: DeviceInfo): string {
  if (backend === "cpu") return "the CPU (WebAssembly)";
  const gpu = support.value?.gpu;
  return `the GPU (${gpu && "name" in gpu ? gpu.name : name})`;
}

/** Shows what went wrong. */
export function fail(thrown: unknown) {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  problem.value = { code: error.name, message: error.message };
}
