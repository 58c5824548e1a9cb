import { assertEquals } from "@std/assert";
import type { NewEvent } from "../../../src/domain/transfer_event.ts";
import type { Trust } from "../../../src/intake/watch/known_files.ts";
import { type Scans, scans } from "../../../src/intake/watch/scans.ts";
import { createFakeClock, type FakeClock } from "../../support/fake_clock.ts";
import { aJob } from "../../support/makers.ts";

interface Bench extends AsyncDisposable {
  readonly clock: FakeClock;
  readonly scans: Scans;
  /** When scans began, milliseconds from the start, and what each took for known. */
  readonly begun: { at: number; trust: Trust }[];
  readonly told: NewEvent[];
  how: "events" | "poll" | null;
  fails: Error | null;
  hangs: boolean;
  /** Ends the walk of the last scan. */
  walking: AbortSignal | null;
}

function bench(scanMs = 100, how: Bench["how"] = "events", admitted = 1): Bench {
  const clock = createFakeClock();
  const ending = new AbortController();
  const made: Bench = {
    clock,
    begun: [],
    told: [],
    how,
    fails: null,
    hangs: false,
    walking: null,
    scans: scans(aJob("/data", { rescanIntervalMs: 300_000 }), {
      system: clock,
      emit: (event) => made.told.push(event),
      how: () => made.how,
      scan: async ({ trust }, signal, walking) => {
        made.walking = walking;
        made.begun.push({ at: clock.monotonic(), trust });
        if (made.hangs) await new Promise(() => {});
        await clock.sleep(scanMs, signal);
        if (made.fails) throw made.fails;
        return { files: 3, admitted, milliseconds: scanMs };
      },
    }),
    async [Symbol.asyncDispose]() {
      ending.abort();
      await running;
    },
  };
  const running = made.scans.run(ending.signal);
  return made;
}

const times = ({ begun }: Bench) => begun.map(({ at }) => at);

Deno.test("scans() scans at once when asked for the first time, then on the period", async () => {
  await using rig = bench();
  rig.scans.ask();
  await rig.clock.advance(299_000);
  assertEquals(times(rig), [0]);
  await rig.clock.advance(2_000);
  assertEquals(times(rig).length, 2);
  assertEquals(rig.told[0], { type: "scanned", job: "spring", files: 3, admitted: 1, milliseconds: 100 });
});

Deno.test("scans() lists a huge quiet folder for at most one part in a thousand of the time, but never later than three periods", async () => {
  await using rig = bench(600, "events", 0);
  rig.scans.ask();
  // What the first scan on the period takes cannot be known before.
  await rig.clock.advance(302_000 + 598_000);
  assertEquals(times(rig).length, 2);
  await rig.clock.advance(9_000);
  assertEquals(times(rig).length, 3);
  await using slow = bench(60_000, "events", 0);
  slow.scans.ask();
  await slow.clock.advance(60_000 + 302_000 + 60_000 + 897_000);
  assertEquals(times(slow).length, 2);
  await slow.clock.advance(9_000);
  assertEquals(times(slow).length, 3);
});

Deno.test("scans() comes back on the period after a scan that found much that is new", async () => {
  await using rig = bench(60_000);
  rig.scans.ask();
  await rig.clock.advance(60_000 + 300_000 + 5_000);
  assertEquals(times(rig).length, 2);
});

Deno.test("scans() waits while the folder is away", async () => {
  await using rig = bench(100, null);
  rig.scans.ask();
  await rig.clock.advance(60_000);
  assertEquals([times(rig), rig.scans.done()], [[], false]);
  rig.how = "events";
  await rig.clock.advance(2_200);
  assertEquals([times(rig).length, rig.scans.done()], [1, true]);
});

Deno.test("scans() rests between scans that are asked for all the time", async () => {
  await using rig = bench(1_000);
  for (let second = 0; second < 60; second++) {
    rig.scans.ask();
    await rig.clock.advance(1_000);
  }
  assertEquals(rig.begun.length <= 11, true, `${times(rig)}`);
  assertEquals(rig.begun.length >= 9, true, `${times(rig)}`);
});

Deno.test("scans() polls every few seconds, and a slow folder less often", async () => {
  await using quick = bench(10, "poll");
  quick.scans.ask();
  await quick.clock.advance(20_500);
  await using slow = bench(1_000, "poll");
  slow.scans.ask();
  await slow.clock.advance(43_500);
  assertEquals([times(quick).length, times(slow).length], [11, 3]);
});

