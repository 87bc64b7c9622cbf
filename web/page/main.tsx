import { render } from "preact";
import { App } from "./app";
import { start } from "./state";
import "./style.css";

const root = document.getElementById("app");
if (root) render(<App />, root);
void start();

// Everything of the page is kept for offline use; browsers allow that to secure pages only, and refusal is no loss.
if (import.meta.env.PROD && "serviceWorker" in navigator) {
  void navigator.serviceWorker.register(new URL("sw.js", document.baseURI)).catch(() => undefined);
}
