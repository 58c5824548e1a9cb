/**
 * The files of one job that are not settled yet. Only these are kept in memory: what is admitted is in the ledger.
 *
 * @module
 */
import type { FileFacts } from "../../domain/source_file.ts";
import { type Candidate, isGivenUp, look, lookAgain, sameVersion, touch, type Waiting, waitingOf } from "./candidate.ts";

/** By path, relative to the watched folder with `/`. Times by the monotonic clock, milliseconds, but for `wall`. */
export interface Candidates extends Turns {
  get(path: string): Candidate | undefined;
  /**
   * Notes a look; `first` where the file was no candidate before. An event that came after the one with the number `asOf` may have come after
   * the look at the file, too: then the file is looked at again at once.
   */
  look(facts: FileFacts, now: number, wall: number, recheck: boolean, asOf?: number): { candidate: Candidate; first: boolean };
  /** The number of the last event that told of any file. */
  lastTouch(): number;
  /** Notes an event; that of a file that is no candidate yet is remembered for the first look at it. */
  touch(path: string, closed: boolean): void;
  /** Whether it is a candidate, or an event told of it. */
  isHeardOf(path: string): boolean;
  /** Notes what was found out of a candidate, if that is still true. */
  put(candidate: Candidate): void;
  /** Whether it is still there, the same version, and no event has told of it since. */
  isCurrent(candidate: Candidate): boolean;
  forget(path: string): void;
  /** Paths of those that were not looked at since then. */
  notSeenSince(time: number): string[];
  /** All of them, given up or not. */
  all(): Iterable<Candidate>;
  /** The same as a person is shown them. */
  waiting(): Waiting[];
  /** How many are neither finished nor given up. */
  unsettled(): number;
}

/** Whose turn it is to be settled. */
interface Turns {
  /** Begins to settle these, but for those that are being settled and do not wait for an answer; returns the paths begun. */
  begin(paths: readonly string[]): string[];
  /** No longer settles it. Where an event told of it meanwhile, or nothing was decided, it is looked at again at `again`. */
  end(path: string, again: number): void;
  /**
   * These wait for an answer; meanwhile another may begin to settle them, as an event may tell what was asked for. The result is called
   * when the answer is there, and returns those that still wait for it; those that an event told of are looked at again instead.
   */
  ask(paths: readonly string[]): () => string[];
  /** Whether none is being settled. */
  idle(): boolean;
  /** Looks at these no sooner than at `again`. */
  postpone(paths: readonly string[], again: number): void;
  /** Paths that are to be looked at again by now, and are not being settled. */
  due(now: number): string[];
  /** When the next one is due; Infinity if none. */
  nextDue(): number;
}

/** One for each intake; empty, as a restart finds all of them again. `due` is called when one may be due sooner than the others. */
export function candidates(due: () => void = () => {}): Candidates {
  const all = new Map<string, Candidate>();
  /** Files that an event told of before the first look: the last of them. */
  const heardOf = new Map<string, { readonly closed: boolean; readonly touches: number }>();
  let lastTouch = 0;

  const isCurrent = (candidate: Candidate) => {
    const now = all.get(candidate.facts.path);
    return now?.touches === candidate.touches && sameVersion(now.facts, candidate.facts);
  };

  return {
    get: (path) => all.get(path),
    look(facts, now, wall, recheck, asOf = lastTouch) {
      const former = all.get(facts.path);
      const heard = former === undefined ? heardOf.get(facts.path) : undefined;
      const seen = look(former, facts, now, wall, recheck);
      const touched = heard === undefined ? seen : touch(seen, heard.closed, heard.touches);
      const candidate = { ...touched, seenTouches: Math.min(touched.touches, asOf) };
      heardOf.delete(facts.path);
      all.set(facts.path, candidate);
      return { candidate, first: former === undefined };
    },
    lastTouch: () => lastTouch,
    touch(path, closed) {
      const candidate = all.get(path);
      const touches = ++lastTouch;
      if (candidate === undefined) heardOf.set(path, { closed, touches });
      else all.set(path, touch(candidate, closed, touches));
    },
    isHeardOf: (path) => all.has(path) || heardOf.has(path),
    put(candidate) {
      const now = all.get(candidate.facts.path);
      if (now === undefined || !isCurrent(candidate)) return;
      all.set(candidate.facts.path, { ...candidate, looks: now.looks, lookedAt: now.lookedAt, seenTouches: now.seenTouches });
    },
    isCurrent,
    forget(path) {
      all.delete(path);
      heardOf.delete(path);
    },
    notSeenSince: (time) => [...all.values()].filter(({ lookedAt }) => lookedAt < time).map(({ facts }) => facts.path),
    all: () => all.values(),
    waiting: () => [...all.values()].map(waitingOf),
    unsettled: () => [...all.values()].filter((candidate) => !isGivenUp(candidate)).length,

    ...turns(all, due),
  };
}

/** Over these candidates. */
function turns(all: Map<string, Candidate>, sooner: () => void): Turns {
  /** Those being settled, and the last event that the look before it had seen. */
  const settling = new Map<string, number | undefined>();
  /** Those of them that wait for an answer, and for which. */
  const asked = new Map<string, symbol>();
  const lookAgainAt = (path: string, again: number) => {
    const candidate = all.get(path);
    if (candidate) all.set(path, lookAgain(candidate, again));
  };

  const end = (path: string, again: number) => {
    const candidate = all.get(path);
    // Nothing may stay without a next look.
    if (isTouched(path) || candidate?.state.is === "new") lookAgainAt(path, again);
    settling.delete(path);
    if (candidate !== undefined) sooner();
  };
  const isTouched = (path: string) => all.get(path)?.touches !== settling.get(path);

  return {
    begin(paths) {
      const begun = [...new Set(paths)].filter((path) => !settling.has(path) || asked.has(path));
      for (const path of begun) {
        settling.set(path, all.get(path)?.seenTouches);
        asked.delete(path);
      }
      return begun;
    },
    end,
    ask(paths) {
      const answer = Symbol();
      for (const path of paths) asked.set(path, answer);
      return () => {
        const mine = paths.filter((path) => asked.get(path) === answer && asked.delete(path));
        for (const path of mine.filter(isTouched)) end(path, -Infinity);
        return mine.filter((path) => settling.has(path));
      };
    },
    idle: () => settling.size === 0,
    postpone(paths, again) {
      for (const path of paths) lookAgainAt(path, again);
    },
    due(now) {
      const due: string[] = [];
      for (const [path, candidate] of all) if (dueAt(candidate) <= now && !settling.has(path)) due.push(path);
      return due;
    },
    nextDue() {
      let next = Infinity;
      for (const [path, candidate] of all) if (dueAt(candidate) < next && !settling.has(path)) next = dueAt(candidate);
      return next;
    },
  };
}

function dueAt({ state }: Candidate): number {
  return state.is === "waiting" ? state.again : Infinity;
}
