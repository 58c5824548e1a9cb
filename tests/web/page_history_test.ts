/** History with fifty thousand images: what it shows is right wherever one scrolls, and what an interaction costs is printed. */
import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { startBrowser } from "../support/browser.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { anAdmission, proven } from "../ledger/makers.ts";
import { seriousFaults } from "./axe_faults.ts";
import { type WebRig, webRig } from "./web_rig.ts";

const ignore = !has("chromium");
const COUNT = 50_000;
const PIECE = 5_000;
const START = Date.UTC(2026, 0, 15, 20);
const FILTERS = ["L", "Ha", "OIII"];

function nameOf(at: number): string {
  return `20260115/m31_${FILTERS[at % 3]}_${String(at).padStart(5, "0")}.fits`;
}

/** Fills the ledger as if the images had been delivered; one in a thousand is still queued. */
async function longHistory(): Promise<WebRig> {
  const rig = await webRig();
  rig.daemon.pause("nas", "the test");
  const { ledger } = rig.daemon;
  for (let from = 0; from < COUNT; from += PIECE) {
    const admissions = Array.from({ length: PIECE }, (_, at) => {
      const admission = anAdmission(
        nameOf(from + at),
        { size: 1_000_000 + from + at, identity: `1:${from + at}` },
        ["nas"],
        "default",
      );
      return { ...admission, night: "20260115" };
    });
    const queued = ledger.admit(admissions, START + from * 1000);
    ledger.record(
      queued.filter((_, at) => at % 1000 !== 0).map((one) => proven(one, undefined, START + from * 1000 + 2000)),
      START + from * 1000 + 2000,
    );
  }
  return rig;
}

/** Milliseconds of work of the page's main thread since the last call: script, and all. */
async function meter(page: Page): Promise<() => Promise<{ readonly scriptMs: number; readonly allMs: number }>> {
  const session = await page.context().newCDPSession(page);
  // The thread's own time: what other programs do meanwhile does not count.
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const read = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    const value = (name: string) => (metrics.find((metric) => metric.name === name)?.value ?? 0) * 1000;
    return { scriptMs: value("ScriptDuration"), allMs: value("TaskDuration") };
  };
  let last = await read();
  return async () => {
    const next = await read();
    const spent = { scriptMs: next.scriptMs - last.scriptMs, allMs: next.allMs - last.allMs };
    last = next;
    return spent;
  };
}

function summary(name: string, spent: readonly { readonly scriptMs: number; readonly allMs: number }[]): string {
  const [script, all] = [spent.map(({ scriptMs }) => scriptMs), spent.map(({ allMs }) => allMs)];
  const [most, whole] = [Math.max(...script).toFixed(1), Math.max(...all).toFixed(1)];
  return `    ${name}: at most ${most} ms of script (${whole} ms with layout and paint) over ${spent.length} interactions\n`;
}

Deno.test("page: fifty thousand images scroll, filter and sort right, and the cost is printed", { ignore }, async () => {
  await using rig = await longHistory();
  await using browser = await startBrowser();
  const page = await browser.open(`${rig.daemon.opening()?.once ?? ""}#history?sort=path&order=asc`);
  await page.locator(".found", { hasText: "50,000 images" }).waitFor();
  await page.locator(".long-list .name").first().waitFor();
  const byName = Array.from({ length: COUNT }, (_, at) => nameOf(at)).sort();
  const spent = await meter(page);

  const scrolls = [];
  for (const at of [10, 400, 12_345, 25_000, 24_990, 49_999, 3, 33_333, 49_000, 0]) {
    await spent();
    await page.evaluate(`document.querySelector(".long-list").scrollTo(0, ${at} * 44)`);
    const row = page.locator(`[aria-rowindex="${Math.min(at, COUNT - 1) + 2}"] .name`);
    await row.waitFor();
    scrolls.push(await spent());
    assertEquals(await row.textContent(), byName[at]);
  }
  const existing = await page.locator(".long-list [role=row]").count();
  assert(existing < 80, `${existing} rows exist at once`);

  const wheels = [];
  await page.locator(".long-list").hover();
  for (let turn = 0; turn < 30; turn++) {
    await page.mouse.wheel(0, 300);
    await page.waitForTimeout(30);
    wheels.push(await spent());
  }

  const filters = [];
  const found = page.locator(".found");
  for (const [text, count] of [["_ha_", "16,667"], ["04242", "1"], ["nothing like it", "0"], ["", "50,000"]] as const) {
    await page.getByRole("searchbox").fill(text);
    await found.filter({ hasText: `${count} image` }).waitFor();
    filters.push(await spent());
  }
  await page.getByLabel("State").selectOption("queued,deferred");
  await found.filter({ hasText: "50 images" }).waitFor();
  filters.push(await spent());
  await page.getByRole("button", { name: "Clear" }).click();
  await found.filter({ hasText: "50,000 images" }).waitFor();
  filters.push(await spent());
  await page.getByRole("columnheader", { name: "Size" }).getByRole("button").click();
  await page.locator('[aria-rowindex="2"]', { hasText: nameOf(COUNT - 1) }).waitFor();
  filters.push(await spent());

  const report = summary("scroll far", scrolls) + summary("scroll by wheel", wheels) + summary("search, filter, sort", filters);
  await Deno.stdout.write(new TextEncoder().encode(`\n${report}`));
});

