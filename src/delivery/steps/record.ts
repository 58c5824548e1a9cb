/**
 * Writes down what became of a batch, in one transaction, and tells the event stream. The last step: whatever is
 * lost before it is found again at the destination.
 *
 * @module
 */
import type { Delivery } from "../../domain/delivery.ts";
import { failureRecord } from "../../domain/failure.ts";
import { confirmGone } from "./check.ts";
import { crashPoint } from "../crash_point.ts";
import { nextState } from "../next_state.ts";
import type { Batch, Item } from "../batch.ts";

const RETRY_MS = 5_000;

/** Records all items. While the ledger cannot be written (its disk is full), it waits and tries again. */
export async function record(items: readonly Item[], batch: Batch, signal: AbortSignal): Promise<void> {
  await confirmGone(items, batch);
  const rules = {
    destination: batch.destination,
    now: batch.system.now(),
    random: batch.system.random(),
    once: batch.once,
    stopping: batch.stopping(),
  };
  const deliveries = items.map((item): Delivery => {
    const outcome = item.outcome ?? { failure: failureRecord(new Error("delivery ended without an outcome")) };
    return nextState({ ...item.delivery, method: batch.session.method }, outcome, rules);
  });
  crashPoint("before_record", batch.system);
  const reads = new Map(
    items.flatMap(({ delivery, sha256, readAt }) =>
      readAt === null || sha256 === null ? [] : [[delivery.id, { at: readAt, sha256 }]]
    ),
  );
  const parts = new Map(items.flatMap(({ delivery }) => {
    const staged = batch.session.resumes ? batch.attempts.leftover(delivery) : undefined;
    return staged === undefined ? [] : [[delivery.id, staged]];
  }));
  const rewritten = await stubbornly(batch, signal, () => batch.ledger.record(deliveries, batch.system.now(), reads, parts));
  crashPoint("after_record", batch.system);
  if (rewritten) batch.rewritten();
  for (const delivery of deliveries) {
    if (delivery.state.state !== "sending") batch.emit({ type: delivery.state.state, delivery });
  }
}

/** Repeats a write to the ledger until it works or the daemon ends; at the next start the destination is asked. */
async function stubbornly<T>(batch: Batch, signal: AbortSignal, write: () => T): Promise<T> {
  for (let told = false;; told = true) {
    try {
      return write();
    } catch (error) {
      const { message } = failureRecord(error);
      if (!told) {
        batch.emit({ type: "notice", level: "error", message: `Cannot write the ledger: ${message}. Retrying`, error });
      }
      if (signal.aborted) throw error;
      await batch.system.sleep(RETRY_MS, signal);
    }
  }
}
