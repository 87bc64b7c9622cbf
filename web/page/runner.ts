/** The page's end of the worker: started when it is needed, and replaced where it does not answer. */

import { proxy, wrap, type Remote } from "comlink";
import type { Runner } from "./worker/worker";
import script from "./worker/worker?worker&url";

/** How long a worker may take to hear of a cancel: the CPU backend is at work for seconds without looking up. */
const PATIENCE = 400;

let worker: Worker | null = null;
let remote: Remote<Runner> | null = null;
let broken: ((error: Error) => void) | null = null;

/** The worker's methods. */
export function runner(): Remote<Runner> {
  if (!remote) {
    // A worker of its own address would have no policy but what the server sends; one made of `blob:` has that of the page.
    const start = `import ${JSON.stringify(new URL(script, import.meta.url).href)};`;
    const address = URL.createObjectURL(new Blob([start], { type: "text/javascript" }));
    worker = new Worker(address, { type: "module" });
    worker.addEventListener("error", () => end(named("crash", "The worker of this page could not start. Reload the page.")));
    remote = wrap<Runner>(worker);
  }
  return remote;
}

/** Waits for an answer of the worker, and hears of its end too. */
export function lasting<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    broken = reject;
    answer.then(resolve, (thrown: Error) => {
      // A module that has crashed cannot be called again.
      if (thrown.name === "crash") end(thrown);
      reject(thrown);
    });
  });
}

/** Stops what is under way; a worker that is too busy to hear is replaced. */
export async function cancel(): Promise<void> {
  const running = broken;
  if (!remote) return;
  void remote.cancel();
  await new Promise((resolve) => setTimeout(resolve, PATIENCE));
  if (running === broken && running) end(named("cancelled", "Cancelled."));
}

/** To be called when an answer has come, so that a late cancel does no harm. */
export function settled() {
  broken = null;
}

function end(error: Error) {
  worker?.terminate();
  worker = null;
  remote = null;
  broken?.(error);
  broken = null;
}

function named(name: string, message: string): Error {
  const error = new Error(message);
  error.name = name;
  return error;
}

export { proxy };
