/** The strip under the player: what happens when. Click to go there; hover or walk with the keys for the three best. */

import { useSignal, type ReadonlySignal } from "@preact/signals";
import type { Stream } from "../../pkg/i3d_web";
import { chosen, outcomes, partial, view } from "../state";
import { clock, percent } from "./format";

interface Slot {
  start: number;
  end: number;
  top: { label: string; probability: number }[];
}

/** Colours that differ in lightness too, for those who do not see hues; labels stand in words beside them anyway. */
const COLOURS = 8;

export function Timeline({ seconds, seek }: { seconds: ReadonlySignal<number>; seek: (seconds: number) => void }) {
  const open = useSignal<number | null>(null);
  const slots = slotsOf();
  const details = chosen.value?.details;
  const duration = Math.max((details?.start_seconds ?? 0) + (details?.duration_seconds ?? 0), slots.at(-1)?.end ?? 0);
  if (slots.length === 0 || duration === 0) return null;
  const names = [...new Set(slots.map((slot) => slot.top[0]?.label ?? ""))];
  const current = open.value ?? at(slots, seconds.value);
  const shown = slots[current];
  const place = (s: number) => `${(100 * Math.min(s, duration)) / duration}%`;
  return (
    <div class="timeline">
      <div class="strip" role="group" aria-label="Timeline" onKeyDown={walk}>
        {slots.map((slot, index) => {
          const [best] = slot.top;
          // Windows overlap: each slot lasts until the next begins, as subtitles do.
          const end = Math.min(slots[index + 1]?.start ?? slot.end, slot.end);
          return (
            <button
              key={slot.start}
              type="button"
              tabIndex={index === current ? 0 : -1}
              class={`slot c${names.indexOf(best?.label ?? "") % COLOURS}`}
              style={{ left: place(slot.start), width: `calc(${place(end)} - ${place(slot.start)})`, "--sure": percent(best?.probability ?? 0).replace(/[< ]/g, "") }}
              aria-label={`${clock(slot.start)} to ${clock(slot.end)}: ${best?.label}, ${percent(best?.probability ?? 0)}`}
              onClick={() => seek(slot.start)}
              onMouseEnter={() => (open.value = index)}
              onMouseLeave={() => (open.value = null)}
              onFocus={() => (open.value = index)}
              onBlur={() => (open.value = null)}
            >
              <span>{best?.label}</span>
            </button>
          );
        })}
        <span class="cursor" style={{ left: place(seconds.value) }} aria-hidden="true" />
      </div>
      {shown && (
        <p class="moment">
          <span class="when">
            {clock(shown.start)} – {clock(shown.end)}
          </span>
          {shown.top.slice(0, 3).map(({ label, probability }) => (
            <span key={label}>
              {label} <b>{percent(probability)}</b>
            </span>
          ))}
        </p>
      )}
    </div>
  );
}

/** A long video has hundreds of slots: one of them is reached by Tab, the others from there by the arrow keys. */
function walk(event: KeyboardEvent) {
  const from = document.activeElement;
  const to = event.key === "ArrowRight" ? from?.nextElementSibling : event.key === "ArrowLeft" ? from?.previousElementSibling : null;
  if (!(to instanceof HTMLButtonElement)) return;
  event.preventDefault();
  to.focus();
}

/** The windows of the view: of its result, or as far as they are. */
function slotsOf(): Slot[] {
  const result = outcomes.value[view.value]?.report.segments;
  if (result) return result.map(({ start_seconds: start, end_seconds: end, top }) => ({ start, end, top }));
  const under = view.value === "fused" ? [] : (partial.value[view.value as Stream] ?? []);
  return under.map(({ startSeconds: start, endSeconds: end, top }) => ({ start, end, top }));
}

/** The slot that is shown at a time. */
function at(slots: Slot[], seconds: number): number {
  const after = slots.findIndex((slot) => slot.start > seconds);
  return after === -1 ? slots.length - 1 : Math.max(0, after - 1);
}
