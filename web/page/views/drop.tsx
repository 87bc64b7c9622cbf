/** The way in: a drop zone that is a button, samples, the camera, and paste. */

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import door from "../../../samples/opening_a_door.mp4?url";
import hat from "../../../samples/taking_off_a_hat.mp4?url";
import jacks from "../../../samples/jumping_jacks.mp4?url";
import { choose, fail } from "../state";
import { Camera } from "./camera";
import { CameraIcon, FilmIcon, LockIcon } from "./icons";

const ACCEPT = "video/*,.mkv,.ts,image/gif,image/webp,.safetensors,.pt,.pth,.index,.data-00000-of-00001";

const SAMPLES = [
  { name: "opening_a_door.mp4", title: "Somebody at a door", url: door },
  { name: "taking_off_a_hat.mp4", title: "Somebody with a hat", url: hat },
  { name: "jumping_jacks.mp4", title: "Somebody in motion", url: jacks },
];

export function Drop() {
  const picker = useRef<HTMLInputElement>(null);
  const camera = useSignal(false);
  if (camera.value) return <Camera done={() => (camera.value = false)} />;
  return (
    <section class="start" aria-label="Choose a video">
      <button type="button" class="drop" onClick={() => picker.current?.click()}>
        <FilmIcon />
        <strong>Drop a video here, or choose one</strong>
        <span>MP4, MOV, WebM, MKV, GIF … of any length. Pasting works too.</span>
      </button>
      <input
        ref={picker}
        type="file"
        hidden
        multiple
        accept={ACCEPT}
        aria-label="Video file"
        onChange={(event) => {
          void choose(event.currentTarget.files ?? []);
          event.currentTarget.value = "";
        }}
      />
      <div class="privacy">
        <LockIcon />
        The video is processed on this device. Nothing is uploaded.
        <details>
          <summary>How can I check that?</summary>
          Switch the network off and try: after the first visit this page works offline. Its security policy lets it talk only to
          this site and to the host of the models, and it asks for nothing while it classifies; your browser's network tools show
          that.
        </details>
      </div>
      <div class="others">
        <h2>No video at hand?</h2>
        <ul class="samples">
          {SAMPLES.map((sample) => (
            <li key={sample.name}>
              <button type="button" onClick={() => void trySample(sample)}>
                <video src={sample.url} muted playsInline preload="metadata" aria-hidden="true" tabIndex={-1} />
                <span>{sample.title}</span>
              </button>
            </li>
          ))}
          <li>
            <button type="button" onClick={() => (camera.value = true)}>
              <span class="lens">
                <CameraIcon />
              </span>
              <span>Your camera</span>
            </button>
          </li>
        </ul>
      </div>
    </section>
  );
}

async function trySample({ name, url }: { name: string; url: string }) {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`The sample ${name} is not there (${response.status}). Reload the page.`);
    await choose([new File([await response.blob()], name, { type: "video/mp4" })], true);
  } catch (thrown) {
    fail(thrown);
  }
}
