/**
 * A batch on its way through the corridor, and what is known of each file in it.
 *
 * @module
 */
import type { Delivery } from "../domain/delivery.ts";
import { type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { Receipt } from "../domain/receipt.ts";
import type { OutboxLedger } from "../ledger/outbox_ledger.ts";
import { stagedName } from "./attempts.ts";
import type { DestinationContext } from "./destination_context.ts";
import type { Sweeper } from "./sweep.ts";
import type { TimedSession } from "./timed_session.ts";

/** An open session with the destination that it belongs to. */
export interface OpenSession {
  readonly context: DestinationContext;
  readonly session: TimedSession;
  readonly sweeper: Sweeper;
  /** Aborted when the outbox is asked to end: nothing new is begun. */
  readonly soft: AbortSignal;
  /** Aborted when the time is up that was given to what is in hand. */
  readonly hard: AbortSignal;
}

/** Deliveries that go through the steps together. */
export interface Batch extends OpenSession {
  readonly items: readonly Item[];
}

/** A delivery in a batch. `outcome` is set when its fate is known; the steps skip it from then on. */
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

/** The items whose fate is not known yet. */
export function undecided(items: readonly Item[]): Item[] {
  return items.filter((item) => item.outcome === null);
}

/** Decides an item's fate as failed; nothing happens if it is known already. */
export function giveUp(item: Item, thrown: unknown): void {
  item.outcome ??= { failure: failureRecord(thrown) };
}

/** Bytes of the sources in all. */
export function sizeOf(items: readonly Item[]): number {
  return items.reduce((sum, { delivery }) => sum + delivery.source.size, 0);
}

/** The failure of an item that has one. */
export function failureOf({ outcome }: Item): FailureRecord | null {
  return outcome !== null && "failure" in outcome ? outcome.failure : null;
}

/** A delivery at the beginning of an attempt. */
export function itemOf(delivery: Delivery, attempt: string, { methodContext, ledger }: DestinationContext): Item {
  return {
    delivery,
    staged: stagedName(methodContext.stagingRoot, attempt, delivery),
    // After a failure of its own the remembered hash may be the culprit: read again.
    sha256: delivery.attempts === 0 ? remembered(delivery, ledger) : null,
    readAt: null,
    ctimeMs: delivery.source.ctimeMs,
    receipt: null,
    outcome: null,
  };
}

/** What is in hand must come to its end also while the ledger cannot be read: then the source is. */
function remembered(delivery: Delivery, ledger: Pick<OutboxLedger, "hashOf">): string | null {
  try {
    return ledger.hashOf(delivery);
  } catch {
    return null;
  }
}
