/** Where the work is: what is done, about how long it takes, and the same in words for those who listen. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { device, deviceName, running, stage } from "../state";
import { remaining, STREAM_NAMES } from "./format";

export function Progress() {
  const now = useSignal(performance.now());
  const at = stage.value;
  useEffect(() => {
    if (!at) return;
    const timer = setInterval(() => (now.value = performance.now()), 500);
    return () => clearInterval(timer);
  }, [at === null]);
  if (!at) return null;
  const { stream, loading, share, since } = at;
  const what = loading
    ? `Loading the ${STREAM_NAMES[stream]} network`
    : stream === "rgb"
      ? "Watching the pictures (RGB)"
      : "Watching the motion (optical flow)";
  const elapsed = (now.value - since) / 1000;
  const left = share !== null && share > 0.03 && elapsed > 1 ? remaining((elapsed * (1 - share)) / share) : "";
  const step = running.value.length > 1 ? (stream === "rgb" ? "1 of 2: " : "2 of 2: ") : "";
  return (
    <div class="progress">
      <p>
        <span>
          {step}
          {what}
        </span>
        <span>{left}</span>
      </p>
      <progress max={1} {...(share === null ? {} : { value: share })} aria-label={what} />
      <p class="device">{device.value && `on ${deviceName(device.value)}`}</p>
      {/* Every tenth is enough for those who listen. */}
      <p class="spoken" aria-live="polite">
        {what}
        {share !== null && share >= 0.1 && `, ${Math.floor(share * 10) * 10} percent`}
      </p>
    </div>
  );
}
