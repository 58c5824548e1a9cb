/**
 * When the whole watched folder is listed (at start, on a period, and when something may have been missed; one scan at a time, never
 * without pause), and the scan itself: it walks the folder and asks the ledger about every file, so whatever events did not tell is found.
 */
import { anySignal, untilAborted } from "../../async/abort.ts";
import { bell } from "../../async/bell.ts";
import type { Job } from "../../config/settings.ts";
import { chunks } from "../../domain/chunks.ts";
import { type FailureRecord, failureRecord } from "../../domain/failure.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { FileFacts } from "../../domain/source_file.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import type { IntakeContext } from "../intake_context.ts";
import { isDeep } from "../patterns.ts";
import { noteFiles } from "../settle/note_files.ts";
import { settleAgain } from "../settle/settle_files.ts";
import { unreadableFolder } from "../source_faults.ts";
import { andFound, type Found, foundIn, NOTHING_FOUND, type Trust } from "./known_files.ts";
import { foldersTell } from "./remote_folder.ts";
import { faultOf } from "../../system/fault.ts";
import type { Clock, Stretch } from "../../system/system.ts";

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

/** What a scan came to; `files` are those that the patterns want. */
interface Scan {
  readonly files: number;
  readonly admitted: number;
  readonly milliseconds: number;
}

/** How a scan is done. */
interface ScanRequest {
  readonly trust: Trust;
  /** Events tell of changes. */
  readonly events: boolean;
}

/**
 * Walks once; throws where the watched folder itself cannot be read. What `trust` does not take for known is held against the ledger.
 * `walking` ends the walk alone.
 */
export async function reconcile(
  context: IntakeContext,
  { trust, events }: ScanRequest,
  signal: AbortSignal,
  walking = signal,
): Promise<Scan> {
  const { job, system, candidates, known, unreadable, missingEvents, matches } = context;
  const begun = system.monotonic();
  let found = NOTHING_FOUND;
  let admitted = 0;
  let asked = 0;
  unreadable.scanBegins();
  missingEvents.scanBegins();
  const former = known.scanBegins(trust, events && await foldersTell(job.watchPath, system));
  const walk = { recursive: isDeep(job), skipHidden: job.ignoreHiddenFiles, known: former };
  for await (const { files, stretches = [], unreadable: notRead } of system.walk(job.watchPath, walk, walking)) {
    for (const { path, reason } of notRead) unreadable.note(path, reason);
    let start = 0;
    for (const stretch of stretches) {
      if (asked >= FILES_AT_ONCE) {
        // Others get their turn.
        await system.sleep(0);
        asked = 0;
      }
      asked += stretch.files;
      const its = await reconcileStretch(context, stretch, files.slice(start, start += stretch.files), begun, signal);
      found = andFound(found, its.found);
      admitted += its.admitted;
    }
  }
  unreadable.scanned();
  missingEvents.scanned();
  // Those that are gone, and those in folders that were not read.
  await settleAgain(context, candidates.notSeenSince(begun), signal, { retry: true });
  matches.scanned(found);
  context.aside.scanned({ files: found.aside, bytes: found.asideBytes });
  return { files: found.wanted, admitted, milliseconds: Math.round(system.monotonic() - begun) };
}

/** Returns what the stretch consists of, and how many of its files are admitted now. */
async function reconcileStretch(
  context: IntakeContext,
  stretch: Stretch,
  files: readonly FileFacts[],
  begun: number,
  signal: AbortSignal,
): Promise<Pick<Scan, "admitted"> & { readonly found: Found }> {
  const { system, patterns, known, unreadable } = context;
  const former = known.found(stretch);
  if (former !== undefined) {
    known.note(stretch, former);
    return { found: former, admitted: 0 };
  }
  const wanted = files.filter(({ path }) => patterns.wants(path));
  let found = foundIn(files, wanted.length);
  // A stretch that has some is read again: they are listed for as long as scans find them.
  let knownHere = -unreadable.noteReserved(files);
  let admitted = 0;
  for (const some of chunks(wanted, FILES_AT_ONCE)) {
    if (some.length === FILES_AT_ONCE) await system.sleep(0);
    const its = await reconcileFiles(context, some, begun, signal);
    knownHere += its.known + its.aside.length;
    admitted += its.admitted;
    const asideBytes = its.aside.reduce((sum, { size }) => sum + size, 0);
    found = { ...found, aside: found.aside + its.aside.length, asideBytes: found.asideBytes + asideBytes };
  }
  known.note(stretch, knownHere === wanted.length ? found : null);
  return { found, admitted };
}

/** Returns how many of them were known, which are left aside, and how many are admitted now. */
async function reconcileFiles(
  context: IntakeContext,
  files: readonly FileFacts[],
  begun: number,
  signal: AbortSignal,
): Promise<{ readonly known: number; readonly aside: readonly FileFacts[]; readonly admitted: number }> {
  const { candidates, missingEvents } = context;
  const unheard = files.filter(({ path }) => !candidates.isHeardOf(path));
  const noted = noteFiles(context, files, { retry: true, asOf: begun });
  // Changed rights alone give no event that counts.
  missingEvents.found(unheard.filter(({ path }) => candidates.get(path)?.recheck === false));
  // The walk's look was the first; the second, just before it is settled, shows whether the file rests.
  const admitted = noted.open.length > 0 ? await settleAgain(context, noted.open, signal) : 0;
  return { known: noted.known.length, aside: noted.aside, admitted };
}

/** Files that the ledger is asked about at once: a few milliseconds, so that events get their turn. */
const FILES_AT_ONCE = 500;
