/** What goes wrong around the intake: watches that cannot be set or lose hints, clocks, ledgers, other machines. */
import { assertEquals, assertRejects } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import type { WatchEvent } from "../../src/system/system.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { pause } from "../support/until.ts";
import { intakeRig, runningIntake } from "./intake_rig.ts";
import { pathToRead } from "../../src/domain/source_file.ts";

const image = fitsFile(6_000, 3);
const real = createSystem();

/** A watch that gives no hint of its own; `hints` lets the test give some. */
function deafWatch(hints: WatchEvent[] = []) {
  return {
    async *watch(_root: string, _recursive: boolean, signal: AbortSignal): AsyncGenerator<WatchEvent> {
      yield { kind: "other", paths: [] };
      while (!signal.aborted) {
        yield* hints.splice(0);
        await real.sleep(5, signal);
      }
    },
  };
}

Deno.test("intake() polls where a watch cannot be set, and says so", async () => {
  await using rig = await runningIntake({
    job: { rescanIntervalMs: 1_000 },
    system: {
      // deno-lint-ignore require-yield -- a watch that fails is one that never yields
      async *watch() {
        await Promise.resolve();
        throw new Failure("configuration", "Cannot watch: no more watches", { hint: "Raise the limit." });
      },
    },
  });
  await rig.write("a.fits", image);
  await rig.until(() => rig.admitted().length === 1, "polling finds the file");
  assertEquals([rig.intake.how(), rig.told("notice").length], ["poll", 1]);
});

Deno.test("intake() finds by polling what is written, changed and made anew", async () => {
  await using rig = await runningIntake({ job: { watchMode: "poll", rescanIntervalMs: 1_000 } });
  await rig.write("n/a.fits", image);
  await rig.until(() => rig.admitted().length === 1, "the file is admitted");
  await rig.write("n/a.fits", fitsFile(9_000, 5));
  await rig.until(() => rig.admitted().length === 2, "the new version is admitted");
});

Deno.test("intake() finds on the period what no hint told", async () => {
  await using rig = await runningIntake({ job: { rescanIntervalMs: 300 }, system: deafWatch() });
  await rig.write("a.fits", image);
  await rig.until(() => rig.admitted().length === 1, "the rescan finds it");
});

Deno.test("intake() lists everything when the watch lost track", async () => {
  const hints: WatchEvent[] = [];
  await using rig = await runningIntake({ system: deafWatch(hints) });
  await rig.write("x/a.fits", image);
  await pause(100);
  assertEquals(rig.admitted(), []);
  hints.push({ kind: "other", paths: [] });
  await rig.until(() => rig.admitted().length === 1, "the scan finds it");
});

Deno.test("intake() lists everything for a hint from outside its folder", async () => {
  const hints: WatchEvent[] = [];
  await using rig = await runningIntake({ system: deafWatch(hints) });
  await rig.write("a.fits", image);
  hints.push({ kind: "close", paths: ["/private/elsewhere/a.fits"] });
  await rig.until(() => rig.admitted().length === 1, "the scan finds it");
});

Deno.test("intake() finds a neighbour whose hint was lost, by listing the folder of the one that came", async () => {
  const hints: WatchEvent[] = [];
  await using rig = await runningIntake({ job: { debounceMs: 100 }, system: deafWatch(hints) });
  await rig.write("n/a.fits", image);
  await rig.write("n/b.fits", image);
  hints.push({ kind: "close", paths: [`${rig.root}/n/a.fits`] });
  await rig.until(() => rig.admitted().length === 2, "both are admitted");
  assertEquals(rig.admitted(), ["n/a.fits", "n/b.fits"]);
});

Deno.test("intake() lists the watched folder again if that failed, and refuses no nameless file", async () => {
  const hints: WatchEvent[] = [];
  let failed = 0;
  await using rig = await runningIntake({
    job: { debounceMs: 100 },
    system: {
      ...deafWatch(hints),
      async list(folder: string) {
        if (failed++ > 0) return await real.list(folder);
        throw new Error("Too many open files (os error 24)");
      },
    },
  });
  await rig.write("a.fits", image);
  await rig.write("b.fits", image);
  hints.push({ kind: "close", paths: [`${rig.root}/a.fits`] });
  await rig.until(() => rig.admitted().length === 2, "both are admitted");
  assertEquals([rig.told("refused"), rig.intake.waiting()], [[], []]);
});

