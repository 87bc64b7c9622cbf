import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build, defineConfig, type Plugin } from "vite";
import { initSync, models, type ModelEntry } from "./pkg/i3d_web.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The table of models, which the module has; beside the page it can be edited without a build, with other hosts in the policy too. */
initSync({ module: readFileSync(here("pkg/i3d_web_bg.wasm")) });
const table: ModelEntry[] = models();
const hosts = [...new Set(table.flatMap((model) => model.streams.flatMap((source) => source.files.map((file) => new URL(file.url).origin))))];

/** Scripts from here only, connections to here and to where models lie, nothing else; workers made of `blob:` inherit it. */
const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self' blob:",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  `connect-src 'self' ${hosts.join(" ")}`,
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** The files beside the bundle: policy, table of models, what makes the page an app, and the service worker. */
function app(): Plugin {
  return {
    name: "i3d-app",
    apply: "build",
    transformIndexHtml: () => [
      { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content: policy }, injectTo: "head-prepend" },
      { tag: "link", attrs: { rel: "manifest", href: "./manifest.webmanifest" }, injectTo: "head" },
    ],
    generateBundle() {
      const icon = readFileSync(here("page/icon.svg"));
      const manifest = {
        name: "i3d: what are people doing in this video?",
        short_name: "i3d",
        start_url: "./",
        display: "standalone",
        background_color: "#f6f5f1",
        theme_color: "#0e7c66",
        icons: [{ src: "icon.svg", sizes: "any", type: "image/svg+xml", purpose: "any" }],
      };
      this.emitFile({ type: "asset", fileName: "icon.svg", source: icon });
      this.emitFile({ type: "asset", fileName: "models.json", source: JSON.stringify(table) });
      this.emitFile({ type: "asset", fileName: "manifest.webmanifest", source: JSON.stringify(manifest) });
    },
    async writeBundle({ dir }, bundle) {
      const files = Object.keys(bundle).sort();
      const hash = createHash("sha256").update(files.join());
      for (const file of files) hash.update(readFileSync(`${dir}/${file}`));
      await build({
        configFile: false,
        logLevel: "warn",
        define: { __FILES__: JSON.stringify(["index.html", ...files.filter((file) => file !== "index.html")]), __BUILD__: JSON.stringify(hash.digest("hex").slice(0, 16)) },
        build: { outDir: dir!, emptyOutDir: false, lib: { entry: here("page/sw.ts"), formats: ["es"], fileName: () => "sw.js" } },
      });
    },
  };
}

export default defineConfig({
  root: here(".."),
  base: "./",
  publicDir: false,
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  plugins: [app()],
  worker: { format: "es" },
  build: { outDir: here("../dist"), emptyOutDir: true, target: "es2022", assetsInlineLimit: 0, modulePreload: false },
});
