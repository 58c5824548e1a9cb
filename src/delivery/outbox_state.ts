/**
 * What changes while an outbox lives, and what follows from it. The functions are pure: times are given in.
 *
 * @module
 */
import type { DestinationState, FormerFiles } from "../domain/destination_state.ts";
import { Failure, type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { TimedSession } from "./timed_session.ts";

/** None of these follows from another. */
export interface OutboxState {
  suspension: Suspension;
  connection: Connection;
  staging: Staging;
  /** Sessions that are over and still have batches in hand. */
  readonly closing: Set<Promise<void>>;
  /** Batches in hand, over all sessions. */
  batches: number;
  /** A person said that the place is right as it is, and what is to become of the files of the former one. */
  acceptedDisk: FormerFiles | null;
  /** Parts of large files stay at the end, for the next start to go on with. */
  keepsParts: boolean;
  known: Known;
  /** The state that was emitted last. */
  announced: DestinationState;
}

/** Why nothing may be sent before a person says so, whatever the destination itself can do. */
export type Suspension =
  | { readonly state: "none" }
  | { readonly state: "paused"; readonly by: string }
  | { readonly state: "on_hold"; readonly failure: FailureRecord };

/** The session at work; `end` lets no new batch begin with it. */
export type Connection =
  | { readonly state: "closed" }
  | { readonly state: "opening"; readonly end: () => void }
  | { readonly state: "open"; readonly end: () => void; readonly session: TimedSession };

/** What of ours may lie in the staging folder: nothing, what a former process left, or only what this one put there. */
export type Staging = "empty" | "former" | "own";

/** What is known of the destination since it was last open. */
export interface Known {
  readonly method: string;
  readonly about: string;
  /** As last measured at the right place; null where that cannot be reached now. */
  readonly freeBytes: number | null;
  /** The base path was not there and was made since the start. */
  readonly made: boolean;
}

/** The state of an outbox that has done nothing yet; `contacted` where an earlier process reached the destination. */
export function startOf(
  former: { readonly pausedBy: string | null; readonly contacted: boolean; readonly method: string },
): OutboxState {
  const suspension: Suspension = former.pausedBy === null ? { state: "none" } : { state: "paused", by: former.pausedBy };
  return {
    suspension,
    connection: { state: "closed" },
    // A former process may have left something, even if this one ends before it has looked.
    staging: former.contacted ? "former" : "empty",
    closing: new Set(),
    batches: 0,
    acceptedDisk: null,
    keepsParts: true,
    known: { method: former.method, about: "", freeBytes: null, made: false },
    announced: { state: "open" },
  };
}

/** Holds for this reason; a pause remains one, and the resume that ends it ends both. */
export function held(suspension: Suspension, failure: FailureRecord): Suspension {
  return suspension.state === "paused" ? suspension : { state: "on_hold", failure };
}

/** The state of the destination as people see it. */
export function destinationState(
  { suspension, connection }: Pick<OutboxState, "suspension" | "connection">,
  own: DestinationState,
  host: DestinationState,
  now: number,
): DestinationState {
  if (suspension.state === "paused") return suspension;
  if (suspension.state === "on_hold") return { ...suspension, until: now };
  if (own.state !== "open") return own;
  // While the session is open, the trouble of another destination on the host is not this one's.
  return connection.state === "open" ? own : host;
}

/** The same for a person: the time of the next probe alone is no news. */
export function sameForPeople(a: DestinationState, b: DestinationState): boolean {
  if (a.state !== b.state) return false;
  if (a.state === "paused" || b.state === "paused") return a.state === "paused" && b.state === "paused" && a.by === b.by;
  if (a.state === "open" || b.state === "open") return true;
  return a.failure.code === b.failure.code && a.failure.message === b.failure.message;
}

/** Whether all was delivered, or why the outbox gave up waiting. */
export interface Idleness {
  readonly drained: boolean;
  /** Null where all was delivered. */
  readonly failure: FailureRecord | null;
}

/** What a run that has to end knows of an outbox; `waiting` are the deliveries that are neither delivered nor given up. */
export interface Outlook {
  readonly name: string;
  readonly waiting: number;
  readonly batches: number;
  readonly state: DestinationState;
  readonly failuresInARow: number;
  readonly retryAttempts: number;
}

/** Whether the end has come for a run that has to end; null while it makes sense to wait. */
export function idleness({ name, waiting, batches, state, failuresInARow, retryAttempts }: Outlook): Idleness | null {
  if (waiting === 0 && batches === 0) return { drained: true, failure: null };
  if (state.state === "paused") {
    return { drained: false, failure: failureRecord(new Failure("stopped", `${name} is paused by ${state.by}`)) };
  }
  if (batches > 0 || state.state === "open") return null;
  const inVain = state.state === "on_hold" || failuresInARow >= Math.max(1, retryAttempts);
  return inVain ? { drained: false, failure: state.failure } : null;
}
