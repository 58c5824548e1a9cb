/**
 * What a batch needs on its way through the corridor, and what is known of each file on that way.
 *
 * @module
 */
import type { Delivery } from "../domain/delivery.ts";
import { type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { Destination } from "../domain/job.ts";
import type { Receipt } from "../domain/receipt.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Session } from "../methods/method.ts";
import type { System } from "../system/system.ts";
import type { Attempts } from "./attempts.ts";
import type { Semaphore } from "../async/semaphore.ts";
import type { Transfers } from "./transfers.ts";

/** The parts of the system that the outbox uses. */
export type OutboxSystem = Pick<
  System,
  "now" | "monotonic" | "sleep" | "random" | "facts" | "followedFacts" | "hash" | "remove" | "env" | "crash"
>;

/** An open session with all that belongs to it. */
export interface Batch {
  readonly destination: Destination;
  /** Whether the watched folder is away: files are only gone if it is there. */
  readonly sourceAway: () => Promise<boolean>;
  readonly session: Session;
  readonly system: OutboxSystem;
  readonly ledger: Ledger;
  readonly emit: Emit;
  readonly stagingRoot: string;
  readonly attempts: Attempts;
  readonly transfers: Transfers;
  /** Places to send at this destination. */
  readonly parallelTransfers: Semaphore;
  /** This destination's place among those that are sent to at once. */
  readonly concurrentSyncs: Semaphore;
  /** Names that batches in hand are to give, by their `nameKey`; kept with `on_conflict: overwrite` only. */
  readonly names: Map<string, string>;
  /** Most file operations at once. */
  readonly fileOperations: number;
  /** The run ends when all is done: what cannot be settled is given up instead of kept for later. */
  readonly once: boolean;
  /** Whether the outbox has been asked to end. */
  stopping(): boolean;
  /** Bytes that may still be sent before too little stays free there; null = not known. */
  roomBytes(): number | null;
  /** Called when bytes really moved: the destination works. */
  moved(): void;
  /** Called when a source was rewritten under the same time while it was sent: it must be looked at again. */
  rewritten(): void;
}

/** A delivery on its way. `outcome` is set when its fate is known; the steps skip it from then on. */
export interface Item {
  readonly delivery: Delivery;
  /** Its staging name. */
  staged: string;
  /** SHA-256 of the source's bytes, once known. */
  sha256: string | null;
  /** When that was begun to be read in this attempt, milliseconds since 1970 UTC; null where it was not, or is remembered. */
  readAt: number | null;
  /** The source's ctime when the attempt began. */
  ctimeMs: number;
  receipt: Receipt | null;
  outcome: Outcome | null;
}

/** `counts: false` where neither the file nor the destination is at fault: no attempt is used up. */
export type Outcome = { readonly receipt: Receipt } | { readonly failure: FailureRecord; readonly counts?: false };

/** The items whose fate is open. */
export function undecided(items: readonly Item[]): Item[] {
  return items.filter((item) => item.outcome === null);
}

/** Settles a item's fate as failed; nothing happens if its fate is known already. */
export function giveUp(item: Item, thrown: unknown): void {
  item.outcome ??= { failure: failureRecord(thrown) };
}

/** A delivery at the beginning of its way. */
export function itemOf(delivery: Delivery, attempt: string, batch: Pick<Batch, "stagingRoot" | "ledger">): Item {
  return {
    delivery,
    staged: stagedName(batch.stagingRoot, attempt, delivery),
    // After a failure of its own the remembered hash may be the culprit: read again.
    sha256: delivery.attempts === 0 ? remembered(delivery, batch.ledger) : null,
    readAt: null,
    ctimeMs: delivery.source.ctimeMs,
    receipt: null,
    outcome: null,
  };
}

/** What is in hand must come to its end also while the ledger cannot be read: then the source is. */
function remembered(delivery: Delivery, ledger: Pick<Ledger, "hashOf">): string | null {
  try {
    return ledger.hashOf(delivery);
  } catch {
    return null;
  }
}

/** `<staging root>/<attempt>/<id>`: found again after a crash by the ledger alone, whatever the file's own name is. */
export function stagedName(stagingRoot: string, attempt: string, delivery: Pick<Delivery, "id">): string {
  return `${stagingRoot}/${attempt}/${delivery.id}`;
}
