/**
 * Lets the files of one job be sent by its schedule: closes its outboxes, and opens them for each run or while its time of day lasts.
 * Files are watched and queued all the time.
 */
import { bell } from "../async/bell.ts";
import { deadline } from "../async/deadline.ts";
import type { Job } from "../config/settings.ts";
import type { Outbox } from "../delivery/outbox.ts";
import { Failure } from "../domain/failure.ts";
import { nextRun, type RunSchedule, type Schedule, windowAt } from "../domain/schedule.ts";
import type { Emit, RunTrigger } from "../domain/transfer_event.ts";
import type { Intake } from "../intake/intake.ts";
import type { Counts } from "../ledger/history.ts";
import { waitingOf } from "../ledger/orphans.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { System } from "../system/system.ts";

const LOOK_MS = 30_000;
/** A clock that is set back by less makes no difference. */
const CORRECTION_MS = 1_000;
/** How much longer a run may last for an audit; the next run resumes it. */
const AUDIT_MS = 10 * 60_000;
/** How long a run waits for files that are about to be finished, besides `min_file_age_seconds`. */
const SETTLE_MS = 10_000;

export type JobSchedule = ReturnType<typeof jobSchedule>;

/** The schedule of a job at work. Closes the outboxes at once, unless the job sends continuously. */
export function jobSchedule(job: Job, { system, ledger, emit, intake, outboxes }: {
  readonly system: Pick<System, "now" | "monotonic" | "sleep">;
  readonly ledger: Pick<Ledger, "lastRun" | "rememberRun" | "counts">;
  readonly emit: Emit;
  readonly intake: Pick<Intake, "scanNow" | "caughtUp">;
  readonly outboxes: readonly Pick<Outbox, "destination" | "open" | "close" | "idle" | "audited">[];
}) {
  const { schedule } = job;
  const rung = bell(system);
  let isAsked = false;
  let isRunning = false;
  let next: number | null = null;
  /** When the last run ended; null before the first of this process. */
  let endedAt: number | null = null;

  function open(): void {
    next = null;
    for (const box of outboxes) box.open();
  }

  function close(until: number | null): void {
    next = until;
    for (const box of outboxes) box.close(until);
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      switch (schedule.kind) {
        case "continuous":
          if (job.cooldownMs === 0) return;
          await sendAndRest(signal);
          break;
        case "manual":
          close(null);
          await until(null, signal);
          await oneRun("asked", signal);
          break;
        case "interval":
        case "cron": {
          const due = nextDue(schedule);
          close(due);
          const isDue = await until(due, signal);
          if (isDue || isAsked) await oneRun(isAsked ? "asked" : "schedule", signal);
          break;
        }
        case "window":
          await oneWindow(schedule, signal);
          break;
        default:
          return schedule satisfies never;
      }
    }
  }

  /** For a continuous job with a pause after each run: a run is all that waits. */
  async function sendAndRest(signal: AbortSignal): Promise<void> {
    isAsked = false;
    open();
    while (!signal.aborted && waitingOf(counts()) === 0) await rung.wait(LOOK_MS, signal);
    await Promise.all(outboxes.map((box) => box.idle(signal)));
    if (signal.aborted) return;
    const rested = system.now() + job.cooldownMs;
    close(rested);
    await until(rested, signal);
  }

  async function oneWindow(window: Extract<Schedule, { kind: "window" }>, signal: AbortSignal): Promise<void> {
    let now = windowAt(window, system.now());
    if (!now.isOpen) {
      close(now.until);
      await until(now.until, signal);
      if (isAsked) await oneRun("asked", signal);
      return;
    }
    const end = begin("schedule");
    while (now.isOpen && !await until(now.until, signal)) {
      // Asking for a run changes nothing while files are sent.
      isAsked = false;
      now = windowAt(window, system.now());
    }
    if (!signal.aborted) end();
  }

  /** Delivers what is there, until nothing else can be delivered now. */
  async function oneRun(trigger: RunTrigger, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const end = begin(trigger);
    isRunning = true;
    try {
      await intake.scanNow();
      using patience = deadline(job.minFileAgeMs + SETTLE_MS, system, signal);
      // What was copied just before the run belongs to it; what is still being written does not.
      await intake.caughtUp(patience.signal);
    } catch (error) {
      // The folder cannot be watched, which is told; what was queued before can be sent.
      if (!(error instanceof Failure)) throw error;
    }
    await Promise.all(outboxes.map((box) => box.idle(signal)));
    // Between runs there is no session that could audit.
    await Promise.all(outboxes.map((box) => box.audited(AUDIT_MS, signal)));
    if (signal.aborted) return;
    isRunning = false;
    end();
  }

  /** Gives what ends the run. */
  function begin(trigger: RunTrigger): () => void {
    const [begunAt, before] = [system.monotonic(), counts()];
    // From now on, asking means another run: this one may already have passed what it is asked for.
    isAsked = false;
    ledger.rememberRun(job.name, system.now());
    emit({ type: "run_started", job: job.name, trigger, waiting: waitingOf(before) });
    open();
    return () => {
      endedAt = system.now();
      const after = counts();
      // Closed before the next run is told: nobody must find the job open after its end.
      close(nextAfter());
      emit({
        type: "run_ended",
        job: job.name,
        delivered: Math.max(0, after.delivered - before.delivered),
        failed: Math.max(0, after.failed - before.failed),
        waiting: waitingOf(after),
        milliseconds: Math.round(system.monotonic() - begunAt),
        next,
      });
    };
  }

  function nextAfter(): number | null {
    if (schedule.kind === "window") return windowAt(schedule, system.now()).until;
    return schedule.kind === "interval" || schedule.kind === "cron" ? nextDue(schedule) : null;
  }

  /** When the next run begins; in the past where one was missed. A new job with an interval runs at once. */
  function nextDue(runs: RunSchedule): number | null {
    const now = system.now();
    const last = ledger.lastRun(job.name);
    if (last === null && runs.kind === "interval") return now;
    // A cron expression begins to count when it is first seen.
    if (last === null) ledger.rememberRun(job.name, now);
    // The clock may have been set back since.
    const due = nextRun(runs, Math.min(last ?? now, now));
    return due === null || endedAt === null ? due : Math.max(due, Math.min(endedAt, now) + job.cooldownMs);
  }

  /**
   * Waits until that time, or that a person asks for a run; true if it is time or the signal is aborted. False also if the clock was set
   * back: then it is to be asked again when it is time.
   */
  async function until(due: number | null, signal: AbortSignal): Promise<boolean> {
    let former = Infinity;
    while (!signal.aborted && !isAsked) {
      const left = due === null ? Infinity : due - system.now();
      if (left <= 0) return true;
      if (left > former + CORRECTION_MS) return false;
      former = left;
      // A computer that slept notices at the next look.
      await rung.wait(Math.min(left, LOOK_MS), signal);
    }
    return signal.aborted;
  }

  /** Over all destinations of the job. */
  function counts(): Counts {
    const sum = { queued: 0, sending: 0, deferred: 0, delivered: 0, failed: 0 };
    for (const { destination } of outboxes) {
      const ofOne = ledger.counts(job.name, destination.name);
      for (const state of ["queued", "sending", "deferred", "delivered", "failed"] as const) sum[state] += ofOne[state];
    }
    return sum;
  }

  if (schedule.kind !== "continuous") close(null);
  return {
    /** Opens and closes the outboxes until the signal is aborted. */
    run,
    /** A person asks for a run, whatever the schedule says; during one, for another after it. */
    ask(): void {
      isAsked = true;
      rung.ring();
    },
    /** Whether a run was asked for, or has begun, and has not ended: it is still to come if the job is stopped now. */
    owesRun: (): boolean => isAsked || isRunning,
    /** Something was admitted. */
    wake: (): void => rung.ring(),
    /** When files are sent next, milliseconds since 1970 UTC; null while they are sent, or when only a person knows. */
    next: (): number | null => next,
  };
}
