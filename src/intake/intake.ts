/**
 * The intake half of the corridor for one job: watch → settle → admit. It finds out by itself, again and again,
 * what is in the watched folder; every finished file becomes a queued delivery for each destination.
 */
import { bell } from "../async/bell.ts";
import { taskGroup } from "../async/task_group.ts";
import type { Job } from "../config/settings.ts";
import { chunks } from "../domain/chunks.ts";
import { Failure, type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { GrowingFile } from "../domain/source_file.ts";
import type { Emit } from "../domain/transfer_event.ts";
import { absolute, type IntakeContext, type SettleContext } from "./intake_context.ts";
import { patternsOf } from "./patterns.ts";
import { candidates, isGivenUp, type Waiting } from "./settle/candidate.ts";
import { rereads } from "./settle/rereads.ts";
import { settleAgain } from "./settle/settle_files.ts";
import { writers, type WriterSystem } from "./settle/writers.ts";
import { unreadablePaths } from "./source_faults.ts";
import { folderOf, lastPart } from "../domain/names/file_name.ts";
import { relativePathOf } from "./source_path.ts";
import { checkFolder } from "./watch/check_folder.ts";
import { dirtyFolders, missingEvents, recentCloses, type Touch } from "./watch/events.ts";
import { knownFiles, patternWatch } from "./watch/known_files.ts";
import { leftAside } from "./watch/left_aside.ts";
import { reconcile, scans } from "./watch/scans.ts";
import { watchJob, type WatchSystem } from "./watch/watch_job.ts";
import type { IntakeLedger } from "../ledger/intake_ledger.ts";
import type { EarlyLooks } from "../system/processes/early_looks.ts";
import type { Clock, System, WatchEvent } from "../system/system.ts";

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

export type Intake = ReturnType<typeof intake>;

/** Looks at nothing before `run`. */
export function intake(job: Job, tools: IntakeTools) {
  const { system, ledger, emit } = tools;
  const onError = errorNotices(job, tools);
  const patterns = patternsOf(job);
  const asked = writers(system);
  const due = bell(system);
  /** Checks of folders, and of candidates whose time has come. */
  const checks = taskGroup(CHECKS_AT_ONCE, onError);
  const context: IntakeContext = {
    ...{ job, system, ledger, emit, onError, patterns },
    aside: leftAside(job, { ledger, system, emit }),
    loops: tools.loops ?? (() => {}),
    looks: job.destinations.length > 0 && tools.looks !== undefined ? tools.looks : { begin: () => {}, heard: () => {} },
    chosenMethod: tools.chosenMethod ?? (() => null),
    admitted() {
      context.matches.matched();
      tools.admitted();
      again.wake();
    },
    // Where others write without an event, their open files are not seen either.
    writers: {
      ...asked,
      isLocal: (facts, folder) => watch.silent() ? Promise.resolve(false) : asked.isLocal(facts, folder),
    },
    candidates: candidates(() => due.ring()),
    comparing: taskGroup(1, onError),
    dirty: dirtyFolders(job.debounceMs),
    recentCloses: recentCloses(),
    known: knownFiles(system.random, filesInTurn(job.rescanIntervalMs)),
    unreadable: unreadablePaths(job.name, { patterns, emit, system }),
    missingEvents: missingEvents(system),
    matches: patternWatch(job, emit),
    rereads: { ask: (paths) => again.ask(paths) },
  };
  const watch = watchJob(job, tools, {
    event(kind, paths) {
      if (!noteEvent(context, kind, paths)) scanning.ask();
      due.ring();
    },
    lost: (replaced) => lostTrack(replaced),
  });
  const scanning = scans(job, {
    ...{ system, emit },
    how: () => watch.how(),
    scan: (request, signal, walking) => reconcile(context, request, signal, walking),
  });
  const again = rereads(job, {
    ...{ system, ledger, onError },
    settle: async (paths, signal) => void await settleAgain(context, paths, signal),
    certain: () => tools.certain?.(),
  });
  let ended = false;

  /** Events may be lost: everything must be listed. `replaced`: another folder is there now. */
  function lostTrack(replaced: boolean): void {
    context.missingEvents.lost();
    scanning.ask(replaced);
  }

  /** A folder that cannot be listed is not watched, whatever its events tell. */
  function failure(): FailureRecord | null {
    return watch.failure() ?? scanning.failure();
  }

  /** Files that are being waited for, and those that were given up. */
  function waiting(): readonly Waiting[] {
    return [...context.candidates.waiting(), ...context.unreadable.waiting()];
  }

  function isIdle(): boolean {
    const { candidates, dirty } = context;
    return scanning.done() && candidates.idle() && checks.idle() && !dirty.pending() && candidates.unsettled() === 0 &&
      again.idle();
  }

  /** Checks dirty folders, and candidates whose time has come, until the signal is aborted. */
  async function checkWhatIsDue(signal: AbortSignal): Promise<void> {
    const { dirty, candidates, missingEvents } = context;
    while (!signal.aborted) {
      const now = system.monotonic();
      for (const work of dirty.take(now)) await checks.start(() => checkFolder(context, work, signal), signal);
      for (const paths of chunks(candidates.due(now), FILES_AT_ONCE)) {
        await checks.start(async () => {
          // Should this fail, they must not be due at once again.
          candidates.postpone(paths, system.monotonic() + AGAIN_MS);
          await settleAgain(context, paths, signal);
        }, signal);
      }
      if (context.aside.wantsScan()) scanning.ask();
      const silent = missingEvents.overdue();
      if (silent !== null) watch.distrust(silent);
      const next = Math.min(dirty.due(), candidates.nextDue()) - system.monotonic();
      if (next > TICK_MS) await due.wait(TICK_MS, signal, "in step");
      else await due.wait(Math.max(1, next), signal);
    }
    await checks.settled();
  }

  return {
    /** Watches and admits until the signal is aborted; never throws. */
    async run(signal: AbortSignal): Promise<void> {
      try {
        context.aside.begin();
      } catch (error) {
        // The next file tries again.
        onError(error);
      }
      await Promise.all([
        watch.run(signal),
        scanning.run(signal),
        checkWhatIsDue(signal),
        again.run(signal),
        noticeStandstills(system, () => lostTrack(false), signal),
      ]);
      ended = true;
    },
    /**
     * Resolves once everything was listed and every file found is admitted or given up; tells those given up.
     * Needs `run` to run. Once the signal is aborted, it tells those given up so far.
     * @throws {Failure} where the watched folder cannot be watched or listed; `stopped` when the intake ends before.
     */
    async caughtUp(signal?: AbortSignal): Promise<{ readonly incomplete: readonly Waiting[] }> {
      while (true) {
        if (ended) throw new Failure("stopped", `Job ${job.name} was stopped before every file was settled`);
        const reason = failure();
        if (reason !== null) throw new Failure(reason.code, reason.message, reason);
        if (isIdle() || signal?.aborted) {
          return { incomplete: waiting().filter(({ reason }) => reason === "incomplete" || reason === "refused") };
        }
        await system.sleep(IDLE_CHECK_MS, signal);
      }
    },
    /** Lists everything now; resolves when that is done. */
    scanNow: scanning.now,
    waiting,
    /** Files that are large and still being written; with `growing_files` only. */
    growing: () => growingFiles(context),
    /** The files that are there where no pattern has wanted any so far; null otherwise. */
    unmatched: context.matches.unmatched,
    /** What `newer_than` leaves aside; null without it, and before the first scan. */
    leftAside: context.aside.now,
    /** How the folder is watched; null while it is not. */
    how: () => failure() === null ? watch.how() : null,
    /** Why the folder is polled although it should give events; null where it is not. */
    eventsMissing: watch.eventsMissing,
    /** Why the folder is not watched, or cannot be listed; null while it is, or before it was tried. */
    failure,
  };
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
