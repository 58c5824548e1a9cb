import { assert, assertEquals } from "@std/assert";
import { type JobSchedule, jobSchedule } from "../../src/daemon/job_schedule.ts";
import type { Job } from "../../src/config/settings.ts";
import type { NewEvent } from "../../src/domain/transfer_event.ts";
import { Failure } from "../../src/domain/failure.ts";
import { createFakeClock, type FakeClock } from "../support/fake_clock.ts";
import { aDestination, aJob } from "../support/makers.ts";

const HOUR = 3_600_000;
const START = Date.UTC(2026, 2, 28, 12);

interface Rig extends AsyncDisposable {
  readonly clock: FakeClock;
  readonly schedule: JobSchedule;
  /** What happened to the outbox, with the time since the start in seconds. */
  readonly log: string[];
  readonly events: NewEvent[];
  /** Queued deliveries; a run delivers them, and `busyMs` long. */
  queue: number;
  delivered: number;
  busyMs: number;
  /** How long an audit takes of each run. */
  auditMs: number;
  /** How long the folder takes to be listed, and how long until what was found is finished. */
  scanMs: number;
  settleMs: number;
  /** When the last run began, as the ledger has it. */
  lastRun: number | null;
}

/** A job with this schedule, its outbox and its folder on a clock moved by hand. */
async function rig(job: Partial<Job>, start: { lastRun?: number; watched?: boolean; startMs?: number } = {}): Promise<Rig> {
  const clock = createFakeClock({ startMs: start.startMs ?? START });
  const begun = clock.now();
  const log: string[] = [];
  const events: NewEvent[] = [];
  const stop = new AbortController();
  const note = (what: string) => void log.push(`${(clock.now() - begun) / 1000} ${what}`);
  const since = (ms: number | null) => ms === null ? "asked" : String((ms - begun) / 1000);
  const made = {
    clock,
    log,
    events,
    queue: 0,
    delivered: 0,
    busyMs: 0,
    auditMs: 0,
    scanMs: 0,
    settleMs: 0,
    lastRun: start.lastRun ?? null,
  };
  let isOpen = true;
  const schedule = jobSchedule(aJob("/data", job), {
    system: clock,
    emit: (event) => void events.push(event),
    ledger: {
      lastRun: () => made.lastRun,
      rememberRun: (_job, at) => void (made.lastRun = at),
      counts: () => ({ queued: made.queue, sending: 0, deferred: 0, delivered: made.delivered, failed: 0 }),
    },
    intake: {
      scanNow: () => clock.sleep(made.scanMs, stop.signal),
      async caughtUp(signal) {
        if (start.watched === false) throw new Failure("unreachable", "no folder");
        await clock.sleep(made.settleMs, signal);
        return { incomplete: [] };
      },
    },
    outboxes: [{
      destination: aDestination(),
      open: () => {
        isOpen = true;
        note("open");
      },
      close: (until) => {
        if (isOpen || !log.at(-1)?.endsWith(` ${since(until)}`)) note(`closed until ${since(until)}`);
        isOpen = false;
      },
      async idle(signal) {
        assert(isOpen, "a closed outbox is never waited for");
        await clock.sleep(made.busyMs, signal);
        [made.delivered, made.queue] = [made.delivered + made.queue, 0];
        return { drained: true, failure: null };
      },
      async audited(_atMostMs, signal) {
        assert(isOpen, "a closed outbox is not audited");
        await clock.sleep(made.auditMs, signal);
      },
    }],
  });
  const running = schedule.run(stop.signal);
  await clock.advance(0);
  return Object.assign(made, {
    schedule,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await clock.advance(0);
      await running;
    },
  });
}

const ends = ({ events }: Rig) => events.flatMap((event) => event.type === "run_ended" ? [event] : []);

Deno.test("a continuous job is left alone", async () => {
  await using b = await rig({});
  await b.clock.advance(HOUR);
  assertEquals([b.log, b.schedule.next(), b.events], [[], null, []]);
});

