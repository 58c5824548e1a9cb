/** The page when the daemon goes and comes back, as a process of its own: it never pretends to be live, and needs no reload. */
import { assertEquals } from "@std/assert";
import type { Clock } from "playwright-core";
import { startBrowser } from "../support/browser.ts";
import { install, type Installation } from "../support/daemon_process.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { freePort } from "../support/tcp_proxy.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

const ignore = !has("chromium");

async function installed(folder: TempFolder): Promise<{ daemon: Installation; origin: string; address: () => Promise<string> }> {
  await Deno.mkdir(folder.at("data"));
  await Deno.mkdir(folder.at("nas"));
  const origin = `http://127.0.0.1:${freePort()}`;
  const daemon = await install(folder.path, {
    watch_path: folder.at("data"),
    minimum_free_space_gb: 0,
    copy_safety_margin_gb: 0,
    destinations: [{ name: "nas", transfer_method: "local", remote_base_path: folder.at("nas") }],
    web: { listen: origin.slice("http://".length) },
  });
  const address = async () => {
    await answers(`${origin}/health/live`);
    return `${origin}/?token=${JSON.parse(await folder.read("state/web.json")).token}`;
  };
  return { daemon, origin, address };
}

/** The folders are watched before the page is there. */
async function answers(url: string): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const answer = await fetch(url).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${url} does not answer`);
}

Deno.test("page: while the daemon is away it says so; when it is back it goes on by itself", { ignore }, async () => {
  await using folder = await tempFolder();
  const { daemon, address } = await installed(folder);
  await using browser = await startBrowser();
  const first = await daemon.start();
  const page = await browser.open(await address());
  await page.locator(".headline h1", { hasText: "No images yet tonight" }).waitFor();
  await page.evaluate("globalThis.notReloaded = true");

  await first.stop();
  await page.locator(".headline h1", { hasText: "The daemon is not responding" }).waitFor();
  await page.locator(".advice", { hasText: /Last status, at \d\d:\d\d:\d\d \S+: No images yet tonight/ }).waitFor();
  await page.locator(".connection.is-lost", { hasText: /Last update .* (ago|now)/ }).waitFor();
  assertEquals(await page.locator(".is-live").count(), 0);
  assertEquals(await page.getByRole("button", { name: "Pause nas" }).count(), 0);

  await folder.write("data/meanwhile.fits", fitsFile(5_000));
  await using _second = await daemon.start();
  await page.locator(".headline h1", { hasText: "Tonight's image is on nas" }).waitFor();
  await page.locator(".is-live").waitFor();
  await page.locator(".thumbnail", { hasText: "meanwhile.fits" }).waitFor();
  assertEquals(await page.evaluate("globalThis.notReloaded"), true);
});

Deno.test("page: a daemon that has been stopped for a minute is red, with the command that starts it", { ignore }, async () => {
  await using folder = await tempFolder();
  const { daemon, address } = await installed(folder);
  await using browser = await startBrowser();
  const running = await daemon.start();
  const page = await browser.open("about:blank");
  await page.clock.install();
  await page.goto(await address());
  await page.locator(".is-live").waitFor();
  await running.stop();
  await page.locator(".headline.level-away", { hasText: "The daemon is not responding" }).waitFor();
  await page.clock.runFor(70_000);
  const headline = page.locator(".headline.level-bad", {
    hasText: /The daemon has stopped. Nothing has been sent since \d\d:\d\d \S+/,
  });
  await headline.waitFor();
  await headline.locator(".advice", { hasText: "image-transfer service start" }).waitFor();
  assertEquals((await page.title()).startsWith("⚠ The daemon has stopped"), true);
  await using _second = await daemon.start();
  await page.clock.runFor(20_000);
  await page.locator(".headline.level-good").waitFor();
});

Deno.test(
  "page: a session that is over tells how to get another, and the page goes on once there is one",
  { ignore },
  async () => {
    await using folder = await tempFolder();
    const { daemon, address } = await installed(folder);
    await using browser = await startBrowser();
    const first = await daemon.start();
    const page = await browser.open(await address());
    await page.locator(".is-live").waitFor();
    await first.stop();
    await Deno.remove(folder.at("state/web.json"));
    await using _second = await daemon.start();
    await page.getByRole("heading", { name: "Your session has ended" }).waitFor();
    await page.getByText("image-transfer open", { exact: true }).waitFor();

    const other = await page.context().newPage();
    await other.goto(await address());
    await other.locator(".is-live").waitFor();
    await other.close();
    await page.locator(".is-live").waitFor();
  },
);

for (
  const [when, silence] of [
    ["as after sleep", (clock: Clock) => clock.fastForward(40_000)],
    ["also where the browser's clock was set back", async (clock: Clock) => {
      await clock.setSystemTime(Date.now() - 3_600_000);
      await clock.runFor(40_000);
    }],
  ] as const
) {
  Deno.test(`page: a connection that is silent for too long is taken for lost, ${when}`, { ignore }, async () => {
    await using folder = await tempFolder();
    const { daemon, address } = await installed(folder);
    await using browser = await startBrowser();
    await using running = await daemon.start();
    const page = await browser.open("about:blank");
    await page.clock.install();
    await page.goto(await address());
    await page.locator(".is-live").waitFor();
    // The daemon stands still, the connection stays: nothing but the clock can tell.
    running.kill("SIGSTOP");
    await silence(page.clock);
    await page.locator(".connection.is-lost").waitFor();
    running.kill("SIGCONT");
    await page.clock.runFor(20_000);
    await page.locator(".is-live").waitFor();
  });
}
