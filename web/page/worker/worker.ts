/** The worker: the page's other thread, where the module, the decoder and the GPU are. */

import { expose } from "comlink";
import init, { Engine } from "../../pkg/i3d_web";
import wasm from "../../pkg/i3d_web_bg.wasm?url";
import type { Stream } from "../../pkg/i3d_web";
import type { Download, ModelState, Notice, RunEvent, Settings, Support, VideoDetails } from "../protocol";
import * as decode from "./decode";
import { Failure, codeOf, failure } from "./failure";
import * as models from "./models";
import { Session, type Effort } from "./session";
import { watch } from "./watch";

/** Errors that another effort may not meet. */
const DEVICE_TROUBLE = ["device", "limits", "no-device"];

/** What the page can ask for. */
class Runner {
  private session: Session | null = null;
  private readonly stop = { run: new AbortController(), get: new AbortController() };

  /** What the browser can do. */
  async support(): Promise<Support> {
    const webCodecs = typeof VideoDecoder !== "undefined";
    if (!self.isSecureContext) return { gpu: { state: "insecure" }, webCodecs };
    if (!navigator.gpu) return { gpu: { state: "no-webgpu" }, webCodecs };
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" }).catch(() => null);
    if (!adapter) return { gpu: { state: "no-adapter" }, webCodecs };
    const { description, vendor, architecture } = adapter.info;
    const name = description || [vendor, architecture].filter(Boolean).join(" ") || "GPU";
    // Browsers have moved this from the adapter to its description.
    const isProgram = adapter.info.isFallbackAdapter ?? (adapter as { isFallbackAdapter?: boolean }).isFallbackAdapter;
    return { gpu: { state: isProgram ? "software" : "hardware", name }, webCodecs };
  }

  /** What a file says about itself, before anything runs. */
  async details(file: Blob, name: string): Promise<VideoDetails> {
    return answered(async () => {
      const video = await decode.open(file, name);
      video.close();
      return video.details;
    });
  }

  /** The models and what of them is here. */
  async models(): Promise<ModelState[]> {
    return answered(models.list);
  }

  /** Fetches a model; says what could not be kept. */
  async get(name: string, heard: (download: Download) => void): Promise<Notice | null> {
    return answered(async () => {
      const text = await models.get(name, heard, this.begin("get"));
      return text === null ? null : { code: "not-kept", text };
    });
  }

  /** Removes a model from this device. */
  async remove(name: string): Promise<void> {
    return answered(() => models.remove(name));
  }

  /** Reads checkpoints from the user's disk and says which streams they are of, without running anything. */
  async check(files: File[]): Promise<Stream[]> {
    return answered(async () => {
      const engine = await Engine.open("cpu", false);
      try {
        const given = await models.own(files);
        return given.map((weights) => engine.load(weights.place, weights.files).stream);
      } finally {
        engine.free();
      }
    });
  }

  /** Classifies a video. A device that fails is tried once more with smaller pieces of work, and then the CPU. */
  async run(file: Blob, name: string, settings: Settings, own: File[], tell: (event: RunEvent) => void | Promise<void>): Promise<void> {
    return answered(async () => {
      const signal = this.begin("run");
      const video = await decode.open(file, name);
      let effort: Effort = "full";
      try {
        const streams = await this.streams(settings, own);
        tell({ type: "streams", streams });
        for (;;) {
          try {
            const before = this.session;
            this.session = null;
            this.session = await Session.open(settings, effort, own, before);
            tell({ type: "device", device: this.session.device });
            await watch(this.session, video, name, streams, settings, tell, signal);
            // Events go another way than this answer: when the last one is heard, all are.
            await tell({ type: "end" });
            return;
          } catch (thrown) {
            const code = codeOf(thrown);
            // Without a session it was the opening that failed.
            const onGpu = this.session ? this.session.device.backend === "webgpu" : settings.device !== "cpu";
            this.session?.close();
            this.session = null;
            if (!onGpu || effort === "cpu" || signal.aborted || !DEVICE_TROUBLE.includes(code)) throw thrown;
            effort = code === "device" && effort === "full" ? "cautious" : "cpu";
            tell({ type: "notice", notice: trouble(effort, thrown) });
            tell({ type: "restart" });
          }
        }
      } finally {
        video.close();
      }
    });
  }

  /** Stops what is under way at the next frame. */
  async cancel(what: "run" | "get"): Promise<void> {
    this.stop[what].abort();
  }

  private begin(what: "run" | "get"): AbortSignal {
    this.stop[what] = new AbortController();
    return this.stop[what].signal;
  }

  /** The streams that run: those that were asked for, as far as the model has them. */
  private async streams(settings: Settings, own: File[]): Promise<Stream[]> {
    const has = settings.model === models.OWN ? await this.check(own) : await models.streams(settings.model);
    const asked: Stream[] = settings.streams === "both" ? ["rgb", "flow"] : [settings.streams];
    const both = asked.filter((stream) => has.includes(stream));
    return both.length > 0 ? both : has;
  }
}

export type { Runner };

/** What happened to the device, and what happens now. */
function trouble(next: Effort, thrown: unknown): Notice {
  // The library's advice behind the semicolon is for the command line; what happens now is said here.
  const message = failure(thrown).message.split("; ")[0];
  if (codeOf(thrown) === "no-device") return { code: "fallback", text: "This browser offers no GPU here. Going on with the CPU, which takes longer." };
  return next === "cautious"
    ? { code: "retry", text: `The GPU stopped working (${message}). Trying once more with smaller pieces of work.` }
    : { code: "fallback", text: `The GPU cannot do this (${message}). Going on with the CPU, which takes longer.` };
}

/** Errors travel with their code as their name. */
async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    await started;
    return await work();
  } catch (thrown) {
    throw failure(thrown);
  }
}

const started = init({ module_or_path: wasm }).catch((thrown) => {
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  throw new Failure("module", `This page's module could not start (${why}). Reload the page, or use a current Chrome, Edge, Firefox or Safari.`);
});
// Whoever calls hears of it.
started.catch(() => undefined);
expose(new Runner());
