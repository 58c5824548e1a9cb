/** The page for everybody: names that are markup, readers that see nothing, hands without a mouse. */
import { assert, assertEquals } from "@std/assert";
import type { StatusReport } from "../../src/reports/api_types.ts";
import { defer } from "../../src/domain/delivery.ts";
import { Failure, failureRecord } from "../../src/domain/failure.ts";
import { anAdmission } from "../ledger/makers.ts";
import { startBrowser } from "../support/browser.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { seriousFaults } from "./axe_faults.ts";
import { type WebRig, webRig } from "./web_rig.ts";

const ignore = !has("chromium");
const HOSTILE = "<img src=x onerror=alert(1)>&lt;b&gt;\u202egnp.fits";

/** A daemon with something in every list: arrived, failed, incomplete. */
async function busyRig(): Promise<WebRig> {
  const rig = await webRig({ on_conflict: "fail", incomplete_after: "1s" });
  await rig.folder.write("nas/failed.fits", "another file of that name");
  await rig.folder.write("data/failed.fits", fitsFile(5_000, 3));
  await rig.folder.write(`data/${HOSTILE}`, fitsFile(50_000, 4, ["OBJECT  = '<b>M31</b>'", "FILTER  = 'Ha      '"]));
  await rig.folder.write("data/m31.fits", fitsFile(50_000, 5, ["OBJECT  = 'M31     '"]));
  await rig.folder.write("data/cut.fits", fitsFile(50_000, 6).subarray(0, 20_000));
  await rig.until(() => rig.daemon.ledger.counts().delivered === 2 && rig.daemon.ledger.counts().failed === 1, "two arrived");
  return rig;
}

/** The same with destinations that are on hold, unavailable and paused. */
async function troubledRig(): Promise<WebRig> {
  const rig = await busyRig();
  const local = (name: string) => ({ name, transfer_method: "local", remote_base_path: rig.folder.at(name) });
  const away = { name: "away", transfer_method: "sftp", remote_host: "127.0.0.1", remote_port: 1, remote_base_path: "/data" };
  rig.next = () => rig.settings({ destinations: [local("nas"), local("held"), away, local("usb-stick")] });
  assertEquals((await rig.daemon.reload()).ok, true);
  rig.daemon.pause("usb-stick", "the test");
  await rig.until(() => rig.daemon.ledger.counts("default", "held").delivered > 0, "it arrived");
  await Deno.rename(rig.folder.at("held"), rig.folder.at("gone"));
  await rig.folder.write("data/waits.fits", fitsFile(5_000, 8));
  const states = () => rig.daemon.status() as StatusReport;
  await rig.until(() => states().destinations.map(({ state }) => state).join() === "open,on_hold,backing_off,paused", "trouble");
  return rig;
}

for (const theme of ["light", "dark", "red"]) {
  Deno.test(`page: axe finds nothing serious in any view (${theme})`, { ignore }, async () => {
    await using rig = await troubledRig();
    await using browser = await startBrowser();
    const page = await browser.open(rig.daemon.opening()?.once ?? "");
    await page.evaluate(`localStorage.setItem("image-transfer theme", "${theme}")`);
    await page.emulateMedia({ reducedMotion: "reduce" });
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 800 });
      for (const view of ["now", "night", "history", "trouble", "setup", "history?show=1"]) {
        await page.goto(`${rig.origin}/#${view}`);
        await page.reload();
        await page.locator(view.includes("show") ? "dialog .header-cards, dialog .facts" : "main h1").first().waitFor();
        await page.waitForTimeout(300);
        assertEquals(await seriousFaults(page), [], `${view} at ${width}`);
        const tooWide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        assertEquals(tooWide, 0, `${view} at ${width} scrolls sideways`);
      }
    }
  });
}

Deno.test("page: names and header cards with markup are text, and cannot turn the reading direction", { ignore }, async () => {
  await using rig = await busyRig();
  await using browser = await startBrowser();
  const page = await browser.open(`${rig.daemon.opening()?.once ?? ""}#history`);
  const shown = HOSTILE.replace("\u202e", "\\u202e");
  const row = page.locator(".long-list .name", { hasText: "onerror" });
  await row.waitFor();
  assertEquals(await row.textContent(), shown);
  await row.click();
  const dialog = page.locator("dialog");
  await dialog.getByText("<b>M31</b>").first().waitFor();
  assertEquals((await dialog.locator("h2").textContent())?.includes(shown), true);
  for (const view of ["now", "night", "trouble"]) {
    await page.goto(`${rig.origin}/#${view}`);
    await page.locator("main h1").waitFor();
  }
  assertEquals(await page.locator("img[src='x'], main b").count(), 0);
});

