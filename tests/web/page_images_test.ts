/** The images of a night in the browser: by target, as a contact sheet, and one by one. */
import { assert, assertEquals } from "@std/assert";
import { startBrowser } from "../support/browser.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { anAdmission } from "../ledger/makers.ts";
import { seriousFaults } from "./axe_faults.ts";
import { type WebRig, webRig } from "./web_rig.ts";

const ignore = !has("chromium");
const HOSTILE = "<img src=x onerror=alert(1)>";

/** Five images of two targets; number 3 is missing. */
async function fewImages(): Promise<WebRig> {
  const destinations = ["nas", "usb"].map((name) => ({ name, transfer_method: "local", remote_base_path: `~/${name}` }));
  const rig = await webRig({ destinations });
  rig.daemon.pause("usb", "the test");
  const cards = (
    object: string,
    filter: string,
  ) => [`OBJECT  = '${object}'`, `FILTER  = '${filter}'`, "EXPTIME =                 60.0"];
  for (
    const [number, object, filter] of [[1, HOSTILE, "L"], [2, HOSTILE, "L"], [4, HOSTILE, "L"], [5, "M42", "R"], [
      6,
      "M42",
      "R",
    ]] as const
  ) {
    await rig.folder.write(
      `data/${HOSTILE.slice(0, 9)}_000${number}.fits`,
      fitsFile(300_000 + number, number, cards(object, filter)),
    );
    await rig.until(
      () => rig.daemon.ledger.counts("default", "nas").delivered === Math.min(number, number - (number > 3 ? 1 : 0)),
      "delivered",
    );
  }
  return rig;
}

Deno.test("page: a night by target and filter names missing frames, and a target shows only its images, whatever it is called", {
  ignore,
}, async () => {
  await using rig = await fewImages();
  await using browser = await startBrowser();
  const page = await browser.open(`${rig.daemon.opening()?.once ?? ""}#night`);
  const row = page.getByRole("row", { name: HOSTILE });
  await row.getByText("0003", { exact: true }).waitFor();
  assertEquals(await row.getByRole("cell").allTextContents().then((cells) => cells.slice(0, 4)), [
    "L",
    "3",
    "3\u00a0min",
    "0 of 3",
  ]);
  await page.locator(".sheet").scrollIntoViewIfNeeded();
  await page.locator(".sheet .thumbnail img").nth(4).waitFor();
  assertEquals(await page.locator(".sheet .thumbnail").count(), 5);
  await page.getByRole("button", { name: "M42", exact: true }).click();
  await page.getByRole("heading", { name: "Contact sheet: M42, R" }).waitFor();
  await page.locator(".sheet .thumbnail").nth(1).waitFor();
  assertEquals(await page.locator(".sheet .thumbnail").count(), 2);
  assertEquals(await seriousFaults(page), []);
  await page.getByRole("link", { name: "see them in History" }).click();
  await page.locator(".found", { hasText: "2 images" }).waitFor();
  assertEquals(await page.getByLabel("Target").inputValue(), "M42");
  await page.getByRole("button", { name: "Clear" }).click();
  await page.locator(".found", { hasText: "5 images" }).waitFor();
});

Deno.test("page: the dialog steps through the list it was opened from, by keys and buttons, and ends where the list ends", {
  ignore,
}, async () => {
  await using rig = await fewImages();
  await using browser = await startBrowser();
  const page = await browser.open(
    `${rig.daemon.opening()?.once ?? ""}#history?sort=path&order=asc&target=${encodeURIComponent(HOSTILE)}`,
  );
  await page.locator(".long-list .name", { hasText: "_0001.fits" }).click();
  const title = (number: string) => page.locator("dialog h2", { hasText: `_${number}.fits` }).waitFor();
  await title("0001");
  await page.locator("dialog .key-cards").getByText(HOSTILE).waitFor();
  assertEquals(await page.locator("dialog .places li").allInnerTexts().then((all) => all.map((one) => one.split("\n")[0])), [
    "nas",
    "usb",
  ]);
  await page.keyboard.press("ArrowRight");
  await title("0002");
  await page.getByRole("button", { name: "Next image" }).click();
  await title("0004");
  // The next one is of another target.
  await page.locator('dialog [aria-label="Next image"][aria-disabled="true"]').waitFor();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowLeft");
  await title("0002");
  assertEquals(await seriousFaults(page), []);
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
  assert(page.url().includes("#history?"), page.url());
});

