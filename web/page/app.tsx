/** The whole page on one screen. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { choose, chosen, model, models, notices, outcomes, problem, settings } from "./state";
import icon from "./icon.svg";
import { Drop } from "./views/drop";
import { Result } from "./views/result";
import { deviceHint, Settings } from "./views/settings";
import { Watching } from "./views/watching";

export function App() {
  const over = useDropsAndPastes();
  return (
    <div class={over ? "page over" : "page"}>
      <header>
        <img src={icon} alt="" width="40" height="40" />
        <div>
          <h1>i3d</h1>
          <p>What are people doing in this video?</p>
        </div>
      </header>
      <main>
        <Problem />
        {notices.value.map((notice) => (
          <p key={notice.text} class="notice" role="status">
            {notice.text}
          </p>
        ))}
        {chosen.value ? <Watching /> : <Drop />}
        <Result />
        <About />
        <Settings />
      </main>
      <footer>
        <p>
          I3D (Carreira &amp; Zisserman, 2017) on WebGPU and WebAssembly. {settings.value.device === "cpu" ? "" : deviceHint()}
        </p>
        <p>MIT or Apache-2.0</p>
      </footer>
    </div>
  );
}

function Problem() {
  if (!problem.value) return null;
  return (
    <div class="problem" role="alert">
      <p>{problem.value.message}</p>
      <button type="button" aria-label="Close this message" onClick={() => (problem.value = null)}>
        ×
      </button>
    </div>
  );
}

/** What the model knows: most surprises come from there. */
function About() {
  if (!chosen.value && Object.keys(outcomes.value).length === 0 && settings.value.model !== "demo") return null;
  if (settings.value.model === "demo") {
    const kinetics = models.value.find((one) => one.name === "kinetics-400");
    return (
      <p class="about">
        The demo model knows {model.value?.classes ?? 16} actions of drawn figures and nothing of the world. For videos of people,{" "}
        {kinetics && kinetics.kept > 0 ? "choose Kinetics-400 in the settings" : "get Kinetics-400 in the settings below (once, 102 MB)"}.
      </p>
    );
  }
  return model.value && <p class="about">The answer is always one of the {model.value.classes} actions that {model.value.title} knows.</p>;
}

/** Files that are dropped or pasted anywhere on the page; true while one is held over it. */
function useDropsAndPastes(): boolean {
  const over = useSignal(false);
  useEffect(() => {
    const listeners = new AbortController();
    const { signal } = listeners;
    const hold = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      over.value = true;
    };
    window.addEventListener("dragenter", hold, { signal });
    window.addEventListener("dragover", hold, { signal });
    window.addEventListener("dragleave", (event) => (over.value = event.relatedTarget !== null), { signal });
    window.addEventListener(
      "drop",
      (event) => {
        over.value = false;
        if (!event.dataTransfer?.files.length) return;
        event.preventDefault();
        void choose(event.dataTransfer.files);
      },
      { signal },
    );
    window.addEventListener(
      "paste",
      (event) => {
        if (event.clipboardData?.files.length) void choose(event.clipboardData.files);
      },
      { signal },
    );
    return () => listeners.abort();
  }, []);
  return over.value;
}
