/**
 * What an outbox is handed, and its state as its own parts see it.
 *
 * @module
 */
import type { FailureRecord } from "../domain/failure.ts";
import type { FormerFiles } from "../domain/destination_state.ts";
import type { Destination, Job } from "../domain/job.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Method, MethodContext, Session } from "../methods/method.ts";
import type { Attempts } from "./attempts.ts";
import type { Breaker } from "./breaker.ts";
import type { Semaphore } from "../async/semaphore.ts";
import type { Transfers } from "./transfers.ts";
import type { Bell } from "../async/bell.ts";
import type { OutboxSystem } from "./batch.ts";

/** A folder that was left at a destination just now: `<stagingRoot>/<name>` below its base path. */
export interface Probe {
  readonly stagingRoot: string;
  readonly name: string;
}

/** Looks whether files that are sent come back to a watched folder. */
export interface LoopCheck {
  /**
   * Looks for the probe in all watched folders, which takes as long as listing them.
   *
   * @throws {Failure} `loop` where files would come back to the job of the destination, on their own or by way of other jobs.
   */
  check(destination: Destination, probe: Probe, signal: AbortSignal): Promise<void>;
  /** Whether the last check of the destination found a loop, or none was made yet. */
  doubts(destination: Destination): boolean;
}

/** What an outbox is handed. */
export interface OutboxOptions {
  readonly system: OutboxSystem;
  readonly ledger: Ledger;
  readonly method: Pick<Method, "connect">;
  readonly context: MethodContext;
  readonly emit: Emit;
  /** The breaker of the destination's host, shared by all destinations there. */
  readonly host: Breaker;
  /** Looks whether files come back from the destination. */
  readonly loops: LoopCheck;
  /** Whether this destination may send: bounded only where `max_concurrent_syncs` is set. */
  readonly concurrentSyncs: Semaphore;
  readonly shutdownTimeoutMs: number;
  /** Most file operations at once. */
  readonly fileOperations: number;
  /** Most files in hand by one batch. */
  readonly batchFiles: number;
  /** The run ends when all is done. */
  readonly once: boolean;
  /** Called after files were recorded as delivered, and when the destination can be asked again. */
  readonly delivered?: () => void;
  /** Called when a source was rewritten under the same time while it was sent: it must be looked at again. */
  readonly rewritten?: () => void;
}

/** The outbox as its own parts see it. */
export interface DestinationContext {
  readonly job: Job;
  readonly destination: Destination;
  readonly tools: OutboxOptions;
  /** The breaker of this destination alone. */
  readonly breaker: Breaker;
  readonly attempts: Attempts;
  readonly transfers: Transfers;
  readonly parallelTransfers: Semaphore;
  readonly bell: Bell;
  /** See {@linkcode Way.names}. */
  readonly names: Map<string, string>;
  /** Batches in hand. */
  busy: number;
  paused: boolean;
  /** What an earlier process had in hand is settled. */
  recovered: boolean;
  /** A person said that the place is right as it is, and what is to become of the files of the former one. */
  accept: FormerFiles | null;
  /** Why nothing may be sent before a person says that the cause is gone. */
  held: FailureRecord | null;
  /** Something of ours may be staged there. */
  littered: boolean;
  /** Parts of large files stay at the end, for the next start to go on with. */
  keepsParts: boolean;
  /** Of the round that runs; null between rounds. */
  session: Session | null;
  /** As last measured at the right place; null where that cannot be reached now. */
  freeBytes: number | null;
  /** The base path was not there and was made since the start. */
  made: boolean;
  /** Rounds that are over and still have batches in hand. */
  readonly draining: Set<Promise<void>>;
  /** Ends the round: no new batches with its session. */
  endRound: () => void;
  /** Closes the host's breaker or the own one, whichever the failure concerns. */
  trip(failure: FailureRecord): void;
  /** Whether the watched folder is missing or on another device than at first: then no file of it is known to be gone. */
  readonly sourceAway: () => Promise<boolean>;
}
