/** A few seconds from the camera, as a video like any other. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { choose, fail } from "../state";

/** Longest recording. */
const SECONDS = 10;

export function Camera({ done }: { done: () => void }) {
  const player = useRef<HTMLVideoElement>(null);
  const stream = useSignal<MediaStream | null>(null);
  const recorder = useSignal<MediaRecorder | null>(null);
  const left = useSignal(SECONDS);

  useEffect(() => {
    let gone = false;
    ask().then(
      (granted) => {
        if (gone) return stopTracks(granted);
        stream.value = granted;
        if (player.current) player.current.srcObject = granted;
      },
      (thrown) => {
        fail(cameraProblem(thrown));
        done();
      },
    );
    return () => {
      gone = true;
      // A recording that was left is not wanted.
      if (recorder.value) recorder.value.onstop = null;
      if (stream.value) stopTracks(stream.value);
    };
  }, []);

  useEffect(() => {
    if (!recorder.value) return;
    const timer = setInterval(() => {
      left.value -= 1;
      if (left.value <= 0) recorder.value?.stop();
    }, 1000);
    return () => clearInterval(timer);
  }, [recorder.value]);

  const record = () => {
    if (!stream.value) return;
    const parts: Blob[] = [];
    const made = new MediaRecorder(stream.value);
    made.ondataavailable = (event) => parts.push(event.data);
    made.onstop = () => {
      recorder.value = null;
      done();
      const type = made.mimeType || "video/webm";
      const ending = type.includes("mp4") ? "mp4" : "webm";
      void choose([new File(parts, `camera.${ending}`, { type })], true);
    };
    made.start();
    recorder.value = made;
  };

  return (
    <section class="camera card" aria-label="Camera">
      <video ref={player} autoplay muted playsInline />
      <p>Up to {SECONDS} seconds, without sound. The recording stays on this device and is gone when you close the page.</p>
      <div class="actions">
        {recorder.value ? (
          <button type="button" class="primary" onClick={() => recorder.value?.stop()}>
            Stop ({left} s left)
          </button>
        ) : (
          <button type="button" class="primary" disabled={!stream.value} onClick={record}>
            Record
          </button>
        )}
        <button type="button" onClick={done}>
          Back
        </button>
      </div>
    </section>
  );
}

function ask(): Promise<MediaStream> {
  if (!navigator.mediaDevices) return Promise.reject(new DOMException("", "SecurityError"));
  return navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, frameRate: { ideal: 25 } }, audio: false });
}

function cameraProblem(thrown: unknown): Error {
  const name = thrown instanceof DOMException ? thrown.name : "";
  const sentences: Record<string, string> = {
    NotAllowedError: "The camera was not allowed. Allow it for this page (the sign beside the address) and try again.",
    NotFoundError: "There is no camera on this device. Choose a video file instead.",
    NotReadableError: "Another program uses the camera. Close that and try again.",
    SecurityError: "Browsers give the camera only to pages over https. Open this page over https, or choose a video file.",
  };
  return new Error(sentences[name] ?? `The camera cannot be used (${name || String(thrown)}). Choose a video file instead.`);
}

function stopTracks(stream: MediaStream) {
  for (const track of stream.getTracks()) track.stop();
}
