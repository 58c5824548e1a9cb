/**
 * The breaker of a destination or of a host, as a value: closed by an outage, probed after a delay that grows
 * with every failure in a row, open again after a success. Pure: times are monotonic milliseconds given in.
 *
 * @module
 */
import { backOff } from "../domain/back_off.ts";
import type { DestinationState } from "../domain/destination_state.ts";
import type { FailureCode, FailureRecord } from "../domain/failure.ts";

/** `tripped` is null while files may pass; `streak` counts the failures since something last went well. */
export interface Breaker {
  readonly streak: number;
  /** `probeAt` is when the next try may be made, by the monotonic clock, milliseconds. */
  readonly tripped: { readonly failure: FailureRecord; readonly probeAt: number } | null;
}

/** Files may pass, nothing went wrong. */
export const OPEN: Breaker = { streak: 0, tripped: null };

/** How long to wait: `baseMs` is the destination's retry delay, `random` a number in [0, 1) for the jitter. */
export interface TripRules {
  readonly baseMs: number;
  readonly random: number;
  readonly monotonic: number;
}

/** Closes the breaker. A failure that comes in before the probe is due belongs to the same outage and prolongs nothing. */
export function trip(breaker: Breaker, failure: FailureRecord, rules: TripRules): Breaker {
  if (breaker.tripped && rules.monotonic < breaker.tripped.probeAt) {
    return graver(failure, breaker.tripped.failure) ? { ...breaker, tripped: { ...breaker.tripped, failure } } : breaker;
  }
  const streak = breaker.streak + 1;
  return { streak, tripped: { failure, probeAt: rules.monotonic + delayOf(failure, streak, rules) } };
}

/** Lets files pass again; the streak stays until something has gone well. */
export function admitAgain(breaker: Breaker): Breaker {
  return breaker.tripped ? { ...breaker, tripped: null } : breaker;
}

/** Whether a probe is due (or none is needed). */
export function mayTry(breaker: Breaker, monotonic: number): boolean {
  return breaker.tripped === null || monotonic >= breaker.tripped.probeAt;
}

/** Makes a probe due at once: a person says that the cause is gone. */
export function probeSoon(breaker: Breaker, monotonic: number): Breaker {
  return breaker.tripped ? { ...breaker, tripped: { ...breaker.tripped, probeAt: monotonic } } : breaker;
}

/** The breaker as it is shown; `now` is the wall clock that belongs to `monotonic`. */
export function shown(breaker: Breaker, now: number, monotonic: number): DestinationState {
  if (breaker.tripped === null) return { state: "open" };
  const { failure, probeAt } = breaker.tripped;
  const until = Math.round(now + Math.max(0, probeAt - monotonic));
  return failure.next === "hold" ? { state: "on_hold", failure, until } : { state: "backing_off", until, failure };
}

/** Whether a failure speaks of the host (and so of every destination on it) or of this destination alone. */
export function concernsHost(failure: FailureRecord): boolean {
  return HOST_CODES.has(failure.code);
}

const HOST_CODES: ReadonlySet<FailureCode> = new Set<FailureCode>([
  "unreachable",
  "interrupted",
  "timeout",
  "host_key_unknown",
  "host_key_changed",
  "login_refused",
]);

// Probing these means logging in again: too often gets a host banned.
const RARE_CODES: ReadonlySet<FailureCode> = new Set<FailureCode>(["host_key_unknown", "host_key_changed", "login_refused"]);

const SECOND = 1000;
const MINUTE = 60 * SECOND;

function delayOf(failure: FailureRecord, streak: number, { baseMs, random }: TripRules): number {
  if (RARE_CODES.has(failure.code)) return backOff(streak, 5 * MINUTE, random, 30 * MINUTE);
  if (failure.next === "hold") return backOff(streak, 5 * SECOND, random, MINUTE);
  // The first failure is often only a connection that died of idleness: try again nearly at once.
  if (streak === 1) return backOff(1, Math.min(baseMs, SECOND), random);
  return backOff(streak - 1, baseMs, random);
}

function graver(a: FailureRecord, b: FailureRecord): boolean {
  return a.next === "hold" && b.next !== "hold";
}
