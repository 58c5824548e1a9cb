/** A batch, and what is known about each file in it. */
import type { mutex } from "../async/mutex.ts";
import type { Delivery } from "../domain/delivery.ts";
import { type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { Digest, Receipt } from "../domain/receipt.ts";
import type { OutboxLedger } from "../ledger/outbox_ledger.ts";
import { stagedName } from "./attempts.ts";
import type { DestinationContext } from "./destination_context.ts";
import type { Sweeper } from "./sweep.ts";
import type { TimedSession } from "./timed_session.ts";

export interface OpenSession {
  readonly context: DestinationContext;
  readonly session: TimedSession;
  readonly sweeper: Sweeper;
  /** Aborted when the outbox is asked to end: no new batch begins. */
  readonly soft: AbortSignal;
  /** Aborted when the time for the batches in hand is up: they are dropped. */
  readonly hard: AbortSignal;
}

/** What the workers of a session share. */
export interface Workers {
  /** Checks that the place is still the right one. */
  readonly look: () => Promise<void>;
  /** They wait and claim one after the other. */
  readonly inTurn: ReturnType<typeof mutex>;
  /** Ends the session because of the destination. */
  readonly fail: (failure: FailureRecord) => void;
  /** Aborted when no new batch may begin. */
  readonly over: AbortSignal;
}

/** Deliveries that go through the steps together, before anything of their sources is read. */
export interface Unread extends OpenSession {
  readonly items: readonly Item[];
}

/** The same while they are read. */
export interface Batch extends Unread {
  /** Nothing is read before it has answered, or it is read again. */
  readonly writers: WritersLook;
}

/** The look for the writers of one batch. */
export interface WritersLook {
  /** Resolves when it is over; then whatever is read is one version. */
  over(): Promise<void>;
  /**
   * Is awaited before anything is sent. False where the look goes on while a small batch is sent: then only a hash that is read after it tells
   * what was sent.
   */
  beforeSending(): Promise<boolean>;
}

/** A delivery in a batch. Once its `outcome` is known, the steps skip it. */
export interface Item {
  readonly delivery: Delivery;
  staged: string;
  /** SHA-256 of the source's bytes, once known. */
  sha256: string | null;
  /** When this attempt began to read them, milliseconds since 1970 UTC; null if it did not, or the hash was remembered. */
  readAt: number | null;
  /** The source's ctime when the attempt began. */
  ctimeMs: number;
  mode: number | null;
  /** What the destination has, where that was compared while the file was put; else `verify` asks. */
  there: Digest | null;
  receipt: Receipt | null;
  outcome: Outcome | null;
}

/**
 * `found`: it was at the destination before anything was sent. `counts: false` where neither the file nor the destination is at fault: no
 * attempt is used up.
 */
export type Outcome = { readonly receipt: Receipt; readonly found?: true } | {
  readonly failure: FailureRecord;
  readonly counts?: false;
};

export function undecided(items: readonly Item[]): Item[] {
  return items.filter((item) => item.outcome === null);
}

/** Makes it the outcome that the item failed, unless it has an outcome already. */
export function giveUp(item: Item, thrown: unknown): void {
  item.outcome ??= { failure: failureRecord(thrown) };
}

export function sizeOf(items: readonly Item[]): number {
  return items.reduce((sum, { delivery }) => sum + delivery.source.size, 0);
}

export function failureOf({ outcome }: Item): FailureRecord | null {
  return outcome !== null && "failure" in outcome ? outcome.failure : null;
}

/** Deliveries at the beginning of an attempt. */
export function itemsOf(
  deliveries: readonly Delivery[],
  attemptOf: (delivery: Delivery) => string,
  { methodContext, ledger }: DestinationContext,
): Item[] {
  // After a failure of its own the remembered hash may be wrong: the source is read again.
  const firstTried = deliveries.filter(({ attempts }) => attempts === 0);
  let hashes: ReturnType<OutboxLedger["hashesOf"]> = new Map();
  try {
    hashes = ledger.hashesOf(firstTried);
  } catch {
    // The sources are read instead: a claimed batch is always finished.
  }
  return deliveries.map((delivery) => ({
    delivery,
    staged: stagedName(methodContext.stagingRoot, attemptOf(delivery), delivery),
    sha256: hashes.get(delivery.id) ?? null,
    readAt: null,
    ctimeMs: delivery.source.ctimeMs,
    mode: null,
    there: null,
    receipt: null,
    outcome: null,
  }));
}