Deno.test(
  "page: names that are written from right to left keep the order of their words, and of their folders",
  { ignore },
  async () => {
    await using rig = await webRig();
    const [night, lights, first, second] = ["לילה", "צילומים", "ערפילית", "אוריון"];
    await rig.folder.write(`data/${night}/${lights}/${first}_${second}_0001.fits`, fitsFile(5_000));
    await rig.folder.write("data/étoile_🌙_012345.fits", fitsFile(5_000, 2));
    await rig.until(() => rig.daemon.ledger.counts().delivered === 2, "both arrived");
    await using browser = await startBrowser();
    const page = await browser.open(`${rig.daemon.opening()?.once ?? ""}#history`);
    await page.locator(".long-list .name").nth(1).waitFor();
    const middles = (selector: string) =>
      page.evaluate(
        `(${middleOf})(${JSON.stringify(selector)}, ${JSON.stringify([night, lights, first, second, "0001", "/"])})`,
      ) as Promise<number[]>;
    for (const selector of [".long-list .name", "dialog dd .mono"]) {
      if (selector.startsWith("dialog")) await page.locator(".long-list .name", { hasText: second }).click();
      await page.locator(selector, { hasText: second }).first().waitFor();
      const [atNight, atLights, atFirst, atSecond, atNumber, atSlash] = await middles(selector);
      assert(atNight! < atLights! && atLights! < atSecond!, `${selector}: folders from left to right`);
      if (!selector.startsWith("dialog")) assert(atNight! < atSlash! && atSlash! < atLights!, `${selector}: the slash between`);
      assert(atNumber! < atSecond! && atSecond! < atFirst!, `${selector}: words from right to left`);
    }
    // No character is torn where the name is cut in two.
    const pieces = await page.locator(".long-list .name", { hasText: "toile" }).locator("> *").allTextContents();
    assertEquals(pieces, ["étoile_", "🌙_012345.fits"]);
  },
);

/** In the page: where the middle of each word stands, in pixels from the left. */
function middleOf(selector: string, words: readonly string[]): number[] {
  const place = [...document.querySelectorAll(selector)].find((one) => one.textContent.includes(words[3]!))!;
  return words.map((word) => {
    const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const at = node.textContent!.indexOf(word);
      if (at < 0) continue;
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + word.length);
      const { left, right } = range.getBoundingClientRect();
      return (left + right) / 2;
    }
    return NaN;
  });
}

Deno.test("page: very long names are cut, or broken in messages, push nothing aside and hide no state", { ignore }, async () => {
  const name = "usb-stick-in-the-second-drawer-of-the-desk-in-the-control-room";
  await using rig = await webRig({ destinations: [{ name, transfer_method: "local", remote_base_path: "~/stick" }] });
  rig.daemon.pause(name, "the test");
  await rig.folder.write("data/short.fits", fitsFile(5_000));
  await rig.folder.write(`data/${"long_folder/".repeat(8)}${"very_long_name_".repeat(14)}0042.fits`, fitsFile(5_000, 2));
  await rig.until(() => rig.daemon.ledger.counts().queued === 2, "both wait");
  const { ledger } = rig.daemon;
  const failure = failureRecord(new Failure("disk_full", `Cannot copy "/data/${"long_folder".repeat(12)}/a.fits": it is full`));
  const deferred = ledger.admit([anAdmission("deferred.fits", {}, [name], "default")], 1);
  ledger.record(deferred.map((one) => defer(one, failure, Date.now() + 3_600_000, false)), Date.now());
  await using browser = await startBrowser();
  const page = await browser.open(rig.daemon.opening()?.once ?? "");
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 800 });
    for (const [view, row] of [["now", ".queue .row-line"], ["history", ".long-list [role=row]"]] as const) {
      await page.goto(`${rig.origin}/#${view}`);
      await page.locator(row).nth(1).waitFor();
      assertEquals(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), 0, `${view} at ${width}`);
      await page.locator(row).filter({ hasText: "short.fits" }).getByText("short.fits").first().waitFor();
      await page.locator(row).filter({ hasText: "0042.fits" }).getByText("0042.fits").first().waitFor();
    }
    await page.goto(`${rig.origin}/#now`);
    await page.locator(".queue .row-note", { hasText: "it is full" }).waitFor();
    const sticksOut = await page.evaluate(`Math.max(...[...document.querySelectorAll(".queue .row-note")].map((note) =>
        note.scrollWidth - note.clientWidth))`);
    assertEquals(sticksOut, 0, `a message at ${width}`);
    await page.goto(`${rig.origin}/#history`);
    await page.locator(".long-list [role=row]").nth(1).waitFor();
    const state = await page.locator(".long-list .col-place").first().boundingBox();
    assert(state !== null && state.width > 50, `the state has ${state?.width} px at ${width}`);
  }
});

