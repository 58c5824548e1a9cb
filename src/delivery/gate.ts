/**
 * A breaker in use: one for each destination, and one for each host that all destinations on it share, so
 * that a host that refuses logins is asked by one of them only.
 *
 * @module
 */
import type { DestinationState } from "../domain/destination_state.ts";
import type { FailureRecord } from "../domain/failure.ts";
import type { Clock } from "../system/system.ts";
import { admitAgain, type Breaker, mayTry, OPEN, probeSoon, shown, trip } from "./breaker.ts";

/** Closed by failures, opened by one try that succeeds. Times in milliseconds. */
export interface Gate {
  /** Closes it for a while; `baseMs` is the first delay. */
  trip(failure: FailureRecord, baseMs: number): void;
  /**
   * Takes the right to try: null while it is closed, or somebody else is trying; servers drop connections where several log in
   * at once (MaxStartups, PerSourcePenalties). The function gives the right back where the try ends without a verdict.
   */
  enter(): (() => void) | null;
  /** The try went well so far: the next may try. */
  admit(): void;
  /** Something was really done: the failures in a row are forgotten, unless it was closed meanwhile. */
  prove(): void;
  /** A person says that the cause is gone: probe now. */
  probeSoon(): void;
  /** Failures in a row. */
  streak(): number;
  /** Milliseconds until {@linkcode enter} is worth asking again; 0 when it may be. */
  wait(): number;
  state(): DestinationState;
  /** Calls back at every change, until the returned function is called. */
  listen(listener: () => void): () => void;
}

/** An open gate. */
export function gate(clock: Pick<Clock, "now" | "monotonic" | "random">): Gate {
  let breaker: Breaker = OPEN;
  let probing: symbol | null = null;
  const listeners = new Set<() => void>();
  const become = (next: Breaker, stillProbing: symbol | null) => {
    const changed = next !== breaker || stillProbing !== probing;
    breaker = next;
    probing = stillProbing;
    if (changed) { for (const listener of [...listeners]) listener(); }
  };

  return {
    trip: (failure, baseMs) =>
      become(trip(breaker, failure, { baseMs, random: clock.random(), monotonic: clock.monotonic() }), null),
    enter() {
      if (probing !== null || !mayTry(breaker, clock.monotonic())) return null;
      const mine = Symbol("probe");
      probing = mine;
      return () => probing === mine && become(breaker, null);
    },
    admit: () => become(admitAgain(breaker), null),
    prove() {
      if (breaker.tripped === null && breaker.streak > 0) become(OPEN, probing);
    },
    probeSoon: () => become(probeSoon(breaker, clock.monotonic()), probing),
    streak: () => breaker.streak,
    wait: () => probing !== null ? 1000 : breaker.tripped === null ? 0 : Math.max(0, breaker.tripped.probeAt - clock.monotonic()),
    state: () => shown(breaker, clock.now(), clock.monotonic()),
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
