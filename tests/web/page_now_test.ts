/**
 * The page for a night watch: what is in trouble comes first, a silent camera is noticed, and a screen on the wall can be read.
 */
import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import type { LiveState } from "../../src/reports/api_types.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { startBrowser } from "../support/browser.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { seriousFaults } from "./axe_faults.ts";
import { live, type WebRig, webRig } from "./web_rig.ts";

const ignore = !has("chromium");
const MINUTE = 60_000;
const EVENING = Date.UTC(2026, 0, 15, 20);

/** Two jobs that send to `nas`, which is away from one of them; `good` is fine, `tape` waits for its schedule. */
async function watchedRig(): Promise<WebRig> {
  const rig = await webRig();
  const local = (name: string) => ({ name, transfer_method: "local", remote_base_path: rig.folder.at(name) });
  const away = { name: "nas", transfer_method: "sftp", remote_host: "127.0.0.1", remote_port: 1, remote_base_path: "/data" };
  for (const name of ["guide", "tapes"]) await Deno.mkdir(rig.folder.at(name));
  rig.next = () =>
    rig.settings({
      watch_path: undefined,
      destinations: undefined,
      jobs: [
        { name: "spring", watch_path: rig.folder.at("data"), destinations: [local("good"), away] },
        { name: "guide", watch_path: rig.folder.at("guide"), destinations: [local("nas")] },
        { name: "late", watch_path: rig.folder.at("tapes"), schedule: { cron: "0 2 1 1 *" }, destinations: [local("tape")] },
      ],
    });
  assertEquals((await rig.daemon.reload()).message, "Configuration reloaded");
  await rig.folder.write("data/a.fits", fitsFile(5_000));
  await rig.until(async () => {
    const states = (await rig.daemon.status()).destinations.map(({ state }) => state).join();
    return states === "open,backing_off,open,closed" && rig.daemon.ledger.counts("spring", "good").delivered === 1;
  }, "nas is away");
  return rig;
}

Deno.test(
  "page: one card for each destination with its jobs as rows, those in trouble first, what waits for its schedule with the next run",
  { ignore },
  async () => {
    await using rig = await watchedRig();
    await using browser = await startBrowser();
    const page = await browser.open(rig.daemon.opening()?.once ?? "");
    const cards = page.locator(".card");
    await cards.nth(2).waitFor();
    assertEquals(await cards.locator("h3").allTextContents(), ["nas", "good", "tape"]);
    assertEquals(await cards.first().locator(".job-row .job").allTextContents(), ["spring", "guide"]);
    await cards.first().getByText(/^Since \d\d:\d\d \S+, /).waitFor();
    assertEquals(await page.locator(".card.is-compact h3").allTextContents(), ["good", "tape"]);
    await cards.first().getByRole("img", { name: /nas in the last 12 hours: unavailable from \d\d:\d\d \S+ until now/ })
      .waitFor();
    await cards.nth(1).getByRole("img", { name: "good in the last 12 hours: always available" }).waitFor();

    const tape = cards.nth(2);
    await tape.getByText(/^Next run 1 Jan/).waitFor();
    await rig.folder.write("guide/c.fits", fitsFile(5_000, 3));
    await rig.until(() => rig.daemon.ledger.counts("guide", "nas").delivered === 1, "the other job sends there");
    await rig.folder.write("tapes/b.fits", fitsFile(5_000, 2));
    await rig.until(() => rig.daemon.ledger.counts("late", "tape").queued === 1, "it waits");
    await tape.getByRole("button", { name: "Send now: late" }).click();
    await rig.until(() => rig.daemon.ledger.counts("late", "tape").delivered === 1, "sent now");

    // Two jobs send to places of one name.
    await page.goto(`${rig.origin}/#night`);
    await page.locator(".sums dt", { hasText: "On nas (guide)" }).waitFor();
    await page.locator(".sums dt", { hasText: "On nas (spring)" }).waitFor();

    await page.goto(`${rig.origin}/#trouble`);
    const cause = page.locator(".cause", { hasText: "nas cannot be reached" });
    await cause.getByText(/^since \d\d:\d\d \S+, /).waitFor();
    await cause.getByText("1 image waiting").waitFor();
    const headline = await page.locator(".strip").innerText();
    assertEquals(headline, "nas cannot be reached. The one image is safe on good.");
    const report = await rig.json<{ headline: { text: string } }>("/api/status");
    assertEquals(report.headline.text, headline);
  },
);

