/**
 * What the outbox of a destination is handed and keeps for its life. Its sessions, workers and batches are handed all of it.
 *
 * @module
 */
import { type Bell, bell } from "../async/bell.ts";
import { type Semaphore, semaphore } from "../async/semaphore.ts";
import type { DestinationState } from "../domain/destination_state.ts";
import type { FailureRecord } from "../domain/failure.ts";
import type { Destination, Job } from "../config/settings.ts";
import type { GrowingFile } from "../domain/growing_file.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { AuditLedger } from "../ledger/audit_ledger.ts";
import type { MirrorLedger } from "../ledger/mirror_ledger.ts";
import type { OutboxLedger } from "../ledger/outbox_ledger.ts";
import { paceOf } from "../methods/bandwidth.ts";
import type { Method, MethodContext } from "../methods/method.ts";
import type { EarlyLooks } from "../system/processes/early_looks.ts";
import type { System } from "../system/system.ts";
import { sourceRoot } from "../system/watching/source_root.ts";
import { type AheadParts, aheadParts } from "./ahead/ahead_parts.ts";
import { type Attempts, attempts } from "./attempts.ts";
import { type Breaker, circuitBreaker, concernsHost } from "./breaker.ts";
import { destinationState, type OutboxState, sameForPeople, startOf } from "./outbox_state.ts";
import { type Transfers, transfers } from "./transfers.ts";
import { type Unflushed, unflushedTargets } from "./unflushed.ts";

/** The parts of the system that the outbox uses. */
export type OutboxSystem = Pick<
  System,
  | "now"
  | "monotonic"
  | "sleep"
  | "random"
  | "randomHex"
  | "facts"
  | "followedFacts"
  | "read"
  | "hash"
  | "openForWriting"
  | "hashChunks"
  | "hashWithChunks"
  | "unlikeChunks"
  | "remove"
  | "rename"
  | "link"
  | "list"
  | "makeFolder"
  | "makeInside"
  | "realPath"
  | "readText"
  | "platform"
  | "uid"
  | "env"
  | "crash"
>;

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

/** What an outbox is handed. */
export interface OutboxOptions {
  readonly job: Job;
  readonly destination: Destination;
  readonly system: OutboxSystem;
  readonly ledger: OutboxLedger & AuditLedger & Pick<MirrorLedger, "replacedBy" | "mirrorOf" | "addTrash">;
  readonly emit: Emit;
  readonly method: Pick<Method, "connect">;
  readonly methodContext: MethodContext;
  /** The breaker of the account on the destination's host, shared by all destinations there. */
  readonly hostBreaker: Breaker;
  readonly loops: LoopCheck;
  /** Whether this destination may send now: bounded only where `max_concurrent_syncs` is set. */
  readonly concurrentSyncs: Semaphore;
  readonly shutdownTimeoutMs: number;
  /** Most file operations at once. */
  readonly fileOperations: number;
  /** Most files in a batch. */
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
  readonly transfers: Transfers;
  /** What was sent of files that are still being written. */
  readonly ahead: AheadParts;
  /** Batches that may send at once. */
  readonly parallelTransfers: Semaphore;
  /** Targets of the batches in hand, by their `nameKey`; kept with `on_conflict: overwrite` only. */
  readonly names: Map<string, string>;
  /** Targets of files that are just being removed there, by their `nameKey`. */
  readonly removing: Set<string>;
  readonly unflushed: Unflushed;
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

/** Emits the destination's state if it changed, and rings the bell. */
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

/** Notes that the destination works. */
export function succeed({ breaker, hostBreaker }: DestinationContext): void {
  breaker.succeed();
  hostBreaker.succeed();
}
