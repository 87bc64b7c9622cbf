/** The engine and what is loaded on it. */

import { Engine, type DeviceInfo, type Stream } from "../../pkg/i3d_web";
import type { Settings } from "../protocol";
import * as models from "./models";

/** How hard to try: as asked, in small pieces, on the CPU. */
export type Effort = "full" | "cautious" | "cpu";

/** An open engine; it is kept as long as device and model stay the same. */
export class Session {
  private readonly loaded = new Set<Stream>();

  private constructor(
    readonly engine: Engine,
    readonly device: DeviceInfo,
    private readonly key: string,
    private readonly model: string,
    private readonly own: File[],
  ) {}

  /** The engine for these settings: `before`, where that is such a one, or a new one. */
  static async open(settings: Settings, effort: Effort, own: File[], before: Session | null): Promise<Session> {
    // Any adapter of the browser is what "gpu" means to a user; software ones are slower than the CPU, so `auto` never takes them.
    const asked = effort === "cpu" ? "cpu" : settings.device === "gpu" ? "webgpu" : settings.device;
    const names = own.map((file) => `${file.name} ${file.size} ${file.lastModified}`);
    const key = [asked, effort, settings.model, ...(settings.model === models.OWN ? names : [])].join("\n");
    if (before?.key === key) return before;
    before?.close();
    const engine = await Engine.open(asked, effort === "cautious");
    engine.clear(settings.model === models.OWN ? "custom" : settings.model);
    return new Session(engine, engine.device(), key, settings.model, own);
  }

  /** Loads a stream's network, where it is not there yet. */
  async load(stream: Stream, heard: (bytes: number, total: number) => void): Promise<void> {
    if (this.loaded.has(stream)) return;
    const isOwn = this.model === models.OWN;
    const given = isOwn ? await models.own(this.own) : [await models.stored(this.model, stream, heard)];
    for (const { place, files } of given) this.loaded.add(this.engine.load(place, files).stream);
  }

  /** Lets go of the engine; one whose module has crashed is gone already. */
  close() {
    try {
      this.engine.free();
    } catch {
      // Nothing is left to free.
    }
  }
}
