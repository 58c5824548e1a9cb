/**
 * What changes while an outbox lives, and the state of the destination that follows from it. The functions are pure.
 *
 * @module
 */
import type { DestinationState, FormerFiles } from "../domain/destination_state.ts";
import type { FailureRecord } from "../domain/failure.ts";
import type { AuditState } from "../ledger/audit_ledger.ts";
import type { TimedSession } from "./timed_session.ts";

/** Each of these changes independently of the others. */
export interface OutboxState {
  suspension: Suspension;
  opening: Opening;
  connection: Connection;
  staging: Staging;
  /** Sessions that are over and still have batches in hand. */
  readonly closing: Set<Promise<void>>;
  /** Batches in hand, over all sessions. */
  batches: number;
  /** A person accepted the disk that is there now: what is to become of the files on the former one. */
  acceptedDisk: FormerFiles | null;
  /** At the end, the parts of large files stay for the next start to resume. */
  keepsParts: boolean;
  readonly audit: AuditNow;
  known: Known;
  /** The state that was emitted last. */
  announced: DestinationState;
}

/** The audit of the destination. */
interface AuditNow {
  /** The one that runs, or the last one; null before the first, and until it was read. */
  run: AuditState | null;
  /** A person asked for one now. */
  asked: boolean;
  /** The file whose look ended with an outage; a second time it is the file's own fault. */
  doubted: number | null;
}

/** Why nothing is sent until a person resumes it, even if the destination works. */
export type Suspension =
  | { readonly state: "none" }
  | { readonly state: "paused"; readonly by: string }
  | { readonly state: "on_hold"; readonly failure: FailureRecord };

/** Whether the schedule of the job lets anything be sent, and if not, when it next does; null if it does not know. */
type Opening = { readonly state: "open" } | { readonly state: "closed"; readonly until: number | null };

/** The current session; after `end`, no new batch begins with it. */
export type Connection =
  | { readonly state: "closed" }
  | { readonly state: "opening"; readonly end: () => void }
  | { readonly state: "open"; readonly end: () => void; readonly session: TimedSession };

/** What may lie in our staging folder: nothing, what a former process left, or only what this one put there. */
type Staging = "empty" | "former" | "own";

/** What is known about the destination since it was last open. */
export interface Known {
  readonly method: string;
  /** As last measured on the right disk; null while that cannot be reached. */
  readonly freeBytes: number | null;
  /** The base path was found since the start. */
  readonly found: boolean;
  /** The base path did not exist and was made since the start. */
  readonly made: boolean;
}

/** The state of an outbox that has done nothing yet; `contacted` where an earlier process reached the destination. */
export function startOf(
  former: { readonly pausedBy: string | null; readonly contacted: boolean; readonly method: string },
): OutboxState {
  const suspension: Suspension = former.pausedBy === null ? { state: "none" } : { state: "paused", by: former.pausedBy };
  return {
    suspension,
    opening: { state: "open" },
    connection: { state: "closed" },
    // Even if this process ends before it has looked, a former one may have left something.
    staging: former.contacted ? "former" : "empty",
    closing: new Set(),
    batches: 0,
    acceptedDisk: null,
    keepsParts: true,
    audit: { run: null, asked: false, doubted: null },
    known: { method: former.method, freeBytes: null, found: false, made: false },
    announced: { state: "open" },
  };
}

/** On hold for this reason, unless it is paused: resuming ends both. */
export function held(suspension: Suspension, failure: FailureRecord): Suspension {
  return suspension.state === "paused" ? suspension : { state: "on_hold", failure };
}

/** The state of the destination as people see it. */
export function destinationState(
  { suspension, opening, connection, announced }: Pick<OutboxState, "suspension" | "opening" | "connection" | "announced">,
  own: DestinationState,
  host: DestinationState,
  now: number,
): DestinationState {
  if (suspension.state === "paused") return suspension;
  if (suspension.state === "on_hold") return { ...suspension, until: now };
  // What a person has to mend is worth knowing before the next run; whether it can be reached is not.
  if (opening.state === "closed" && own.state !== "on_hold" && host.state !== "on_hold") return opening;
  if (own.state !== "open") return own;
  // The host answered, but not yet for this destination: it may be its disk that does not respond.
  if (connection.state === "opening" && host.state === "open" && announced.state === "backing_off") return announced;
  // As long as its own session is open, a failure of another destination on the host does not concern it.
  return connection.state === "open" ? own : host;
}

/** The same to a person: a new time for the next probe alone is not worth an event. */
export function sameForPeople(a: DestinationState, b: DestinationState): boolean {
  if (a.state !== b.state) return false;
  if (a.state === "paused" || b.state === "paused") return a.state === "paused" && b.state === "paused" && a.by === b.by;
  if (a.state === "open" || b.state === "open") return true;
  if (a.state === "closed" || b.state === "closed") return a.state === "closed" && b.state === "closed" && a.until === b.until;
  return a.failure.code === b.failure.code && a.failure.message === b.failure.message;
}