Deno.test(
  "page: the picture zooms by keys, buttons and wheel, loads a larger one for it, and can be moved",
  { ignore },
  async () => {
    await using rig = await webRig();
    await rig.folder.write("data/large.fits", fitsFile(6_000_000));
    await rig.until(() => rig.daemon.ledger.counts().delivered === 1, "delivered");
    await using browser = await startBrowser();
    const page = await browser.open(`${rig.daemon.opening()?.once ?? ""}#history?show=1`);
    const image = page.locator("dialog .picture img");
    await image.evaluate((one) => (one as HTMLImageElement).decode());
    const frame = page.locator("dialog .picture .frame");
    const { width, height } = (await frame.boundingBox())!;
    await page.keyboard.press("+");
    await page.locator("output", { hasText: "2×" }).waitFor();
    await page.locator('dialog .picture img[src$="side=2048"]').waitFor();
    const at = async () => await frame.evaluate((place) => [place.scrollLeft, place.scrollTop] as const);
    const box = (await frame.boundingBox())!;
    assertEquals(
      [Math.round(box.width), Math.round(box.height)],
      [Math.round(width), Math.round(height)],
      "the frame stays as it was",
    );
    assert((await image.boundingBox())!.width > 1.9 * width);
    const [left] = await at();
    assert(left > width / 3, `the middle stays in the middle: ${left}`);
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2 + 60, box.y + box.height / 2, { steps: 4 });
    await page.mouse.up();
    assertEquals(Math.round((await at())[0]), Math.round(left - 60));
    await page.mouse.wheel(0, -100);
    await page.locator("output", { hasText: "4×" }).waitFor();
    await page.getByRole("button", { name: "Whole image" }).click();
    await page.locator("output", { hasText: "1×" }).waitFor();
  },
);

Deno.test(
  "page: a contact sheet of thousands asks for two pictures at a time, and only for those in sight",
  { ignore },
  async () => {
    await using rig = await webRig();
    rig.daemon.pause("nas", "the test");
    const names = Array.from({ length: 5_000 }, (_, at) => `20260115/m31_${String(at).padStart(4, "0")}.fits`);
    rig.daemon.ledger.admit(
      names.map((name, at) => ({ ...anAdmission(name, { identity: `1:${at}` }, ["nas"], "default"), night: "20260115" })),
      Date.UTC(2026, 0, 15, 20),
    );
    await using browser = await startBrowser();
    const page = await browser.open(rig.daemon.opening()?.once ?? "");
    await page.locator("main h1").waitFor();
    let [loading, most, asked] = [0, 0, 0];
    await page.route(/\/api\/preview\//, async (route) => {
      asked++;
      most = Math.max(most, ++loading);
      await new Promise((resolve) => setTimeout(resolve, 40));
      loading--;
      await route.continue();
    });
    await page.goto(`${rig.origin}/#night?night=20260115`);
    await page.locator(".sheet .thumbnail").first().waitFor();
    await page.locator(".sheet").scrollIntoViewIfNeeded();
    await page.getByText("5,000 images").waitFor();
    const sheet = page.locator(".sheet .long-list");
    for (let turn = 1; turn <= 20; turn++) {
      await sheet.evaluate((place, part) => place.scrollTo(0, place.scrollHeight * part), turn / 20);
      await page.waitForTimeout(40);
    }
    await page.locator(".sheet .name", { hasText: "4999" }).waitFor();
    assert(await page.locator(".sheet .thumbnail").count() < 200, "only those in sight exist");
    await page.waitForTimeout(1_500);
    assert(most <= 2, `${most} at once`);
    assert(asked > 0 && asked < 120, `${asked} pictures were asked for`);
  },
);
