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
import { foldersTell } from "../settle/writers.ts";
import { faultOf } from "../../system/fault.ts";
import type { Clock, Stretch } from "../../system/system.ts";

export type Scans = ReturnType<typeof scans>;

/** The first scan comes when `run` runs and the folder is watched and asks for one. Times by the monotonic clock. */
export function scans(
  { name, watchPath, rescanIntervalMs }: Pick<Job, "name" | "watchPath" | "rescanIntervalMs">,
  { system, emit, how, scan }: {
    readonly system: Pick<Clock, "monotonic" | "sleep">;
    readonly emit: Emit;
    /** How the folder is watched; null = it is away, there is nothing to scan. */
    readonly how: () => "events" | "poll" | null;
    /** `walking` ends the walk alone. */
    readonly scan: (request: ScanRequest, signal: AbortSignal, walking: AbortSignal) => Promise<Scan>;
  },
) {
  const wake = bell(system);
  /** Something may have been missed. */
  let wanted = false;
  /** Told when the next scan is done. */
  let callers: (() => void)[] = [];
  let isRunning = false;
  let isCompleted = false;
  let hasEnded = false;
  let endedAt: number | null = null;
  let lastMs = 0;
  /** What the last scan on the period took that found nothing new. */
  let quietMs = 0;
  /** Leaves the scan under way to itself. */
  let abandon = new AbortController();
  let failure: FailureRecord | null = null;
  /** Why the last scan failed, as it was said; empty if it did not. */
  let told = "";

  /** How long the next scan must wait; 0 or less: it is due. */
  function waitMs(): number {
    const watching = how();
    if (watching === null) return AWAY_MS;
    if (callers.length > 0) return 0;
    if (endedAt === null) return wanted ? 0 : TICK_MS;
    const sinceMs = system.monotonic() - endedAt;
    if (wanted) return Math.min(REST_FACTOR * lastMs, rescanIntervalMs) - sinceMs;
    if (watching === "poll") {
      const shareMs = Math.min(POLL_FACTOR * lastMs, Math.max(POLL_AT_MOST_MS, lastMs));
      return Math.min(rescanIntervalMs, Math.max(POLL_MS, shareMs)) - sinceMs;
    }
    // Where events tell of changes, a scan for what they missed must cost next to nothing.
    return Math.max(rescanIntervalMs, Math.min(RESCAN_FACTOR * quietMs, RESCAN_STRETCH * rescanIntervalMs)) - sinceMs;
  }

  /** A person who asks for a scan trusts nothing that was found before; times of folders do not tell of writes that events may not have told. */
  function nextRequest(): ScanRequest {
    const events = how() === "events";
    if (callers.length > 0 || endedAt === null) return { trust: "nothing", events };
    return { trust: events && !wanted ? "folders" : "files", events };
  }

  async function scanOnce(signal: AbortSignal): Promise<void> {
    const request = nextRequest();
    const asking = callers;
    const abandoned = (abandon = new AbortController()).signal;
    [callers, wanted, isRunning] = [[], false, true];
    using walking = anySignal(signal, abandoned);
    try {
      const { files, admitted, milliseconds } = await untilAborted(scan(request, signal, walking.signal), abandoned);
      [isCompleted, failure, told] = [true, null, ""];
      lastMs = milliseconds;
      if (admitted === 0 && request.trust === "folders") quietMs = milliseconds;
      emit({ type: "scanned", job: name, files, admitted, milliseconds });
    } catch (error) {
      wanted = true;
      if (signal.aborted || abandoned.aborted) return void callers.push(...asking);
      lastMs = Math.max(lastMs, AGAIN_MS / REST_FACTOR);
      // A folder that is away is told of by the watch, which notices a moment later where it polls.
      if (how() !== null && faultOf(error) !== "not_found") notListed(error);
    } finally {
      isRunning = false;
      endedAt = system.monotonic();
    }
    asking.forEach((done) => done());
  }

  /** Said once while the reason stays. */
  function notListed(error: unknown): void {
    const fault = faultOf(error);
    const ours = fault === "other";
    const reason = ours ? failureRecord(error) : unreadableFolder(watchPath, reasonOf(error), false);
    const listing = reason.code === "internal" ? `cannot list "${watchPath}": ` : "";
    const text = `Job ${name}: ${listing}${reason.message}. ${reason.hint}`.trim();
    if (text !== told) emit({ type: "notice", level: "warning", message: text, ...(ours ? { error } : {}) });
    // Other faults may be over in a moment; those that are ours say nothing about the folder.
    if (fault === "permission" || (!ours && told !== "")) failure = reason;
    told = text;
  }

  return {
    /** Scans until the signal is aborted. */
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        const leftMs = waitMs();
        if (leftMs > TICK_MS) await wake.wait(TICK_MS, signal, "in step");
        else if (leftMs > 0) await wake.wait(leftMs, signal);
        else await scanOnce(signal);
      }
      hasEnded = true;
      callers.forEach((done) => done());
    },
    /** A scan is wanted soon. `replaced`: another folder is there now, and the scan under way may hang in the former one for ever. */
    ask(replaced = false): void {
      wanted = true;
      if (replaced) abandon.abort();
      wake.ring();
    },
    /** Scans at once; resolves when a scan that began after this call is done, or the scans have ended. */
    now(): Promise<void> {
      return new Promise((resolve) => {
        if (hasEnded) return resolve();
        callers.push(resolve);
        wake.ring();
      });
    },
    /** Whether a scan came to its end and none is wanted or running. */
    done: () => isCompleted && !isRunning && !wanted && callers.length === 0,
    /** Why the folder cannot be listed; null while it can. */
    failure: () => failure,
  };
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

interface ScanRequest {
  readonly trust: Trust;
  /** Events tell of changes. */
  readonly events: boolean;
}

/** Walks once; throws where the watched folder itself cannot be read. What `trust` does not take for known is held against the ledger. */
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
  const { system, patterns, known, unreadable, candidates, missingEvents } = context;
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
    const unheard = some.filter(({ path }) => !candidates.isHeardOf(path));
    const noted = noteFiles(context, some, { retry: true, asOf: begun });
    // Changed rights alone give no event that counts.
    missingEvents.found(unheard.filter(({ path }) => candidates.get(path)?.recheck === false));
    // The walk's look was the first; the second, just before it is settled, shows whether the file rests.
    if (noted.open.length > 0) admitted += await settleAgain(context, noted.open, signal);
    knownHere += noted.known.length + noted.aside.length;
    const asideBytes = noted.aside.reduce((sum, { size }) => sum + size, 0);
    found = { ...found, aside: found.aside + noted.aside.length, asideBytes: found.asideBytes + asideBytes };
  }
  known.note(stretch, knownHere === wanted.length ? found : null);
  return { found, admitted };
}

/** Files that the ledger is asked about at once: a few milliseconds, so that events get their turn. */
const FILES_AT_ONCE = 500;
