/**
 * What delivery asks of the ledger: the queue of each destination, what became of each delivery, which sources may be removed, and
 * what is remembered about a destination.
 */
import type { Delivery } from "../domain/delivery.ts";
import type { FailureRecord } from "../domain/failure.ts";
import type { Receipt } from "../domain/receipt.ts";
import type { SourceFile } from "../domain/source_file.ts";
import type { History } from "./history.ts";

/** How much one attempt claims at most; it gets less where less is due. */
export interface ClaimRequest {
  readonly job: string;
  readonly destination: string;
  /** By the time of last change of the source file. */
  readonly order: "oldest_first" | "newest_first";
  readonly maxFiles: number;
  /** At least one file is claimed whatever its size. */
  readonly maxBytes: number;
  /** Name of the attempt, stored with each claimed delivery. */
  readonly attempt: string;
  /** What is deferred beyond it is not due. */
  readonly now: number;
}

/** The hash of a version's bytes, read for a delivery; `at` is when the read began. */
export interface BytesRead {
  readonly at: number;
  readonly sha256: string;
}

/** A source file that is verified at every destination. */
export interface Removable {
  readonly versionId: number;
  readonly source: SourceFile;
  /** One per destination. */
  readonly deliveries: readonly Delivery[];
  /** Of these deliveries, in the same order. */
  readonly receipts: readonly Receipt[];
}

/**
 * Every change is one transaction, durable on return. No call ever queues an older version of a file behind a newer one that goes
 * to the same destination. A receipt never changes; only `markGone` and `sendAgain` remove it.
 */
export interface OutboxLedger extends Pick<History, "query" | "each" | "counts"> {
  /**
   * Moves due deliveries to the state `sending` and returns them. No two calls claim the same delivery, not even from two processes;
   * a newer version waits until an older one is no longer being sent.
   */
  claim(request: ClaimRequest): Delivery[];
  /** Deliveries in the state `sending`: after a start, those that an earlier process was sending when it ended. */
  inFlight(job: string, destination: string): Delivery[];
  /**
   * Stores state, method and attempts of these deliveries, all of them or none.
   *
   * @param reads the bytes read for them, by delivery id
   * @param parts the staged names of parts left at the destination, by delivery id; of the others no part is left
   * @returns true if a receipt or a read has other bytes than the version was last seen with: the file was rewritten under the same
   * time while it was sent, and `unknown` lists it under `recheck`.
   */
  record(
    deliveries: readonly Delivery[],
    now: number,
    reads?: ReadonlyMap<number, BytesRead>,
    parts?: ReadonlyMap<number, string>,
  ): boolean;
  /** The parts left of deliveries that are not finished, with their staged names. */
  parts(job: string, destination: string): { readonly delivery: Delivery; readonly staged: string }[];
  /** The hashes that the versions of these deliveries were last seen with, by delivery id; none of what nobody has read yet. */
  hashesOf(deliveries: readonly Delivery[]): ReadonlyMap<number, string>;
  /**
   * When the next deferred delivery is due; 0 if something can be claimed now, null if nothing waits (or only newer versions of
   * what is being sent).
   */
  nextDue(job: string, destination: string): number | null;
  /** Makes all deferred deliveries of a destination due now. */
  makeDue(job: string, destination: string): void;
  /** Targets of delivered files that differ from this one only in case or in the form of accents: for some file systems the same. */
  namesakes(job: string, destination: string, target: string): string[];

  /**
   * Queues failed deliveries again; `null` means all that `isTrouble`. Those named by id may also be deferred. Without those whose
   * file has a newer version. Returns how many.
   */
  requeue(ids: readonly number[] | null, now: number): number;
  /** Queues deliveries again that are delivered or known to be gone; their receipts are removed. Returns their ids. */
  sendAgain(ids: readonly number[], now: number): number[];
  /**
   * Records that delivered files are gone from the destination: failed with the code `gone`. Of their receipts only the time is
   * kept. `reason` is a sentence without a full stop. Returns how many.
   */
  markGone(ids: readonly number[], reason: string, now: number): number;
  /** Ends everything that is queued, being sent, deferred, or failed and `isTrouble`, with this failure. Returns how many. */
  giveUp(job: string, destination: string, failure: FailureRecord, now: number): number;

  /**
   * Source files whose every delivery is `delivered` at the level checksum or read_back, for every one of the destinations, all
   * with the same bytes, with no reread due, and not removed yet (I4). None without destinations. With `only`, those that were found
   * in this watched folder, with higher ids, and this version alone.
   */
  removable(
    job: string,
    destinations: readonly string[],
    limit: number,
    only?: { readonly watchPath: string; readonly after?: number; readonly versionId?: number },
  ): Removable[];
  /**
   * Whether this file is the newest version of its path, and each of the destinations has it: with this hash, as far as theirs is
   * known.
   */
  isDelivered(source: SourceFile, sha256: string | null, destinations: readonly string[]): boolean;
  /** Records that these sources were removed. */
  markRemoved(versionIds: readonly number[], now: number): void;

  /** The device of the base path at first contact; null before it, empty where the method cannot tell. */
  deviceOf(job: string, destination: string): string | null;
  rememberDevice(job: string, destination: string, device: string): void;
  /** Targets there that were found and could not be flushed (`delivery/destination_context.ts`). */
  unflushed(job: string, destination: string): string[];
  rememberUnflushed(job: string, destination: string, targets: readonly string[]): void;
  /** When the last run of a job with a schedule began; null before the first. */
  lastRun(job: string): number | null;
  rememberRun(job: string, at: number): void;
  /** Who paused it, as `pause` was told; null if it is not paused. By name alone: over all jobs. */
  pausedBy(destination: string): string | null;
  /** `by` null resumes it. */
  setPaused(destination: string, by: string | null): void;
}
