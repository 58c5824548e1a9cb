/**
 * Files as cameras write them, on the real file system: none may be admitted before its last byte is there. The
 * quiet time of these tests is 300 ms; every pause of a writer is longer.
 */
import { assertEquals } from "@std/assert";
import { createSystem } from "../../src/system/create_system.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { needs, which } from "../support/needs.ts";
import { pause } from "../support/until.ts";
import { intakeRig, runningIntake } from "./intake_rig.ts";

const PAUSE_MS = 700;
const image = fitsFile(300_000, 7);

Deno.test("intake() waits for a writer that pauses with the file open", async () => {
  await using rig = await runningIntake();
  rig.whole("slow.fits", image);
  using file = await Deno.open(`${rig.root}/slow.fits`, { write: true, create: true });
  const quarter = Math.ceil(image.length / 4);
  for (let at = 0; at < image.length; at += quarter) {
    await writeAll(file, image.subarray(at, at + quarter));
    await pause(PAUSE_MS);
    assertEquals(rig.admitted(), []);
  }
  file.close();
  await rig.until(() => rig.admitted().length === 1, "the closed file is admitted");
});

Deno.test("intake() waits for a writer that closes the file between its pieces", async () => {
  await using rig = await runningIntake();
  rig.whole("pieces.fits", image);
  const third = Math.ceil(image.length / 3);
  for (let at = 0; at < image.length; at += third) {
    assertEquals(rig.admitted(), []);
    await Deno.writeFile(`${rig.root}/pieces.fits`, image.subarray(at, at + third), { append: true });
    if (at + third < image.length) await pause(PAUSE_MS);
  }
  await rig.until(() => rig.admitted().length === 1, "the last piece makes it whole");
});

Deno.test("intake() does not take a preallocated file for finished because it is long", {
  ignore: which("fallocate") === undefined,
}, async () => {
  await using rig = await runningIntake();
  const path = `${rig.root}/early.fits`;
  rig.whole("early.fits", image);
  await run("fallocate", "-l", String(image.length), path);
  await pause(PAUSE_MS);
  using file = await Deno.open(path, { write: true });
  await writeAll(file, image.subarray(0, 2880));
  await pause(PAUSE_MS);
  assertEquals(rig.admitted(), []);
  await writeAll(file, image.subarray(2880));
  await pause(PAUSE_MS);
  assertEquals(rig.admitted(), []);
  file.close();
  await rig.until(() => rig.admitted().length === 1, "the closed file is admitted");
});

Deno.test("intake() waits for a writer that writes through a mapping", {
  ignore: which("python3") === undefined || Deno.build.os !== "linux",
}, async () => {
  await using rig = await runningIntake();
  const source = rig.folder.at("source.fits");
  await Deno.writeFile(source, rig.whole("mapped.fits", image));
  const writing = run("python3", "-c", MAP_WRITER, source, `${rig.root}/mapped.fits`, String(PAUSE_MS / 1000));
  await pause(2 * PAUSE_MS);
  assertEquals(rig.admitted(), []);
  await writing;
  await rig.until(() => rig.admitted().length === 1, "the unmapped file is admitted");
});

Deno.test("intake() takes a file that is renamed from a temporary name", async () => {
  await using rig = await runningIntake();
  rig.whole("final.fits", image);
  await Deno.writeFile(`${rig.root}/final.fits.part`, image.subarray(0, 5_000));
  await pause(PAUSE_MS);
  await Deno.writeFile(`${rig.root}/final.fits.part`, image);
  assertEquals(rig.admitted(), []);
  await Deno.rename(`${rig.root}/final.fits.part`, `${rig.root}/final.fits`);
  await rig.until(() => rig.admitted().length === 1, "the renamed file is admitted");
});

