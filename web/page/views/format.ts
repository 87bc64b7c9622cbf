/** Numbers and times as people read them. */

export function percent(p: number): string {
  if (p >= 0.0995) return `${(100 * p).toFixed(0)} %`;
  if (p >= 0.001) return `${(100 * p).toFixed(1)} %`;
  return "< 0.1 %";
}

export function bytes(n: number): string {
  if (n >= 1e9) return `${(n / 1e9).toFixed(1)} GB`;
  if (n >= 1e6) return `${(n / 1e6).toFixed(n >= 1e7 ? 0 : 1)} MB`;
  return `${Math.max(1, Math.round(n / 1e3))} kB`;
}

/** 0:07.2 or 1:02:03 */
export function clock(seconds: number): string {
  const s = Math.max(0, seconds);
  const minutes = Math.floor(s / 60) % 60;
  const hours = Math.floor(s / 3600);
  if (hours > 0) return `${hours}:${String(minutes).padStart(2, "0")}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
  return `${minutes}:${(s % 60).toFixed(1).padStart(4, "0")}`;
}

/** A rough time that is left. */
export function remaining(seconds: number): string {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 1.5) return "about a second left";
  if (seconds < 90) return `about ${Math.round(seconds)} s left`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min left`;
  return `about ${(seconds / 3600).toFixed(1)} h left`;
}

export const STREAM_NAMES = { rgb: "RGB", flow: "Flow", fused: "Fused" } as const;