Deno.test("an interval runs at once the first time, then counts from the beginning of each run", async () => {
  await using b = await rig({ schedule: { kind: "interval", everyMs: 300_000 } });
  assertEquals(b.log, ["0 closed until asked", "0 closed until 0", "0 open", "0 closed until 300"]);
  b.queue = 7;
  b.busyMs = 60_000;
  await b.clock.advance(700_000);
  assertEquals(b.log.slice(4), ["300 open", "360 closed until 600", "600 open", "660 closed until 900"]);
  assertEquals(ends(b).map(({ delivered, milliseconds, next }) => [delivered, milliseconds, next]), [
    [0, 0, START + 300_000],
    [7, 60_000, START + 600_000],
    [0, 60_000, START + 900_000],
  ]);
  assertEquals(b.schedule.next(), START + 900_000);
});

Deno.test("a run lasts as long as its audit", async () => {
  await using b = await rig({ schedule: { kind: "interval", everyMs: 300_000 } }, { lastRun: START });
  [b.busyMs, b.auditMs] = [10_000, 50_000];
  await b.clock.advance(400_000);
  assertEquals(b.log.slice(2), ["300 open", "360 closed until 600"]);
});

Deno.test("runs do not overlap: those that a long one misses are made up once", async () => {
  await using b = await rig({ schedule: { kind: "interval", everyMs: 60_000 } }, { lastRun: START });
  b.busyMs = 200_000;
  await b.clock.advance(280_000);
  assertEquals(b.log.slice(2), ["60 open", "260 closed until 260", "260 open"]);
});

Deno.test("a restart goes on from the last run", async () => {
  await using b = await rig({ schedule: { kind: "interval", everyMs: HOUR } }, { lastRun: START - 1_800_000 });
  assertEquals(b.schedule.next(), START + 1_800_000);
});

Deno.test("runs that were missed while the computer slept or was off are made up once", async () => {
  const schedule = { kind: "cron", pattern: "0 6 * * *", timezone: "UTC" } as const;
  await using off = await rig({ schedule }, { lastRun: START - 72 * HOUR });
  assertEquals(
    off.log.slice(1),
    ["0 closed until -21600", "0 open", "0 closed until 64800"].map((line) =>
      line.replace("-21600", String((Date.UTC(2026, 2, 26, 6) - START) / 1000))
    ),
  );
  await using slept = await rig({ schedule }, { lastRun: START });
  slept.clock.jump(50 * HOUR);
  await slept.clock.advance(60_000);
  assertEquals(ends(slept).length, 1);
});

Deno.test("a cron expression that is new waits for its first time", async () => {
  await using b = await rig({ schedule: { kind: "cron", pattern: "30 2 * * *", timezone: "Europe/Berlin" } }, {
    startMs: Date.UTC(2026, 2, 29, 0, 55),
  });
  // The hour is skipped that night: it runs when the clock has jumped.
  assertEquals(b.schedule.next(), Date.UTC(2026, 2, 29, 1));
  await b.clock.advance(360_000);
  assertEquals(ends(b).map(({ next }) => next), [Date.UTC(2026, 2, 30, 0, 30)]);
});

Deno.test("a manual job waits for a person", async () => {
  await using b = await rig({ schedule: { kind: "manual" } });
  await b.clock.advance(HOUR / 10);
  assertEquals([b.events, b.schedule.next()], [[], null]);
  b.queue = 3;
  b.schedule.ask();
  await b.clock.advance(0);
  assertEquals(b.events.map((event) => event.type === "run_started" && event.trigger), ["asked", false]);
  assertEquals(ends(b).map(({ delivered, next }) => [delivered, next]), [[3, null]]);
});

Deno.test("a person may ask at any time, and the schedule goes on from that run", async () => {
  await using b = await rig({ schedule: { kind: "interval", everyMs: HOUR } }, { lastRun: START });
  await b.clock.advance(600_000);
  b.schedule.ask();
  await b.clock.advance(0);
  assertEquals(ends(b).map(({ next }) => next), [START + 600_000 + HOUR]);
});

Deno.test("asking during a run means another run: what it is asked for may be missed by this one", async () => {
  await using b = await rig({ schedule: { kind: "manual" } });
  [b.queue, b.busyMs] = [1, 60_000];
  b.schedule.ask();
  await b.clock.advance(30_000);
  b.schedule.ask();
  b.schedule.ask();
  await b.clock.advance(HOUR);
  assertEquals(b.log.slice(1), ["0 open", "60 closed until asked", "60 open", "120 closed until asked"]);
});

