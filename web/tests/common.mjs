/** What the browser tests share: a static server that keeps count, a browser, and the way a user goes through the page. */

import { createServer } from "node:http";
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const DIST = process.env.I3D_DIST ?? join(ROOT, "dist");
/** The command line, to compare with. */
export const I3D = process.env.I3D_BIN ?? join(ROOT, "target/release/i3d");

const CHROMIUM = process.env.I3D_CHROMIUM ?? "/usr/bin/chromium";
const TYPES = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".svg": "image/svg+xml",
  ".json": "application/json", ".webmanifest": "application/manifest+json", ".mp4": "video/mp4", ".safetensors": "application/octet-stream",
};

/** Any static server, under any prefix. `change(path, text)` may give another text for a file; `answer` may take a request over. */
export async function serve({ root = DIST, prefix = "/", change, answer, host = "127.0.0.1" } = {}) {
  const requests = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://x").pathname);
    requests.push({ path, range: request.headers.range });
    if (answer?.(request, response)) return;
    const inside = path.startsWith(prefix) ? path.slice(prefix.length) : null;
    const file = inside === null ? "" : join(root, inside === "" ? "index.html" : inside);
    if (inside === null || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end("not found");
      return;
    }
    response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
    const text = change && /\.(html|json|js|css)$/.test(file) ? change(inside === "" ? "index.html" : inside, readFileSync(file, "utf8")) : undefined;
    if (text !== undefined) response.end(text);
    else createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, host, resolve));
  const { port } = server.address();
  return { requests, port, url: `http://${host === "0.0.0.0" ? "127.0.0.1" : host}:${port}${prefix}`, close: () => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); }) };
}

/** Chromium with WebGPU on SwiftShader, unless `webgpu` is false. */
export async function launch({ webgpu = true, flags = [], storage = {} } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "i3d-browser-"));
  const args = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ...(webgpu ? ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"] : ["--disable-features=WebGPU"]),
    ...flags,
  ];
  const context = await chromium.launchPersistentContext(folder, { executablePath: CHROMIUM, headless: true, args, viewport: { width: 1100, height: 900 }, ...storage });
  return { context, close: async () => { await context.close(); rmSync(folder, { recursive: true, force: true }); } };
}

/** Opens the page and keeps what it complains of. */
export async function open(context, url, { ready = true } = {}) {
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(url);
  await page.getByRole("button", { name: /Drop a video here/ }).waitFor();
  // Models are listed once the worker is there.
  if (ready) await page.locator(".models li").first().waitFor({ state: "attached" });
  return { page, complaints };
}

/** Chooses values in the settings by their labels. */
export async function set(page, values) {
  const settings = page.locator("details.settings");
  if (!(await settings.evaluate((details) => details.open))) await settings.locator("summary").click();
  for (const [label, option] of Object.entries(values)) await page.getByRole("combobox", { name: label }).selectOption({ label: option });
}

/** Drops files on the page, as a file manager does. */
export async function drop(page, ...paths) {
  const files = paths.map((path) => ({ name: path.split("/").at(-1), data: readFileSync(path).toString("base64") }));
  const transfer = await page.evaluateHandle((files) => {
    const transfer = new DataTransfer();
    for (const { name, data } of files) {
      const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
      const type = name.endsWith(".mp4") ? "video/mp4" : "";
      transfer.items.add(new File([bytes], name, { type }));
    }
    return transfer;
  }, files);
  const target = page.locator(".page");
  await target.dispatchEvent("dragenter", { dataTransfer: transfer });
  await target.dispatchEvent("drop", { dataTransfer: transfer });
}

/** Runs, waits for the last result and gives it as the file that a user would save. */
export async function classify(page, { view = "Fused", timeout = 120_000 } = {}) {
  await page.getByRole("button", { name: "Find the actions" }).click();
  return result(page, { view, timeout });
}

/** Waits for a view's result and saves it. */
export async function result(page, { view = "Fused", timeout = 120_000 } = {}) {
  await page.getByRole("button", { name: "Find the actions" }).waitFor({ timeout });
  await page.getByRole("tab", { name: view }).click();
  return JSON.parse(await save(page, "JSON"));
}

/** The text of an exported file. */
export async function save(page, kind) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: kind, exact: true }).click()]);
  return readFileSync(await download.path(), "utf8");
}

/** A folder that goes when the test ends. */
export function scratch(test) {
  const folder = mkdtempSync(join(tmpdir(), "i3d-web-"));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
