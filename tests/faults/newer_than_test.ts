import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { observingNight } from "../../src/domain/night/night.ts";
import { dataToNas } from "../support/daemon_process.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { until } from "../support/until.ts";
import { filesBelow } from "./mirror_rig.ts";

const DAY_MS = 24 * 3_600_000;

/** A watched folder with years of images in it, and a daemon that was never started. */
async function archive(newer_than: unknown, changes: Record<string, unknown> = {}) {
  const { folder, program } = await dataToNas({ rescan_interval: "2s", newer_than, ...changes });
  const write = async (name: string, agoMs: number) => {
    // Its time is right when it appears, as with rsync, or a program that copies a card.
    const made = await folder.write(`made/${name}`, fitsFile(3000, name.length));
    const at = new Date(Date.now() - agoMs);
    await Deno.utime(made, at, at);
    await Deno.mkdir(folder.at("data", name, ".."), { recursive: true });
    await Deno.rename(made, folder.at("data", name));
  };
  for (const [name, days] of [["2024/a.fits", 700], ["2025/b.fits", 300], ["2026/c.fits", 30], ["last.fits", 3]] as const) {
    await write(name, days * DAY_MS);
  }
  const status = async () => JSON.parse((await program.command(["status", "--json"])).stdout);
  return {
    ...{ folder, program, write, status },
    shown: () => filesBelow(folder.at("nas")).filter((path) => !path.startsWith(".")),
    aside: async () => (await status()).jobs[0].left_aside,
    until: (isSo: () => boolean | Promise<boolean>, what: string) => until(isSo, what, 40, program.log),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

Deno.test("newer_than: now leaves aside what was there at the first start, however often the daemon is killed", async () => {
  await using it = await archive("now");
  const { program } = it;
  await using first = await program.start();
  await it.until(async () => (await it.aside())?.files === 4, "four are left aside");
  const before = await it.aside();
  assertEquals(before.bytes, 4 * fitsFile(3000, 1).length);
  first.kill("SIGKILL");
  await first.ended;
  // Written while nothing runs: newer than the first start, older than the second.
  await it.write("between.fits", 0);
  await using second = await program.start();
  await it.write("new.fits", 0);
  await it.until(() => it.shown().length === 2, "both new ones are there");
  await it.until(async () => (await it.aside())?.files === 4, "they are counted again");
  assertEquals([it.shown(), (await it.aside()).older_than], [["between.fits", "new.fits"], before.older_than]);
  const { stdout, code } = await program.command(["status"]);
  assertEquals(code, 0);
  assertMatch(stdout, /All is well: everything is delivered except 4 files left aside \(newer_than\)/);
  assertMatch(
    stdout.replaceAll(/\s+/g, " "),
    /4 files \(.*B\) last changed before 20.* local time are left aside \(newer_than\)\. To send them too/,
  );
  assertMatch((await it.status()).headline.advice, /4 files are left aside/);
  assertEquals((await it.status()).all_well, true);
  // The daemon's start is no time from which to count again either.
  assertEquals(await second.stop(), 0);
  assertEquals((await program.command(["run", "--once"])).code, 0);
  assertEquals(it.shown(), ["between.fits", "new.fits"]);
});

Deno.test("a file that is copied into the folder later with an old time is counted, and told of; sync says why it is not sent", async () => {
  await using it = await archive("7d", { rescan_interval: "1h" });
  const { program } = it;
  await using daemon = await program.start();
  await it.until(() => it.shown().join() === "last.fits", "the one of three days ago is sent");
  await it.until(async () => (await it.aside())?.files === 3, "three are left aside");
  await it.write("copied/late.fits", 20 * DAY_MS);
  await it.until(async () => (await it.aside()).files === 4, "it is counted");
  assertMatch(daemon.output(), /Job default: found 1 more older file\. 4 files .* are left aside/);
  const { code, stderr } = await program.command(["sync", it.folder.at("data/copied/late.fits")]);
  assertEquals(code, 2);
  assertMatch(stderr, /late\.fits" is not sent\. It was last changed before .*left aside \(newer_than\)/);
  assertStringIncludes(stderr, "image-transfer copy SOURCE DEST");
  const night = await program.command(["report", "--night", await nightOf(it, 20), "--json"]);
  assertMatch(night.stdout, /late\.fits".*left aside \(newer_than\)/s);
  // Touched, it is new.
  await Deno.utime(it.folder.at("data/copied/late.fits"), new Date(), new Date());
  await Deno.rename(it.folder.at("data/copied/late.fits"), it.folder.at("data/touched.fits"));
  await it.until(() => it.shown().join() === "last.fits,touched.fits", "it is sent");
  assertEquals(await daemon.stop(), 0);
});

Deno.test("what is left aside is sent once newer_than is an earlier date, or gone; set again, it counts from then on", async () => {
  await using it = await archive("now");
  const { program } = it;
  const set = async (newer_than?: string) => {
    const config = JSON.parse(await Deno.readTextFile(program.configFile));
    await Deno.writeTextFile(program.configFile, JSON.stringify({ ...config, newer_than }));
  };
  assertMatch((await program.command(["run", "--dry-run"])).stderr, /4 files .* are left aside .*\n0 files would be sent/);
  await using daemon = await program.start();
  await it.until(async () => (await it.aside())?.files === 4, "four are left aside");
  await set(new Date(Date.now() - 100 * DAY_MS).toISOString().slice(0, 10));
  await it.until(async () => it.shown().length === 2 && (await it.aside())?.files === 2, "two are new enough");
  assertEquals(it.shown(), ["2026/c.fits", "last.fits"]);
  await set();
  await it.until(() => it.shown().length === 4, "all are sent");
  await it.until(async () => !("left_aside" in (await it.status()).jobs[0]), "nothing is left aside");
  assertEquals((await program.command(["status", "--check"])).code, 0);
  await set("now");
  await it.until(async () => (await it.aside())?.files === 0, "what was delivered is not left aside");
  assert(Date.parse((await it.aside()).older_than) > Date.now() - 2 * 60_000 - 40_000);
  assertEquals(await daemon.stop(), 0);
});

async function nightOf({ program }: Awaited<ReturnType<typeof archive>>, days: number): Promise<string> {
  const { night_rollover: rollover } = JSON.parse(await Deno.readTextFile(program.configFile));
  return observingNight(Date.now() - days * DAY_MS, { timezone: null, rollover, siteLongitude: null });
}