Deno.test("/api/deliveries.json and .csv give all rows of a filter, whole", async () => {
  await using rig = await longHistory();
  const rows = await rig.json<{ path: string; state: string }[]>("/api/deliveries.json?night=20260115");
  assertEquals(rows.length, COUNT);
  assertEquals(
    [...new Set(rows.map(({ path }) => path))].sort().at(-1),
    `/data/${Array.from({ length: COUNT }, (_, at) => nameOf(at)).sort().at(-1)}`,
  );
  assertEquals((await rig.json<unknown[]>("/api/deliveries.json?state=queued&limit=3")).length, COUNT / 1000);
  assertEquals(await rig.json<unknown[]>("/api/deliveries.json?search=nowhere"), []);
  const csv = await (await rig.get("/api/deliveries.csv?state=delivered")).text();
  assertEquals(csv.split("\r\n").length, COUNT - COUNT / 1000 + 2);
});

Deno.test(
  "page: a row that changes is changed where it stands, and new rows wait for a word when one has scrolled",
  { ignore },
  async () => {
    await using rig = await longHistory();
    await using browser = await startBrowser();
    const page = await browser.open(`${rig.daemon.opening()?.once ?? ""}#history`);
    await page.locator(".found", { hasText: "50,000 images" }).waitFor();
    await page.evaluate(`document.querySelector(".long-list").scrollTo(0, 2000 * 44)`);
    const row = page.locator('[aria-rowindex="2010"] .name');
    await row.waitFor();
    const before = await row.textContent();
    rig.daemon.ledger.admit([anAdmission("20260116/new.fits", { identity: "1:99999999" }, ["nas"], "default")], START + 9e8);
    rig.daemon.resume("nas");
    await page.getByRole("button", { name: "Show new images" }).waitFor();
    assertEquals(await row.textContent(), before);
    await page.getByRole("button", { name: "Show new images" }).click();
    await page.locator(".found", { hasText: "50,001 images" }).waitFor();
  },
);

Deno.test("page: an empty History tells a daemon that has seen no image from filters that match none", { ignore }, async () => {
  await using rig = await webRig();
  await using browser = await startBrowser();
  const page = await browser.open(`${rig.daemon.opening()?.once ?? ""}#history`);
  const nothing = page.locator(".history .nothing");
  await nothing.getByText("No images yet.").waitFor();
  assertEquals(await seriousFaults(page), []);
  await page.getByRole("searchbox").fill("m31");
  await page.locator(".found", { hasText: "0 images" }).waitFor();
  await nothing.getByText("No images yet.").waitFor();
  await rig.folder.write("data/m42.fits", fitsFile(5_000));
  await rig.until(() => rig.daemon.ledger.counts().delivered === 1, "delivered");
  await nothing.getByText("No images match these filters.").waitFor();
  await page.getByRole("button", { name: "Clear" }).click();
  await page.locator(".long-list .name", { hasText: "m42.fits" }).waitFor();
});

Deno.test("page: times are whole whatever the zone is called, and name the day where it is not today's", { ignore }, async () => {
  await using rig = await webRig({ night_timezone: "Australia/Adelaide" });
  const queued = rig.daemon.ledger.admit([anAdmission("m31.fits", {}, ["nas"], "default")], START);
  rig.daemon.ledger.record(queued.map((one) => proven(one, undefined, START)), START);
  await using browser = await startBrowser();
  const page = await browser.open(`${rig.daemon.opening()?.once ?? ""}#history`);
  for (const column of [".col-queued", ".col-delivered"]) {
    const time = page.locator(`.long-list ${column}`, { hasText: "16 Jan, 06:30 GMT+10:30" });
    await time.waitFor();
    const cut = await page.evaluate(`(() => {
        const cell = document.querySelector(".long-list ${column}");
        return [cell.scrollWidth - cell.clientWidth, cell.scrollHeight - cell.clientHeight];
      })()`);
    assertEquals(cut, [0, 0]);
  }
  await page.goto(`${rig.origin}/#now`);
  await page.locator(".thumbnail", { hasText: "16 Jan, 06:30 GMT+10:30" }).waitFor();
});
