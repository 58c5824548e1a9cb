/**
 * The files of one job that are not settled yet, as they were seen so far. Each look makes a new candidate from the former one; what was
 * learnt of the content and of the writer holds for one version only.
 */
import type { FailureRecord } from "../../domain/failure.ts";
import { type FileFacts, freshMs, sameFingerprint } from "../../domain/source_file.ts";
import type { Content } from "./inspect.ts";
import { NO_MARKER, type Observation, type WaitReason } from "./settle.ts";
import type { WriterState } from "./writers.ts";

/** Times by the monotonic clock, milliseconds, unless said otherwise. */
export interface Candidate {
  readonly facts: FileFacts;
  /** First seen, and when that was by the wall clock. */
  readonly since: number;
  readonly sinceWall: number;
  /** Since when this version has not changed. */
  readonly changedAt: number;
  readonly lookedAt: number;
  /** How often this version was looked at. */
  readonly looks: number;
  /** The former version was the same file, and shorter. */
  readonly grew: boolean;
  /** When it was last seen to be longer than before; null where it never was. */
  readonly grownAt: number | null;
  /** A close was told and no write after it. */
  readonly closed: boolean;
  /** The number of the last event that told of it, 0 where none did: whatever was decided before it is out of date. */
  readonly touches: number;
  /** The last of them that had come before the last look began. */
  readonly seenTouches: number;
  /** Only its ctime differs from what the ledger knows: its content must be compared. */
  readonly recheck: boolean;
  /** What its content says; absent before the first look into it. `contentAt` is when that look began. */
  readonly content?: Content;
  readonly contentAt?: number;
  /** What is missing, where it is sent all the same. */
  readonly incomplete?: string;
  /** The bytes the file declares, remembered while it grows. */
  readonly declared: number | null;
  readonly state: CandidateState;
  /** What listeners were told of this version already, so that they are told once. */
  readonly told: string;
  /** The size that listeners were told last, and when. */
  readonly toldSize: number;
  readonly toldAt: number;
}

/** What is said of a candidate, and when it is looked at again. */
type CandidateState =
  | { readonly is: "new" }
  | { readonly is: "waiting"; readonly reason: WaitReason; readonly again: number }
  /** Left alone until it changes. */
  | { readonly is: "incomplete"; readonly reason: string }
  /** Left alone until it changes, or until the next scan where that may help. */
  | { readonly is: "refused"; readonly failure: FailureRecord };

/** What a person is shown of a file that is being waited for. Sizes in bytes. */
export interface Waiting {
  /** Relative to the watched folder, `/` between the parts. */
  readonly path: string;
  readonly reason: WaitReason | "incomplete" | "refused";
  /** In words, where there is more to say. */
  readonly detail: string;
  /** What helps, where a person must do something. */
  readonly hint: string;
  readonly size: number;
  /** The length that the file declares of itself; null while it tells none. */
  readonly declared: number | null;
  /** First seen, milliseconds since 1970 UTC. */
  readonly since: number;
  /** A folder that may not be listed. */
  readonly isFolder?: true;
}

/** A look at a file: the candidate with the facts found now. */
export function look(former: Candidate | undefined, facts: FileFacts, now: number, wall: number, recheck = false): Candidate {
  if (former !== undefined && sameVersion(former.facts, facts)) {
    return { ...former, facts, lookedAt: now, looks: former.looks + 1, seenTouches: former.touches, recheck };
  }
  const grew = former !== undefined && facts.identity === former.facts.identity && facts.size > former.facts.size;
  return {
    facts,
    since: former?.since ?? now,
    sinceWall: former?.sinceWall ?? wall,
    changedAt: now,
    lookedAt: now,
    looks: 1,
    grew,
    grownAt: grew ? now : former?.grownAt ?? null,
    // A change without an event: some were lost, and with them what came after the close.
    closed: former !== undefined && former.closed && former.touches !== former.seenTouches,
    touches: former?.touches ?? 0,
    seenTouches: former?.touches ?? 0,
    recheck,
    declared: former?.declared ?? null,
    state: { is: "new" },
    told: "",
    toldSize: former?.toldSize ?? facts.size,
    toldAt: former?.toldAt ?? now,
  };
}

/** Two looks found the same version; a changed ctime counts as a change here, for metadata is written by writers too. */
export function sameVersion(a: FileFacts, b: FileFacts): boolean {
  return sameFingerprint(a, b) && Math.trunc(a.ctimeMs) === Math.trunc(b.ctimeMs);
}

