/** Folders as they are in the field: bursts, new folders, a root that comes and goes, names from hell. */
import { gzipSync } from "node:zlib";
import { assertEquals, assertMatch } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { System, WatchEvent } from "../../src/system/system.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { pause } from "../support/until.ts";
import { type IntakeRig, intakeRig, runningIntake } from "./intake_rig.ts";
import { wasRead } from "../ledger/makers.ts";
import { pathToRead } from "../../src/domain/source_file.ts";

const image = fitsFile(6_000, 3);
const posix = Deno.build.os !== "windows";

Deno.test("intake() admits each of 2,000 files of a burst once", async () => {
  await using rig = await runningIntake();
  const names = Array.from({ length: 2_000 }, (_, index) => `n${index % 7}/f${index}.fits`);
  for (const name of names) await rig.write(name, image);
  await rig.until(() => rig.admitted().length >= names.length, "all are admitted");
  await rig.intake.scanNow();
  assertEquals(rig.admitted().sort(), names.sort());
});

Deno.test("intake() finds files in folders that were made a moment before", async () => {
  await using rig = await runningIntake();
  const names: string[] = [];
  for (let night = 0; night < 10; night++) {
    for (const name of [`2026010${night}/a.fits`, `2026010${night}/raw/deep/b.fits`]) {
      await rig.write(name, image);
      names.push(name);
    }
  }
  await rig.until(() => rig.admitted().length >= names.length, "all are admitted");
  assertEquals(rig.admitted().sort(), names.sort());
});

Deno.test("intake() finds the files of a folder that was moved in", async () => {
  await using rig = await runningIntake();
  rig.whole("night/x/a.fits", image);
  await rig.folder.write("outside/x/a.fits", image);
  await Deno.rename(rig.folder.at("outside"), `${rig.root}/night`);
  await rig.until(() => rig.admitted().length === 1, "it is admitted");
});

Deno.test("intake() notices that its folder is gone, and goes on by itself when it is back", async () => {
  await using rig = await runningIntake();
  await rig.write("a.fits", image);
  await rig.until(() => rig.admitted().length === 1, "the first file is admitted");
  await Deno.remove(rig.root, { recursive: true });
  await rig.until(() => rig.told("not_watching").length === 1, "it is told");
  assertEquals([rig.intake.how() !== null, rig.intake.how(), rig.intake.failure()?.code], [false, null, "source_gone"]);
  await rig.write("b.fits", image);
  await rig.until(() => rig.admitted().length === 2, "a file of the new folder is admitted");
  await rig.write("c.fits", image);
  await rig.until(() => rig.admitted().length === 3, "events come again");
  assertEquals([rig.told("not_watching").length, rig.told("watching").length, rig.intake.how() !== null], [1, 2, true]);
});

Deno.test("intake() notices that its folder was replaced by another one", async () => {
  await using rig = await runningIntake();
  await rig.folder.write("next/b.fits", rig.whole("b.fits", image));
  await Deno.rename(rig.root, rig.folder.at("former"));
  await Deno.rename(rig.folder.at("next"), rig.root);
  await rig.until(() => rig.admitted().length === 1, "the file of the new folder is admitted");
});

Deno.test("caughtUp() of intake() throws where the folder is missing", async () => {
  await using rig = await intakeRig();
  await Deno.remove(rig.root);
  rig.start();
  await rig.until(() => rig.intake.failure() !== null, "the folder is missed");
  const thrown = await rig.intake.caughtUp().then(() => null, (error) => error);
  assertEquals(thrown instanceof Failure && thrown.code, "source_gone");
});

Deno.test("intake() admits hostile names as they are", { ignore: !posix }, async () => {
  await using rig = await runningIntake();
  const names = [
    "-rf.fits",
    "$(touch x).fits",
    "`id`.fits",
    "a\nb.fits",
    "a b  c.fits",
    "quote'\".fits",
    "semi;colon&|.fits",
    "ünïcødé 星.fits",
    "[a](b){c}*?.fits",
    "#hash.fits",
    "back\\slash.fits",
    "tab\there.fits",
    "\u202egnp.fits",
    `${"x".repeat(250)}.fits`,
    "folder\nwith newline/--delete/a.fits",
  ];
  for (const name of names) await rig.write(name, image);
  await rig.until(() => rig.admitted().length + rig.told("refused").length >= names.length, "all are judged");
  assertEquals(rig.admitted().sort(), names.sort());
});

