/**
 * What the outbox of a destination is handed and keeps for its life, and the state of the destination that follows from it. Its sessions,
 * workers and batches are handed all of it.
 */
import { type Bell, bell } from "../async/bell.ts";
import { type Semaphore, semaphore } from "../async/semaphore.ts";
import type { Delivery, DestinationState, FormerFiles } from "../domain/delivery.ts";
import type { FailureRecord } from "../domain/failure.ts";
import type { Destination, Job } from "../config/settings.ts";
import type { GrowingFile } from "../domain/source_file.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { AuditState } from "../ledger/history.ts";
import type { OutboxLedger } from "../ledger/outbox_ledger.ts";
import { paceOf } from "../methods/bandwidth.ts";
import type { Method, MethodContext } from "../methods/method.ts";
import type { EarlyLooks } from "../system/processes/early_looks.ts";
import type { Clock, System } from "../system/system.ts";
import { sourceRoot } from "../system/watching/source_root.ts";
import { type AheadParts, aheadParts } from "./ahead/ahead_parts.ts";
import { type Attempts, attempts } from "./attempts.ts";
import { type Breaker, circuitBreaker, concernsHost } from "./breaker.ts";
import type { TimedSession } from "./timed_session.ts";

/** A folder that was just made at a destination: `<stagingRoot>/<name>` below its base path. */
export interface Probe {
  readonly stagingRoot: string;
  readonly name: string;
}

/** Looks whether files that are sent come back to a watched folder. */
export interface LoopCheck {
  /**
   * Looks for the probe in all watched folders, which takes as long as listing them.
   *
   * @throws {Failure} `loop` where files would come back to the job of the destination, directly or through other jobs.
   */
  check(destination: Destination, probe: Probe, signal: AbortSignal): Promise<void>;
  /** Whether the last check of the destination found a loop, or none was made yet. */
  doubts(destination: Destination): boolean;
}

export interface OutboxOptions {
  readonly job: Job;
  readonly destination: Destination;
  readonly system: System;
  readonly ledger: OutboxLedger;
  readonly emit: Emit;
  readonly method: Pick<Method, "connect">;
  readonly methodContext: MethodContext;
  /** The breaker of the account on the destination's host, shared by all destinations there. */
  readonly hostBreaker: Breaker;
  readonly loops: LoopCheck;
  /** Whether this destination may send now: bounded only where `max_concurrent_syncs` is set. */
  readonly concurrentSyncs: Semaphore;
  readonly shutdownTimeoutMs: number;
  readonly fileOperations: number;
  readonly batchFiles: number;
  /** Looks for writers that the intake has begun; without it, each batch looks for itself. */
  readonly looks?: Pick<EarlyLooks, "of" | "heardSince">;
  /** The run ends when all is done: what cannot be delivered is given up instead of kept for later. */
  readonly once: boolean;
  /** Files of the job that are large and still being written; with `growing_files` only. */
  readonly growing?: () => readonly GrowingFile[];
  /** Called after files were recorded as delivered, and when the destination can be reached again. */
  readonly delivered?: () => void;
  /** Called when a source was rewritten under the same time while it was sent: it must be checked again. */
  readonly rewritten?: () => void;
}

/** All that belongs to one destination for the life of its outbox. */
export interface DestinationContext extends OutboxOptions {
  readonly growing: () => readonly GrowingFile[];
  /** Of this destination alone. */
  readonly breaker: Breaker;
  readonly attempts: Attempts;
  readonly transfers: ReturnType<typeof transfers>;
  /** What was sent of files that are still being written. */
  readonly ahead: AheadParts;
  /** Batches that may send at once. */
  readonly parallelTransfers: Semaphore;
  /** Targets of the batches in hand, by their `nameKey`; kept with `on_conflict: overwrite` only. */
  readonly names: Map<string, string>;
  /** Targets of files that are just being removed there, by their `nameKey`. */
  readonly removing: Set<string>;
  readonly unflushed: ReturnType<typeof unflushedTargets>;
  /** Deliveries of which something was or may have been sent, and that are not recorded as delivered yet, by id. */
  readonly begun: Set<number>;
  /** Rung when there may be something new to do. */
  readonly bell: Bell;
  /** Whether the watched folder is missing or on another device than at first: then a missing file does not count as gone. */
  readonly sourceAway: () => Promise<boolean>;
  readonly state: OutboxState;
}

