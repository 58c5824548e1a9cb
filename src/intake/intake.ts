/**
 * The intake half of the corridor for one job: watch → settle → admit. It finds out by itself, again and again,
 * what stands in the watched folder; every finished file becomes a queued delivery for each destination.
 *
 * @module
 */
import type { FailureRecord } from "../domain/failure.ts";
import { Failure, failureRecord } from "../domain/failure.ts";
import type { Job } from "../config/settings.ts";
import type { Emit } from "../domain/transfer_event.ts";
import { bell } from "../async/bell.ts";
import type { Waiting } from "./settle/candidate.ts";
import { candidates } from "./settle/candidates.ts";
import { dirtyFolders } from "./watch/dirty_folders.ts";
import { hintFollower } from "./watch/follow_hints.ts";
import { FORMAT_TOOLS, type FormatTools } from "./settle/inspect_content.ts";
import { judgeOf } from "./settle/judge.ts";
import type { JudgeSystem, JudgeTools } from "./judge_tools.ts";
import { knownFiles } from "./watch/known_files.ts";
import { taskGroup } from "../async/task_group.ts";
import { patternsOf } from "./patterns.ts";
import { reconcile } from "./watch/reconcile.ts";
import { rereads, type RereadTools } from "./settle/rereads.ts";
import { noticeStandstills } from "./watch/standstill.ts";
import { scans, type ScanSystem } from "./watch/scans.ts";
import { patternWatch, type Unmatched } from "./watch/unmatched.ts";
import { relativePathOf } from "./source_path.ts";
import { unannounced } from "./watch/unannounced.ts";
import { unreadables } from "./watch/unreadables.ts";
import { watchJob, type WatchSystem } from "./watch/watch_job.ts";
import { writers, type WriterSystem } from "./settle/writers.ts";
import type { System } from "../system/system.ts";

/** What an intake is handed. */
export interface IntakeTools {
  readonly system: JudgeSystem & WatchSystem & WriterSystem & ScanSystem & Pick<System, "walk" | "list" | "random">;
  readonly ledger: JudgeTools["ledger"] & RereadTools["ledger"];
  readonly emit: Emit;
  /** Called after something was admitted: wakes the outbox. */
  readonly admitted: () => void;
  /** Called when the bytes of delivered files have turned out to be certain: they may be removed. */
  readonly certain?: () => void;
  /** Called where images come back into the watched folder: the job must send nothing more. */
  readonly loops?: (failure: FailureRecord) => void;
  /** The method of a destination where `auto` has chosen one already; null otherwise. */
  readonly chosenMethod?: (destination: string) => string | null;
  /** Other formats than ours, for tests. */
  readonly formats?: FormatTools;
}

/** The intake of one job. */
export interface Intake {
  /** Watches and admits until the signal is aborted; never throws. */
  run(signal: AbortSignal): Promise<void>;
  /** Lists everything now; resolves when that is done. */
  scanNow(): Promise<void>;
  /**
   * Resolves once everything was listed and every file found is admitted or given up; tells those given up.
   * For `--once`. Needs {@linkcode Intake.run} to run.
   * @throws {Failure} where the watched folder cannot be watched; `stopped` when the intake ends before.
   */
  settled(): Promise<{ readonly incomplete: readonly Waiting[] }>;
  /** Files that are being waited for, and those that were given up. */
  waiting(): readonly Waiting[];
  /** The files that are there where no pattern has wanted any so far; null otherwise. */
  unmatched(): Unmatched | null;
  /** True while the folder is watched in whatever way. */
  watching(): boolean;
  /** How the folder is watched; null while it is not. */
  how(): "events" | "poll" | null;
  /** Why the folder is not watched; null while it is, or before it was tried. */
  failure(): FailureRecord | null;
}

