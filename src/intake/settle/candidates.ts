/**
 * The files of one job that are not settled yet. Only these are kept in memory: what is admitted is in the ledger.
 *
 * @module
 */
import type { FileFacts } from "../../domain/source_file.ts";
import { type Candidate, isParked, look, sameVersion, touch, type Waiting, waitingOf } from "./candidate.ts";

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
  forget(path: string): void;
  /** Paths that are to be looked at again by now. */
  due(now: number): string[];
  /** When the next one is due, but for those that `except` names; Infinity if none. */
  nextDue(except: (path: string) => boolean): number;
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
  const closes = new Map<string, boolean>();

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
    put(candidate) {
      const now = all.get(candidate.facts.path);
      if (now?.touches !== candidate.touches || !sameVersion(now.facts, candidate.facts)) return;
      all.set(candidate.facts.path, { ...candidate, looks: now.looks, lookedAt: now.lookedAt, seenTouches: now.seenTouches });
    },
    forget(path) {
      all.delete(path);
      closes.delete(path);
    },
    due(now) {
      const due: string[] = [];
      for (const [path, { state }] of all) if (state.is === "waiting" && state.again <= now) due.push(path);
      return due;
    },
    nextDue(except) {
      let next = Infinity;
      for (const [path, { state }] of all) {
        if (state.is === "waiting" && state.again < next && !except(path)) next = state.again;
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