Deno.test("page: a camera that has been silent for five usual intervals is amber, with its last image in the zone of the site", {
  ignore,
}, async () => {
  let at = EVENING;
  const real = createSystem();
  const start = real.monotonic();
  await using rig = await webRig({ night_timezone: "America/Santiago", night_rollover: "12:00" }, {
    now: () => at + real.monotonic() - start,
  });
  await using browser = await startBrowser();
  const page = await browser.open(rig.daemon.opening()?.once ?? "");
  for (let i = 0; i < 7; i++) {
    at += 2 * MINUTE;
    await rig.folder.write(`data/${i}.fits`, fitsFile(5_000, i + 1));
    await rig.until(() => rig.daemon.ledger.counts().delivered === i + 1, "delivered");
  }
  const camera = page.locator(".camera");
  await camera.getByText(/^Last image 17:1\d GMT-3, .*ago|^Last image 17:1\d GMT-3, just now/).waitFor();
  assertEquals(await page.locator(".camera.is-silent").count(), 0);
  at += 3 * 60 * MINUTE + 47 * MINUTE;
  const silent = page.locator(".camera.is-silent");
  await silent.waitFor();
  assertEquals(
    (await silent.innerText()).replaceAll("\u00a0", " ").trim(),
    "Last image 17:14 GMT-3, 3 h 47 min ago, usually every 2 min",
  );
  const [job] = (await rig.daemon.status()).jobs;
  assertEquals([job?.silent, job?.last_image?.slice(0, 16)], [true, "2026-01-15T20:14"]);
  assert(Math.abs((job?.usual_interval_seconds ?? 0) - 120) < 30);
  // It calls nobody by itself: all images are where they belong.
  assertEquals((await fetch(`${rig.origin}/health/delivery`)).status, 200);

  // The zone is named with every time, and goes around: site, UT, that of the browser.
  const shown = async () => /\d\d:\d\d(:\d\d)? (\S+)$/.exec(await page.locator(".clock").innerText())?.[2];
  const zones = [await shown()];
  for (let i = 0; i < 2; i++) {
    await page.keyboard.press("u");
    await page.locator(".clock").filter({ hasNotText: new RegExp(`${zones.at(-1)}$`) }).waitFor();
    zones.push(await shown());
  }
  assertEquals(zones, ["GMT-3", "UT", "CET"]);
});

Deno.test("page: on a wall all can be read from three metres, in every theme, without scrolling", { ignore }, async () => {
  await using rig = await watchedRig();
  await using browser = await startBrowser();
  const page = await browser.open(`${rig.daemon.opening()?.once ?? ""}&wall`, { viewport: { width: 1920, height: 1080 } });
  for (const theme of ["light", "dark", "red"]) {
    await page.evaluate(`localStorage.setItem("image-transfer theme", "${theme}")`);
    await page.reload();
    await page.locator(".wall h1", { hasText: "nas cannot be reached. The one image is safe on good." }).waitFor();
    await page.locator(".wall-place", { hasText: "tape" }).getByText(/^next run/).waitFor();
    const { least, tall } = await page.evaluate(`(${smallestText})()`) as { least: number; tall: number };
    assert(least >= 47, `the smallest letters have ${least} px`);
    assert(tall <= 0, `${tall} px below the screen`);
    assertEquals(await seriousFaults(page), [], theme);
  }
  assertEquals(await page.getByRole("button").count(), 0);
});

Deno.test(
  "page: on a wall with many destinations nothing is below the screen, and a run that is far away is named with its day",
  { ignore },
  async () => {
    await using rig = await watchedRig();
    const local = (name: string) => ({ name, transfer_method: "local", remote_base_path: rig.folder.at(name) });
    rig.next = () =>
      rig.settings({
        watch_path: undefined,
        destinations: undefined,
        jobs: ["manual", { cron: "0 2 1 1 *" }].map((schedule, at) => ({
          name: `job-${at}`,
          watch_path: rig.folder.at(["data", "tapes"][at]!),
          schedule,
          destinations: Array.from({ length: 7 }, (_, n) => local(`disk-${at}-${n}`)),
        })),
      });
    assertEquals((await rig.daemon.reload()).ok, true);
    await using browser = await startBrowser();
    const page = await browser.open(`${rig.daemon.opening()?.once ?? ""}&wall`, { viewport: { width: 1920, height: 1080 } });
    await page.locator(".wall-place").nth(13).waitFor();
    await page.locator(".wall-place", { hasText: "disk-0-6" }).getByText("on request").waitFor();
    await page.locator(".wall-place", { hasText: "disk-1-6" }).getByText(/next run 1 Jan/).waitFor();
    const { least, tall } = await page.evaluate(`(${smallestText})()`) as { least: number; tall: number };
    assert(tall <= 0, `${tall} px below the screen`);
    assert(least >= 20, `the smallest letters have ${least} px`);
  },
);

