/** A chosen video: what it is, the player with the timeline under it, and where the work is. */

import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { chosen, reset, run, stage, stop, type Chosen } from "../state";
import { bytes, clock } from "./format";
import { Progress } from "./progress";
import { Timeline } from "./timeline";

/** Seconds by which a picture is surely before the file's clock begins: players round. */
const EARLY = 0.1;

export function Watching() {
  const now = chosen.value;
  const player = useRef<HTMLVideoElement>(null);
  const seconds = useSignal(0);
  const playable = useSignal(true);
  const position = useComputed(() => seconds.value);
  // Players show the clock of the file, where that begins late; those that count from zero show a picture before that.
  const begin = useRef(0);
  const start = Math.max(0, now?.details?.clock_start ?? 0);
  useEffect(() => {
    playable.value = true;
    seconds.value = 0;
    begin.current = start;
    if (start > 0) player.current?.requestVideoFrameCallback?.((_, { mediaTime }) => (begin.current = mediaTime < start - EARLY ? 0 : start));
  }, [now?.url, now?.details]);
  if (!now) return null;
  const seek = (to: number) => {
    seconds.value = to;
    if (player.current) player.current.currentTime = begin.current + to;
  };
  const isPicture = now.details?.container === "picture";
  return (
    <section class="watching card" aria-label="Video">
      {/* A file that cannot be read is not handed to the player either. */}
      <div class="stage" hidden={!now.details}>
        {!now.details ? null : isPicture ? (
          <img src={now.url} alt={now.name} />
        ) : playable.value ? (
          <video
            ref={player}
            src={now.url}
            controls
            muted
            playsInline
            loop={(now.details?.duration_seconds ?? 99) < 4}
            aria-label={now.name}
            onTimeUpdate={(event) => (seconds.value = Math.max(0, event.currentTarget.currentTime - begin.current))}
            onError={() => (playable.value = false)}
          />
        ) : (
          <p class="unplayable">The browser cannot play this file, but it may still be able to read its pictures.</p>
        )}
      </div>
      <Timeline seconds={position} seek={seek} />
      <Facts now={now} />
      <Progress />
      <div class="actions">
        {stage.value ? (
          <button type="button" onClick={() => void stop()}>
            Cancel
          </button>
        ) : (
          <>
            {now.details && (
              <button type="button" class="primary" onClick={() => void run()}>
                Find the actions
              </button>
            )}
            <button type="button" onClick={() => void reset()}>
              Choose another video
            </button>
          </>
        )}
      </div>
    </section>
  );
}

function Facts({ now }: { now: Chosen }) {
  const { details, file, name } = now;
  const turned = details && details.rotation % 180 !== 0;
  const size = details && (turned ? `${details.height} × ${details.width}` : `${details.width} × ${details.height}`);
  const facts = details && [
    details.duration_seconds !== null && clock(details.duration_seconds),
    size,
    details.fps !== null && `${details.fps.toFixed(details.fps % 1 < 0.05 ? 0 : 1)} fps`,
    details.codec,
    bytes(file.size),
    details.mirrored && "mirrored",
    details.rotation !== 0 && `turned by ${details.rotation}°`,
  ];
  return (
    <p class="facts">
      <strong>{name}</strong>
      {facts && <span>{facts.filter(Boolean).join(" · ")}</span>}
    </p>
  );
}