Deno.test(
  "intake() refuses a name that is not UTF-8, once, and nothing else with it",
  { ignore: Deno.build.os !== "linux" },
  async () => {
    await using rig = await runningIntake();
    await shell(rig.root, "printf x > \"$(printf 'bad\\377.fits')\"; printf x > \"$(printf 'bad\\377.txt')\"");
    await rig.write("good.fits", image);
    await rig.until(() => rig.admitted().length === 1, "the good one is admitted");
    await rig.until(() => rig.told("refused").length > 0, "the bad one is told");
    await rig.intake.scanNow();
    const [refused, ...more] = rig.told("refused");
    assertEquals([refused?.type === "refused" && refused.failure.code, more], ["bad_name", []]);
    const { incomplete } = await rig.intake.caughtUp();
    assertEquals(incomplete.map(({ reason }) => reason), ["refused"]);
    await shell(rig.root, "rm -- bad*.fits");
    await rig.intake.scanNow();
    assertEquals(rig.intake.waiting(), []);
  },
);

Deno.test("intake() follows no symlink, but for the watched folder itself", { ignore: !posix }, async () => {
  await using rig = await intakeRig();
  await rig.folder.write("outside/secret.fits", image);
  await Deno.symlink(rig.folder.at("outside"), `${rig.root}/linked`);
  await Deno.symlink(rig.folder.at("outside/secret.fits"), `${rig.root}/link.fits`);
  rig.start();
  await rig.until(() => rig.told("scanned").length > 0, "the first scan is done");
  await rig.folder.write("outside/later.fits", image);
  await Deno.writeFile(`${rig.root}/linked/through.fits`, image);
  await rig.write("own.fits", image);
  await rig.until(() => rig.admitted().length > 0, "the own file is admitted");
  await rig.intake.scanNow();
  assertEquals(rig.admitted(), ["own.fits"]);
});

Deno.test("intake() polls a folder whose files come without events, and believes no longer that it sees their writers", async () => {
  const real = createSystem();
  await using rig = await intakeRig({
    job: { minFileAgeMs: 3_600_000 },
    system: {
      async *watch(_root, _recursive, signal) {
        yield { kind: "other", paths: [] };
        await real.sleep(3_600_000, signal);
      },
      seesEveryWriter: () => Promise.resolve(true),
      // Ten times as fast.
      monotonic: () => real.monotonic() * 10,
      sleep: (ms, signal) => real.sleep(ms / 10, signal),
    },
  });
  rig.start();
  await rig.until(() => rig.told("scanned").length > 0, "the first scan is done");
  await rig.write("first.fits", image);
  await rig.intake.scanNow();
  assertEquals([rig.admitted(), rig.intake.how()], [["first.fits"], "events"]);
  await rig.until(() => rig.intake.how() === "poll", "it is polled");
  await rig.write("second.fits", image);
  await rig.until(() => rig.intake.waiting().length > 0, "the second is found");
  await rig.intake.scanNow();
  assertEquals(rig.intake.waiting().map(({ path, reason }) => [path, reason]), [["second.fits", "quiet"]]);
  assertEquals(rig.told("notice").length, 1);
});

