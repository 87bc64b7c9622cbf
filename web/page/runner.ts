/** The page's end of the worker: started when it is needed, and replaced where it does not answer. */

import { proxy, wrap, type Remote } from "comlink";
import type { Runner } from "./worker/worker";
import script from "./worker/worker?worker&url";

/** How long a worker may take to hear of a cancel: the CPU backend is at work for seconds without looking up. */
const PATIENCE = 400;

let worker: Worker | null = null;
let remote: Remote<Runner> | null = null;
/** Those who wait for an answer. */
const waiting = new Set<(error: Error) => void>();
/** Whether the worker has answered anything yet. */
let alive = false;

/** The worker's methods. */
export function runner(): Remote<Runner> {
  if (!remote) {
    // A worker of its own address would have no policy but what the server sends; one made of `blob:` has that of the page.
    const start = `import ${JSON.stringify(new URL(script, import.meta.url).href)};`;
    const address = URL.createObjectURL(new Blob([start], { type: "text/javascript" }));
    worker = new Worker(address, { type: "module" });
    alive = false;
    worker.addEventListener("error", (event) => {
      const why = event.message ? ` (${event.message})` : "";
      const what = alive ? `The page's program stopped working${why}. Try again, with a shorter window or a smaller video.` : `The worker of this page could not start${why}. Reload the page.`;
      end(named("crash", what));
    });
    remote = wrap<Runner>(worker);
  }
  return remote;
}

/** Waits for an answer of the worker, and hears of its end too. */
export function lasting<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    waiting.add(reject);
    const over = () => waiting.delete(reject);
    answer.then(
      (value) => {
        over();
        alive = true;
        resolve(value);
      },
      (thrown: Error) => {
        over();
        // A module that has crashed cannot be called again.
        if (thrown.name === "crash") end(thrown);
        reject(thrown);
      },
    );
  });
}

/** Stops a run or a download; a worker that is too busy to hear is replaced. `isOver` tells whether it has heard. */
export async function cancel(what: "run" | "get", isOver: () => boolean): Promise<void> {
  if (!remote) return;
  void remote.cancel(what);
  await new Promise((resolve) => setTimeout(resolve, PATIENCE));
  if (!isOver()) end(named("cancelled", "Cancelled."));
}

function end(error: Error) {
  worker?.terminate();
  worker = null;
  remote = null;
  for (const reject of waiting) reject(error);
  waiting.clear();
}

function named(name: string, message: string): Error {
  const error = new Error(message);
  error.name = name;
  return error;
}

export { proxy };