/** An event told of it: a close says that no writer is left, everything else that there may be one. */
export function touch(candidate: Candidate, closed: boolean, number = candidate.touches + 1): Candidate {
  const state = isGivenUp(candidate) ? { is: "new" } as const : candidate.state;
  return { ...candidate, closed, state, touches: number, contentAt: -Infinity };
}

/**
 * Without a content that was not all there when it was read, if it may have changed since and nothing shows it: an event told of the file,
 * or it was so young that another write leaves its mtime as it is.
 */
export function withoutStaleContent(candidate: Candidate): Candidate {
  const { content, contentAt = -Infinity, ...rest } = candidate;
  const mayHaveChanged = content?.verdict.verdict !== "reached" && contentAt < candidate.changedAt + freshMs(candidate.facts);
  return mayHaveChanged ? rest : candidate;
}

/** What was found in its content by a look that began at `contentAt`. */
export function withContent(candidate: Candidate, content: Content, contentAt: number): Candidate {
  return {
    ...candidate,
    content,
    contentAt,
    declared: "declaredBytes" in content.verdict ? content.verdict.declaredBytes : null,
  };
}

/** To be looked at again at `again`, for the same reason as before. */
export function lookAgain(candidate: Candidate, again: number): Candidate {
  const reason = candidate.state.is === "waiting" ? candidate.state.reason : "quiet";
  return { ...candidate, state: { is: "waiting", reason, again } };
}

/** Given up until something happens to it. */
export function isGivenUp({ state }: Candidate): boolean {
  return state.is === "incomplete" || state.is === "refused";
}

/** Whether what it was given up for may pass without any change of the file itself. */
export function mayPass({ state }: Candidate): boolean {
  return state.is === "refused" ? state.failure.next === "later" : state.is === "incomplete" && state.reason === NO_MARKER;
}

/** What is known of it, for {@linkcode settle}. `wall` is the wall clock, `local` whether all its writers are on this machine. */
export function observation(
  { facts, content, changedAt, looks, grew, closed, recheck }: Candidate,
  at: { now: number; wall: number; local: boolean; costly: boolean; marker: boolean; writer?: WriterState },
): Observation {
  const { now, wall, local, ...known } = at;
  return {
    unchangedMs: now - changedAt,
    ageMs: wall - Math.max(facts.mtimeMs, facts.ctimeMs),
    // What is read at once to be compared is looked at for writers first: since the close it may have been opened again.
    ...{ looks, grew, closed: closed && local && !recheck },
    ...known,
    ...(content === undefined ? {} : { content }),
  };
}

/** The candidate as it is shown; null where there is nothing to show yet. */
export function waitingOf({ facts, sinceWall, declared, state }: Candidate): Waiting {
  const shown = { path: facts.path, size: facts.size, declared, since: sinceWall };
  switch (state.is) {
    case "new":
      return { ...shown, reason: "quiet", detail: "", hint: "" };
    case "waiting":
      return { ...shown, reason: state.reason, detail: "", hint: "" };
    case "incomplete":
      return { ...shown, reason: "incomplete", detail: state.reason, hint: INCOMPLETE_HINT };
    case "refused":
      return { ...shown, reason: "refused", detail: state.failure.message, hint: state.failure.hint };
    default:
      return state satisfies never;
  }
}

const INCOMPLETE_HINT = "It is sent once it is complete. If the camera has abandoned it, remove it or set deliver_incomplete.";

/** By path, relative to the watched folder with `/`. Times by the monotonic clock, milliseconds, but for `wall`. */
export type Candidates = ReturnType<typeof candidates>;

