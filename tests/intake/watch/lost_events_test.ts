/** Events are lost on purpose where the watched folder is large: what a scan that does not read every folder must find all the same. */
import { assertEquals } from "@std/assert";
import { createSystem } from "../../../src/system/create_system.ts";
import type { WalkOptions, WatchEvent } from "../../../src/system/system.ts";
import { fitsFile } from "../../support/fits_maker.ts";
import { needs } from "../../support/needs.ts";
import { tempFolder } from "../../support/temp.ts";
import { type IntakeRig, intakeRig } from "../intake_rig.ts";

/** More than one scan looks into in turn. */
const FILES_PER_FOLDER = 1_001;
const real = createSystem();

/** A watch that gives no hint at all, though it was set. */
async function* deaf(_root: string, _recursive: boolean, signal: AbortSignal): AsyncGenerator<WatchEvent> {
  yield { kind: "other", paths: [] };
  await real.sleep(600_000, signal);
}

interface RestingRig {
  readonly rig: IntakeRig;
  /** Writes just before a scan; returns what that scan left out, and the names ending in `new.fits` that it met. */
  writeBeforeScan(write: () => Promise<void>): Promise<{ readonly leftOut: number; readonly files: string[] }>;
}

/** Two folders in which nothing happened for days, all delivered, and no event that tells of anything. */
async function restingRig(root: string): Promise<RestingRig> {
  let leftOut = 0;
  let write: (() => Promise<void>) | null = null;
  const scanned = Promise.withResolvers<{ leftOut: number; files: string[] }>();
  async function* walk(root: string, options: WalkOptions, signal: AbortSignal) {
    leftOut = options.known?.folders?.size ?? 0;
    const isFirst = write !== null;
    const files: string[] = [];
    await write?.();
    write = null;
    for await (const batch of real.walk(root, options, signal)) {
      files.push(...batch.files.map(({ path }) => path).filter((path) => path.endsWith("new.fits")));
      yield batch;
    }
    if (isFirst) scanned.resolve({ leftOut, files: files.sort() });
  }
  const rig = await intakeRig({
    job: { watchPath: root, rescanIntervalMs: 300, watchMode: "events" },
    system: { watch: deaf, walk },
  });
  for (let n = 0; n < FILES_PER_FOLDER; n++) {
    await rig.write(`a/${n}.fits`, fitsFile(100, n));
    await rig.write(`b/${n}.fits`, fitsFile(100, n));
  }
  const long = Date.now() / 1000 - 2 * 86_400;
  for (const folder of ["a", "b"]) await Deno.utime(`${rig.root}/${folder}`, long, long);
  rig.start();
  await rig.until(() => rig.admitted().length === 2 * FILES_PER_FOLDER, "all are admitted");
  await rig.until(() => leftOut > 0, "a scan leaves a folder out");
  return {
    rig,
    writeBeforeScan(its) {
      write = its;
      return scanned.promise;
    },
  };
}

Deno.test(
  "intake() finds at the next scan what came into a folder without an event, though it leaves folders out",
  needs("memory"),
  async () => {
    await using memory = await tempFolder("/dev/shm");
    const { rig, writeBeforeScan } = await restingRig(memory.path);
    await using _ended = rig;
    const scan = await writeBeforeScan(async () => {
      for (const folder of ["a", "b"]) await rig.write(`${folder}/new.fits`, fitsFile(300, 7));
    });
    // In turn, it would have looked into one of them only.
    assertEquals(scan, { leftOut: 1, files: ["a/new.fits", "b/new.fits"] });
    await rig.until(() => rig.admitted().length === 2 * FILES_PER_FOLDER + 2, "both are admitted");
  },
);

Deno.test("intake() finds in turn what was rewritten in a folder without an event", needs("memory"), async () => {
  await using memory = await tempFolder("/dev/shm");
  const { rig } = await restingRig(memory.path);
  await using _ended = rig;
  for (const folder of ["a", "b"]) await rig.write(`${folder}/5.fits`, fitsFile(9_000, 8));
  await rig.until(() => rig.admitted().length === 2 * FILES_PER_FOLDER + 2, "both versions are found");
});
