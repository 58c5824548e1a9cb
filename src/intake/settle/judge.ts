/**
 * Brings candidates as far as they can be brought now: asks what {@linkcode settle} wants to know and admits what
 * is finished. One file's failure is that file's alone.
 *
 * @module
 */
import type { FailureRecord } from "../../domain/failure.ts";
import type { FileFacts } from "../../domain/source_file.ts";
import { faultOf } from "../../system/fault.ts";
import { admissions } from "../admit/admissions.ts";
import { type Candidate, isParked, mayPass, observation, sameVersion } from "./candidate.ts";
import { mapLimit } from "../../async/map_limit.ts";
import type { JudgeTools } from "../judge_tools.ts";
import { lookInto } from "./look_into.ts";
import { isMarked } from "./marker.ts";
import { folderOf, lastPart } from "../patterns.ts";
import { taskGroup } from "../../async/task_group.ts";
import { type SharedDeadline, sharedDeadline } from "../../async/deadline.ts";
import { settle, type Settlement } from "./settle.ts";
import { absolutePathOf, pathIn } from "../source_path.ts";
import { corrupt, unreadable } from "../source_faults.ts";
import type { WriterState } from "./writers.ts";

/** The candidates' judge. Paths are relative to the watched folder with `/`. */
export interface Judge {
  /**
   * Notes files as they were just found. `open` are the paths that are to be judged: those the ledger does not know, but
   * for those given up; `known` are those that it knows as they are.
   */
  meet(found: readonly FileFacts[], options?: MeetOptions): { readonly open: string[]; readonly known: string[] };
  /** Looks at these files again, then as {@linkcode Judge.meet}. */
  revisit(paths: readonly string[], signal: AbortSignal, options?: MeetOptions): Promise<string[]>;
  /** Looks at these no sooner than after `againMs`. */
  postpone(paths: readonly string[], againMs: number): void;
  /** Judges candidates and admits what is finished; returns how many were admitted. */
  judge(paths: readonly string[], signal: AbortSignal): Promise<number>;
  /** Whether this one is being judged just now. */
  hasInHand(path: string): boolean;
  /** Whether nothing is in the middle of being judged. */
  idle(): boolean;
}

/** How files are met. */
export interface MeetOptions {
  /** Gives those a chance that were given up for a reason that may pass. */
  readonly retry?: boolean;
  /** When they were found, at the earliest (monotonic): those that were looked at since are open, and stay as they are. */
  readonly asOf?: number;
  /** What is told of a file that is met for the first time. */
  readonly news?: (path: string) => "created" | "changed";
}

