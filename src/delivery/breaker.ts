/**
 * A circuit breaker: opened by an outage, probed after a delay that grows with every failure in a row, closed again by a success.
 * While it is open, nothing passes. One for each destination, and one for each account on a host that all destinations there
 * share, so that a host that refuses logins is asked by one of them only.
 *
 * @module
 */
import { backOff } from "../domain/back_off.ts";
import type { DestinationState } from "../domain/destination_state.ts";
import type { FailureCode, FailureRecord } from "../domain/failure.ts";
import type { Clock } from "../system/system.ts";

/** Times in milliseconds. */
export interface Breaker {
  /** Opens it for a while; `baseMs` is the first delay. */
  trip(failure: FailureRecord, baseMs: number): void;
  /**
   * Takes the right to try: null while it is open, or while another try is running, because servers drop connections when several
   * log in at once (MaxStartups, PerSourcePenalties). The function gives the right back if the try ends undecided.
   */
  enter(): (() => void) | null;
  /** The try went well so far: the next may try. */
  close(): void;
  /** Something really worked: the failures in a row are forgotten, unless it was opened meanwhile. */
  succeed(): void;
  /** Makes the next probe due now: a person says that the cause is gone. */
  probeSoon(): void;
  failuresInARow(): number;
  /** Milliseconds until it makes sense to call {@linkcode enter} again; 0 for now. */
  wait(): number;
  /** The state of the destination behind it: `open` (for files) while the breaker is closed. */
  state(): DestinationState;
  /** Calls back at every change, until the returned function is called. */
  listen(listener: () => void): () => void;
}

/** A closed breaker. */
export function circuitBreaker(clock: Pick<Clock, "now" | "monotonic" | "random">): Breaker {
  let state: BreakerState = CLOSED;
  let probing: symbol | null = null;
  // Asked for during a probe, which may have begun before the cause was gone.
  let probesAgain = false;
  const listeners = new Set<() => void>();
  const become = (next: BreakerState, stillProbing: symbol | null) => {
    const changed = next !== state || stillProbing !== probing;
    probesAgain &&= stillProbing !== null;
    state = next;
    probing = stillProbing;
    if (changed) { for (const listener of [...listeners]) listener(); }
  };

  return {
    trip(failure, baseMs) {
      const monotonic = clock.monotonic();
      const tripped = trip(state, failure, { baseMs, random: clock.random(), monotonic });
      become(probesAgain ? probeSoon(tripped, monotonic) : tripped, null);
    },
    enter() {
      if (probing !== null || !mayTry(state, clock.monotonic())) return null;
      const mine = Symbol("probe");
      probing = mine;
      return () => probing === mine && become(state, null);
    },
    close: () => become(close(state), null),
    succeed() {
      if (state.tripped === null && state.failuresInARow > 0) become(CLOSED, probing);
    },
    probeSoon() {
      probesAgain = probing !== null;
      become(probeSoon(state, clock.monotonic()), probing);
    },
    failuresInARow: () => state.failuresInARow,
    wait: () => probing !== null ? 1000 : state.tripped === null ? 0 : Math.max(0, state.tripped.probeAt - clock.monotonic()),
    state: () => shown(state, clock.now(), clock.monotonic()),
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The breaker as a value; `tripped` is null while it is closed. Failures are counted since the last success. */
export interface BreakerState {
  readonly failuresInARow: number;
  /** `probeAt` is when the next try may be made, by the monotonic clock, milliseconds. */
  readonly tripped: { readonly failure: FailureRecord; readonly probeAt: number } | null;
}

/** Nothing went wrong. */
export const CLOSED: BreakerState = { failuresInARow: 0, tripped: null };

/** How long to wait: `baseMs` is the destination's retry delay, `random` a number in [0, 1) for the jitter. */
interface TripRules {
  readonly baseMs: number;
  readonly random: number;
  readonly monotonic: number;
}

/** Opens the breaker. A failure before the probe is due belongs to the same outage and does not delay the probe. */
export function trip(breaker: BreakerState, failure: FailureRecord, rules: TripRules): BreakerState {
  if (breaker.tripped && rules.monotonic < breaker.tripped.probeAt) {
    return graver(failure, breaker.tripped.failure) ? { ...breaker, tripped: { ...breaker.tripped, failure } } : breaker;
  }
  const failuresInARow = breaker.failuresInARow + 1;
  return { failuresInARow, tripped: { failure, probeAt: rules.monotonic + delayOf(failure, failuresInARow, rules) } };
}

/** Lets files pass again; the failures in a row are kept until something has worked. */
export function close(breaker: BreakerState): BreakerState {
  return breaker.tripped ? { ...breaker, tripped: null } : breaker;
}

/** Whether a probe is due (or none is needed). */
export function mayTry(breaker: BreakerState, monotonic: number): boolean {
  return breaker.tripped === null || monotonic >= breaker.tripped.probeAt;
}

/** Makes a probe due now. */
export function probeSoon(breaker: BreakerState, monotonic: number): BreakerState {
  return breaker.tripped ? { ...breaker, tripped: { ...breaker.tripped, probeAt: monotonic } } : breaker;
}

/** The breaker as it is shown; `now` is the wall clock that belongs to `monotonic`. */
export function shown(breaker: BreakerState, now: number, monotonic: number): DestinationState {
  if (breaker.tripped === null) return { state: "open" };
  const { failure, probeAt } = breaker.tripped;
  const until = Math.round(now + Math.max(0, probeAt - monotonic));
  return failure.next === "hold" ? { state: "on_hold", failure, until } : { state: "backing_off", until, failure };
}

/** Whether a failure concerns the host, and so every destination on it, or this destination alone. */
export function concernsHost(failure: FailureRecord): boolean {
  return HOST_CODES.has(failure.code);
}

const HOST_CODES: ReadonlySet<FailureCode> = new Set<FailureCode>([
  "unreachable",
  "interrupted",
  "timeout",
  "host_key_unknown",
  "host_key_changed",
  "certificate_refused",
  "login_refused",
]);

// A probe of these is a login: too many get the account banned.
const RARE_CODES: ReadonlySet<FailureCode> = new Set<FailureCode>(["host_key_unknown", "host_key_changed", "login_refused"]);

const SECOND = 1000;
const MINUTE = 60 * SECOND;

function delayOf(failure: FailureRecord, failuresInARow: number, { baseMs, random }: TripRules): number {
  if (RARE_CODES.has(failure.code)) return backOff(failuresInARow, 5 * MINUTE, random, 30 * MINUTE);
  if (failure.next === "hold") return backOff(failuresInARow, 5 * SECOND, random, MINUTE);
  // The first failure is often just an idle connection that was dropped: try again almost at once.
  if (failuresInARow === 1) return backOff(1, Math.min(baseMs, SECOND), random);
  return backOff(failuresInARow - 1, baseMs, random);
}

function graver(a: FailureRecord, b: FailureRecord): boolean {
  return a.next === "hold" && b.next !== "hold";
}