/** In the page: the smallest font of any text that is seen, and how much of it is below the screen. */
function smallestText(): { least: number; tall: number } {
  const walker = document.createTreeWalker(document.querySelector(".wall")!, NodeFilter.SHOW_TEXT);
  let least = Infinity;
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    if (node.textContent!.trim() !== "") least = Math.min(least, parseFloat(getComputedStyle(node.parentElement!).fontSize));
  }
  return { least, tall: document.documentElement.scrollHeight - innerHeight };
}

Deno.test("page: who asked for it is notified when the state becomes worse and when it is well again, and the tab shows it", {
  ignore,
}, async () => {
  await using rig = await webRig();
  await using browser = await startBrowser();
  await rig.folder.write("data/a.fits", fitsFile(5_000));
  await rig.until(() => rig.daemon.ledger.counts().delivered === 1, "delivered");
  const page = await browser.open("about:blank");
  await page.context().grantPermissions(["notifications"], { origin: rig.origin });
  await page.addInitScript(`(${watchNotifications})()`);
  await page.goto(rig.daemon.opening()?.once ?? "");
  await page.locator(".headline h1", { hasText: "Tonight's image is on nas" }).waitFor();
  const icon = () => page.locator("link[rel=icon]").getAttribute("href");
  assertEquals(new URL(await icon() ?? "", rig.origin).pathname, "/assets/icon.svg");
  await page.keyboard.press("?");
  await page.getByLabel(/Notify me/).check();
  await page.getByLabel(/tab icon/).check();
  assertEquals(await seriousFaults(page), []);
  await page.keyboard.press("Escape");
  const green = await icon();
  assert(green?.startsWith("data:image/svg+xml,"), green ?? "");

  rig.daemon.pause("nas", "ann");
  await told(page, ["nas is paused by ann|Resume it to send files again."]);
  assert(await icon() !== green);
  await rig.daemon.resume("nas", "ask");
  await told(page, ["nas is paused by ann|Resume it to send files again.", "Tonight's image is on nas|"]);
  assertEquals(await icon(), green);
});

/** Before the page: the browser's own notifications, and what they say. */
function watchNotifications(): void {
  const said: string[] = [];
  const Real = Notification;
  globalThis.Notification = class extends Real {
    constructor(title: string, options?: NotificationOptions) {
      super(title, options);
      said.push(`${title}|${options?.body}`);
    }
  };
  Object.assign(globalThis, { said });
}

async function told(page: Page, wanted: readonly string[]): Promise<void> {
  for (let turn = 0; turn < 100 && (await page.evaluate("said") as string[]).length < wanted.length; turn++) {
    await page.waitForTimeout(100);
  }
  assertEquals(
    (await page.evaluate("said") as string[]).map((text) => text.replace(/ The one image.*\|/, "|").replace(/\.\|/, "|")),
    wanted,
  );
}

Deno.test("/api/live costs an open page little while nothing happens: only beats", { ignore }, async () => {
  await using rig = await watchedRigAtRest();
  await using page = await live(rig);
  const first = await page.until(({ type }) => type === "snapshot");
  assert(first.type === "snapshot");
  const state: LiveState = first.state;
  assertEquals([state.zone, state.jobs[0]?.notTaken, state.troubleCauses], ["Europe/Berlin", 0, []]);
  await page.until(({ type }) => type === "beat");
  assertEquals(
    page.messages.filter(({ type }) => type === "change").map((one) => Object.keys("state" in one ? one.state : {})),
    [],
  );
});

async function watchedRigAtRest(): Promise<WebRig> {
  const rig = await webRig({ night_timezone: "Europe/Berlin", night_rollover: "12:00" });
  await rig.until(async () => {
    const { jobs, destinations } = await rig.daemon.status();
    return jobs.every(({ watching }) => watching) && destinations.every(({ state }) => state === "open");
  }, "it watches, and has its destination");
  return rig;
}
