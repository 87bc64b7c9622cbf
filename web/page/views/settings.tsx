/** The four settings, and the models with what they take. */

import type { Settings as Chosen } from "../protocol";
import type { ModelState } from "../protocol";
import { cancelDownload, download, getModel, model, models, own, removeModel, settings, stage, support } from "../state";
import { bytes } from "./format";

const STREAMS: [Chosen["streams"], string][] = [
  ["both", "RGB and flow"],
  ["rgb", "RGB alone (faster)"],
  ["flow", "Flow alone"],
];
const WINDOWS: [Chosen["window"], string][] = [
  [16, "0.6 s (16 frames)"],
  [32, "1.3 s (32 frames)"],
  [64, "2.6 s (64 frames)"],
];
const DEVICES: [Chosen["device"], string][] = [
  ["auto", "Automatic"],
  ["gpu", "GPU (WebGPU)"],
  ["cpu", "CPU (WebAssembly)"],
];

export function Settings() {
  const busy = stage.value !== null || download.value !== null;
  const set = <K extends keyof Chosen>(key: K, value: Chosen[K]) => (settings.value = { ...settings.value, [key]: value });
  const here = models.value.filter((model) => model.bundled || model.kept > 0 || model.name === settings.value.model);
  return (
    <details class="settings card">
      <summary>
        Settings <span>{summary()}</span>
      </summary>
      <fieldset disabled={busy}>
        <legend class="spoken">Settings</legend>
        <label>
          Model
          <select value={settings.value.model} onChange={(event) => set("model", event.currentTarget.value)}>
            {here.map(({ name, title }) => (
              <option key={name} value={name}>
                {title}
              </option>
            ))}
            {own.value.length > 0 && <option value="file">{own.value[0]?.name}</option>}
          </select>
        </label>
        <Choice label="Streams" value={settings.value.streams} options={STREAMS} set={(value) => set("streams", value)} />
        <Choice label="Window" value={settings.value.window} options={WINDOWS} set={(value) => set("window", Number(value) as Chosen["window"])} />
        <Choice label="Device" value={settings.value.device} options={DEVICES} set={(value) => set("device", value)} />
      </fieldset>
      <p class="hint">{deviceHint()}</p>
      <h2>Models</h2>
      <ul class="models">
        {models.value.map((model) => (
          <Model key={model.name} model={model} busy={busy} />
        ))}
      </ul>
      <p class="hint">A checkpoint of your own (safetensors, PyTorch, or TensorFlow's .index and .data files together) can be dropped on the page.</p>
    </details>
  );
}

function summary(): string {
  const name = settings.value.model === "file" ? (own.value[0]?.name ?? "") : (model.value?.title ?? "");
  const streams = STREAMS.find(([value]) => value === settings.value.streams)?.[1] ?? "";
  return [name, streams].filter(Boolean).join(" · ");
}

function Choice<T extends string | number>(props: { label: string; value: T; options: [T, string][]; set: (value: T) => void }) {
  const { label, value, options, set } = props;
  return (
    <label>
      {label}
      <select value={value} onChange={(event) => set(event.currentTarget.value as T)}>
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

function Model({ model, busy }: { model: ModelState; busy: boolean }) {
  const { name, title, description, classes, licence, kept, bundled } = model;
  const size = model.download === null ? "" : ` (${bytes(model.download)})`;
  const getting = download.value?.name === name ? download.value : null;
  return (
    <li>
      <div>
        <strong>{title}</strong>
        <span class="hint">
          {description}. {classes} classes, {licence}.
        </span>
        {getting && (
          <div class="progress">
            <p>
              <span>{getting.converting ? `Converting ${getting.stream}` : `Getting ${getting.stream}: ${getting.file}`}</span>
              <span>{!getting.converting && `${bytes(getting.bytes)}${getting.total ? ` of ${bytes(getting.total)}` : ""}`}</span>
            </p>
            <progress max={1} {...(getting.total && !getting.converting ? { value: getting.bytes / getting.total } : {})} aria-label={`Download of ${title}`} />
          </div>
        )}
      </div>
      {getting ? (
        <button type="button" onClick={() => void cancelDownload()}>
          Cancel
        </button>
      ) : bundled ? (
        <span class="hint">part of this page</span>
      ) : kept > 0 ? (
        <button type="button" disabled={busy} onClick={() => void removeModel(name)}>
          Remove ({bytes(kept)})
        </button>
      ) : (
        <button type="button" disabled={busy} onClick={() => void getModel(name)}>
          Get{size}
        </button>
      )}
    </li>
  );
}

/** What runs where, and why, in a sentence. */
export function deviceHint(): string {
  const gpu = support.value?.gpu;
  switch (gpu?.state) {
    case undefined:
      return "";
    case "hardware":
      return `This browser offers a GPU: ${gpu.name}.`;
    case "software":
      return `The only GPU that this browser offers is a program (${gpu.name}), which is slower than the CPU; automatic takes the CPU.`;
    case "insecure":
      return "The page is not open over https, and browsers give the GPU and storage to secure pages only. It runs on the CPU, and models are not kept.";
    case "no-webgpu":
      return "This browser has no WebGPU, so the CPU does the work. Chrome, Edge and Safari 26 have it; Firefox has it on Windows and macOS, and behind a flag on Linux.";
    case "no-adapter":
      return "This browser has WebGPU, but offers no GPU here: the driver may be on its list of broken ones. The CPU does the work; chrome://gpu and webgpureport.org tell more.";
  }
}
