/**
 * Pictures of the page, to be looked at: start, running, result, error and a phone, light and dark.
 *
 * usage: node web/scripts/pictures.mjs FOLDER          all of them
 *        node web/scripts/pictures.mjs docs/page.png   the one of the README
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT, classify, drop, launch, open, serve, set } from "../tests/common.mjs";

const SAMPLE = join(ROOT, "samples/opening_a_door.mp4");
const [target] = process.argv.slice(2);
if (!target) throw new Error("give a folder, or a .png for the README's picture");

const server = await serve();

async function pictures(colorScheme, width, take) {
  const browser = await launch({ webgpu: false, storage: { colorScheme, viewport: { width, height: width > 500 ? 820 : 740 }, deviceScaleFactor: 1 } });
  const { page } = await open(browser.context, server.url);
  await take(page);
  await browser.close();
}

/** The result with the player somewhere in the middle. */
async function watched(page) {
  await set(page, { Window: "0.6 s (16 frames)" });
  await page.locator("details.settings summary").click();
  await drop(page, SAMPLE);
  await classify(page);
  await page.getByRole("tab", { name: "Fused" }).click();
  await page.locator(".slot").last().click();
  await page.mouse.move(0, 0);
  await page.waitForTimeout(500);
}

if (target.endsWith(".png")) {
  await pictures("light", 900, async (page) => {
    await watched(page);
    await page.screenshot({ path: target, fullPage: true });
  });
} else {
  mkdirSync(target, { recursive: true });
  for (const colorScheme of ["light", "dark"]) {
    for (const [kind, width] of [["wide", 1000], ["phone", 360]]) {
      await pictures(colorScheme, width, async (page) => {
        const take = (name) => page.screenshot({ path: join(target, `${name}-${kind}-${colorScheme}.png`), fullPage: true });
        await take("start");
        await page.locator("details.settings summary").click();
        await take("settings");
        await page.locator("details.settings summary").click();
        await drop(page, join(ROOT, "Cargo.toml"));
        await page.getByRole("alert").waitFor();
        await take("error");
        await watched(page);
        await take("result");
        await page.getByRole("button", { name: "Find the actions" }).click();
        await page.getByText("Watching the motion").first().waitFor();
        await take("running");
      });
    }
  }
}
await server.close();