/** Reads from the ledger what a former process left. */
export function destinationContext(options: OutboxOptions): DestinationContext {
  const { job, destination, system, ledger, emit } = options;
  const former = {
    pausedBy: ledger.pausedBy(destination.name),
    contacted: ledger.deviceOf(job.name, destination.name) !== null,
    method: destination.transport.method,
  };
  const attempted = attempts(system, ledger.parts(job.name, destination.name));
  const context: DestinationContext = {
    ...options,
    growing: options.growing ?? (() => []),
    breaker: circuitBreaker(system),
    attempts: attempted,
    ahead: aheadParts(
      { stagingRoot: options.methodContext.stagingRoot, job: job.name, destination: destination.name },
      attempted,
      paceOf(destination, options.methodContext),
    ),
    transfers: transfers(system, emit),
    parallelTransfers: semaphore(destination.parallelTransfers),
    names: new Map(),
    removing: new Set(),
    begun: new Set(),
    unflushed: unflushedTargets(job.name, destination.name, ledger),
    bell: bell(system),
    sourceAway: sourceRoot(job.watchPath, system).isAway,
    state: startOf(former),
  };
  context.state.announced = stateOf(context);
  return context;
}

/** The state of the destination as people see it. */
export function stateOf({ state, breaker, hostBreaker, system }: DestinationContext): DestinationState {
  return destinationState(state, breaker.state(), hostBreaker.state(), system.now());
}

export function stateChanged(context: DestinationContext): void {
  const { job, state, destination, emit, bell } = context;
  const [now, before] = [stateOf(context), state.announced];
  if (!sameForPeople(now, before)) {
    state.announced = now;
    emit({ type: "destination", job: job.name, name: destination.name, now, before });
  }
  bell.ring();
}

/** Opens the breaker that the failure concerns: the host's or the destination's own. */
export function trip({ state, destination, breaker, hostBreaker }: DestinationContext, failure: FailureRecord): void {
  // How full a full disk is, is known; nothing is known about a disk that is missing.
  if (failure.code !== "disk_full") state.known = { ...state.known, freeBytes: null };
  (concernsHost(failure) ? hostBreaker : breaker).trip(failure, destination.retryDelayMs);
}

export function succeed({ breaker, hostBreaker }: DestinationContext): void {
  breaker.succeed();
  hostBreaker.succeed();
}

/**
 * Targets at a destination that were found, and of which no flush is known to have worked, also over the end of the daemon: what has these
 * names is never adopted, because its next flush may succeed although its bytes are lost (Linux tells of an error of the disk only once, fsync(2)).
 */
function unflushedTargets(
  job: string,
  destination: string,
  ledger: Pick<OutboxLedger, "unflushed" | "rememberUnflushed">,
) {
  const all = new Set(ledger.unflushed(job, destination));
  const remember = () => ledger.rememberUnflushed(job, destination, [...all]);
  return {
    has: (target: string): boolean => all.has(target),
    add(targets: readonly string[]): void {
      for (const target of targets) all.add(target);
      remember();
    },
    /** They were flushed, or our own flushed copies have replaced them. */
    forget(targets: readonly string[]): void {
      const known = targets.filter((target) => all.delete(target));
      if (known.length === 0) return;
      try {
        remember();
      } catch {
        // Then one is sent again some day that could be adopted.
      }
    },
  };
}

const TELL_EVERY_MS = 200;

/** The running transfers of one destination: emits what is being sent and how far it is, but not too often. */
function transfers(clock: Pick<Clock, "monotonic">, emit: Emit) {
  const running = new Map<number, { bytes: number; toldAt: number }>();
  return {
    begin(delivery: Delivery): void {
      running.set(delivery.id, { bytes: 0, toldAt: clock.monotonic() });
      emit({ type: "sending", delivery });
    },
    at(delivery: Delivery, bytes: number): void {
      const transfer = running.get(delivery.id);
      const now = clock.monotonic();
      if (!transfer || bytes === transfer.bytes || now - transfer.toldAt < TELL_EVERY_MS) return;
      running.set(delivery.id, { bytes, toldAt: now });
      emit({ type: "progress", delivery, bytes });
    },
    end: (delivery: Delivery): void => void running.delete(delivery.id),
  };
}

/** Each of these changes independently of the others. */
interface OutboxState {
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
  announced: DestinationState;
}

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
  // What needs a person is worth knowing before the next run; whether it can be reached is not.
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