Deno.test("scanNow() of intake() finds everything before it resolves", async () => {
  await using rig = await runningIntake({ job: { minFileAgeMs: 0 }, system: deafWatch() });
  for (let index = 0; index < 20; index++) await rig.write(`n${index % 3}/f${index}.fits`, image);
  await rig.intake.scanNow();
  assertEquals(rig.admitted().length, 20);
});

for (const [how, jumpMs] of [["back", -3_600_000], ["forward", 3_600_000]] as const) {
  Deno.test(`intake() is not held up by a clock that is set ${how}`, async () => {
    let offMs = 0;
    await using rig = await runningIntake({
      job: { filePatterns: ["*.fits", "*.txt"] },
      system: { now: () => Date.now() + offMs },
    });
    await rig.write("a.fits", image);
    await rig.until(() => rig.admitted().length === 1, "the first file is admitted");
    offMs = jumpMs;
    await rig.write("b.fits", image);
    await rig.write("c.txt", "no length");
    await rig.until(() => rig.admitted().length === 3, "the others are admitted");
  });
}

Deno.test("intake() does not wait for ever for a file that comes from the future", async () => {
  await using rig = await runningIntake({ job: { filePatterns: ["*.txt"] } });
  await rig.write("a.txt", "no length");
  await Deno.utime(`${rig.root}/a.txt`, Date.now() / 1000 + 86_400, Date.now() / 1000 + 86_400);
  await rig.until(() => rig.admitted().length >= 1, "it is admitted");
});

Deno.test("intake() trusts neither closes nor open files where other machines write", async () => {
  // A file system of this machine that claims to be a file server's: a writer there shows neither way.
  await using rig = await runningIntake({
    job: { watchMode: "events", minFileAgeMs: 600 },
    system: {
      run: () => Promise.resolve({ code: 0, signal: null, stdout: "nfs4", stderr: "" }),
      openForWriting: () => Promise.resolve(new Set()),
    },
  });
  const begun = performance.now();
  await rig.write("a.fits", image);
  await rig.until(() => rig.admitted().length === 1, "it is admitted");
  assertEquals(performance.now() - begun >= 600, true);
});

Deno.test("intake() waits for quiet where others' processes are not seen and no close came", async () => {
  const hints: WatchEvent[] = [];
  await using rig = await runningIntake({
    system: {
      ...deafWatch(hints),
      seesEveryWriter: () => Promise.resolve(false),
      openForWriting: () => Promise.resolve(new Set()),
    },
  });
  const begun = performance.now();
  await rig.write("a.fits", image);
  hints.push({ kind: "create", paths: [`${rig.root}/a.fits`] });
  await rig.until(() => rig.admitted().length === 1, "it is admitted");
  assertEquals(performance.now() - begun >= 300, true);
});

Deno.test("intake() outlives a ledger that refuses for a while, and loses nothing", async () => {
  let refuses = true;
  await using rig = await intakeRig({
    ledger: (ledger) => ({
      ...ledger,
      unknown: ledger.unknown,
      admitted: ledger.admitted,
      recheck: ledger.recheck,
      admit(admissions, now) {
        if (refuses) throw new Failure("local_disk_full", "Cannot write the ledger: the disk is full", { hint: "Make room." });
        return ledger.admit(admissions, now);
      },
    }),
  });
  rig.start();
  await rig.until(() => rig.intake.how() !== null, "the watch is set");
  await rig.write("a.fits", image);
  await rig.until(() => rig.told("notice").length > 0, "the trouble is told");
  assertEquals(rig.told("notice").length <= 2, true);
  refuses = false;
  await rig.until(() => rig.admitted().length === 1, "it is admitted after all");
});

Deno.test("caughtUp() of intake() waits for files that are about to be finished", async () => {
  await using rig = await intakeRig();
  await rig.write("old.fits", image);
  rig.whole("late.fits", image);
  const late = await Deno.open(`${rig.root}/late.fits`, { write: true, create: true });
  await late.write(image.subarray(0, 3_000));
  rig.start();
  let settled = false;
  const settling = rig.intake.caughtUp().then((result) => {
    settled = true;
    return result;
  });
  await rig.until(() => rig.admitted().length === 1, "the old file is admitted");
  await pause(200);
  assertEquals(settled, false);
  for (let at = 3_000; at < image.length;) at += await late.write(image.subarray(at));
  late.close();
  assertEquals([await settling, rig.admitted().length], [{ incomplete: [] }, 2]);
});