Deno.test("a run waits for files that are about to be finished, however long the folder took to be listed", async () => {
  await using b = await rig({ schedule: { kind: "manual" } });
  [b.scanMs, b.settleMs] = [60_000, 5_000];
  b.schedule.ask();
  await b.clock.advance(HOUR);
  assertEquals(b.log.slice(1), ["0 open", "65 closed until asked"]);
});

Deno.test("a run that was asked for or has begun is owed until it has ended", async () => {
  await using b = await rig({ schedule: { kind: "manual" } });
  const owed = [b.schedule.owesRun()];
  b.busyMs = 60_000;
  b.schedule.ask();
  owed.push(b.schedule.owesRun());
  await b.clock.advance(30_000);
  owed.push(b.schedule.owesRun());
  await b.clock.advance(30_000);
  owed.push(b.schedule.owesRun());
  assertEquals(owed, [false, true, true, false]);
});

Deno.test("a window opens and closes by the clock, and a person may ask outside of it", async () => {
  await using b = await rig({ schedule: { kind: "window", from: "12:02", to: "12:04", timezone: "UTC" } });
  assertEquals(b.schedule.next(), START + 120_000);
  b.schedule.ask();
  await b.clock.advance(180_000);
  b.schedule.ask();
  await b.clock.advance(120_000);
  assertEquals(b.log.slice(1), [
    "0 closed until 120",
    "0 open",
    "0 closed until 120",
    "120 open",
    `240 closed until ${24 * 3600 + 120}`,
  ]);
});

Deno.test("cooldown_seconds delays the next run, and rests a continuous job after everything was sent", async () => {
  await using late = await rig({ schedule: { kind: "interval", everyMs: 60_000 }, cooldownMs: 600_000 }, { lastRun: START });
  await late.clock.advance(120_000);
  assertEquals(late.schedule.next(), START + 660_000);
  await using b = await rig({ cooldownMs: 5000 });
  b.queue = 2;
  b.schedule.wake();
  await b.clock.advance(0);
  assertEquals(b.log, ["0 open", "0 closed until 5"]);
  await b.clock.advance(5000);
  assertEquals([b.log.at(-1), b.delivered], ["5 open", 2]);
});

Deno.test("a folder that cannot be watched does not keep what was queued before", async () => {
  await using b = await rig({ schedule: { kind: "manual" } }, { watched: false });
  b.queue = 3;
  b.schedule.ask();
  await b.clock.advance(0);
  assertEquals(ends(b).map(({ delivered }) => delivered), [3]);
});

Deno.test("a last run in the future, by a clock that was wrong, stops nothing", async () => {
  await using b = await rig({ schedule: { kind: "interval", everyMs: HOUR } }, { lastRun: START + 10_000 * HOUR });
  assertEquals(b.schedule.next(), START + HOUR);
});

Deno.test("a clock that is set back while a run is awaited delays it by no more than its interval, to its time of day, or by the pause", async () => {
  await using interval = await rig({ schedule: { kind: "interval", everyMs: 300_000 } });
  interval.clock.jump(-1000 * HOUR);
  await interval.clock.advance(400_000);
  assertEquals(ends(interval).length, 2);
  await using cron = await rig({ schedule: { kind: "cron", pattern: "*/5 * * * *", timezone: "UTC" } });
  cron.clock.jump(-1000 * HOUR);
  await cron.clock.advance(630_000);
  assertEquals(ends(cron).length, 2);
  await using closed = await rig({ schedule: { kind: "window", from: "12:02", to: "12:04", timezone: "UTC" } });
  closed.clock.jump(-24_000 * HOUR);
  await closed.clock.advance(300_000);
  assertEquals(ends(closed).length, 1);
  await using open = await rig({ schedule: { kind: "window", from: "11:00", to: "12:04", timezone: "UTC" } });
  open.clock.jump(-24_000 * HOUR);
  await open.clock.advance(300_000);
  assertEquals(ends(open).length, 1);
  await using pause = await rig({ cooldownMs: 60_000 });
  pause.queue = 1;
  pause.schedule.wake();
  await pause.clock.advance(0);
  pause.clock.jump(-1000 * HOUR);
  pause.queue = 1;
  await pause.clock.advance(120_000);
  assertEquals(pause.delivered, 2);
});