Deno.test("now() of scans() begins a thorough scan at once and resolves when it is done", async () => {
  await using rig = bench();
  rig.scans.ask();
  await rig.clock.advance(5_000);
  let done = false;
  void rig.scans.now().then(() => done = true);
  await rig.clock.advance(50);
  assertEquals([rig.begun.at(-1), done], [{ at: 5_000, trust: "nothing" }, false]);
  await rig.clock.advance(100);
  assertEquals(done, true);
});

Deno.test("now() of scans() called during a scan waits for the next one", async () => {
  await using rig = bench();
  rig.scans.ask();
  await rig.clock.advance(50);
  let done = false;
  void rig.scans.now().then(() => done = true);
  await rig.clock.advance(60);
  assertEquals([times(rig).length, done], [2, false]);
  await rig.clock.advance(100);
  assertEquals(done, true);
});

Deno.test("scans() trusts the times of folders on the period alone, where events come and none is known to be lost", async () => {
  await using rig = bench(100, "events", 0);
  rig.scans.ask();
  await rig.clock.advance(310_000);
  rig.scans.ask();
  await rig.clock.advance(310_000);
  assertEquals(rig.begun.map(({ trust }) => trust), ["nothing", "folders", "files", "folders"]);
  await using polled = bench(100, "poll", 0);
  polled.scans.ask();
  await polled.clock.advance(5_000);
  assertEquals(polled.begun.map(({ trust }) => trust), ["nothing", "files", "files"]);
});

Deno.test("scans() tells of a scan that failed, and tries again", async () => {
  await using rig = bench();
  rig.fails = new Error("the disk is on fire");
  rig.scans.ask();
  await rig.clock.advance(200);
  assertEquals(rig.told.map(({ type }) => type), ["notice"]);
  assertEquals(rig.scans.done(), false);
  rig.fails = null;
  await rig.clock.advance(6_000);
  assertEquals([rig.told.at(-1)?.type, rig.scans.done()], ["scanned", true]);
});

Deno.test("scans() leaves a folder that is away to the watch, and calls no trouble of a disk a fault of its own", async () => {
  await using rig = bench(100, "poll");
  rig.fails = new Deno.errors.NotFound("No such file or directory (os error 2): readdir '/data'");
  rig.scans.ask();
  await rig.clock.advance(200);
  assertEquals(rig.told, []);
  rig.fails = new Deno.errors.PermissionDenied("Permission denied (os error 13): readdir '/data'");
  await rig.clock.advance(10_000);
  const [told] = rig.told;
  assertEquals(told, {
    type: "notice",
    level: "warning",
    message: 'Job spring: Cannot list "/data": Permission denied. ' +
      "Give the account that runs image-transfer permission to read the folder; it is retried at the next rescan.",
  });
});

Deno.test("ask() of scans() leaves a scan that hangs to itself only where another folder stands there", async () => {
  await using rig = bench();
  rig.hangs = true;
  let done = false;
  void rig.scans.now().then(() => done = true);
  await rig.clock.advance(1_000);
  const hanging = rig.walking;
  rig.hangs = false;
  rig.scans.ask();
  await rig.clock.advance(600_000);
  assertEquals([times(rig), hanging?.aborted, rig.scans.done()], [[0], false, false]);
  rig.scans.ask(true);
  await rig.clock.advance(1_000);
  assertEquals([times(rig).length, hanging?.aborted, done, rig.scans.done()], [2, true, true, true]);
  assertEquals(rig.told.map(({ type }) => type), ["scanned"]);
});

Deno.test("failure() of scans() says why the folder cannot be listed, until it can; the log says it once", async () => {
  await using rig = bench();
  rig.fails = new Deno.errors.PermissionDenied("Permission denied (os error 13): readdir '/data'");
  rig.scans.ask();
  await rig.clock.advance(60_000);
  assertEquals([times(rig).length > 5, rig.told.map(({ type }) => type)], [true, ["notice"]]);
  assertEquals([rig.scans.failure()?.code, rig.scans.failure()?.message], [
    "source_unreadable",
    'Cannot list "/data": Permission denied',
  ]);
  rig.fails = null;
  await rig.clock.advance(10_000);
  assertEquals([rig.scans.failure(), rig.scans.done()], [null, true]);
});

Deno.test("failure() of scans() gives a fault that may be over in a moment a second chance", async () => {
  await using rig = bench();
  rig.fails = Object.assign(new Error("Input/output error"), { code: "EIO" });
  rig.scans.ask();
  await rig.clock.advance(1_000);
  assertEquals([times(rig).length, rig.scans.failure()], [1, null]);
  await rig.clock.advance(10_000);
  assertEquals(rig.scans.failure()?.code, "source_unreadable");
});