Deno.test("page: everything can be reached without a mouse, and letters spare the way", { ignore }, async () => {
  await using rig = await busyRig();
  await using browser = await startBrowser();
  const page = await browser.open(rig.daemon.opening()?.once ?? "");
  const title = (text: string) => page.locator("main h1", { hasText: text }).waitFor();
  await page.locator(".headline h1").waitFor();
  await page.keyboard.press("5");
  await title("Setup");
  await page.keyboard.press("4");
  await title("Trouble");
  await page.keyboard.press("2");
  await title("Night of");
  await page.keyboard.press("/");
  await title("History");
  await page.locator("#search:focus").waitFor();
  await page.keyboard.type("m31.f");
  await page.locator(".found", { hasText: "1 image" }).waitFor();
  // Where one types, letters are letters.
  await page.keyboard.press("4");
  await page.locator(".found", { hasText: "0 images" }).waitFor();
  await page.keyboard.press("Backspace");
  await page.locator(".found", { hasText: "1 image" }).waitFor();

  const opener = page.locator(".long-list .col-name button");
  await opener.focus();
  await page.keyboard.press("Enter");
  await page.locator("dialog .facts").waitFor();
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
  await page.locator(".long-list .col-name :focus").waitFor();

  await page.keyboard.press("u");
  await page.locator(".long-list").getByText(/UT$/).first().waitFor();
  await page.keyboard.press("?");
  await page.locator("dialog", { hasText: "Shortcuts" }).waitFor();
  for (const row of await page.locator("dialog .keys > div").all()) {
    const [keys, words] = [await row.locator("kbd").last().boundingBox(), await row.locator("dd").boundingBox()];
    assert(keys!.x + keys!.width <= words!.x, await row.innerText());
  }
});

Deno.test("page: the headline is said to screen readers, and a preview is shown with its header", { ignore }, async () => {
  await using rig = await busyRig();
  await using browser = await startBrowser();
  const page = await browser.open(`${rig.daemon.opening()?.once ?? ""}#night`);
  await page.locator("[role=status].unseen", { hasText: "could not be delivered" }).waitFor({ state: "attached" });
  await page.locator(".thumbnail", { hasText: "m31.fits" }).getByRole("button").click();
  const dialog = page.locator("dialog");
  const image = dialog.getByRole("img", { name: "Preview: M31" });
  await image.waitFor();
  await image.evaluate((one) => (one as HTMLImageElement).decode());
  await dialog.getByRole("row", { name: /BITPIX 16/ }).waitFor();
  await dialog.getByRole("searchbox").fill("seed");
  assertEquals(await dialog.locator("tbody tr").count(), 1);
  assert((await dialog.locator("tbody tr").innerText()).includes("SEED"));
});

Deno.test(
  "page: a file that is sent as it is although something is wrong with it is flagged wherever it is shown",
  { ignore },
  async () => {
    await using rig = await webRig();
    await rig.folder.write("data/random.fits", crypto.getRandomValues(new Uint8Array(5_000)));
    await rig.until(() => rig.daemon.ledger.counts().delivered === 1, "delivered");
    await using browser = await startBrowser();
    const page = await browser.open(`${rig.daemon.opening()?.once ?? ""}#history`);
    await page.emulateMedia({ reducedMotion: "reduce" });
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 800 });
      for (const view of ["history", "night", "history?show=1"]) {
        await page.goto(`${rig.origin}/#${view}`);
        await page.reload();
        const flag = view === "night"
          ? ".thumbnail .tone-text-warning"
          : "main .state.tone-text-warning, dialog .why.tone-warning";
        await page.locator(flag).first().waitFor();
        assertEquals(await page.locator(".tone-text-good", { hasText: "verified" }).count(), 0, view);
        assertEquals(await seriousFaults(page), [], `${view} at ${width}`);
        assertEquals(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), 0, `${view} at ${width}`);
      }
    }
    await page.locator("dialog .why", { hasText: 'it does not begin with "SIMPLE  ="' }).waitFor();
  },
);
