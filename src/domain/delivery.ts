/**
 * A Delivery is one version of one file on its way to one destination. Its state is a variant that
 * carries only its own data; the functions here are the only transitions.
 */
import type { FailureRecord } from "./failure.ts";
import type { Receipt } from "./receipt.ts";
import type { SourceFile } from "./source_file.ts";

/** Where a delivery stands. Times in milliseconds since 1970 UTC. */
export type DeliveryState =
  | { readonly state: "queued" }
  | { readonly state: "sending"; readonly attempt: string }
  | { readonly state: "deferred"; readonly retryAt: number; readonly failure: FailureRecord }
  | { readonly state: "delivered"; readonly receipt: Receipt }
  | { readonly state: "failed"; readonly failure: FailureRecord };

export interface Delivery {
  /** Of the ledger; given in the order of queueing, never used again. */
  readonly id: number;
  readonly source: SourceFile;
  readonly destination: string;
  /** The method that carries it, as configured or as `auto` chose. */
  readonly method: string;
  /** The path at the destination, relative to its base path, `/` between the parts; frozen when the file was admitted. */
  readonly target: string;
  /** The observing night it belongs to, `YYYYMMDD`. */
  readonly night: string;
  /** How often it was tried and failed for a reason of its own; outages of the destination do not count. */
  readonly attempts: number;
  /** When it was admitted, milliseconds since 1970 UTC. */
  readonly queuedAt: number;
  readonly state: DeliveryState;
}

/** How often it was tried, the time that succeeded included. */
export function triesOf({ state, attempts }: Pick<Delivery, "state" | "attempts">): number {
  return state.state === "delivered" ? attempts + 1 : attempts;
}

export function send(delivery: Delivery, attempt: string): Delivery {
  return { ...delivery, state: { state: "sending", attempt } };
}

export function deliver(delivery: Delivery, receipt: Receipt): Delivery {
  return { ...delivery, state: { state: "delivered", receipt } };
}

/** The delivery, to be tried again at `retryAt`. `counts` says whether the file itself was at fault. */
export function defer(delivery: Delivery, failure: FailureRecord, retryAt: number, counts: boolean): Delivery {
  return { ...delivery, attempts: delivery.attempts + (counts ? 1 : 0), state: { state: "deferred", retryAt, failure } };
}

/** The delivery, given up until a person retries it. */
export function fail(delivery: Delivery, failure: FailureRecord): Delivery {
  return { ...delivery, attempts: delivery.attempts + 1, state: { state: "failed", failure } };
}

/** The delivery, put back into the queue untouched: the daemon ended before it was its turn, or in the middle of it. */
export function park(delivery: Delivery): Delivery {
  return { ...delivery, state: { state: "queued" } };
}

/** Whether a destination is accepting files, and if not, why and until when. Times in milliseconds since 1970 UTC. */
export type DestinationState =
  | { readonly state: "open" }
  | { readonly state: "backing_off"; readonly until: number; readonly failure: FailureRecord }
  | { readonly state: "on_hold"; readonly failure: FailureRecord; readonly until: number }
  | { readonly state: "paused"; readonly by: string }
  /** By the schedule of its job; `until` is when that next sends, null if only a person knows. */
  | { readonly state: "closed"; readonly until: number | null };

/** What is to become of the files that were delivered to a former disk: they are sent again, or stay on that disk only. */
export type FormerFiles = "send_again" | "keep";
