/**
 * A file that is not settled yet, as it was seen so far. Each look makes a new candidate from the former one;
 * what was learnt of the content and of the writer holds for one version only.
 *
 * @module
 */
import type { FailureRecord } from "../../domain/failure.ts";
import { type FileFacts, sameFingerprint } from "../../domain/source_file.ts";
import type { Content } from "./inspect.ts";
import type { WriterState } from "./writers.ts";
import { NO_MARKER, type Observation, type WaitReason } from "./settle.ts";

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
  /** What its content says; absent before the first look into it. */
  readonly content?: Content;
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
  return { ...candidate, closed, state, touches: number };
}

/** What was found in its content. */
export function withContent(candidate: Candidate, content: Content): Candidate {
  return { ...candidate, content, declared: "declaredBytes" in content.verdict ? content.verdict.declaredBytes : null };
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
