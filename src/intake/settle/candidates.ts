/**
 * The files of one job that are not settled yet. Only these are kept in memory: what is admitted is in the ledger.
 *
 * @module
 */
import type { FileFacts } from "../../domain/source_file.ts";
import { type Candidate, isParked, look, lookAgain, sameVersion, touch, type Waiting, waitingOf } from "./candidate.ts";

/** By path, relative to the watched folder with `/`. Times by the monotonic clock, milliseconds, but for `wall`. */
export interface Candidates {
  get(path: string): Candidate | undefined;
  /** Notes a look; returns the candidate with whether it is met for the first time. */
  look(facts: FileFacts, now: number, wall: number, recheck: boolean): { candidate: Candidate; first: boolean };
  /** Notes a hint; one for a file that is no candidate is kept in mind for the next look at it. */
  touch(path: string, closed: boolean): void;
  /** Whether it is a candidate, or a hint for it is kept in mind. */
  isHeardOf(path: string): boolean;
  /** Notes what was found out of a candidate, unless it changed, was hinted at or went away meanwhile. */
  put(candidate: Candidate): void;
  /** Whether it is what it was: neither changed nor hinted at since, nor gone. */
  isCurrent(candidate: Candidate): boolean;
  forget(path: string): void;
  /** Begins to settle these, but for those that are being settled already; returns the others. */
  begin(paths: readonly string[]): string[];
  /** No longer settles it. Where something happened meanwhile, or nothing was decided, it is looked at again at `again`. */
  end(path: string, again: number): void;
  /** Whether none is being settled. */
  idle(): boolean;
  /** Looks at these no sooner than at `again`. */
  postpone(paths: readonly string[], again: number): void;
  /** Paths that are to be looked at again by now, and are not being settled. */
  due(now: number): string[];
  /** When the next one is due; Infinity if none. */
  nextDue(): number;
  /** Paths of those that were not looked at since then. */
  notSeenSince(time: number): string[];
  /** All of them, given up or not, as a person is shown them. */
  waiting(): Waiting[];
  /** Candidates that are neither finished nor given up. */
  unsettled(): number;
}

/** One for each intake; empty, as a restart finds all of them again. */
export function candidates(): Candidates {
  const all = new Map<string, Candidate>();
  /** The last hint for files that are no candidates yet, and whether it was a close. */
  const closes = new Map<string, boolean>();
  /** Those being settled, and how often each had been hinted at before. */
  const settling = new Map<string, number | undefined>();

  const isCurrent = (candidate: Candidate) => {
    const now = all.get(candidate.facts.path);
    return now?.touches === candidate.touches && sameVersion(now.facts, candidate.facts);
  };
  const put = (candidate: Candidate) => {
    const now = all.get(candidate.facts.path);
    if (now === undefined || !isCurrent(candidate)) return;
    all.set(candidate.facts.path, { ...candidate, looks: now.looks, lookedAt: now.lookedAt, seenTouches: now.seenTouches });
  };

  return {
    get: (path) => all.get(path),
    look(facts, now, wall, recheck) {
      const former = all.get(facts.path);
      const met = look(former, facts, now, wall, recheck);
      const hinted = closes.get(facts.path);
      // The hint came before this look.
      const candidate = former === undefined && hinted !== undefined
        ? { ...touch(met, hinted), seenTouches: met.touches + 1 }
        : met;
      closes.delete(facts.path);
      all.set(facts.path, candidate);
      return { candidate, first: former === undefined };
    },
    touch(path, closed) {
      const candidate = all.get(path);
      if (candidate === undefined) closes.set(path, closed);
      else all.set(path, touch(candidate, closed));
    },
    isHeardOf: (path) => all.has(path) || closes.has(path),
    put,
    isCurrent,
    forget(path) {
      all.delete(path);
      closes.delete(path);
    },
    begin(paths) {
      const begun = [...new Set(paths)].filter((path) => !settling.has(path));
      for (const path of begun) settling.set(path, all.get(path)?.touches);
      return begun;
    },
    end(path, again) {
      const candidate = all.get(path);
      const touches = settling.get(path);
      settling.delete(path);
      // Nothing may stay without a next look.
      if (candidate && (candidate.touches !== touches || candidate.state.is === "new")) put(lookAgain(candidate, again));
    },
    idle: () => settling.size === 0,
    postpone(paths, again) {
      for (const path of paths) {
        const candidate = all.get(path);
        if (candidate) put(lookAgain(candidate, again));
      }
    },
    due(now) {
      const due: string[] = [];
      for (const [path, { state }] of all) {
        if (state.is === "waiting" && state.again <= now && !settling.has(path)) due.push(path);
      }
      return due;
    },
    nextDue() {
      let next = Infinity;
      for (const [path, { state }] of all) {
        if (state.is === "waiting" && state.again < next && !settling.has(path)) next = state.again;
      }
      return next;
    },
    notSeenSince: (time) => [...all.values()].filter(({ lookedAt }) => lookedAt < time).map(({ facts }) => facts.path),
    waiting: () => [...all.values()].map(waitingOf),
    unsettled() {
      let count = 0;
      for (const candidate of all.values()) if (!isParked(candidate)) count++;
      return count;
    },
  };
}
