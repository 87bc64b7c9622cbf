/** Errors on their way to the page, which get its own words there; `name` carries the code, because only name and message travel. */
export class Failure extends Error {
  constructor(code: string, message: string) {
    super(message);
    this.name = code;
  }
}

/** The stable code of anything that was thrown. */
export function codeOf(thrown: unknown): string {
  if (thrown instanceof Failure) return thrown.name;
  if (thrown instanceof WebAssembly.RuntimeError) return "crash";
  if (thrown instanceof DOMException && thrown.name === "QuotaExceededError") return "quota";
  if (thrown instanceof DOMException && thrown.name === "AbortError") return "cancelled";
  if (thrown instanceof Error && "code" in thrown && typeof thrown.code === "string") return thrown.code;
  return "unknown";
}

/** Anything that was thrown, as a failure. */
export function failure(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  if (thrown instanceof WebAssembly.RuntimeError) {
    return new Failure(
      "crash",
      `The browser ran out of memory (${thrown.message}). Choose a shorter window or a smaller video, or close other tabs, and try again.`,
    );
  }
  return new Failure(codeOf(thrown), thrown instanceof Error ? thrown.message : String(thrown));
}
