/** The page on a running daemon: what happens to files is seen as it happens. */
import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { startBrowser, type TestBrowser } from "../support/browser.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { type WebRig, webRig } from "./web_rig.ts";

const ignore = !has("chromium");

function opened(browser: TestBrowser, rig: WebRig, hash = ""): Promise<Page> {
  return browser.open(`${rig.daemon.opening()?.once ?? ""}${hash}`);
}

const headline = (page: Page) => page.locator(".headline h1");

Deno.test("page: a file appears, grows, is sent with moving progress and lands, without a reload", { ignore }, async () => {
  await using nas = await tempFolder();
  const slow = { name: "nas", transfer_method: "local", remote_base_path: nas.path, bandwidth_limit: "1 MB/s" };
  await using rig = await webRig({ destinations: [slow] });
  await using browser = await startBrowser();
  const page = await opened(browser, rig);
  await headline(page).getByText("No images yet tonight").waitFor();
  await page.evaluate("globalThis.notReloaded = true");

  const bytes = fitsFile(9_000_000, 7, ["OBJECT  = 'M31     '"]);
  using file = await Deno.open(rig.folder.at("data/m31_0001.fits"), { write: true, createNew: true });
  await file.write(bytes.subarray(0, 3_000_000));
  const growing = page.locator(".waiting .transfer", { hasText: "m31_0001.fits" });
  await growing.getByText("3.00 MB of 9.00 MB").waitFor();
  await file.write(bytes.subarray(3_000_000, 6_000_000));
  await growing.getByText("6.00 MB of 9.00 MB").waitFor();
  await file.write(bytes.subarray(6_000_000));
  file.close();

  const bar = page.locator(".transfers .transfer", { hasText: "m31_0001.fits" }).getByRole("progressbar");
  await bar.waitFor();
  const seen: number[] = [];
  while (await bar.count() > 0) {
    const value = await bar.getAttribute("aria-valuenow", { timeout: 500 }).catch(() => null);
    if (value !== null && Number(value) !== seen.at(-1)) seen.push(Number(value));
    await page.waitForTimeout(50);
  }
  assert(seen.length >= 4, `progress stood at ${seen.join(" ")}`);
  assertEquals(seen, seen.toSorted((a, b) => a - b), `progress went backwards: it stood at ${seen.join(" ")}`);

  await headline(page).getByText("Tonight's image is on nas").waitFor();
  await page.locator(".thumbnail", { hasText: "m31_0001.fits" }).getByText("M31", { exact: true }).waitFor();
  assertEquals(await page.evaluate("globalThis.notReloaded"), true, "the page was reloaded");
  // The title is set after the headline is drawn.
  await page.waitForFunction("document.title.startsWith('✓')").catch(() => {});
  assertEquals(await page.title(), "✓ Tonight's image is on nas · Now");
});

Deno.test("page: a destination that is gone is the headline, with what to do; trying again ends it", { ignore }, async () => {
  await using rig = await webRig();
  await using browser = await startBrowser();
  await rig.folder.write("data/a.fits", fitsFile(5_000));
  await rig.until(() => rig.daemon.ledger.counts().delivered === 1, "the first arrived");
  const page = await opened(browser, rig);
  await headline(page).getByText("Tonight's image is on nas").waitFor();

  await Deno.rename(rig.folder.at("nas"), rig.folder.at("nas-away"));
  await rig.folder.write("data/b.fits", fitsFile(5_000, 2));
  await headline(page).getByText("nas has lost its disk. 1 image is waiting in the watched folder.").waitFor();
  const advice = await page.locator(".headline .advice").innerText();
  assert(advice.length > 10, advice);
  await page.locator(".card").getByText("On hold").waitFor();

  await page.getByRole("link", { name: /^Trouble/ }).click();
  await page.getByText("What to do:").first().waitFor();
  assertEquals(await page.locator(".tab .badge").innerText().then((text) => text.trim().split(/\s/)[0]), "1");
  await Deno.rename(rig.folder.at("nas-away"), rig.folder.at("nas"));
  await page.getByRole("button", { name: "Retry now: nas" }).click();
  await page.getByText("Nothing needs your attention.").waitFor();
  await page.getByRole("link", { name: "All 2 of tonight's images are on nas" }).waitFor();
});

Deno.test(
  "page: a file that failed stands in Trouble with its reason; Retry delivers it once the cause is gone",
  { ignore },
  async () => {
    await using rig = await webRig({ on_conflict: "fail" });
    await using browser = await startBrowser();
    for (const name of ["a.fits", "b.fits", "c.fits"]) {
      await rig.folder.write(`nas/${name}`, "another file of that name");
      await rig.folder.write(`data/${name}`, fitsFile(5_000, name.charCodeAt(0)));
    }
    await rig.until(() => rig.daemon.ledger.counts().failed === 3, "all three failed");
    const page = await opened(browser, rig, "#trouble");
    await page.getByRole("link", { name: "3 images could not be delivered" }).waitFor();

    await Deno.remove(rig.folder.at("nas/b.fits"));
    await page.getByRole("button", { name: /^Retry .*b\.fits/ }).click();
    await page.getByText("1 delivery back in the queue").waitFor();
    await page.getByRole("link", { name: "2 images could not be delivered" }).waitFor();
    assertEquals(await page.locator(".trouble", { hasText: "b.fits" }).count(), 0);

    for (const name of ["a.fits", "c.fits"]) await Deno.remove(rig.folder.at(`nas/${name}`));
    await page.getByRole("button", { name: "Retry all failed" }).click();
    await page.getByText("Nothing needs your attention.").waitFor();
    await rig.until(() => rig.daemon.ledger.counts().delivered === 3, "all arrived");
  },
);

Deno.test("page: pause, resume and scan now reach the daemon", { ignore }, async () => {
  await using rig = await webRig({ watch_mode: "poll", rescan_interval: "1h" });
  await using browser = await startBrowser();
  const page = await opened(browser, rig);
  await page.getByRole("button", { name: "Pause nas" }).click();
  await page.locator(".card").getByText("Paused", { exact: true }).waitFor();
  await headline(page).getByText("nas is paused by the web page").waitFor();
  assertEquals((await rig.daemon.status()).destinations.map(({ state }) => state), ["paused"]);

  await rig.folder.write("data/a.fits", fitsFile(5_000));
  await page.getByRole("button", { name: "Scan now" }).click();
  await page.locator(".queue").getByText("a.fits").waitFor();
  assertEquals(rig.daemon.ledger.counts().queued, 1);

  await page.getByRole("button", { name: "Resume nas" }).click();
  await headline(page).getByText("Tonight's image is on nas").waitFor();
  assertEquals(rig.daemon.ledger.counts().delivered, 1);
});
