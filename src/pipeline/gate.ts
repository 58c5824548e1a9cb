/**
 * A breaker in use: one for each destination, and one for each host that all destinations on it share, so
 * that a host that refuses logins is asked by one of them only.
 *
 * @module
 */
import type { DestinationState } from "../domain/destination_state.ts";
import type { FailureRecord } from "../domain/failure.ts";
import type { Clock } from "../system/system.ts";
import { admitAgain, type Breaker, hurryProbe, mayTry, OPEN, shown, trip } from "./breaker.ts";

export interface Gate {
  /** Closes it for a while; `baseMs` is the first delay. */
  trip(failure: FailureRecord, baseMs: number): void;
  /** Takes the right to try: false while it is closed or somebody else is probing. */
  enter(): boolean;
  /** The try went well so far: others may pass too. */
  admit(): void;
  /** Something was really done: the failures in a row are forgotten. */
  prove(): void;
  /** A try ended without a verdict (the daemon stops): others may probe. */
  leave(): void;
  /** A person says that the cause is gone: probe now. */
  hurry(): void;
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
  let probing = false;
  const listeners = new Set<() => void>();
  const become = (next: Breaker, stillProbing: boolean) => {
    const changed = next !== breaker || stillProbing !== probing;
    breaker = next;
    probing = stillProbing;
    if (changed) { for (const listener of [...listeners]) listener(); }
  };

  return {
    trip: (failure, baseMs) =>
      become(trip(breaker, failure, { baseMs, random: clock.random(), monotonic: clock.monotonic() }), false),
    enter() {
      if (breaker.tripped === null) return true;
      if (probing || !mayTry(breaker, clock.monotonic())) return false;
      probing = true;
      return true;
    },
    admit: () => become(admitAgain(breaker), false),
    prove: () => become(OPEN, false),
    leave: () => become(breaker, false),
    hurry: () => become(hurryProbe(breaker, clock.monotonic()), probing),
    streak: () => breaker.streak,
    wait: () => breaker.tripped === null ? 0 : probing ? 1000 : Math.max(0, breaker.tripped.probeAt - clock.monotonic()),
    state: () => shown(breaker, clock.now(), clock.monotonic()),
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