Deno.test("intake() does not follow a hint through a symlink", { ignore: !posix }, async () => {
  // As watches of some systems give it, which follow symlinks themselves.
  const hints: WatchEvent[] = [{ kind: "other", paths: [] }];
  await using rig = await intakeRig({
    system: {
      async *watch(root, _recursive, signal) {
        while (!signal.aborted) {
          const paths = ["linked/secret.fits", "own.fits"].map((name) => `${root}/${name}`);
          if (hints.length === 0 && rig.told("scanned").length > 0) hints.push({ kind: "close", paths });
          yield* hints.splice(0);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      },
    },
  });
  await rig.folder.write("outside/secret.fits", image);
  await Deno.symlink(rig.folder.at("outside"), `${rig.root}/linked`);
  rig.start();
  await rig.until(() => rig.told("scanned").length > 0, "the first scan is done");
  await rig.write("own.fits", image);
  await rig.until(() => rig.admitted().length > 0, "a file is admitted");
  assertEquals([rig.admitted(), rig.told("changed").map((event) => "path" in event && event.path)], [["own.fits"], [
    "own.fits",
  ]]);
});

Deno.test("intake() watches a folder that is given as a symlink", { ignore: !posix }, async () => {
  await using outer = await intakeRig();
  await Deno.symlink(outer.root, outer.folder.at("link"));
  await using rig = await runningIntake({ job: { watchPath: outer.folder.at("link") } });
  await rig.write("n/a.fits", image);
  await rig.until(() => rig.admitted().length === 1, "it is admitted");
});

Deno.test("intake() leaves hidden, excluded and our own staging folders alone", async () => {
  await using rig = await runningIntake({ job: { excludePatterns: ["flats", "*_bad.fits"] } });
  await rig.write(".hidden/a.fits", image);
  await rig.write(".image-transfer-abc/1/a.fits", image);
  await rig.write("flats/a.fits", image);
  await rig.write("x_BAD.fits", image);
  await rig.write("good.fits", image);
  await rig.until(() => rig.admitted().length > 0, "the good one is admitted");
  await rig.intake.scanNow();
  assertEquals(rig.admitted(), ["good.fits"]);
});

Deno.test("intake() admits new content under an old name as a new version, by rewriting and by replacing", async () => {
  await using rig = await runningIntake();
  await rig.write("a.fits", image);
  await rig.until(() => rig.admitted().length === 1, "the first version is admitted");
  await rig.write("a.fits", fitsFile(6_000, 4));
  await rig.until(() => rig.admitted().length === 2, "the rewritten version is admitted");
  await rig.folder.write("new.fits", rig.whole("a.fits", fitsFile(6_000, 5)));
  await Deno.rename(rig.folder.at("new.fits"), `${rig.root}/a.fits`);
  await rig.until(() => rig.admitted().length === 3, "the replacing version is admitted");
  await rig.intake.scanNow();
  assertEquals(rig.admitted().length, 3);
  const told = rig.events.filter(({ type }) => type === "created" || type === "changed").map(({ type }) => type);
  assertEquals(told, ["created", "changed", "created"]);
});

Deno.test("intake() takes a new mode of a file for nothing new", { ignore: !posix }, async () => {
  await using rig = await runningIntake();
  await rig.write("a.fits", image);
  await rig.until(() => rig.admitted().length === 1, "it is admitted");
  await pause(1_100);
  await Deno.chmod(`${rig.root}/a.fits`, 0o600);
  await pause(500);
  await rig.intake.scanNow();
  await rig.until(() => rig.intake.waiting().length === 0, "the content is compared");
  await rig.intake.scanNow();
  assertEquals(rig.admitted(), ["a.fits"]);
});

Deno.test("intake() finds new content behind old size and time", { ignore: !posix }, async () => {
  await using rig = await runningIntake();
  const time = 1_700_000_000;
  await rig.write("a.fits", image);
  await Deno.utime(`${rig.root}/a.fits`, time, time);
  await rig.until(() => rig.intake.waiting().length === 0 && rig.admitted().length > 0, "it is admitted");
  const before = rig.admitted().length;
  // The ledger knows the hash once the file was sent.
  for (const { delivery } of rig.ledger.query({})) wasRead(rig.ledger, delivery, await sha256(image));
  await pause(1_100);
  const other = fitsFile(6_000, 99);
  await rig.write("a.fits", other);
  await Deno.utime(`${rig.root}/a.fits`, time, time);
  await rig.until(() => rig.admitted().length > before, "the new content is admitted");
});

Deno.test("intake() tells what is removed", async () => {
  await using rig = await runningIntake();
  await rig.write("a.fits", image);
  await rig.until(() => rig.admitted().length === 1, "it is admitted");
  await Deno.remove(`${rig.root}/a.fits`);
  await rig.until(() => rig.told("removed", "a.fits").length === 1, "it is told");
});

const WRONG_SUM = fitsFile(6_000, 3, ["DATASUM = '1         '"]);
const flagOf = (rig: IntakeRig) => rig.ledger.query({})[0]?.warning;

for (
  const [name, content, warning] of [
    ["a.fits", WRONG_SUM, "the primary HDU is damaged or edited: its DATASUM does not match its data"],
    ["a.fits", image.subarray(2880), 'not a FITS file: it does not begin with "SIMPLE  ="'],
    ["a.fits.gz", gzipSync(image).fill(0, 5_000, 5_100), /^(damaged: its gzip CRC|the compressed data is damaged)/],
    ["a.fits", image, null],
  ] as const
) {
  Deno.test(`intake() takes ${name} as it is and flags it: ${warning}`, async () => {
    await using rig = await runningIntake({ job: { filePatterns: ["*.fits", "*.gz"] } });
    await rig.write(name, content);
    await rig.until(() => rig.admitted().length === 1, "it is admitted");
    await rig.intake.scanNow();
    const flag = flagOf(rig) ?? null;
    if (warning instanceof RegExp) assertMatch(flag ?? "", warning);
    else assertEquals(flag, warning);
    const said = rig.told("notice").map((notice) => notice.type === "notice" && notice.message);
    assertEquals(said, flag === null ? [] : [`"${name}" is sent as it is: ${flag}`]);
  });
}

Deno.test("intake() does not look whether a file is damaged with verify_source: false", async () => {
  await using rig = await runningIntake({ job: { verifySource: false } });
  await rig.write("a.fits", WRONG_SUM);
  await rig.until(() => rig.admitted().length === 1, "it is admitted");
  assertEquals([flagOf(rig), rig.told("notice")], [null, []]);
});

Deno.test("intake() refuses a file that contradicts its checksums, and takes it when it is mended", async () => {
  await using rig = await runningIntake({ job: { verifySource: "refuse" } });
  await rig.write("a.fits", WRONG_SUM);
  await rig.until(() => rig.told("refused", "a.fits").length === 1, "it is refused");
  const [refused] = rig.told("refused");
  assertEquals(refused?.type === "refused" && refused.failure.code, "source_corrupt");
  await rig.intake.scanNow();
  assertEquals([rig.told("refused").length, rig.admitted()], [1, []]);
  await rig.write("a.fits", image);
  await rig.until(() => rig.admitted().length === 1, "the mended file is admitted");
});

Deno.test("intake() lets one unreadable file among many wait alone, and tries it again at the next scan", async () => {
  const real = createSystem();
  let forbidden = true;
  await using rig = await runningIntake({
    system: {
      read: (path, offset, length) =>
        forbidden && pathToRead(path).endsWith("f13.fits")
          ? Promise.reject(new Deno.errors.PermissionDenied("Permission denied (os error 13)"))
          : real.read(path, offset, length),
    },
  });
  for (let index = 0; index < 100; index++) await rig.write(`f${index}.fits`, image);
  await rig.until(() => rig.admitted().length === 99, "the others are admitted");
  await rig.until(() => rig.told("refused", "f13.fits").length === 1, "the one is told");
  await rig.intake.scanNow();
  assertEquals([rig.told("refused").length, rig.intake.waiting().map(({ path }) => path)], [1, ["f13.fits"]]);
  forbidden = false;
  await rig.intake.scanNow();
  await rig.until(() => rig.admitted().length === 100, "it is admitted after all");
});

Deno.test("intake() lets one unreadable folder wait alone", { ignore: !posix }, async () => {
  await using rig = await intakeRig({ system: has("root") ? closedTo("closed") : {} });
  await rig.write("closed/a.fits", image);
  await rig.write("open/a.fits", image);
  await Deno.chmod(`${rig.root}/closed`, 0);
  rig.start();
  await rig.until(() => rig.admitted().length === 1 && rig.told("refused", "closed").length === 1, "one is admitted, one told");
});

/** Nothing is closed to root: for root, a system that refuses the folder as the real one refuses others. */
function closedTo(name: string): Partial<System> {
  const real = createSystem();
  const refused = (folder: string) => folder.endsWith(`/${name}`);
  return {
    list: (folder) =>
      refused(folder) ? Promise.reject(new Deno.errors.PermissionDenied(`readdir '${folder}'`)) : real.list(folder),
    async *walk(root, options, signal) {
      const { known: _, ...plain } = options;
      for await (const { files, unreadable } of real.walk(root, plain, signal)) {
        const open = files.filter(({ path }) => !path.startsWith(`${name}/`));
        const closed = files.length > open.length ? [{ path: name, reason: "permission denied" }] : [];
        const stretches = [{ digest: "open", files: open.length, goesOn: false }];
        yield { files: open, unreadable: [...unreadable, ...closed], stretches };
      }
    },
  };
}

async function shell(cwd: string, script: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("bash", { args: ["-c", script], cwd }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

Deno.test("intake() says once that no file matches, until one does", async () => {
  await using rig = await intakeRig({ job: { filePatterns: ["*.fits", "*.fit"] } });
  await rig.folder.write("data/a.nef", "x");
  await rig.folder.write("data/sub/b.nef", "x");
  rig.start();
  await rig.until(() => rig.told("notice").length > 0, "it is said");
  await rig.intake.scanNow();
  const { message, level } = rig.told("notice")[0] as { message: string; level: string };
  assertEquals([rig.told("notice").length, level], [1, "warning"]);
  assertEquals(
    message.replace(/"(a|sub\/b)\.nef"/, '"FILE"').replace(rig.root, "/data"),
    'Job spring: None of the 2 files in "/data" matches file_patterns (*.fits *.fit), for example "FILE". ' +
      "If the camera writes such files, add a pattern for them to file_patterns.",
  );
  assertEquals(rig.intake.unmatched()?.files, 2);
  await rig.write("c.fits", image);
  await rig.until(() => rig.admitted().length === 1, "a file is wanted");
  assertEquals(rig.intake.unmatched(), null);
  await Deno.remove(`${rig.root}/c.fits`);
  await rig.intake.scanNow();
  assertEquals([rig.intake.unmatched(), rig.told("notice").length], [null, 1]);
});

Deno.test("intake() says nothing of patterns where the folder is empty", async () => {
  await using rig = await runningIntake();
  assertEquals([rig.intake.unmatched(), rig.told("notice")], [null, []]);
});
