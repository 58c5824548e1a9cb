/** Files that are rewritten so soon after they were read that none of their facts shows it. */
import { assertEquals } from "@std/assert";
import { deliver } from "../../../src/domain/delivery.ts";
import { verify } from "../../../src/domain/receipt.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import type { WatchEvent } from "../../../src/system/system.ts";
import { fitsFile } from "../../support/fits_maker.ts";
import { pause } from "../../support/until.ts";
import { hashOf, type IntakeRig, runningIntake } from "../intake_rig.ts";

const [first, second] = [fitsFile(6_000, 3), fitsFile(6_000, 4)];
const real = createSystem();

/** All that waits is delivered as it stands now. */
function deliverAll(rig: IntakeRig): void {
  const claimed = rig.ledger.claim({
    job: "spring",
    destination: "nas",
    order: "oldest_first",
    maxFiles: 100,
    maxBytes: 1e9,
    attempt: "a1",
    now: Date.now(),
  });
  const reads = claimed.map(({ id, source }) =>
    [id, { sha256: hashOf(Deno.readFileSync(source.absolutePath)), at: Date.now() }] as const
  );
  const delivered = claimed.map((delivery, index) => {
    const digest = { bytes: delivery.source.size, sha256: reads[index]![1].sha256 };
    return deliver(delivery, verify(digest, digest, "checksum", Date.now()));
  });
  rig.ledger.record(delivered, Date.now(), new Map(reads));
}

/** Other bytes of the same length in the same file, and its time of last change set again. */
function rewrite(rig: IntakeRig, path: string, content: Uint8Array<ArrayBuffer>): void {
  const there = `${rig.root}/${path}`;
  const { mtime } = Deno.statSync(there);
  using file = Deno.openSync(there, { write: true });
  file.writeSync(rig.whole(path, content));
  file.utimeSync(mtime!, mtime!);
}

const ctimeOf = (rig: IntakeRig, path: string) => Deno.statSync(`${rig.root}/${path}`).ctime!.getTime();

/** Admitted, delivered and rewritten within one second of the clock that its ctime is told by. */
async function rewrittenAtOnce(rig: IntakeRig, path: string): Promise<void> {
  for (;;) {
    await pause(1_030 - Date.now() % 1_000);
    const before = rig.admitted().filter((one) => one === path).length;
    await rig.write(path, first);
    const ctime = ctimeOf(rig, path);
    await rig.until(() => rig.admitted().filter((one) => one === path).length > before, "it is admitted");
    deliverAll(rig);
    rewrite(rig, path, second);
    if (ctimeOf(rig, path) === ctime) return;
    await rig.until(() => rig.admitted().filter((one) => one === path).length > before + 1, "the slow machine's is admitted");
    deliverAll(rig);
  }
}

const newest = (rig: IntakeRig) => rig.ledger.query({ descending: true, limit: 1 })[0]!;

for (const watchMode of ["events", "poll"] as const) {
  Deno.test(`intake() admits what was rewritten within the second under the same times, watching by ${watchMode}`, async () => {
    await using rig = await runningIntake({ job: { watchMode, rescanIntervalMs: watchMode === "poll" ? 300 : 60_000 } });
    await rewrittenAtOnce(rig, "a.fits");
    await rig.until(() => newest(rig).delivery.state.state === "queued", "the rewritten file is admitted");
    assertEquals(newest(rig).sha256, hashOf(second));
  });
}

Deno.test("intake() admits what was rewritten within the second, also when it was ended before it could look again", async () => {
  await using rig = await runningIntake();
  await rewrittenAtOnce(rig, "a.fits");
  await rig.stop();
  assertEquals(newest(rig).delivery.state.state, "delivered");
  rig.again();
  await rig.until(() => newest(rig).delivery.state.state === "queued", "the rewritten file is admitted");
});

