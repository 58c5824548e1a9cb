/** The plots of a night with an outage in it. */
import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { brokenAtPauses } from "../../src/web/page/night/pauses.ts";
import { startBrowser } from "../support/browser.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { anAdmission, proven } from "../ledger/makers.ts";
import { seriousFaults } from "./axe_faults.ts";
import { type WebRig, webRig } from "./web_rig.ts";

const ignore = !has("chromium");
const START = Date.UTC(2026, 0, 15, 20);
const MINUTE = 60_000;
const OUTAGE = { from: 60, to: 240 } as const;

Deno.test("brokenAtPauses() goes on over the usual distance between images, and breaks at an outage", () => {
  const [go, stop] = [undefined, null];
  assertEquals(brokenAtPauses([1, null, 2, null, 3, null, null, null, null, null, null, null, 4, null, 5]), [
    ...[1, go, 2, go, 3],
    ...[stop, stop, stop, stop, stop, stop, stop],
    ...[4, go, 5],
  ]);
  assertEquals(brokenAtPauses([null, 1, null, null, 2, null]), [stop, 1, go, go, 2, stop]);
  assertEquals(brokenAtPauses([null, 1, null]), [stop, 1, stop]);
  assertEquals(brokenAtPauses([null]), [stop]);
  assertEquals(brokenAtPauses([]), []);
});

/** An image each minute for five hours; for three of them the destination was away, and then got all at once. */
async function nightWithOutage(): Promise<WebRig> {
  const rig = await webRig();
  rig.daemon.pause("nas", "the test");
  for (let minute = 0; minute < 300; minute++) {
    arrive(rig, minute, minute >= OUTAGE.from && minute < OUTAGE.to ? OUTAGE.to : minute);
  }
  return rig;
}

function arrive({ daemon: { ledger } }: WebRig, finished: number, delivered: number): void {
  const admission = anAdmission(`m31_${finished}.fits`, { identity: `1:${finished}` }, ["nas"], "default");
  const queued = ledger.admit([{ ...admission, night: "20260115" }], START + finished * MINUTE);
  const at = START + delivered * MINUTE + 2000;
  ledger.record(queued.map((one) => proven(one, undefined, at)), at);
}

const plot = (page: Page, at: number) => page.locator(".plot").nth(at);

async function boxOf(page: Page) {
  const over = plot(page, 0).locator(".u-over");
  // A plot that is made again has no size for a moment.
  for (;;) {
    await over.waitFor();
    const box = await over.boundingBox();
    if (box) return box;
  }
}

/** The time that stands in the legend with the pointer at this part of the width; a plot that is just being drawn does not see the pointer. */
async function timeAt(page: Page, part: number): Promise<string> {
  for (let turn = 0;; turn++) {
    const { x, y, width, height } = await boxOf(page);
    await page.mouse.move(x + 2 + (width - 4) * part, y + height / 2 + turn % 2);
    const time = await page.locator(".legend li.dim").first().innerText();
    if (time !== "" || turn === 100) return time;
    await page.waitForTimeout(50);
  }
}

Deno.test("page: no line of the night is drawn across an outage, and no label of an axis is clipped", { ignore }, async () => {
  await using rig = await nightWithOutage();
  await using browser = await startBrowser();
  const page = await browser.open(`${rig.daemon.opening()?.once ?? ""}#night?night=20260115`);
  await plot(page, 1).locator(".u-over").waitFor();
  const [before, within, after] = await page.evaluate(`(${inked})([0.1, 0.5, 0.9])`) as number[];
  assert(before! > 0 && after! > 0, `a line before and after: ${before}, ${after}`);
  assertEquals(within, 0);

  await page.addInitScript(`(${watchLabels})()`);
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 800 });
    await page.reload();
    await plot(page, 1).locator(".u-over").waitFor();
    await page.getByRole("button", { name: "Bytes" }).click();
    const { clipped, drawn } = await page.evaluate("labels()") as { clipped: string[]; drawn: number };
    assertEquals([width, clipped], [width, []]);
    assert(drawn > 10, `${drawn} labels`);
  }
});

/** In the page: how many pixels of the first destination's colour stand at these parts of the width of the second plot. */
function inked(parts: readonly number[]): number[] {
  const place = document.querySelectorAll(".plot")[1]!;
  const [canvas, over] = [place.querySelector("canvas")!, place.querySelector<HTMLElement>(".u-over")!];
  const context = canvas.getContext("2d")!;
  const probe = document.createElement("span");
  probe.style.color = "var(--line-1)";
  place.append(probe);
  context.fillStyle = getComputedStyle(probe).color;
  probe.remove();
  const wanted = [1, 3, 5].map((at) => parseInt((context.fillStyle as string).slice(at, at + 2), 16));
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return parts.map((part) => {
    const x = Math.round((over.offsetLeft + over.offsetWidth * part) * devicePixelRatio);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      const isNear = Math.abs(at / 4 % canvas.width - x) < 5;
      if (isNear && data[at + 3]! > 100 && wanted.every((value, band) => Math.abs(value - data[at + band]!) < 40)) count++;
    }
    return count;
  });
}

/** Before the page: remembers the labels of the plots that do not fit on their canvas. */
function watchLabels(): void {
  const clipped: string[] = [];
  let drawn = 0;
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (
    this: CanvasRenderingContext2D,
    text: string,
    x: number,
    y: number,
  ): void {
    const { width } = this.measureText(text);
    const left = this.getTransform().e + x - (this.textAlign === "right" ? width : this.textAlign === "center" ? width / 2 : 0);
    drawn++;
    if (left < 0 || left + width > this.canvas.width) clipped.push(text);
    fillText.call(this, text, x, y);
  };
  Object.assign(globalThis, { labels: () => ({ clipped, drawn }) });
}

Deno.test(
  "page: who zooms into the night stays there when the next image arrives, and gets back with a button",
  { ignore },
  async () => {
    await using rig = await nightWithOutage();
    await using browser = await startBrowser();
    const page = await browser.open(`${rig.daemon.opening()?.once ?? ""}#night?night=20260115`);
    await plot(page, 0).locator(".u-over").waitFor();
    const whole = [await timeAt(page, 0), await timeAt(page, 1)];
    const { x, y, width, height } = await boxOf(page);
    await page.mouse.move(x + width * 0.4, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width * 0.6, y + height / 2, { steps: 5 });
    await page.mouse.up();
    const back = page.getByRole("button", { name: "Whole night" });
    await back.waitFor();
    assertEquals(await seriousFaults(page), []);
    const near = [await timeAt(page, 0), await timeAt(page, 1)];
    const since = (text: string | undefined) => (Number(text?.slice(0, 2)) + 12) % 24 * 60 + Number(text?.slice(3, 5));
    assert(since(near[0]) > since(whole[0]) && since(near[1]) < since(whole[1]), `${near} within ${whole}`);

    arrive(rig, 310, 311);
    // Any night is asked for again when tonight's sums change.
    await rig.folder.write("data/tonight.fits", fitsFile(5_000));
    await page.locator(".sums").getByText("301").first().waitFor();
    assertEquals([await timeAt(page, 0), await timeAt(page, 1)], near);
    await page.getByRole("button", { name: "Bytes" }).click();
    await page.getByRole("heading", { name: "Data over the night" }).waitFor();
    assertEquals([await timeAt(page, 0), await timeAt(page, 1)], near);

    await back.click();
    await back.waitFor({ state: "detached" });
    const [first, last] = [await timeAt(page, 0), await timeAt(page, 1)];
    assertEquals(first, whole[0]);
    assert(since(last) > since(whole[1]), `${last} after ${whole[1]}`);
  },
);
