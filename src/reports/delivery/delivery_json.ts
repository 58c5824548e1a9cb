/** `history --json` and `/api/deliveries`: a shape that scripts depend on. */
import { type DeliveryState, triesOf } from "../../domain/delivery.ts";
import { toldOf } from "../../domain/failure.ts";
import type { ProofLevel } from "../../domain/receipt.ts";
import type { DeliveryRow } from "../../ledger/history.ts";

/** Times ISO 8601 in UTC, sizes in bytes. */
export interface DeliveryJson {
  readonly id: number;
  readonly job: string;
  /** The source file, absolute, in the notation of its system. */
  readonly path: string;
  readonly size: number;
  readonly destination: string;
  readonly method: string;
  /** Path at the destination, below its base path. */
  readonly target: string;
  readonly state: DeliveryState["state"];
  /** How it was proven; null when it is not delivered, or was delivered without proof (`verify: none`). */
  readonly proof: Exclude<ProofLevel, "none"> | null;
  /** Of the bytes that were sent. */
  readonly sha256: string | null;
  /** How often it was tried: failures of its own, and the try that succeeded. Outages of the destination do not count. */
  readonly attempts: number;
  readonly queued_at: string;
  /** Null while it is not delivered. */
  readonly delivered_at: string | null;
  /** Why it is deferred or failed; null otherwise. */
  readonly error: ReturnType<typeof toldOf> | null;
  /** What was wrong with the file at its source, which is sent as it is; null where nothing was. */
  readonly warning: string | null;
}

export function deliveryJson({ delivery, sha256, deliveredAt, warning }: DeliveryRow): DeliveryJson {
  const { id, source, destination, method, target, state, queuedAt } = delivery;
  return {
    id,
    job: source.job,
    path: source.absolutePath,
    size: source.size,
    destination,
    method,
    target,
    state: state.state,
    proof: state.state === "delivered" && state.receipt.level !== "none" ? state.receipt.level : null,
    sha256,
    attempts: triesOf(delivery),
    queued_at: new Date(queuedAt).toISOString(),
    delivered_at: deliveredAt === null ? null : new Date(deliveredAt).toISOString(),
    error: state.state === "deferred" || state.state === "failed" ? toldOf(state.failure) : null,
    warning,
  };
}
