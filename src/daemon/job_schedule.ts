/**
 * Lets the files of one job be sent by its schedule: closes its outboxes, and opens them for each run or while its time of day lasts.
 * Files are watched and queued all the time.
 *
 * @module
 */
import { type Bell, bell } from "../async/bell.ts";
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

/** What a schedule is handed. */
interface ScheduleTools {
  readonly system: Pick<System, "now" | "monotonic" | "sleep">;
  readonly ledger: Pick<Ledger, "lastRun" | "rememberRun" | "counts">;
  readonly emit: Emit;
  readonly intake: Pick<Intake, "scanNow" | "caughtUp">;
  readonly outboxes: readonly Pick<Outbox, "destination" | "open" | "close" | "idle" | "audited">[];
}

/** The schedule of a job at work. */
export interface JobSchedule {
  /** Opens and closes the outboxes until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** A person asks for a run, whatever the schedule says; during one, for another after it. */
  ask(): void;
  /** Whether a run was asked for, or has begun, and has not ended: it is still to come if the job is stopped now. */
  owesRun(): boolean;
  /** Something was admitted. */
  wake(): void;
  /** When files are sent next, milliseconds since 1970 UTC; null while they are sent, or when only a person knows. */
  next(): number | null;
}

interface Parts extends ScheduleTools {
  readonly job: Job;
  readonly bell: Bell;
  asked: boolean;
  isRunning: boolean;
  next: number | null;
  /** When the last run ended; null before the first of this process. */
  endedAt: number | null;
}

/** Closes the outboxes at once, unless the job sends continuously. */
export function jobSchedule(job: Job, tools: ScheduleTools): JobSchedule {
  const parts: Parts = { ...tools, job, bell: bell(tools.system), asked: false, isRunning: false, next: null, endedAt: null };
  if (job.schedule.kind !== "continuous") close(parts, null);
  return {
    run: (signal) => runBySchedule(job.schedule, parts, signal),
    ask() {
      parts.asked = true;
      parts.bell.ring();
    },
    owesRun: () => parts.asked || parts.isRunning,
    wake: () => parts.bell.ring(),
    next: () => parts.next,
  };
}

async function runBySchedule(schedule: Schedule, parts: Parts, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    switch (schedule.kind) {
      case "continuous":
        if (parts.job.cooldownMs === 0) return;
        await sendAndRest(parts, signal);
        break;
      case "manual":
        close(parts, null);
        await until(null, parts, signal);
        await oneRun("asked", parts, signal);
        break;
      case "interval":
      case "cron": {
        const due = nextDue(schedule, parts);
        close(parts, due);
        const isDue = await until(due, parts, signal);
        if (isDue || parts.asked) await oneRun(parts.asked ? "asked" : "schedule", parts, signal);
        break;
      }
      case "window":
        await oneWindow(schedule, parts, signal);
        break;
      default:
        return schedule satisfies never;
    }
  }
}

/** For a continuous job with a pause after each run: a run is all that waits. */
async function sendAndRest(parts: Parts, signal: AbortSignal): Promise<void> {
  const { outboxes, system, bell, job } = parts;
  parts.asked = false;
  open(parts);
  while (!signal.aborted && waitingOf(countsOf(parts)) === 0) await bell.wait(LOOK_MS, signal);
  await Promise.all(outboxes.map((box) => box.idle(signal)));
  if (signal.aborted) return;
  const rested = system.now() + job.cooldownMs;
  close(parts, rested);
  await until(rested, parts, signal);
}

async function oneWindow(schedule: Extract<Schedule, { kind: "window" }>, parts: Parts, signal: AbortSignal): Promise<void> {
  let now = windowAt(schedule, parts.system.now());
  if (!now.isOpen) {
    close(parts, now.until);
    await until(now.until, parts, signal);
    if (parts.asked) await oneRun("asked", parts, signal);
    return;
  }
  const begun = begin("schedule", parts);
  while (now.isOpen && !await until(now.until, parts, signal)) {
    // Asking for a run changes nothing while files are sent.
    parts.asked = false;
    now = windowAt(schedule, parts.system.now());
  }
  if (!signal.aborted) end(begun, parts);
}

