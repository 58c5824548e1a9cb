/**
 * When the whole watched folder is listed: at start, on a period, and when asked because something may have been
 * missed. One scan at a time, never without pause.
 *
 * @module
 */
import { anySignal, untilAborted } from "../../async/abort.ts";
import { failureRecord } from "../../domain/failure.ts";
import type { Job } from "../../config/settings.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import { faultOf } from "../../system/fault.ts";
import type { Clock } from "../../system/system.ts";
import { bell } from "../../async/bell.ts";
import type { Scan } from "./reconcile.ts";
import { unreadableFolder } from "../source_faults.ts";

/** The clock alone: the scan itself is handed in. */
export type ScanSystem = Pick<Clock, "monotonic" | "sleep">;

/** The scans of one job. */
export interface Scans {
  /** Scans until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** A scan is wanted soon. `anew`: another folder stands there, and the scan under way may hang in the former for ever. */
  ask(anew?: boolean): void;
  /** Scans at once; resolves when a scan that began after this call is done, or the scans have ended. */
  now(): Promise<void>;
  /** Whether a scan came to its end and none is wanted or running. */
  done(): boolean;
}

interface ScanTools {
  readonly system: ScanSystem;
  readonly emit: Emit;
  /** How the folder is watched; null = it is away, there is nothing to scan. */
  readonly how: () => "events" | "poll" | null;
  /** `thorough` where somebody asked for it; `walking` ends the walk alone. */
  readonly scan: (thorough: boolean, signal: AbortSignal, walking: AbortSignal) => Promise<Scan>;
}

/** The first scan comes when `run` runs and the folder is watched and asks for one. */
export function scans(job: Job, { system, emit, how, scan }: ScanTools): Scans {
  const wake = bell(system);
  let wanted = false;
  let urgent: (() => void)[] = [];
  let running = false;
  let anew = new AbortController();
  let ended = false;
  let completed = 0;
  let endedAt: number | null = null;
  let lastMs = 0;
  /** What the last scan that found nothing new took. */
  let quietMs = 0;

  function dueIn(): number {
    if (how() === null) return AWAY_MS;
    if (urgent.length > 0) return 0;
    if (endedAt === null) return wanted ? 0 : TICK_MS;
    const restMs = Math.min(REST_FACTOR * lastMs, job.rescanIntervalMs);
    const pollMs = Math.min(
      job.rescanIntervalMs,
      Math.max(POLL_MS, Math.min(POLL_FACTOR * lastMs, Math.max(POLL_AT_MOST_MS, lastMs))),
    );
    // Where events tell of changes, a scan for what they missed must cost next to nothing.
    const rescanMs = Math.max(job.rescanIntervalMs, Math.min(RESCAN_FACTOR * quietMs, RESCAN_STRETCH * job.rescanIntervalMs));
    const periodMs = wanted ? restMs : how() === "poll" ? pollMs : rescanMs;
    return endedAt + periodMs - system.monotonic();
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waitMs = dueIn();
      if (waitMs > 0) {
        await wake.wait(Math.min(waitMs, TICK_MS), signal);
        continue;
      }
      const callers = urgent;
      urgent = [];
      wanted = false;
      running = true;
      anew = new AbortController();
      using walking = anySignal(signal, anew.signal);
      try {
        const scanning = scan(callers.length > 0, signal, walking.signal);
        const { files, admitted, milliseconds } = await untilAborted(scanning, anew.signal);
        completed++;
        lastMs = milliseconds;
        if (admitted === 0) quietMs = milliseconds;
        emit({ type: "scanned", job: job.name, files, admitted, milliseconds });
      } catch (error) {
        if (signal.aborted) {
          urgent.push(...callers);
          break;
        }
        wanted = true;
        if (anew.signal.aborted) {
          urgent.push(...callers);
          continue;
        }
        lastMs = Math.max(lastMs, AGAIN_MS / REST_FACTOR);
        // A folder that is away is told of by the watch, which notices a moment later where it polls.
        if (how() !== null && faultOf(error) !== "not_found") emit(trouble(job, error));
      } finally {
        running = false;
        endedAt = system.monotonic();
      }
      callers.forEach((done) => done());
    }
    ended = true;
    urgent.forEach((done) => done());
  }

  return {
    run,
    ask(isAnew = false) {
      wanted = true;
      if (isAnew) anew.abort();
      wake.ring();
    },
    now() {
      return new Promise((resolve) => {
        if (ended) return resolve();
        urgent.push(resolve);
        wake.ring();
      });
    },
    done: () => completed > 0 && !running && !wanted && urgent.length === 0,
  };
}

function trouble({ name, watchPath }: Job, error: unknown): Parameters<Emit>[0] {
  const ours = faultOf(error) === "other";
  const { message, hint } = ours ? failureRecord(error) : unreadableFolder(watchPath, reasonOf(error));
  const text = `Job ${name}: ${ours ? `cannot list "${watchPath}": ` : ""}${message}. ${hint}`.trim();
  return { type: "notice", level: "warning", message: text, ...(ours ? { error } : {}) };
}

const TICK_MS = 5_000;
const AWAY_MS = 2_000;
const AGAIN_MS = 5_000;
/** A scan that was asked for waits so many times as long as the last one took. */
const REST_FACTOR = 5;
/** Scans on the period take one part in so many of the time; 100,000 files: some ten minutes. */
const RESCAN_FACTOR = 1_000;
/** The configured period is never stretched further than so many times. */
const RESCAN_STRETCH = 3;
/** Polling takes one part in so many of the time, unless that would make it too slow. */
const POLL_FACTOR = 20;
const POLL_MS = 2_000;
const POLL_AT_MOST_MS = 30_000;