/** Keeps nothing but which files it has in hand; the candidates are those of `tools`. */
export function judgeOf(tools: JudgeTools): Judge {
  const { job, system, candidates, emit, writers } = tools;
  const inHand = new Set<string>();
  const destinations = job.destinations.map(({ name }) => name);
  const absolute = (path: string) => absolutePathOf(job.watchPath, path, system.separator);
  const { admitAll, compare } = admissions(tools, { absolute, refuse });
  // Whole files are read for a mere ctime: one at a time, beside everything else.
  const comparing = taskGroup(1, tools.onError);

  function meet(found: readonly FileFacts[], options: MeetOptions = {}): { open: string[]; known: string[] } {
    const { asOf = Infinity } = options;
    const overtaken = found.filter(({ path }) => (candidates.get(path)?.lookedAt ?? -Infinity) > asOf);
    const current = overtaken.length === 0 ? found : found.filter((facts) => !overtaken.includes(facts));
    const { fresh, recheck } = tools.ledger.unknown(job.name, current, destinations);
    const unknown = new Set([...fresh, ...recheck].map(({ path }) => path));
    const known = current.map(({ path }) => path).filter((path) => !unknown.has(path));
    known.forEach(candidates.forget);
    const open = [
      ...overtaken,
      ...fresh.filter((facts) => note(facts, false, options)),
      ...recheck.filter((facts) => note(facts, true, options)),
    ];
    return { open: open.map(({ path }) => path), known };
  }

  /** True where there is something to judge. */
  function note(facts: FileFacts, recheck: boolean, { retry = false, news = () => "created" }: MeetOptions): boolean {
    const { candidate, first } = candidates.look(facts, system.monotonic(), system.now(), recheck);
    if (first && !recheck) announce(facts.path, news(facts.path));
    if (!isParked(candidate)) return true;
    if (!retry || !mayPass(candidate)) return false;
    const { verdict: _, ...again } = candidate;
    candidates.put({ ...again, state: { is: "new" } });
    return true;
  }

  function announce(path: string, type: "created" | "changed"): void {
    if (type === "created" ? job.watchEvents.some(isArrival) : job.watchEvents.includes("write")) {
      emit({ type, job: job.name, path });
    }
  }

  async function revisit(paths: readonly string[], signal: AbortSignal, options: MeetOptions = {}): Promise<string[]> {
    const found: FileFacts[] = [];
    await mapLimit(paths, LOOKS_AT_ONCE, async (path) => {
      const facts = await factsOf(path);
      if (facts !== null) found.push(facts);
    }, signal);
    return meet(found, options).open;
  }

  /** The file as it is now; null, and no candidate any more, where there is none. */
  async function factsOf(path: string): Promise<FileFacts | null> {
    try {
      const facts = await system.facts(absolute(path));
      if (facts?.kind === "file") return { path, ...facts };
      candidates.forget(path);
    } catch (error) {
      const candidate = candidates.get(path);
      if (candidate) refuse(candidate, unreadable(path, error));
    }
    return null;
  }

  async function judge(paths: readonly string[], signal: AbortSignal): Promise<number> {
    const mine = paths.filter((path) => !inHand.has(path));
    const touches = new Map(mine.map((path) => [path, candidates.get(path)?.touches]));
    mine.forEach((path) => inHand.add(path));
    let againMs = FAILED_AGAIN_MS;
    const later = new Set<string>();
    try {
      const finished = await settleAll(mine, later, signal);
      for (const candidate of finished.filter(({ recheck }) => recheck)) {
        later.add(candidate.facts.path);
        void comparing.start(
          () => compare(candidate, signal).finally(() => putDown(candidate.facts.path, candidate.touches, FAILED_AGAIN_MS)),
          signal,
        );
      }
      const admitted = await admitAll(finished.filter(({ recheck }) => !recheck), signal);
      againMs = 0;
      return admitted;
    } finally {
      for (const path of mine) if (!later.has(path)) putDown(path, touches.get(path), againMs);
    }
  }

  function putDown(path: string, touches: number | undefined, againMs: number): void {
    inHand.delete(path);
    const candidate = candidates.get(path);
    // Something happened while we thought: think again at once. And nothing may stay without a next look.
    if (candidate && (candidate.touches !== touches || candidate.state.is === "new")) lookAgain(candidate, againMs);
  }

  /** Returns the candidates that are finished; puts into `later` those that keep us waiting. */
  async function settleAll(paths: readonly string[], later: Set<string>, signal: AbortSignal): Promise<Candidate[]> {
    const finished: Candidate[] = [];
    using limit = sharedDeadline(PATIENCE_MS, system);
    const round = async (these: readonly string[], writerOf: WriterOf | null) => {
      const askers: string[] = [];
      const atOnce = these.some((path) => COSTLY.test(path)) ? COSTLY_AT_ONCE : LOOKS_AT_ONCE;
      await mapLimit(these, atOnce, async (path) => {
        const outcome = await orLater(path, progress(path, writerOf, signal), limit, later, signal);
        if (outcome === "ask writer") askers.push(path);
        else if (outcome !== null) finished.push(outcome);
      }, signal);
      return askers;
    };
    const askers = await round(paths, null);
    if (askers.length > 0) await round(askers, await writers.of(askers.map(absolute), signal));
    return finished;
  }

  /** What keeps us waiting is put down when it is done: an open can take minutes. Null then. */
  async function orLater<T>(
    path: string,
    going: Promise<T>,
    limit: SharedDeadline,
    later: Set<string>,
    signal: AbortSignal,
  ): Promise<T | null> {
    const touches = candidates.get(path)?.touches;
    if (COSTLY.test(path) || await limit.inTime(going)) return await going;
    later.add(path);
    going.catch((error) => signal.aborted || tools.onError(error)).finally(() => putDown(path, touches, 0));
    return null;
  }

  /** Takes one candidate as far as it goes: finished, in want of an answer about its writer, or neither (null). */
  async function progress(
    path: string,
    writerOf: WriterOf | null,
    signal: AbortSignal,
  ): Promise<Candidate | "ask writer" | null> {
    const start = candidates.get(path);
    if (start === undefined) return null;
    try {
      const local = await writers.isLocal(start.facts, absolute(folderOf(path)));
      const costly = COSTLY.test(path);
      const marker = job.completeness === "marker" && await hasMarker(start.facts);
      const writer = writerOf?.(absolute(path), local);
      let candidate = start;
      while (true) {
        const at = { now: system.monotonic(), wall: system.now(), local, costly, marker, ...(writer ? { writer } : {}) };
        const settlement = settle(observation(candidate, at), job);
        if (settlement.is !== "undecided") return conclude(candidate, settlement);
        if (settlement.ask === "writer") return "ask writer";
        candidate = await lookInto(candidate, settlement.ask, absolute(path), tools, signal);
        const now = candidates.get(path);
        if (now === undefined || now.touches !== start.touches || !sameVersion(now.facts, start.facts)) return null;
        candidates.put(candidate);
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (faultOf(error) === "not_found") await whenNotFound(start, error);
      else if (faultOf(error) === "busy") wait(start, { is: "waiting", reason: "writer open", againMs: SHARED_OUT_MS });
      else if (faultOf(error) === "too_many_open_files") lookAgain(start, SHARED_OUT_MS);
      else refuse(start, unreadable(path, error));
      return null;
    }
  }

  /** Gone, replaced just now, or listed by a disk that cannot find it. */
  async function whenNotFound(start: Candidate, error: unknown): Promise<void> {
    const facts = await factsOf(start.facts.path);
    if (facts === null) return;
    if (sameVersion(facts, start.facts)) refuse(start, unreadable(facts.path, error));
    else lookAgain(start, SHARED_OUT_MS);
  }

  /** The candidate, if it is finished. */
  function conclude(candidate: Candidate, settlement: Exclude<Settlement, { is: "undecided" }>): Candidate | null {
    const { path } = candidate.facts;
    switch (settlement.is) {
      case "finished":
        if (settlement.incomplete === null) return candidate;
        emit({ type: "incomplete", job: job.name, path, reason: settlement.incomplete, sent: true });
        return { ...candidate, incomplete: settlement.incomplete };
      case "waiting":
        wait(candidate, settlement);
        return null;
      case "incomplete":
        if (candidate.told !== "incomplete") emit({ type: "incomplete", job: job.name, path, reason: settlement.reason });
        candidates.put({ ...candidate, told: "incomplete", state: settlement });
        return null;
      case "corrupt":
        refuse(candidate, corrupt(path, settlement.reason));
        return null;
      default:
        return settlement satisfies never;
    }
  }

  function wait(candidate: Candidate, { reason, againMs }: Extract<Settlement, { is: "waiting" }>): void {
    const { facts: { path, size }, declared } = candidate;
    const now = system.monotonic();
    const tells = size !== candidate.toldSize && now - candidate.toldAt >= TELL_EVERY_MS;
    if (tells) emit({ type: "growing", job: job.name, path, size, declared });
    const told = tells ? { toldSize: size, toldAt: now } : {};
    candidates.put({ ...candidate, ...told, state: { is: "waiting", reason, again: now + againMs } });
  }

  function lookAgain(candidate: Candidate, againMs: number): void {
    const reason = candidate.state.is === "waiting" ? candidate.state.reason : "quiet";
    candidates.put({ ...candidate, state: { is: "waiting", reason, again: system.monotonic() + againMs } });
  }

  function refuse(candidate: Candidate, failure: FailureRecord): void {
    const told = `refused: ${failure.code}`;
    if (candidate.told !== told) emit({ type: "refused", job: job.name, path: candidate.facts.path, failure });
    candidates.put({ ...candidate, told, state: { is: "refused", failure } });
  }

  function hasMarker({ path, mtimeMs }: FileFacts): Promise<boolean> {
    const look = (name: string) => system.facts(absolute(pathIn(folderOf(path), name)));
    return isMarked({ name: lastPart(path), mtimeMs }, job.marker, look);
  }

  function postpone(paths: readonly string[], againMs: number): void {
    for (const path of paths) {
      const candidate = candidates.get(path);
      if (candidate) lookAgain(candidate, againMs);
    }
  }

  return { meet, revisit, judge, postpone, hasInHand: (path) => inHand.has(path), idle: () => inHand.size === 0 };
}

const isArrival = (event: string) => event === "create" || event === "rename";

type WriterOf = (path: string, local: boolean) => WriterState;

/** Files that are read whole before anything can be said of them. */
const COSTLY = /\.gz$/i;
const COSTLY_AT_ONCE = 8;
/** Short looks: many at once are cheaper than many one by one. */
const LOOKS_AT_ONCE = 128;
/** A file that another machine has leased opens after 45 s, one that must be fetched from a tape after hours. */
const PATIENCE_MS = 5_000;
const SHARED_OUT_MS = 1_000;
/** After an error that is not the file's, the ledger's for example. */
const FAILED_AGAIN_MS = 5_000;
const TELL_EVERY_MS = 1_000;