Deno.test("intake() waits for the writer of a file that was renamed while it is open", async () => {
  await using rig = await runningIntake();
  using file = await Deno.open(`${rig.root}/tmp`, { write: true, create: true });
  await writeAll(file, image);
  await Deno.rename(`${rig.root}/tmp`, `${rig.root}/open.fits`);
  await pause(PAUSE_MS);
  assertEquals(rig.admitted(), []);
  await file.seek(-4, Deno.SeekMode.End);
  await writeAll(file, new TextEncoder().encode("last"));
  const end = image.slice();
  end.set(new TextEncoder().encode("last"), image.length - 4);
  rig.whole("open.fits", end);
  file.close();
  await rig.until(() => rig.admitted().length === 1, "the closed file is admitted");
});

Deno.test("intake() finds the writer of a file that was there before it started", needs("root"), async () => {
  await using rig = await intakeRig();
  rig.whole("early.fits", image);
  rig.whole("old.fits", image);
  await Deno.writeFile(`${rig.root}/old.fits`, image);
  using file = await Deno.open(`${rig.root}/early.fits`, { write: true, create: true });
  await writeAll(file, image.subarray(0, image.length - 100));
  await file.truncate(image.length);
  await pause(PAUSE_MS);
  rig.start();
  await rig.until(() => rig.admitted().includes("old.fits"), "the file without a writer is admitted");
  await pause(PAUSE_MS);
  assertEquals(rig.admitted(), ["old.fits"]);
  assertEquals(rig.intake.waiting().map(({ path, reason }) => ({ path, reason })), [{
    path: "early.fits",
    reason: "writer open",
  }]);
  await file.seek(-100, Deno.SeekMode.End);
  await writeAll(file, image.subarray(image.length - 100));
  file.close();
  await rig.until(() => rig.admitted().length === 2, "the closed file is admitted");
});

Deno.test("intake() waits for quiet where a file declares no length", async () => {
  await using rig = await runningIntake({ job: { filePatterns: ["*.txt"] } });
  rig.whole("notes.txt", "one\ntwo\nthree\n");
  for (const line of ["one\n", "two\n", "three\n"]) {
    await Deno.writeTextFile(`${rig.root}/notes.txt`, line, { append: true });
    await pause(100);
    assertEquals(rig.admitted(), []);
  }
  await rig.until(() => rig.admitted().length === 1, "the file is quiet");
});