Deno.test("caughtUp() of intake() resolves for an empty folder", async () => {
  await using rig = await intakeRig();
  rig.start();
  assertEquals(await rig.intake.caughtUp(), { incomplete: [] });
});

Deno.test("run() of intake() ends when told, in the middle of a backlog", async () => {
  await using rig = await intakeRig();
  for (let index = 0; index < 300; index++) await rig.write(`f${index}.fits`, image);
  rig.start();
  await rig.until(() => rig.intake.how() !== null, "it has begun");
  const settling = rig.intake.caughtUp().then(() => null, (error) => error.code);
  await rig.stop();
  assertEquals([await settling, rig.told("notice")], ["stopped", []]);
  await rig.intake.scanNow();
});

Deno.test("intake() does not forget a new version for a scan that began before it was written", async () => {
  const hints: WatchEvent[] = [];
  const gate = Promise.withResolvers<void>();
  let scans = 0;
  let walked = false;
  await using rig = await intakeRig({
    job: { debounceMs: 3_600_000 },
    system: {
      ...deafWatch(hints),
      async *walk(root, options, signal) {
        scans++;
        for await (const batch of real.walk(root, options, signal)) {
          walked = scans === 2;
          if (walked) await gate.promise;
          yield batch;
        }
      },
    },
  });
  await rig.write("a.fits", image);
  rig.start();
  await rig.until(() => rig.admitted().length === 1, "the first version is admitted");
  const scanned = rig.intake.scanNow();
  await rig.until(() => walked, "the second scan has seen the first version");
  await Deno.writeFile(`${rig.root}/a.fits`, image.subarray(0, 3_000));
  hints.push({ kind: "close", paths: [`${rig.root}/a.fits`] });
  await rig.until(() => rig.intake.waiting().length === 1, "the new version is met");
  gate.resolve();
  await scanned;
  assertEquals(rig.intake.waiting().map(({ path, size }) => ({ path, size })), [{ path: "a.fits", size: 3_000 }]);
});

Deno.test("intake() lists one file that cannot be looked at, and goes on with those hinted at with it", async () => {
  const hints: WatchEvent[] = [];
  await using rig = await intakeRig({
    job: { recursive: false, debounceMs: 3_600_000 },
    system: {
      ...deafWatch(hints),
      facts: (path) =>
        path.endsWith("bad.fits") ? Promise.reject(new Error("Input/output error (os error 5)")) : real.facts(path),
    },
  });
  rig.start();
  await rig.until(() => rig.told("scanned").length === 1, "the first scan is done");
  for (const name of ["bad", "a", "b"]) {
    await rig.write(`${name}.fits`, image);
    hints.push({ kind: "close", paths: [`${rig.root}/${name}.fits`] });
  }
  await rig.until(() => rig.admitted().length === 2, "the others are admitted");
  assertEquals(rig.intake.waiting().map(({ path, reason }) => ({ path, reason })), [{ path: "bad.fits", reason: "refused" }]);
});

Deno.test("intake() lists a file that its disk shows but does not find", async () => {
  await using rig = await runningIntake({
    system: {
      read: (path, offset, length) =>
        pathToRead(path).endsWith("odd.fits")
          ? Promise.reject(new Deno.errors.NotFound("No such file or directory (os error 2)"))
          : real.read(path, offset, length),
    },
  });
  await rig.write("odd.fits", image);
  await rig.until(() => rig.told("refused", "odd.fits").length === 1, "it is told");
  assertEquals(rig.intake.waiting().map(({ path }) => path), ["odd.fits"]);
});

