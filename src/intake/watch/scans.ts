/**
 * When the whole watched folder is listed: at start, on a period, and when asked because something may have been
 * missed. One scan at a time, never without pause.
 *
 * @module
 */
import { anySignal, untilAborted } from "../../async/abort.ts";
import { type FailureRecord, failureRecord } from "../../domain/failure.ts";
import type { Job } from "../../config/settings.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import { faultOf } from "../../system/fault.ts";
import type { Clock } from "../../system/system.ts";
import { bell } from "../../async/bell.ts";
import type { Scan, ScanRequest } from "./reconcile.ts";
import { unreadableFolder } from "../source_faults.ts";

/** The scans of one job. */
export interface Scans {
  /** Scans until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** A scan is wanted soon. `replaced`: another folder is there now, and the scan under way may hang in the former one for ever. */
  ask(replaced?: boolean): void;
  /** Scans at once; resolves when a scan that began after this call is done, or the scans have ended. */
  now(): Promise<void>;
  /** Whether a scan came to its end and none is wanted or running. */
  done(): boolean;
  /** Why the folder cannot be listed; null while it can. */
  failure(): FailureRecord | null;
}

interface ScanTools {
  readonly system: Pick<Clock, "monotonic" | "sleep">;
  readonly emit: Emit;
  /** How the folder is watched; null = it is away, there is nothing to scan. */
  readonly how: () => "events" | "poll" | null;
  /** `walking` ends the walk alone. */
  readonly scan: (request: ScanRequest, signal: AbortSignal, walking: AbortSignal) => Promise<Scan>;
}

/** What is kept between two scans. Times by the monotonic clock, milliseconds. */
interface ScanState {
  /** Something may have been missed. */
  wanted: boolean;
  /** Told when the next scan is done. */
  callers: (() => void)[];
  running: boolean;
  /** A scan came to its end. */
  completed: boolean;
  /** No more scans. */
  ended: boolean;
  endedAt: number | null;
  lastMs: number;
  /** What the last scan on the period took that found nothing new. */
  quietMs: number;
  /** Leaves the scan under way to itself. */
  abandon: AbortController;
  failure: FailureRecord | null;
  /** Why the last scan failed, as it was said; empty if it did not. */
  told: string;
}

/** The first scan comes when `run` runs and the folder is watched and asks for one. */
export function scans(job: Job, tools: ScanTools): Scans {
  const { system, how } = tools;
  const wake = bell(system);
  const state: ScanState = {
    ...{ wanted: false, callers: [], running: false, completed: false, ended: false },
    ...{ endedAt: null, lastMs: 0, quietMs: 0, abandon: new AbortController() },
    ...{ failure: null, told: "" },
  };
  return {
    async run(signal) {
      while (!signal.aborted) {
        const waitMs = waitMsOf(state, job.rescanIntervalMs, how(), system.monotonic());
        if (waitMs > TICK_MS) await wake.wait(TICK_MS, signal, "in step");
        else if (waitMs > 0) await wake.wait(waitMs, signal);
        else await scanOnce(job, tools, state, signal);
      }
      state.ended = true;
      state.callers.forEach((done) => done());
    },
    ask(replaced = false) {
      state.wanted = true;
      if (replaced) state.abandon.abort();
      wake.ring();
    },
    now() {
      return new Promise((resolve) => {
        if (state.ended) return resolve();
        state.callers.push(resolve);
        wake.ring();
      });
    },
    done: () => state.completed && !state.running && !state.wanted && state.callers.length === 0,
    failure: () => state.failure,
  };
}

/** How long the next scan must wait; 0 or less: it is due. */
function waitMsOf(state: ScanState, intervalMs: number, how: "events" | "poll" | null, now: number): number {
  const { wanted, callers, endedAt, lastMs, quietMs } = state;
  if (how === null) return AWAY_MS;
  if (callers.length > 0) return 0;
  if (endedAt === null) return wanted ? 0 : TICK_MS;
  const restMs = Math.min(REST_FACTOR * lastMs, intervalMs);
  const pollMs = Math.min(intervalMs, Math.max(POLL_MS, Math.min(POLL_FACTOR * lastMs, Math.max(POLL_AT_MOST_MS, lastMs))));
  // Where events tell of changes, a scan for what they missed must cost next to nothing.
  const rescanMs = Math.max(intervalMs, Math.min(RESCAN_FACTOR * quietMs, RESCAN_STRETCH * intervalMs));
  const periodMs = wanted ? restMs : how === "poll" ? pollMs : rescanMs;
  return endedAt + periodMs - now;
}

async function scanOnce(job: Job, { system, emit, how, scan }: ScanTools, state: ScanState, signal: AbortSignal): Promise<void> {
  const callers = state.callers;
  const request = requestOf(state, how());
  const abandon = new AbortController();
  Object.assign(state, { callers: [], wanted: false, running: true, abandon } satisfies Partial<ScanState>);
  using walking = anySignal(signal, abandon.signal);
  try {
    const scanning = scan(request, signal, walking.signal);
    const { files, admitted, milliseconds } = await untilAborted(scanning, abandon.signal);
    Object.assign(state, { completed: true, failure: null, told: "" } satisfies Partial<ScanState>);
    state.lastMs = milliseconds;
    if (admitted === 0 && request.trust === "folders") state.quietMs = milliseconds;
    emit({ type: "scanned", job: job.name, files, admitted, milliseconds });
  } catch (error) {
    state.wanted = true;
    if (signal.aborted || abandon.signal.aborted) return void state.callers.push(...callers);
    state.lastMs = Math.max(state.lastMs, AGAIN_MS / REST_FACTOR);
    // A folder that is away is told of by the watch, which notices a moment later where it polls.
    if (how() !== null && faultOf(error) !== "not_found") notListed(job, error, state, emit);
  } finally {
    state.running = false;
    state.endedAt = system.monotonic();
  }
  callers.forEach((done) => done());
}

/** A person who asks for a scan trusts nothing that was found before; times of folders do not tell of writes that events may not have told. */
function requestOf({ callers, wanted, endedAt }: ScanState, how: "events" | "poll" | null): ScanRequest {
  const events = how === "events";
  if (callers.length > 0 || endedAt === null) return { trust: "nothing", events };
  return { trust: events && !wanted ? "folders" : "files", events };
}

/** Said once while the reason stays. */
function notListed({ name, watchPath }: Job, error: unknown, state: ScanState, emit: Emit): void {
  const fault = faultOf(error);
  const ours = fault === "other";
  const failure = ours ? failureRecord(error) : unreadableFolder(watchPath, reasonOf(error), false);
  const listing = failure.code === "internal" ? `cannot list "${watchPath}": ` : "";
  const text = `Job ${name}: ${listing}${failure.message}. ${failure.hint}`.trim();
  if (text !== state.told) emit({ type: "notice", level: "warning", message: text, ...(ours ? { error } : {}) });
  // Other faults may be over in a moment; those that are ours say nothing about the folder.
  if (fault === "permission" || (!ours && state.told !== "")) state.failure = failure;
  state.told = text;
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