Deno.test("intake() waits for the rest of a compressed file", async () => {
  await using rig = await runningIntake({ job: { filePatterns: ["*.fits.gz"] } });
  const packed = new Uint8Array(
    await new Response(new Blob([image.slice()]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer(),
  );
  rig.whole("a.fits.gz", packed);
  await Deno.writeFile(`${rig.root}/a.fits.gz`, packed.subarray(0, packed.length - 9));
  await pause(PAUSE_MS);
  assertEquals(rig.admitted(), []);
  await Deno.writeFile(`${rig.root}/a.fits.gz`, packed.subarray(packed.length - 9), { append: true });
  await rig.until(() => rig.admitted().length === 1, "the whole file is admitted");
});

Deno.test("intake() takes a file with its marker, and a new version only with a new marker", async () => {
  await using rig = await runningIntake({ job: { completeness: "marker" } });
  await rig.write("a.fits", image);
  await pause(PAUSE_MS);
  assertEquals(rig.admitted(), []);
  await Deno.writeTextFile(`${rig.root}/a.fits.done`, "");
  await rig.until(() => rig.admitted().length === 1, "the marked file is admitted");

  await Deno.utime(`${rig.root}/a.fits.done`, 1_000_000_000, 1_000_000_000);
  await rig.write("a.fits", fitsFile(300_000, 8));
  await pause(PAUSE_MS);
  assertEquals(rig.admitted(), ["a.fits"]);
  await Deno.writeTextFile(`${rig.root}/a.done`, "");
  await rig.until(() => rig.admitted().length === 2, "the new version is admitted");
});

for (const watchMode of ["events", "poll"] as const) {
  Deno.test(`intake() takes a file whose marker comes after it was given up, by ${watchMode}`, async () => {
    const job = { completeness: "marker", incompleteAfterMs: 100, watchMode, rescanIntervalMs: 1_000 } as const;
    await using rig = await runningIntake({ job });
    await rig.write("a.fits", image);
    await rig.until(() => rig.told("incomplete", "a.fits").length === 1, "it is given up");
    await Deno.writeTextFile(`${rig.root}/a.fits.done`, "");
    await rig.until(() => rig.admitted().length === 1, "the marked file is admitted");
    assertEquals(rig.told("incomplete").length, 1);
  });
}

Deno.test("intake() tells once that a file stays incomplete, and takes it when it is whole after all", async () => {
  await using rig = await runningIntake({ job: { incompleteAfterMs: 400 } });
  rig.whole("half.fits", image);
  await Deno.writeFile(`${rig.root}/half.fits`, image.subarray(0, 100_000));
  await rig.until(() => rig.told("incomplete", "half.fits").length === 1, "it is told");
  const { incomplete } = await rig.intake.caughtUp();
  assertEquals(incomplete.map(({ path, reason, declared }) => ({ path, reason, declared })), [
    { path: "half.fits", reason: "incomplete", declared: image.length },
  ]);
  await rig.intake.scanNow();
  assertEquals(rig.told("incomplete").length, 1);
  await Deno.writeFile(`${rig.root}/half.fits`, image.subarray(100_000), { append: true });
  await rig.until(() => rig.admitted().length === 1, "the whole file is admitted");
});

Deno.test("intake() delivers incomplete files where configured, and says so", async () => {
  await using rig = await runningIntake({ job: { incompleteAfterMs: 400, deliverIncomplete: true } });
  await rig.write("half.fits", image.subarray(0, 100_000));
  await rig.until(() => rig.admitted().length === 1, "it is admitted");
  assertEquals(rig.told("incomplete", "half.fits").length, 1);
});

Deno.test("intake() tells that a file grows", async () => {
  await using rig = await runningIntake();
  rig.whole("big.fits", image);
  using file = await Deno.open(`${rig.root}/big.fits`, { write: true, create: true });
  for (let at = 0; at < image.length; at += 20_000) {
    await writeAll(file, image.subarray(at, at + 20_000));
    await pause(150);
  }
  file.close();
  await rig.until(() => rig.admitted().length === 1, "the closed file is admitted");
  const sizes = rig.told("growing", "big.fits").flatMap((event) => event.type === "growing" ? [event.size] : []);
  assertEquals(sizes.length >= 1 && sizes.length <= 4, true, `sizes told: ${sizes}`);
});

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** Maps the target at its full length, writes the header, rests, writes the rest, rests, lets go. */
const MAP_WRITER = `
import mmap, sys, time
source, target, rest = open(sys.argv[1], "rb").read(), sys.argv[2], float(sys.argv[3])
with open(target, "w+b") as file:
    file.truncate(len(source))
    memory = mmap.mmap(file.fileno(), len(source))
memory[:2880] = source[:2880]
time.sleep(1.5 * rest)
memory[2880:] = source[2880:]
time.sleep(1.5 * rest)
memory.close()
`;

Deno.test("intake() takes a file at once whose close is told while it is looked into", async () => {
  const { read } = createSystem();
  const closing = Promise.withResolvers<void>();
  const looked = Promise.withResolvers<void>();
  const patient = async (...asked: Parameters<typeof read>) => {
    looked.resolve();
    await closing.promise;
    return await read(...asked);
  };
  // The listing that would find it as well comes much later, and so does the end of the quiet time.
  await using rig = await runningIntake({ job: { debounceMs: 120_000, minFileAgeMs: 120_000 }, system: { read: patient } });
  rig.whole("a.fits", image);
  const file = await Deno.open(`${rig.root}/a.fits`, { write: true, create: true });
  await writeAll(file, image);
  await looked.promise;
  file.close();
  await pause(100);
  closing.resolve();
  await rig.until(() => rig.admitted().length === 1, "the closed file is admitted");
});
