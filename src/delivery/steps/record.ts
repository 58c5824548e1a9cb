/**
 * Records what became of a batch, in one transaction, and emits the events. The last step: after a crash before it, the files are
 * found again at the destination.
 *
 * @module
 */
import type { Delivery } from "../../domain/delivery.ts";
import { failureRecord } from "../../domain/failure.ts";
import { confirmGone } from "./check.ts";
import { crashPoint } from "../crash_point.ts";
import { nextState } from "../next_state.ts";
import type { Unread } from "../batch.ts";
import type { DestinationContext } from "../destination_context.ts";

const RETRY_MS = 5_000;

/** Records all items. While the ledger cannot be written (its disk is full), it waits and tries again. */
export async function record(batch: Unread, signal: AbortSignal): Promise<void> {
  const { items, context, session, soft } = batch;
  const { ledger, system, attempts, destination, once, emit, begun } = context;
  await confirmGone(batch);
  const rules = { destination, now: system.now(), random: system.random(), once, stopping: soft.aborted };
  const deliveries = items.map((item): Delivery => {
    const outcome = item.outcome ?? { failure: failureRecord(new Error("delivery ended without an outcome")) };
    return nextState({ ...item.delivery, method: session.method }, outcome, rules);
  });
  crashPoint("before_record", system);
  const reads = new Map(
    items.flatMap(({ delivery, sha256, readAt }) =>
      readAt === null || sha256 === null ? [] : [[delivery.id, { at: readAt, sha256 }]]
    ),
  );
  const parts = new Map(items.flatMap(({ delivery }) => {
    const staged = session.resumes ? attempts.leftover(delivery) : undefined;
    return staged === undefined ? [] : [[delivery.id, staged]];
  }));
  const rewritten = await stubbornly(context, signal, () => ledger.record(deliveries, system.now(), reads, parts));
  crashPoint("after_record", system);
  if (rewritten) context.rewritten?.();
  deliveries.forEach((delivery, index) => {
    const { state } = delivery.state;
    if (state === "sending") return;
    const { outcome } = items[index]!;
    const found = outcome !== null && "found" in outcome ? { found: true as const } : {};
    if (state === "delivered" || state === "failed") begun.delete(delivery.id);
    emit(state === "delivered" ? { type: state, delivery, ...found } : { type: state, delivery });
  });
}

/** Repeats a write to the ledger until it works or the daemon stops; the next start asks the destination. */
async function stubbornly<T>({ system, emit }: DestinationContext, signal: AbortSignal, write: () => T): Promise<T> {
  for (let told = false;; told = true) {
    try {
      return write();
    } catch (error) {
      const { message } = failureRecord(error);
      if (!told) {
        emit({ type: "notice", level: "error", message: `Cannot write the ledger: ${message}. Retrying`, error });
      }
      if (signal.aborted) throw error;
      await system.sleep(RETRY_MS, signal);
    }
  }
}
