/**
 * The intake half of the corridor for one job: watch → settle → admit. It finds out by itself, again and again,
 * what is in the watched folder; every finished file becomes a queued delivery for each destination.
 */
import { type Bell, bell } from "../async/bell.ts";
import { type TaskGroup, taskGroup } from "../async/task_group.ts";
import type { Job } from "../config/settings.ts";
import { chunks } from "../domain/chunks.ts";
import { Failure, type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { GrowingFile } from "../domain/source_file.ts";
import type { Emit } from "../domain/transfer_event.ts";
import { absolute, type IntakeContext, type SettleContext } from "./intake_context.ts";
import { patternsOf } from "./patterns.ts";
import { candidates, isGivenUp, type Waiting } from "./settle/candidate.ts";
import { type Rereads, rereads } from "./settle/rereads.ts";
import { settleAgain } from "./settle/settle_files.ts";
import { writers, type WriterSystem } from "./settle/writers.ts";
import { unreadablePaths } from "./source_faults.ts";
import { folderOf, lastPart, relativePathOf } from "./source_path.ts";
import { checkFolder } from "./watch/check_folder.ts";
import { dirtyFolders, missingEvents, recentCloses, type Touch } from "./watch/events.ts";
import { knownFiles, patternWatch, type Unmatched } from "./watch/known_files.ts";
import { type AsideNow, leftAside } from "./watch/left_aside.ts";
import { reconcile, type Scans, scans } from "./watch/scans.ts";
import { type JobWatch, watchJob, type WatchSystem } from "./watch/watch_job.ts";
import type { IntakeLedger } from "../ledger/intake_ledger.ts";
import type { EarlyLooks } from "../system/processes/early_looks.ts";
import type { Clock, System, WatchEvent } from "../system/system.ts";

/** What an intake is handed. */
export interface IntakeTools {
  readonly system: IntakeContext["system"] & WatchSystem & WriterSystem & Pick<System, "random">;
  readonly ledger: IntakeLedger;
  readonly emit: Emit;
  /** Called after something was admitted: wakes the outbox. */
  readonly admitted: () => void;
  /** Called when the bytes of delivered files have turned out to be certain: they may be removed. */
  readonly certain?: () => void;
  /** Where the outboxes look for the writers that may have come since; left out where nothing is sent. */
  readonly looks?: Pick<EarlyLooks, "begin" | "heard">;
  /** Called where images come back into the watched folder: the job must send nothing more. */
  readonly loops?: (failure: FailureRecord) => void;
  /** The method of a destination where `auto` has chosen one already; null otherwise. */
  readonly chosenMethod?: (destination: string) => string | null;
}

/** The intake of one job. */
export interface Intake {
  /** Watches and admits until the signal is aborted; never throws. */
  run(signal: AbortSignal): Promise<void>;
  /** Lists everything now; resolves when that is done. */
  scanNow(): Promise<void>;
  /**
   * Resolves once everything was listed and every file found is admitted or given up; tells those given up.
   * Needs {@linkcode Intake.run} to run. Once the signal is aborted, it tells those given up so far.
   * @throws {Failure} where the watched folder cannot be watched or listed; `stopped` when the intake ends before.
   */
  caughtUp(signal?: AbortSignal): Promise<{ readonly incomplete: readonly Waiting[] }>;
  /** Files that are being waited for, and those that were given up. */
  waiting(): readonly Waiting[];
  /** Files that are large and still being written; with `growing_files` only. */
  growing(): readonly GrowingFile[];
  /** The files that are there where no pattern has wanted any so far; null otherwise. */
  unmatched(): Unmatched | null;
  /** What `newer_than` leaves aside; null without it, and before the first scan. */
  leftAside(): AsideNow | null;
  /** How the folder is watched; null while it is not. */
  how(): "events" | "poll" | null;
  /** Why the folder is polled although it should give events; null where it is not. */
  eventsMissing(): string | null;
  /** Why the folder is not watched, or cannot be listed; null while it is, or before it was tried. */
  failure(): FailureRecord | null;
}

/** The parts of one intake. */
interface Parts {
  readonly context: IntakeContext;
  readonly watch: JobWatch;
  readonly scans: Scans;
  readonly rereads: Rereads;
  /** Checks of folders, and of candidates whose time has come. */
  readonly checks: TaskGroup;
  readonly due: Bell;
}

/** Looks at nothing before {@linkcode Intake.run}. */
export function intake(job: Job, tools: IntakeTools): Intake {
  const parts = assemble(job, tools);
  const { context, watch, scans } = parts;
  const waiting = () => [...context.candidates.waiting(), ...context.unreadable.waiting()];
  let ended = false;

  return {
    async run(signal) {
      try {
        context.aside.begin();
      } catch (error) {
        // The next file tries again.
        context.onError(error);
      }
      await Promise.all([
        watch.run(signal),
        scans.run(signal),
        checkWhatIsDue(parts, signal),
        parts.rereads.run(signal),
        noticeStandstills(tools.system, () => lostTrack(parts, false), signal),
      ]);
      ended = true;
    },
    async caughtUp(signal) {
      while (true) {
        if (ended) throw new Failure("stopped", `Job ${job.name} was stopped before every file was settled`);
        const failure = failureOf(parts);
        if (failure !== null) throw new Failure(failure.code, failure.message, failure);
        if (isIdle(parts) || signal?.aborted) {
          return { incomplete: waiting().filter(({ reason }) => reason === "incomplete" || reason === "refused") };
        }
        await tools.system.sleep(IDLE_CHECK_MS, signal);
      }
    },
    scanNow: () => scans.now(),
    waiting,
    growing: () => growingFiles(context),
    unmatched: context.matches.unmatched,
    leftAside: context.aside.now,
    how: () => failureOf(parts) === null ? watch.how() : null,
    eventsMissing: () => watch.eventsMissing(),
    failure: () => failureOf(parts),
  };
}

/** A folder that cannot be listed is not watched, whatever its events tell. */
function failureOf({ watch, scans }: Parts): FailureRecord | null {
  return watch.failure() ?? scans.failure();
}

function assemble(job: Job, tools: IntakeTools): Parts {
  const { system, ledger, emit } = tools;
  const onError = errorNotices(job, tools);
  const patterns = patternsOf(job);
  const asked = writers(system);
  const context: IntakeContext = {
    ...{ job, system, ledger, emit, onError, patterns },
    aside: leftAside(job, { ledger, system, emit }),
    loops: tools.loops ?? (() => {}),
    looks: job.destinations.length > 0 && tools.looks !== undefined ? tools.looks : { begin: () => {}, heard: () => {} },
    chosenMethod: tools.chosenMethod ?? (() => null),
    admitted() {
      context.matches.matched();
      tools.admitted();
      parts.rereads.wake();
    },
    // Where others write without an event, their open files are not seen either.
    writers: {
      ...asked,
      isLocal: (facts, folder) => parts.watch.silent() ? Promise.resolve(false) : asked.isLocal(facts, folder),
    },
    candidates: candidates(() => parts.due.ring()),
    comparing: taskGroup(1, onError),
    dirty: dirtyFolders(job.debounceMs),
    recentCloses: recentCloses(),
    known: knownFiles(system.random, filesInTurn(job.rescanIntervalMs)),
    unreadable: unreadablePaths(job.name, { patterns, emit, system }),
    missingEvents: missingEvents(system),
    matches: patternWatch(job, emit),
    rereads: { ask: (paths) => parts.rereads.ask(paths) },
  };
  const parts: Parts = {
    context,
    watch: watchJob(job, tools, {
      event(kind, paths) {
        if (!noteEvent(context, kind, paths)) parts.scans.ask();
        parts.due.ring();
      },
      lost: (replaced) => lostTrack(parts, replaced),
    }),
    scans: scans(job, {
      ...{ system, emit },
      how: () => parts.watch.how(),
      scan: (request, signal, walking) => reconcile(context, request, signal, walking),
    }),
    rereads: rereads(job, {
      ...{ system, ledger, onError },
      settle: async (paths, signal) => void await settleAgain(context, paths, signal),
      certain: () => tools.certain?.(),
    }),
    checks: taskGroup(CHECKS_AT_ONCE, onError),
    due: bell(system),
  };
  return parts;
}

/** Events may be lost: everything must be listed. `replaced`: another folder is there now. */
function lostTrack({ context, scans }: Parts, replaced: boolean): void {
  context.missingEvents.lost();
  scans.ask(replaced);
}

/** Checks dirty folders, and candidates whose time has come, until the signal is aborted. */
async function checkWhatIsDue(parts: Parts, signal: AbortSignal): Promise<void> {
  const { context, watch, checks, due } = parts;
  const { system, dirty, candidates, missingEvents } = context;
  while (!signal.aborted) {
    const now = system.monotonic();
    for (const work of dirty.take(now)) await checks.start(() => checkFolder(context, work, signal), signal);
    for (const paths of chunks(candidates.due(now), FILES_AT_ONCE)) {
      await checks.start(() => settleDue(parts, paths, signal), signal);
    }
    if (context.aside.wantsScan()) parts.scans.ask();
    const silent = missingEvents.overdue();
    if (silent !== null) watch.distrust(silent);
    const next = Math.min(dirty.due(), candidates.nextDue()) - system.monotonic();
    if (next > TICK_MS) await due.wait(TICK_MS, signal, "in step");
    else await due.wait(Math.max(1, next), signal);
  }
  await checks.settled();
}

async function settleDue({ context }: Parts, paths: readonly string[], signal: AbortSignal): Promise<void> {
  // Should this fail, they must not be due at once again.
  context.candidates.postpone(paths, context.system.monotonic() + AGAIN_MS);
  await settleAgain(context, paths, signal);
}

function isIdle({ context: { candidates, dirty }, scans, rereads, checks }: Parts): boolean {
  return scans.done() && candidates.idle() && checks.idle() && !dirty.pending() && candidates.unsettled() === 0 && rereads.idle();
}

/** So many files of folders that have not changed are looked at by each scan: some 0.03 % of a processor. */
function filesInTurn(rescanIntervalMs: number): number {
  return Math.max(FILES_IN_TURN, rescanIntervalMs / 15);
}

/** What keeps failing every few seconds is told every few minutes. */
function errorNotices(job: Job, { system, emit }: IntakeTools): (error: unknown) => void {
  let told = { message: "", at: 0 };
  return (error) => {
    const { code, message, hint } = failureRecord(error);
    const text = `Job ${job.name}: ${message}. ${hint}`.trim();
    const now = system.monotonic();
    if (text === told.message && now - told.at < TELL_AGAIN_MS) return;
    told = { message: text, at: now };
    emit({ type: "notice", level: "error", message: text, ...(code === "internal" ? { error } : {}) });
  };
}

const CHECKS_AT_ONCE = 4;
const FILES_AT_ONCE = 250;
const TICK_MS = 5_000;
const AGAIN_MS = 5_000;
const TELL_AGAIN_MS = 5 * 60_000;
const IDLE_CHECK_MS = 25;
const FILES_IN_TURN = 1_000;

type Noting = Pick<IntakeContext, "job" | "patterns" | "candidates" | "dirty" | "recentCloses" | "missingEvents" | "looks"> & {
  readonly system: Pick<IntakeContext["system"], "monotonic" | "separator">;
};

/** `paths` are absolute. False where one lies outside the watched folder, so that everything must be listed. */
function noteEvent(context: Noting, kind: WatchEvent["kind"], paths: readonly string[]): boolean {
  const { job, system, patterns, candidates, dirty } = context;
  const how: Touch = kind === "other" ? "write" : kind;
  const now = system.monotonic();
  const renamed = context.recentCloses.note(kind, paths);
  let inside = true;
  for (const each of paths) {
    const path = relativePathOf(job.watchPath, each, system.separator);
    context.missingEvents.told(path ?? "");
    if (path === null) inside = false;
    if (path === null || path === "" || !patterns.enters(folderOf(path))) continue;
    if (patterns.wants(path)) {
      candidates.touch(path, kind === "close" || each === renamed);
      if (kind === "write" || kind === "close") context.looks.heard(each);
    }
    dirty.touch(folderOf(path), lastPart(path), how, now);
  }
  return inside;
}

/** Calls `resumed` after each standstill of more than a few seconds, until the signal is aborted. */
export async function noticeStandstills(
  clock: Pick<Clock, "now" | "monotonic" | "sleep">,
  resumed: () => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const [at, wall] = [clock.monotonic(), clock.now()];
    await clock.sleep(BEAT_MS, signal, "in step");
    // The monotonic clock stands still while the computer sleeps; it runs while only we are stopped.
    if (Math.max(clock.monotonic() - at, clock.now() - wall) > 2 * BEAT_MS) resumed();
  }
}

const BEAT_MS = 3_000;

/** Of the candidates of a job; one that was never seen to grow is not among them before it is sent anyway. */
function growingFiles(context: Pick<SettleContext, "job" | "system" | "candidates">): GrowingFile[] {
  const { job: { growingFiles }, system, candidates } = context;
  if (growingFiles === null) return [];
  const now = system.monotonic();
  return [...candidates.all()].filter((candidate) => !isGivenUp(candidate) && candidate.facts.size >= growingFiles.minBytes)
    .map(({ facts: { path, identity, size }, grownAt }): GrowingFile => ({
      ...{ path, identity, size },
      absolutePath: absolute(context, path),
      stalled: grownAt === null || now - grownAt >= growingFiles.timeoutMs,
    }));
}
