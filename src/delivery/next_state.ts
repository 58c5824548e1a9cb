/**
 * What a delivery becomes after an attempt: delivered, deferred, failed, or queued again. Pure.
 *
 * @module
 */
import { backOff } from "../domain/back_off.ts";
import { defer, deliver, type Delivery, fail, park } from "../domain/delivery.ts";
import { type FailureRecord, isOutage } from "../domain/failure.ts";
import type { Destination } from "../config/settings.ts";
import type { Outcome } from "./batch.ts";

/** What the next state depends on besides the outcome. */
interface StateRules {
  readonly destination: Pick<Destination, "retryAttempts" | "retryDelayMs">;
  /** Milliseconds since 1970 UTC. */
  readonly now: number;
  /** A number in [0, 1) for the jitter. */
  readonly random: number;
  /** The run ends when all is done: a source that keeps changing is left to the next run. */
  readonly once: boolean;
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
    if (rules.once) return fail(delivery, superseded(failure));
  }
  return defer(delivery, failure, rules.now + backOff(tried, retryDelayMs, rules.random), true);
}

function superseded(failure: FailureRecord): FailureRecord {
  return { ...failure, code: "superseded", next: "never" };
}