Deno.test("caughtUp() of intake() waits for what may have been rewritten within the second", async () => {
  await using rig = await runningIntake();
  await rewrittenAtOnce(rig, "a.fits");
  await rig.intake.caughtUp();
  assertEquals([newest(rig).delivery.state.state, newest(rig).sha256], ["queued", hashOf(second)]);
});

Deno.test("caughtUp() of intake() does not wait for the time of a file that comes from the future", async () => {
  await using rig = await runningIntake({ system: { now: () => Date.now() - 3_600_000 } });
  await rig.write("a.fits", first);
  await rig.until(() => rig.admitted().length === 1, "it is admitted");
  deliverAll(rig);
  let settled = false;
  void rig.intake.caughtUp().then(() => settled = true);
  await rig.until(() => settled, "nothing is waited for");
  assertEquals((rig.ledger.nextReread("spring") ?? 0) > Date.now(), true);
});

Deno.test("caughtUp() of intake() does not wait for what a former process was sending: its destination may be away", async () => {
  await using rig = await runningIntake();
  await rig.write("a.fits", first);
  await rig.until(() => rig.admitted().length === 1, "it is admitted");
  await rig.stop();
  rig.ledger.claim({
    job: "spring",
    destination: "nas",
    order: "oldest_first",
    maxFiles: 1,
    maxBytes: 1e9,
    attempt: "a1",
    now: Date.now(),
  });
  rig.ledger.requestRereads("spring", ["a.fits"], Date.now());
  rig.again();
  let settled = false;
  void rig.intake.caughtUp().then(() => settled = true);
  await rig.until(() => settled, "nothing is waited for");
  assertEquals(rig.ledger.nextReread("spring") === null, false);
});

Deno.test("intake() reads what was sent again, and leaves it alone when it is the same", async () => {
  await using rig = await runningIntake();
  await rig.write("a.fits", first);
  await rig.until(() => rig.admitted().length === 1, "it is admitted");
  deliverAll(rig);
  await rig.until(() => rig.ledger.nextReread("spring") === null, "it was read again");
  assertEquals([rig.admitted().length, newest(rig).delivery.state.state], [1, "delivered"]);
  assertEquals(rig.ledger.unknown("spring", [newest(rig).delivery.source], ["nas"]), { fresh: [], recheck: [] });
});

Deno.test("intake() compares what was away when it was to be read again, as soon as it is back", async () => {
  await using rig = await runningIntake();
  await rewrittenAtOnce(rig, "a.fits");
  await Deno.rename(rig.root, `${rig.root}.away`);
  await rig.until(() => rig.ledger.nextReread("spring") === null, "it was looked for");
  await Deno.rename(`${rig.root}.away`, rig.root);
  await rig.until(() => newest(rig).delivery.state.state === "queued", "the rewritten file is admitted");
});

Deno.test("intake() never ignores a close that it hears after the bytes were read, even if no fact has changed", async () => {
  const hints: WatchEvent[] = [];
  await using rig = await runningIntake({
    // No listing of the folder after the hint: that would see the ctime.
    job: { debounceMs: 600_000 },
    system: {
      async *watch(_root: string, _recursive: boolean, signal: AbortSignal): AsyncGenerator<WatchEvent> {
        yield { kind: "other", paths: [] };
        while (!signal.aborted) {
          yield* hints.splice(0);
          await real.sleep(5, signal);
        }
      },
      // A file system without ctimes.
      facts: async (path) => {
        const facts = await real.facts(path);
        return facts && { ...facts, ctimeMs: 0 };
      },
    },
  });
  await rig.write("a.fits", first);
  hints.push({ kind: "close", paths: [`${rig.root}/a.fits`] });
  await rig.until(() => rig.admitted().length === 1, "it is admitted");
  deliverAll(rig);
  await rig.until(() => rig.ledger.nextReread("spring") === null, "its bytes are certain");
  rewrite(rig, "a.fits", second);
  hints.push({ kind: "close", paths: [`${rig.root}/a.fits`] });
  await rig.until(() => newest(rig).delivery.state.state === "queued", "the rewritten file is admitted");
});
