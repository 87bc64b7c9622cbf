/** The result: the five best with their numbers, per stream and fused, what the networks saw, and files to take along. */

import { useEffect, useRef } from "preact/hooks";
import type { Preview, Top } from "../../pkg/i3d_web";
import type { View } from "../protocol";
import { chosen, deviceName, outcomes, previews, running, stage, view, type Outcome } from "../state";
import { percent, STREAM_NAMES } from "./format";

const VIEWS: View[] = ["rgb", "flow", "fused"];

/** Below this nothing stands out among some hundred classes. */
const UNSURE = 0.25;

export function Result() {
  const now = outcomes.value[view.value];
  const there = VIEWS.filter((of) => outcomes.value[of]);
  const waiting = stage.value && running.value.length > 1 ? VIEWS.filter((of) => !outcomes.value[of]) : [];
  if (there.length === 0 && previews.value.rgb.length + previews.value.flow.length === 0) return null;
  return (
    <section class="result card" aria-label="Result">
      {there.length > 0 && (
        <>
          <div class="tabs" role="tablist" aria-label="Streams" onKeyDown={walk}>
            {VIEWS.filter((of) => there.includes(of) || waiting.includes(of)).map((of) => (
              <button
                key={of}
                type="button"
                role="tab"
                id={`tab-${of}`}
                aria-selected={view.value === of}
                aria-controls="panel"
                tabIndex={view.value === of ? 0 : -1}
                disabled={!there.includes(of)}
                onClick={() => (view.value = of)}
              >
                {STREAM_NAMES[of]}
                {waiting.includes(of) && <small> …</small>}
              </button>
            ))}
          </div>
          <div id="panel" role="tabpanel" aria-labelledby={`tab-${view.value}`} tabIndex={0}>
            {now ? <Bars outcome={now} /> : <p class="hint">This result is still being computed.</p>}
          </div>
        </>
      )}
      <Strip title="What the RGB network saw" pictures={previews.value.rgb} />
      <Strip title="What the flow network saw: colour is the direction of motion, strength its speed" pictures={previews.value.flow} />
      {now && <Export outcome={now} />}
    </section>
  );
}

/** Arrow keys walk along tabs. */
function walk(event: KeyboardEvent) {
  const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  if (step === 0) return;
  const there = VIEWS.filter((of) => outcomes.value[of]);
  const next = there[(there.indexOf(view.value) + step + there.length) % there.length];
  if (next) view.value = next;
  (event.currentTarget as HTMLElement).querySelector<HTMLElement>(`#tab-${next}`)?.focus();
}

function Bars({ outcome }: { outcome: Outcome }) {
  const { top, device, timings, video } = outcome.report;
  const best = top[0];
  if (!best) return null;
  const unsure = best.probability < UNSURE;
  return (
    <>
      <h2 aria-live="polite">{unsure ? "None of the known actions stands out" : best.label}</h2>
      <ol class="bars">
        {top.map((row) => (
          <Bar key={row.index} row={row} both={view.value === "fused"} />
        ))}
      </ol>
      <p class="hint">
        {video.sampled_frames} frames at 25 per second in {(timings.total_ms / 1000).toFixed(1)} s on{" "}
        {deviceName(device)}.
      </p>
    </>
  );
}

function Bar({ row, both }: { row: Top; both: boolean }) {
  const { label, probability, logit, rgb_logit: rgb, flow_logit: flow } = row;
  const detail = both && rgb !== undefined && flow !== undefined ? `logits: RGB ${rgb.toFixed(2)}, flow ${flow.toFixed(2)}` : `logit ${logit.toFixed(2)}`;
  return (
    <li title={detail}>
      <span class="label">{label}</span>
      <span class="track" aria-hidden="true">
        <span class="fill" style={{ width: `${100 * probability}%` }} />
      </span>
      <span class="number">{percent(probability)}</span>
    </li>
  );
}

function Strip({ title, pictures }: { title: string; pictures: Preview[] }) {
  if (pictures.length === 0) return null;
  return (
    <figure class="frames">
      <figcaption>{title}</figcaption>
      <div>
        {pictures.map((picture) => (
          <Picture key={picture.seconds} picture={picture} />
        ))}
      </div>
    </figure>
  );
}

function Picture({ picture }: { picture: Preview }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { seconds, size, rgba } = picture;
  useEffect(() => {
    canvas.current?.getContext("2d")?.putImageData(new ImageData(rgba, size, size), 0, 0);
  }, [picture]);
  return <canvas ref={canvas} width={size} height={size} role="img" aria-label={`frame at ${seconds.toFixed(2)} s`} />;
}

function Export({ outcome }: { outcome: Outcome }) {
  const save = (ending: string, type: string, text: string) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = `${(chosen.value?.name ?? "video").replace(/\.[^.]+$/, "")}.${ending}`;
    link.click();
    // The browser has taken the address by the next turn.
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  return (
    <div class="export" role="group" aria-label="Save the result">
      <span>Save</span>
      <button type="button" onClick={() => save("json", "application/json", outcome.json)}>
        JSON
      </button>
      <button type="button" onClick={() => save("csv", "text/csv", outcome.csv)}>
        CSV
      </button>
      <button type="button" onClick={() => save("vtt", "text/vtt", outcome.vtt)}>
        Subtitles (VTT)
      </button>
    </div>
  );
}
