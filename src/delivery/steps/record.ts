/**
 * Writes down what became of a batch, in one transaction, and tells the event stream. The last step: whatever is
 * lost before it is found again at the destination.
 *
 * @module
 */
import type { Delivery } from "../../domain/delivery.ts";
import { failureRecord } from "../../domain/failure.ts";
import { confirmGone } from "./check_source.ts";
import { crashPoint } from "../crash_point.ts";
import { nextState } from "../next_state.ts";
import type { Item, Way } from "../way.ts";

const RETRY_MS = 5_000;

/** Records all items. While the ledger cannot be written (its disk is full), it waits and tries again. */
export async function record(items: readonly Item[], way: Way, signal: AbortSignal): Promise<void> {
  await confirmGone(items, way);
  const rules = {
    destination: way.destination,
    now: way.system.now(),
    random: way.system.random(),
    once: way.once,
    stopping: way.stopping(),
  };
  const deliveries = items.map((item): Delivery => {
    const outcome = item.outcome ?? { failure: failureRecord(new Error("delivery ended without an outcome")) };
    return nextState({ ...item.delivery, method: way.session.method }, outcome, rules);
  });
  crashPoint("before_record", way.system);
  const reads = new Map(
    items.flatMap(({ delivery, sha256, readAt }) =>
      readAt === null || sha256 === null ? [] : [[delivery.id, { at: readAt, sha256 }]]
    ),
  );
  const parts = new Map(items.flatMap(({ delivery }) => {
    const staged = way.session.resumes ? way.attempts.leftover(delivery) : undefined;
    return staged === undefined ? [] : [[delivery.id, staged]];
  }));
  const doubted = await stubbornly(way, signal, () => way.ledger.record(deliveries, way.system.now(), reads, parts));
  crashPoint("after_record", way.system);
  if (doubted) way.doubted();
  for (const delivery of deliveries) {
    if (delivery.state.state !== "sending") way.emit({ type: delivery.state.state, delivery });
  }
}

/** Repeats a write to the ledger until it works or the daemon ends; at the next start the destination is asked. */
async function stubbornly<T>(way: Way, signal: AbortSignal, write: () => T): Promise<T> {
  for (let told = false;; told = true) {
    try {
      return write();
    } catch (error) {
      const { message } = failureRecord(error);
      if (!told) {
        way.emit({ type: "notice", level: "error", message: `Cannot write the ledger: ${message}. Retrying`, error });
      }
      if (signal.aborted) throw error;
      await way.system.sleep(RETRY_MS, signal);
    }
  }
}
