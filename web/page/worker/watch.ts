/** One video through the networks: a pass per stream, colours first. */

import type { Engine, Stream, VideoFacts } from "../../pkg/i3d_web";
import type { RunEvent, Settings, VideoDetails, View } from "../protocol";
import type { Frame, Video } from "./decode";
import { Failure, codeOf } from "./failure";
import type { Session } from "./session";

/** Frames per second at which the networks watch. */
const FPS = 25;

/** Small pictures of what a network sees, per video. */
const PREVIEWS = 10;

/** Pictures may end so many seconds, or so many usual frames, before their promise: encoders round. */
const SHORT = 0.2;
const SHORT_FRAMES = 1.2;

/** Shortest time between two words about progress, in milliseconds. */
const QUIET = 100;

/** Takes a video through the streams. */
export async function watch(
  session: Session,
  video: Video,
  name: string,
  streams: Stream[],
  settings: Settings,
  tell: (event: RunEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const { container: _, start_seconds: _start, clock_start: _clock, ...info } = video.details;
  const facts: VideoFacts = { name, info, decoded: 0, decodeMs: 0, totalMs: 0 };
  const start = performance.now();
  const report = (view: View) => {
    facts.totalMs = performance.now() - start;
    const [json, csv, vtt] = (["json", "csv", "vtt"] as const).map((format) => session.engine.report(view, format, facts)) as [string, string, string];
    tell({ type: "result", view, json, csv, vtt });
  };
  for (const stream of streams) {
    await session.load(stream, (bytes, total) => tell({ type: "loading", stream, bytes, total }));
    const expected = Math.max(1, Math.round((video.details.duration_seconds ?? 0) * FPS));
    session.engine.begin(stream, {
      window: settings.window,
      step: settings.window / 2,
      previewEvery: Math.max(1, Math.floor(expected / PREVIEWS)),
      bothStreams: streams.length > 1,
      fps: video.details.fps,
      statesDurations: video.details.states_durations,
    });
    await pass(session.engine, video, stream, facts, tell, signal);
    report(stream);
  }
  if (streams.length > 1) report("fused");
}

/** The session's engine has begun a pass; this gives it the frames that it wants. */
async function pass(
  engine: Engine,
  video: Video,
  stream: Stream,
  facts: VideoFacts,
  tell: (event: RunEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const teller = new Teller(engine, stream, video.details, tell);
  let held: Frame | null = null;
  let decoded = 0;
  let broken: unknown = null;
  let end = 0;
  const take = async (times: number) => {
    if (!held || times === 0) return;
    const { layout, bytes } = await timed(facts, () => held!.copy());
    // Where the container says nothing of it, the frames may.
    if (layout.pixelAspect) facts.info.pixel_aspect = { width: layout.pixelAspect[0], height: layout.pixelAspect[1] };
    await engine.push(layout, bytes, times, (share) => teller.hear(share));
    teller.hear(0);
  };
  const frames = video.frames();
  try {
    for (;;) {
      const next = await timed(facts, () => frames.next()).catch((thrown) => {
        // The frames before a break are worth a result.
        if (decoded === 0) throw thrown;
        broken = thrown;
        return { done: true as const, value: undefined };
      });
      if (next.done) break;
      decoded += 1;
      const before: Frame | null = held;
      const frame = next.value;
      end = Math.max(end, frame.seconds + frame.duration);
      const times = engine.offer(frame.seconds);
      // The frame before stands on.
      if (times < 0) {
        frame.close();
        continue;
      }
      try {
        await take(times);
      } catch (thrown) {
        frame.close();
        throw thrown;
      } finally {
        before?.close();
        held = null;
      }
      held = frame;
      if (signal.aborted) throw new Failure("cancelled", "Cancelled.");
    }
    await take(engine.last());
  } finally {
    held?.close();
    await frames.return();
  }
  facts.decoded = decoded;
  teller.look();
  await engine.finish((share) => teller.hear(share));
  if (signal.aborted) throw new Failure("cancelled", "Cancelled.");
  const problem = broken ? told(broken) : cutShort(video, facts.name, end);
  if (problem) tell({ type: "notice", notice: { code: "broken-end", text: `${problem} What came before is classified.` } });
}

/** The sentence for a video that broke in the middle. */
function told(broken: unknown): string {
  const problem = (broken instanceof Error ? broken.message : String(broken)).replace(/\.$/, "");
  return codeOf(broken) === "broken" ? `${problem}.` : `The video is damaged: ${problem}.`;
}

/** The sentence for a file that lacks its end: decoders stop there without a word. */
function cutShort({ promised, cut, details: { fps } }: Video, name: string, end: number): string {
  const short = promised !== null && promised - end > Math.max(SHORT, fps ? SHORT_FRAMES / fps : 0);
  if (!short && !cut) return "";
  const promise = short ? `, although it promises ${promised.toFixed(1)} s` : ", and the file lacks its end";
  return `${name} is damaged: its pictures end after ${end.toFixed(1)} s${promise}. Copy or download it again.`;
}

/** Counts the time that the decoder took. */
async function timed<T>(facts: VideoFacts, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  try {
    return await work();
  } finally {
    facts.decodeMs += performance.now() - start;
  }
}

/** Tells the page how far a pass is, but not more often than anybody can see. */
class Teller {
  private last = 0;
  private windows = 0;
  private frames = 0;
  /** Frames that were there when the last run of the network ended. */
  private ran = 0;
  private running = false;

  constructor(
    private readonly engine: Engine,
    private readonly stream: Stream,
    private readonly details: VideoDetails,
    private readonly tell: (event: RunEvent) => void,
  ) {}

  /** `share` of the network's present run is done; 0 between runs, when the engine may be asked for more. */
  hear(share: number) {
    const now = performance.now();
    const asked = share === 0;
    if (asked) {
      if (this.running) this.ran = this.frames;
      this.frames = this.engine.frames();
    }
    this.running = !asked;
    if (now - this.last < QUIET) return;
    this.last = now;
    if (asked) this.look();
    // Frames before the network are half of the way, the network is the other.
    const position = this.ran + (0.5 + 0.5 * share) * (this.frames - this.ran);
    const expected = (this.details.duration_seconds ?? 0) * FPS;
    this.tell({ type: "progress", stream: this.stream, share: expected > 0 ? Math.min(0.99, position / expected) : null });
  }

  /** Tells what the engine has: windows, and pictures of what the network saw. */
  look() {
    const segments = this.engine.segments();
    if (segments.length > this.windows) {
      this.windows = segments.length;
      this.tell({ type: "segments", stream: this.stream, segments });
    }
    const previews = this.engine.previews();
    if (previews.length > 0) this.tell({ type: "previews", stream: this.stream, previews });
  }
}