Deno.test("intake() lets a file that cannot be opened for long hold up no other", async () => {
  const lease = Promise.withResolvers<void>();
  await using rig = await intakeRig({
    system: {
      sleep: (ms, signal) => real.sleep(Math.min(ms, 500), signal),
      read: async (path, offset, length) => {
        if (pathToRead(path).endsWith("leased.fits")) await lease.promise;
        return await real.read(path, offset, length);
      },
    },
  });
  for (const name of ["a", "b", "leased"]) await rig.write(`${name}.fits`, image);
  rig.start();
  await rig.until(() => rig.admitted().length === 2, "the others are admitted");
  assertEquals(rig.intake.waiting().map(({ path }) => path), ["leased.fits"]);
  lease.resolve();
  await rig.until(() => rig.admitted().length === 3, "it is admitted after all");
});

Deno.test("intake() does not watch a folder that it may not list, and caughtUp() says so", async () => {
  const walk = () => {
    throw new Deno.errors.PermissionDenied("Permission denied (os error 13): readdir");
  };
  await using rig = await intakeRig({ system: { walk } });
  rig.start();
  const error = await assertRejects(() => rig.intake.caughtUp(), Failure);
  assertEquals([error.code, rig.intake.how(), rig.intake.failure()?.code], ["source_unreadable", null, "source_unreadable"]);
});

Deno.test("intake: a file whose name is reserved is listed with the reason, whether an event or a scan finds it, until it is renamed", async () => {
  await using rig = await runningIntake({ job: { ignoreHiddenFiles: false } });
  await rig.write("n/.image-transfer-abc.fits", image);
  const listed = () => rig.intake.waiting().find(({ path }) => path === "n/.image-transfer-abc.fits");
  await rig.until(() => listed() !== undefined, "the reserved name is listed");
  assertEquals([listed()?.reason, listed()?.detail.includes("reserved")], ["refused", true]);
  await rig.intake.scanNow();
  await rig.intake.scanNow();
  assertEquals([listed()?.reason, rig.told("refused", "n/.image-transfer-abc.fits").length, rig.admitted()], ["refused", 1, []]);
  rig.whole("n/abc.fits", image);
  await Deno.rename(`${rig.root}/n/.image-transfer-abc.fits`, `${rig.root}/n/abc.fits`);
  await rig.intake.scanNow();
  assertEquals(listed(), undefined);
});

Deno.test(
  "intake: sparse files of a terabyte with checksums hold up no other file, are shown as being checked, and end with the intake",
  { ignore: Deno.build.os !== "linux" },
  async () => {
    await using rig = await runningIntake();
    const isGiant = ({ path }: { readonly path: string }) => path.startsWith("giant");
    const checking = () => rig.intake.waiting().filter((one) => isGiant(one) && one.reason === "checking");
    for (let index = 0; index < 9; index++) {
      await sparse(`${rig.root}/giant${index}.fits`, 2 ** 40);
    }
    await rig.until(() => checking().length === 9, "all giants are being checked");
    for (let index = 0; index < 20; index++) await rig.write(`good${index}.fits`, image);
    await rig.until(() => rig.admitted().length === 20, "the others are admitted");
    assertEquals([checking().length, rig.admitted().some((path) => isGiant({ path }))], [9, false]);
  },
);

/** A FITS file with so many zeros as data, and a DATASUM that is not theirs. */
async function sparse(path: string, bytes: number): Promise<void> {
  const cards = ["SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 1", `NAXIS1  = ${bytes}`, "DATASUM = '1'", "END"];
  using file = await Deno.open(path, { write: true, create: true });
  await file.write(new TextEncoder().encode(cards.map((card) => card.padEnd(80)).join("").padEnd(2880)));
  await file.truncate(Math.ceil((2880 + bytes) / 2880) * 2880);
}

for (const verifySource of ["warn", "refuse"] as const) {
  Deno.test(`intake: a large file is checked beside the others with the same verdict, verify_source: ${verifySource}`, async () => {
    await using rig = await runningIntake({ job: { verifySource } });
    await sparse(`${rig.folder.path}/large.fits`, 70_000_000);
    rig.whole("large.fits", await Deno.readFile(`${rig.folder.path}/large.fits`));
    await Deno.rename(`${rig.folder.path}/large.fits`, `${rig.root}/large.fits`);
    await rig.until(() => rig.told("refused").length + rig.admitted().length > 0, "it is judged");
    assertEquals(
      [rig.told("refused").length, rig.admitted().length, rig.told("notice").length],
      verifySource === "warn" ? [0, 1, 1] : [1, 0, 0],
    );
  });
}