/** One for each intake; empty, as a restart finds all of them again. `due` is called when one may be due sooner than the others. */
export function candidates(due: () => void = () => {}) {
  const all = new Map<string, Candidate>();
  /** Files that an event told of before the first look: the last of them. */
  const heardOf = new Map<string, { readonly closed: boolean; readonly touches: number }>();
  let lastTouch = 0;

  const isCurrent = (candidate: Candidate) => {
    const now = all.get(candidate.facts.path);
    return now?.touches === candidate.touches && sameVersion(now.facts, candidate.facts);
  };

  return {
    get: (path: string): Candidate | undefined => all.get(path),
    /**
     * Notes a look; `first` where the file was no candidate before. An event that came after the one with the number `asOf` may have come after
     * the look at the file, too: then the file is looked at again at once.
     */
    look(
      facts: FileFacts,
      now: number,
      wall: number,
      recheck: boolean,
      asOf: number = lastTouch,
    ): { candidate: Candidate; first: boolean } {
      const former = all.get(facts.path);
      const heard = former === undefined ? heardOf.get(facts.path) : undefined;
      const seen = look(former, facts, now, wall, recheck);
      const touched = heard === undefined ? seen : touch(seen, heard.closed, heard.touches);
      const candidate = { ...touched, seenTouches: Math.min(touched.touches, asOf) };
      heardOf.delete(facts.path);
      all.set(facts.path, candidate);
      return { candidate, first: former === undefined };
    },
    /** The number of the last event that told of any file. */
    lastTouch: (): number => lastTouch,
    /** Notes an event; that of a file that is no candidate yet is remembered for the first look at it. */
    touch(path: string, closed: boolean): void {
      const candidate = all.get(path);
      const touches = ++lastTouch;
      if (candidate === undefined) heardOf.set(path, { closed, touches });
      else all.set(path, touch(candidate, closed, touches));
    },
    /** Whether it is a candidate, or an event told of it. */
    isHeardOf: (path: string): boolean => all.has(path) || heardOf.has(path),
    /** Notes what was found out of a candidate, if that is still true. */
    put(candidate: Candidate): void {
      const now = all.get(candidate.facts.path);
      if (now === undefined || !isCurrent(candidate)) return;
      all.set(candidate.facts.path, { ...candidate, looks: now.looks, lookedAt: now.lookedAt, seenTouches: now.seenTouches });
    },
    /** Whether it is still there, the same version, and no event has told of it since. */
    isCurrent,
    forget(path: string): void {
      all.delete(path);
      heardOf.delete(path);
    },
    /** Paths of those that were not looked at since then. */
    notSeenSince: (time: number): string[] =>
      [...all.values()].filter(({ lookedAt }) => lookedAt < time).map(({ facts }) => facts.path),
    /** All of them, given up or not. */
    all: (): Iterable<Candidate> => all.values(),
    /** The same as a person is shown them. */
    waiting: (): Waiting[] => [...all.values()].map(waitingOf),
    /** How many are neither finished nor given up. */
    unsettled: (): number => [...all.values()].filter((candidate) => !isGivenUp(candidate)).length,

    ...turns(all, due),
  };
}

/** Over these candidates. */
function turns(all: Map<string, Candidate>, sooner: () => void) {
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
    /** Begins to settle these, but for those that are being settled and do not wait for an answer; returns the paths begun. */
    begin(paths: readonly string[]): string[] {
      const begun = [...new Set(paths)].filter((path) => !settling.has(path) || asked.has(path));
      for (const path of begun) {
        settling.set(path, all.get(path)?.seenTouches);
        asked.delete(path);
      }
      return begun;
    },
    /** No longer settles it. Where an event told of it meanwhile, or nothing was decided, it is looked at again at `again`. */
    end,
    /**
     * These wait for an answer; meanwhile another may begin to settle them, as an event may tell what was asked for. The result is called
     * when the answer is there, and returns those that still wait for it; those that an event told of are looked at again instead.
     */
    ask(paths: readonly string[]): () => string[] {
      const answer = Symbol();
      for (const path of paths) asked.set(path, answer);
      return () => {
        const mine = paths.filter((path) => asked.get(path) === answer && asked.delete(path));
        for (const path of mine.filter(isTouched)) end(path, -Infinity);
        return mine.filter((path) => settling.has(path));
      };
    },
    /** Whether none is being settled. */
    idle: (): boolean => settling.size === 0,
    /** Looks at these no sooner than at `again`. */
    postpone(paths: readonly string[], again: number): void {
      for (const path of paths) lookAgainAt(path, again);
    },
    /** Paths that are to be looked at again by now, and are not being settled. */
    due(now: number): string[] {
      const due: string[] = [];
      for (const [path, candidate] of all) if (dueAt(candidate) <= now && !settling.has(path)) due.push(path);
      return due;
    },
    /** When the next one is due; Infinity if none. */
    nextDue(): number {
      let next = Infinity;
      for (const [path, candidate] of all) if (dueAt(candidate) < next && !settling.has(path)) next = dueAt(candidate);
      return next;
    },
  };
}

function dueAt({ state }: Candidate): number {
  return state.is === "waiting" ? state.again : Infinity;
}
