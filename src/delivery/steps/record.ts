/**
 * Records what became of a batch, in one transaction, and emits the events. The last step: after a crash before it, the files are
 * found again at the destination.
 */
import { defer, deliver, type Delivery, fail, park } from "../../domain/delivery.ts";
import { backOff, failureRecord, isOutage } from "../../domain/failure.ts";
import { confirmGone } from "./check.ts";
import { crashPoint } from "../crash_point.ts";
import type { Outcome, Unread } from "../batch.ts";
import type { DestinationContext } from "../destination_context.ts";
import type { Destination } from "../../config/settings.ts";

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
  let rewritten: boolean | null = null;
  for (let told = false; rewritten === null; told = true) {
    try {
      rewritten = ledger.record(deliveries, system.now(), reads, parts);
    } catch (error) {
      const message = `Cannot write the ledger: ${failureRecord(error).message}. Retrying`;
      if (!told) emit({ type: "notice", level: "error", message, error });
      // The next start asks the destination.
      if (signal.aborted) throw error;
      await system.sleep(RETRY_MS, signal);
    }
  }
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

interface StateRules extends Pick<DestinationContext, "once"> {
  readonly destination: Pick<Destination, "retryAttempts" | "retryDelayMs">;
  readonly now: number;
  readonly random: number;
  /** The daemon is asked to end: connections end with it, sometimes because their programs were asked as well. */
  readonly stopping: boolean;
}

/** Outages leave `attempts` as they are; `retryAttempts` counts tries, the first one included, and 0 is taken for 1. */
export function nextState(delivery: Delivery, outcome: Outcome, rules: StateRules): Delivery {
  if ("receipt" in outcome) return deliver(delivery, outcome.receipt);
  const { failure } = outcome;
  const { retryAttempts, retryDelayMs } = rules.destination;
  if (failure.code === "stopped" || (rules.stopping && isOutage(failure) && failure.next !== "hold")) return park(delivery);
  if (failure.next === "never") return fail(delivery, failure);
  if (isOutage(failure)) return defer(delivery, failure, rules.now + backOff(3, retryDelayMs, rules.random), false);
  if (outcome.counts === false) return defer(delivery, failure, rules.now + backOff(1, retryDelayMs, rules.random), false);
  const tried = delivery.attempts + 1;
  if (tried >= Math.max(1, retryAttempts)) {
    // The intake admits the new version when it is finished, and that ends the wait of this one.
    if (failure.code !== "source_changed") return fail(delivery, failure);
    // The run ends when all is done: a source that keeps changing is left to the next run.
    if (rules.once) return fail(delivery, { ...failure, code: "superseded", next: "never" });
  }
  return defer(delivery, failure, rules.now + backOff(tried, retryDelayMs, rules.random), true);
}
