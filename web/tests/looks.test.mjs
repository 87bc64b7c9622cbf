/** For every user: keyboard, screen reader, light and dark, a phone's width, paste, camera; and the package on another page. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { ROOT, classify, drop, launch, open, serve } from "./common.mjs";

const SAMPLE = join(ROOT, "samples/jumping_jacks.mp4");
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function start(t, options) {
  const server = await serve();
  const browser = await launch({ webgpu: false, ...options });
  t.after(() => Promise.all([browser.close(), server.close()]));
  return { ...(await open(browser.context, server.url)), browser };
}

/** What a checker of the guidelines (WCAG 2.2 AA) finds. */
async function violations(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"] }));
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

for (const colorScheme of ["light", "dark"]) {
  test(`nothing that the accessibility guidelines forbid, ${colorScheme}`, async (t) => {
    const { page } = await start(t, { storage: { colorScheme } });
    assert.deepEqual(await violations(page), []);
    await page.locator("details.settings summary").click();
    assert.deepEqual(await violations(page), []);
    await drop(page, SAMPLE);
    await classify(page);
    assert.deepEqual(await violations(page), []);
    await drop(page, join(ROOT, "Cargo.toml"));
    await page.getByRole("alert").waitFor();
    assert.deepEqual(await violations(page), []);
  });
}

test("everything by keyboard", async (t) => {
  const { page } = await start(t);
  // Asked for early: the browser takes a moment until it hands choosers over.
  const asked = page.waitForEvent("filechooser");
  await page.keyboard.press("Tab");
  assert.match(await page.evaluate(() => document.activeElement.textContent), /Drop a video here/);
  await page.keyboard.press("Enter");
  await (await asked).setFiles(SAMPLE);
  const find = page.getByRole("button", { name: "Find the actions" });
  await find.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("tab", { name: "Fused", selected: true }).waitFor({ timeout: 60_000 });
  await page.getByRole("tab", { name: "Fused" }).focus();
  await page.keyboard.press("ArrowLeft");
  await page.getByRole("tab", { name: "Flow", selected: true }).waitFor();
  const slot = page.locator(".slot").first();
  await slot.focus();
  assert.match(await slot.getAttribute("aria-label"), /^0:00\.0 to 0:01\.2: jumping jacks, \d+ %$/);
});

test("the timeline leads the player", async (t) => {
  const { page } = await start(t);
  await page.locator("details.settings summary").click();
  await page.getByRole("combobox", { name: "Window" }).selectOption("16");
  await drop(page, SAMPLE);
  await classify(page);
  const last = page.locator(".slot").last();
  // One of them is in the order of Tab; from there the arrows lead on.
  assert.equal(await page.locator(".slot[tabindex='0']").count(), 1);
  await page.locator(".slot").first().focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.locator(".slot").nth(1).evaluate((slot) => slot === document.activeElement), true);
  await last.hover();
  assert.equal(await page.locator(".moment span:not(.when)").count(), 3);
  await last.click();
  const at = await page.locator(".stage video").evaluate((video) => video.currentTime);
  assert.ok(Math.abs(at - 0.6) < 0.05, `the player is at ${at} s`);
});

test("a phone's width needs no scrolling sideways", async (t) => {
  const { page } = await start(t, { storage: { viewport: { width: 360, height: 740 } } });
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(await overflow(), 0);
  await page.locator("details.settings summary").click();
  assert.equal(await overflow(), 0);
  await drop(page, SAMPLE);
  await classify(page);
  assert.equal(await overflow(), 0);
});

test("a video from the clipboard", async (t) => {
  const { page } = await start(t);
  await page.evaluate((data) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], "pasted.mp4", { type: "video/mp4" }));
    dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer }));
  }, readFileSync(SAMPLE).toString("base64"));
  await page.getByText("0:01.3 · 128 × 96 · 25 fps · H.264 · 7 kB").waitFor();
});

test("the camera", async (t) => {
  const flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
  const { page } = await start(t, { flags });
  await page.getByRole("button", { name: "Your camera" }).click();
  await page.getByRole("button", { name: "Record" }).click();
  await page.waitForTimeout(2500);
  await page.getByRole("button", { name: /^Stop/ }).click();
  await page.getByText(/^camera\.(webm|mp4)$/).waitFor();
  await page.getByRole("tab", { name: "RGB" }).waitFor({ timeout: 60_000 });
});

test("a camera that is refused", async (t) => {
  const { page } = await start(t);
  await page.getByRole("button", { name: "Your camera" }).click();
  await page.getByRole("alert").waitFor();
  assert.match(await page.getByRole("alert").innerText(), /There is no camera on this device|The camera was not allowed/);
  await page.getByRole("button", { name: /Drop a video here/ }).waitFor();
});

test("the module is small enough for a phone", () => {
  const packed = gzipSync(readFileSync(join(ROOT, "web/pkg/i3d_web_bg.wasm")), { level: 9 }).length;
  assert.ok(packed <= 2.5e6, `${packed} bytes compressed`);
});

test("the package on another page", async (t) => {
  const server = await serve({ root: join(ROOT, "web/pkg") });
  const browser = await launch({ webgpu: false });
  t.after(() => Promise.all([browser.close(), server.close()]));
  const page = await browser.context.newPage();
  await page.goto(`${server.url}example.html`);
  await page.waitForFunction(() => globalThis.classify);
  const top = await page.evaluate(async (data) => {
    const checkpoint = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const frames = Array.from({ length: 16 }, (_, i) => ({
      layout: { format: "RGBA", width: 80, height: 80, planes: [{ offset: 0, stride: 320 }], seconds: i / 25 },
      bytes: new Uint8Array(80 * 80 * 4).map((_, at) => (at * 7 + i * 31) & 255),
    }));
    return globalThis.classify(frames, checkpoint);
  }, readFileSync(join(ROOT, "samples/demo_rgb.safetensors")).toString("base64"));
  assert.equal(top.length, 5);
  assert.ok(top.every(({ label, probability }) => label.length > 0 && probability >= 0 && probability <= 1));
});