/** Delivers what is there, until nothing else can be delivered now. */
async function oneRun(trigger: RunTrigger, parts: Parts, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { job, intake, outboxes, system } = parts;
  const begun = begin(trigger, parts);
  parts.isRunning = true;
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
  parts.isRunning = false;
  end(begun, parts);
}

interface Begun {
  /** By the monotonic clock. */
  readonly at: number;
  readonly counts: Counts;
}

function begin(trigger: RunTrigger, parts: Parts): Begun {
  const { system, ledger, job, emit } = parts;
  const begun = { at: system.monotonic(), counts: countsOf(parts) };
  // From now on, asking means another run: this one may already have passed what it is asked for.
  parts.asked = false;
  ledger.rememberRun(job.name, system.now());
  emit({ type: "run_started", job: job.name, trigger, waiting: waitingOf(begun.counts) });
  open(parts);
  return begun;
}

function end({ at, counts }: Begun, parts: Parts): void {
  const { system, job, emit } = parts;
  parts.endedAt = system.now();
  const after = countsOf(parts);
  // Closed before the next run is told: nobody must find the job open after its end.
  const next = nextAfter(job.schedule, parts);
  close(parts, next);
  emit({
    type: "run_ended",
    job: job.name,
    delivered: Math.max(0, after.delivered - counts.delivered),
    failed: Math.max(0, after.failed - counts.failed),
    waiting: waitingOf(after),
    milliseconds: Math.round(system.monotonic() - at),
    next,
  });
}

function nextAfter(schedule: Schedule, parts: Parts): number | null {
  if (schedule.kind === "window") return windowAt(schedule, parts.system.now()).until;
  return schedule.kind === "interval" || schedule.kind === "cron" ? nextDue(schedule, parts) : null;
}

/** When the next run begins; in the past where one was missed. A new job with an interval runs at once. */
function nextDue(schedule: RunSchedule, { job, ledger, system, endedAt }: Parts): number | null {
  const now = system.now();
  const last = ledger.lastRun(job.name);
  if (last === null && schedule.kind === "interval") return now;
  // A cron expression begins to count when it is first seen.
  if (last === null) ledger.rememberRun(job.name, now);
  // The clock may have been set back since.
  const due = nextRun(schedule, Math.min(last ?? now, now));
  return due === null || endedAt === null ? due : Math.max(due, Math.min(endedAt, now) + job.cooldownMs);
}

/**
 * Waits until that time, or that a person asks for a run; true if it is time or the signal is aborted. False also if the clock was set
 * back: then it is to be asked again when it is time.
 */
async function until(due: number | null, parts: Parts, signal: AbortSignal): Promise<boolean> {
  const { system, bell } = parts;
  let former = Infinity;
  while (!signal.aborted && !parts.asked) {
    const left = due === null ? Infinity : due - system.now();
    if (left <= 0) return true;
    if (left > former + CORRECTION_MS) return false;
    former = left;
    // A computer that slept notices at the next look.
    await bell.wait(Math.min(left, LOOK_MS), signal);
  }
  return signal.aborted;
}

function open(parts: Parts): void {
  parts.next = null;
  for (const box of parts.outboxes) box.open();
}

function close(parts: Parts, next: number | null): void {
  parts.next = next;
  for (const box of parts.outboxes) box.close(next);
}

/** Over all destinations of the job. */
function countsOf({ job, ledger, outboxes }: Parts): Counts {
  const all = outboxes.map(({ destination }) => ledger.counts(job.name, destination.name));
  const sum = (state: "queued" | "sending" | "deferred" | "delivered" | "failed") =>
    all.reduce((sum, counts) => sum + counts[state], 0);
  return {
    queued: sum("queued"),
    sending: sum("sending"),
    deferred: sum("deferred"),
    delivered: sum("delivered"),
    failed: sum("failed"),
  };
}

const LOOK_MS = 30_000;
/** A clock that is set back by less makes no difference. */
const CORRECTION_MS = 1_000;
/** How much longer a run may last for an audit, which goes on in the next one. */
const AUDIT_MS = 10 * 60_000;
/** How long a run waits for files that are about to be finished, besides `min_file_age_seconds`. */
const SETTLE_MS = 10_000;