/** Looks at nothing before {@linkcode Intake.run}. */
export function intake(job: Job, tools: IntakeTools): Intake {
  const { system, emit } = tools;
  const patterns = patternsOf(job);
  const waiting = candidates();
  const dirty = dirtyFolders(job.debounceMs);
  const unread = unreadables(job.name, { patterns, emit, system });
  const wakeUp = bell(system);
  const matches = patternWatch(job, emit);
  const asked = writers(system);
  const unheard = unannounced(system);
  const judge = judgeOf({
    job,
    system,
    ledger: tools.ledger,
    formats: tools.formats ?? FORMAT_TOOLS,
    candidates: waiting,
    // Where others write without an event, their open files are not seen either.
    writers: { ...asked, isLocal: async (facts, folder) => !watch.silent() && await asked.isLocal(facts, folder) },
    emit,
    methodOf: tools.chosenMethod ?? (() => null),
    onError,
    admitted() {
      matches.matched();
      tools.admitted();
      reading.wake();
    },
    loops: tools.loops ?? (() => {}),
  });
  const reading = rereads(job, {
    system,
    ledger: tools.ledger,
    judge: async (paths, signal) => void await judge.judge(await judge.revisit(paths, signal), signal),
    certain: () => tools.certain?.(),
    onError,
  });
  const known = knownFiles(system.random);
  const shared = {
    job,
    system,
    patterns,
    judge,
    candidates: waiting,
    known,
    unreadables: unread,
    emit,
    dirty,
    rereads: reading,
    unannounced: unheard,
  };
  const follower = hintFollower(shared);
  const scanner = scans(job, {
    system,
    emit,
    how: () => watch.how(),
    async scan(thorough, signal, walking) {
      const found = await reconcile(shared, thorough, signal, walking);
      matches.scanned(found);
      return found;
    },
  });
  const watch = watchJob(job, tools, {
    hint(kind, paths) {
      for (const path of paths) unheard.told(relativePathOf(job.watchPath, path, system.separator) ?? "");
      if (!follower.note(kind, paths)) scanner.ask();
      wakeUp.ring();
    },
    lost(anew) {
      unheard.lost();
      scanner.ask(anew);
    },
  });
  let ended = false;
  let told = { message: "", at: 0 };
  const looks = taskGroup(LOOKS_AT_ONCE, onError);

  /** What keeps failing every few seconds is told every few minutes. */
  function onError(error: unknown): void {
    const notice = trouble(job, error);
    const now = system.monotonic();
    if (notice.message === told.message && now - told.at < TELL_AGAIN_MS) return;
    told = { message: notice.message, at: now };
    emit(notice);
  }

  async function run(signal: AbortSignal): Promise<void> {
    const resumed = () => {
      unheard.lost();
      scanner.ask();
    };
    await Promise.all([
      watch.run(signal),
      scanner.run(signal),
      lookOnAndOn(signal),
      reading.run(signal),
      noticeStandstills(system, resumed, signal),
    ]);
    ended = true;
  }

  /** Dirty folders and candidates whose time has come, for ever. */
  async function lookOnAndOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const now = system.monotonic();
      for (const work of dirty.take(now)) {
        await looks.start(() => follower.work(work, signal).catch((error) => againLater(work.folder, error)), signal);
      }
      const due = waiting.due(now).filter((path) => !judge.hasInHand(path));
      for (let start = 0; start < due.length; start += DUE_AT_ONCE) {
        await looks.start(() => judgeAgain(due.slice(start, start + DUE_AT_ONCE), signal), signal);
      }
      const silent = unheard.overdue();
      if (silent !== null) watch.distrust(silent);
      const next = Math.min(dirty.due(), waiting.nextDue(judge.hasInHand)) - system.monotonic();
      await wakeUp.wait(Math.min(TICK_MS, Math.max(1, next)), signal);
    }
    await looks.settled();
  }

  async function judgeAgain(paths: readonly string[], signal: AbortSignal): Promise<void> {
    // Should this fail, they must not be due at once again.
    judge.postpone(paths, AGAIN_MS);
    await judge.judge(await judge.revisit(paths, signal), signal);
    wakeUp.ring();
  }

  function againLater(folder: string, error: unknown): never {
    dirty.list(folder, system.monotonic(), AGAIN_MS, true);
    throw error;
  }

  const givenUp = () => [...waiting.waiting(), ...unread.waiting()].filter(isGivenUp);

  async function settled(): Promise<{ incomplete: readonly Waiting[] }> {
    while (true) {
      if (ended) throw new Failure("stopped", `Job ${job.name} was stopped before every file was settled`);
      const failure = watch.failure();
      if (failure !== null) throw new Failure(failure.code, failure.message, failure);
      const quiet = scanner.done() && judge.idle() && looks.idle() && !dirty.pending() && waiting.unsettled() === 0;
      if (quiet && reading.idle()) return { incomplete: givenUp() };
      await system.sleep(SETTLED_CHECK_MS);
    }
  }

  return {
    run,
    settled,
    scanNow: () => scanner.now(),
    waiting: () => [...waiting.waiting(), ...unread.waiting()],
    unmatched: matches.unmatched,
    watching: () => watch.how() !== null,
    how: watch.how,
    failure: watch.failure,
  };
}

function isGivenUp({ reason }: Waiting): boolean {
  return reason === "incomplete" || reason === "refused";
}

function trouble(job: Job, error: unknown) {
  const { code, message, hint } = failureRecord(error);
  const text = `Job ${job.name}: ${message}. ${hint}`.trim();
  return { type: "notice" as const, level: "error" as const, message: text, ...(code === "internal" ? { error } : {}) };
}

const LOOKS_AT_ONCE = 4;
const DUE_AT_ONCE = 250;
const TICK_MS = 5_000;
const AGAIN_MS = 5_000;
const TELL_AGAIN_MS = 5 * 60_000;
const SETTLED_CHECK_MS = 25;
