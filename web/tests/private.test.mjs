/** Nothing leaves the device: no request while classifying, the page without a network, and a policy that holds in the worker too. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, classify, drop, launch, open, serve, set } from "./common.mjs";

const SAMPLE = join(ROOT, "samples/opening_a_door.mp4");

test("no request while classifying, and none to another host ever", async (t) => {
  const server = await serve({ prefix: "/app/" });
  const browser = await launch({ webgpu: false });
  t.after(() => Promise.all([browser.close(), server.close()]));
  const asked = [];
  browser.context.on("request", (request) => asked.push(request.url()));
  const { page } = await open(browser.context, server.url);
  await drop(page, SAMPLE);
  // The first run loads the model; from then on there is nothing left to ask for.
  const first = await classify(page);
  const [requests, served] = [asked.length, server.requests.length];
  const second = await classify(page);
  assert.deepEqual(second.fused, first.fused);
  assert.deepEqual(asked.slice(requests).filter((url) => !url.startsWith("blob:")), []);
  assert.equal(server.requests.length, served);
  assert.deepEqual(asked.filter((url) => !url.startsWith(server.url) && !url.startsWith("blob:")), []);
});

test("the page opens and classifies without a network after the first visit", async (t) => {
  const server = await serve({ prefix: "/app/" });
  const browser = await launch({ webgpu: false });
  t.after(() => browser.close());
  const { page } = await open(browser.context, server.url);
  await page.evaluate(() => navigator.serviceWorker.ready);
  // The server is gone for good, and so is every other host.
  await server.close();
  await browser.context.setOffline(true);
  const again = await open(browser.context, server.url);
  await drop(again.page, SAMPLE);
  const found = await classify(again.page);
  assert.equal(found.top[0].label, "opening a door");
  await again.page.reload();
  await again.page.getByRole("button", { name: "Somebody in motion" }).click();
  await again.page.getByRole("heading", { name: "jumping jacks" }).waitFor({ timeout: 60_000 });
  assert.deepEqual(again.complaints, []);
});

test("the page is an app that can be installed", async (t) => {
  const server = await serve({ prefix: "/app/" });
  const browser = await launch({ webgpu: false });
  t.after(() => Promise.all([browser.close(), server.close()]));
  const { page } = await open(browser.context, server.url);
  const client = await browser.context.newCDPSession(page);
  const { errors, data } = await client.send("Page.getAppManifest");
  assert.deepEqual(errors, []);
  const manifest = JSON.parse(data);
  assert.equal(manifest.display, "standalone");
  await page.evaluate(() => navigator.serviceWorker.ready);
  const { installabilityErrors } = await client.send("Page.getInstallabilityErrors");
  assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito"), []);
});

test("neither page nor worker may connect anywhere else", async (t) => {
  const [server, other] = [await serve(), await serve({ answer: (_, response) => response.setHeader("access-control-allow-origin", "*").end("secret") })];
  const browser = await launch({ webgpu: false });
  t.after(() => Promise.all([browser.close(), server.close(), other.close()]));
  const { page } = await open(browser.context, server.url);
  const tries = (url) => fetch(url, { method: "POST", body: "a video" }).then(() => "sent", () => "refused");
  assert.equal(await page.evaluate(tries, other.url), "refused");
  const [worker] = page.workers();
  assert.equal(await worker.evaluate(tries, other.url), "refused");
  assert.equal(other.requests.length, 0);
  const inline = () => {
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.head.append(script);
    return window.ran === true;
  };
  assert.equal(await page.evaluate(inline), false, "an inline script ran");
});

test("settings are remembered, videos and results are not", async (t) => {
  const server = await serve();
  const browser = await launch({ webgpu: false });
  t.after(() => Promise.all([browser.close(), server.close()]));
  const { page } = await open(browser.context, server.url);
  await set(page, { Streams: "RGB alone (faster)", Window: "1.3 s (32 frames)" });
  await drop(page, SAMPLE);
  await page.getByText("opening_a_door.mp4").waitFor();
  await page.reload();
  await page.getByRole("button", { name: /Drop a video here/ }).waitFor();
  await page.locator("details.settings summary").click();
  assert.equal(await page.getByRole("combobox", { name: "Streams" }).inputValue(), "rgb");
  assert.equal(await page.getByRole("combobox", { name: "Window" }).inputValue(), "32");
});
