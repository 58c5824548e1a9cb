/**
 * A circuit breaker: opened by an outage, probed after a delay that grows with every failure in a row, closed again by a success.
 * While it is open, nothing passes. One for each destination, and one for each account on a host that all destinations there
 * share, so that a host that refuses logins is asked by one of them only.
 */
import { backOff, type FailureCode, type FailureRecord } from "../domain/failure.ts";
import type { DestinationState } from "../domain/delivery.ts";
import type { Clock } from "../system/system.ts";

/** Failures are counted since the last success; `tripped` is null while it is closed. */
interface State {
  readonly failuresInARow: number;
  /** `probeAt` is when the next try may be made, by the monotonic clock, milliseconds. */
  readonly tripped: { readonly failure: FailureRecord; readonly probeAt: number } | null;
}

export type Breaker = ReturnType<typeof circuitBreaker>;

/** A closed breaker. Times in milliseconds. */
export function circuitBreaker(clock: Pick<Clock, "now" | "monotonic" | "random">) {
  let state: State = { failuresInARow: 0, tripped: null };
  let probing: symbol | null = null;
  // Asked for during a probe, which may have begun before the cause was gone.
  let probesAgain = false;
  const listeners = new Set<() => void>();
  const become = (next: State, stillProbing: symbol | null) => {
    const changed = next !== state || stillProbing !== probing;
    probesAgain &&= stillProbing !== null;
    state = next;
    probing = stillProbing;
    if (changed) { for (const listener of [...listeners]) listener(); }
  };
  const dueNow = (breaker: State): State =>
    breaker.tripped ? { ...breaker, tripped: { ...breaker.tripped, probeAt: clock.monotonic() } } : breaker;
  const afterFailure = (failure: FailureRecord, baseMs: number): State => {
    const { tripped } = state;
    const [now, random] = [clock.monotonic(), clock.random()];
    // A failure before the probe is due belongs to the same outage and does not delay the probe.
    if (tripped && now < tripped.probeAt) {
      const isGraver = failure.next === "hold" && tripped.failure.next !== "hold";
      return isGraver ? { ...state, tripped: { ...tripped, failure } } : state;
    }
    const failuresInARow = state.failuresInARow + 1;
    return { failuresInARow, tripped: { failure, probeAt: now + delayOf(failure, failuresInARow, baseMs, random) } };
  };

  return {
    /** Opens it for a while; `baseMs` is the first delay. */
    trip(failure: FailureRecord, baseMs: number): void {
      const next = afterFailure(failure, baseMs);
      become(probesAgain ? dueNow(next) : next, null);
    },
    /**
     * Takes the right to try: null while it is open, or while another try is running, because servers drop connections when several
     * log in at once (MaxStartups, PerSourcePenalties). The function gives the right back if the try ends undecided.
     */
    enter(): (() => void) | null {
      if (probing !== null || (state.tripped !== null && clock.monotonic() < state.tripped.probeAt)) return null;
      const mine = Symbol("probe");
      probing = mine;
      return () => probing === mine && become(state, null);
    },
    /** The try went well so far: the next may try. Failures in a row are kept until something has worked. */
    close: (): void => become(state.tripped ? { ...state, tripped: null } : state, null),
    /** Something really worked: the failures in a row are forgotten, unless it was opened meanwhile. */
    succeed(): void {
      if (state.tripped === null && state.failuresInARow > 0) become({ failuresInARow: 0, tripped: null }, probing);
    },
    /** Makes the next probe due now: a person says that the cause is gone. */
    probeSoon(): void {
      probesAgain = probing !== null;
      become(dueNow(state), probing);
    },
    failuresInARow: (): number => state.failuresInARow,
    /** Milliseconds until it makes sense to call `enter` again; 0 for now. */
    wait(): number {
      if (probing !== null) return SECOND;
      return state.tripped === null ? 0 : Math.max(0, state.tripped.probeAt - clock.monotonic());
    },
    /** The state of the destination behind it: `open` (for files) while the breaker is closed. */
    state(): DestinationState {
      if (state.tripped === null) return { state: "open" };
      const { failure, probeAt } = state.tripped;
      const until = Math.round(clock.now() + Math.max(0, probeAt - clock.monotonic()));
      return failure.next === "hold" ? { state: "on_hold", failure, until } : { state: "backing_off", until, failure };
    },
    /** Calls back at every change, until the returned function is called. */
    listen(listener: () => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
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

function delayOf(failure: FailureRecord, failuresInARow: number, baseMs: number, random: number): number {
  if (RARE_CODES.has(failure.code)) return backOff(failuresInARow, 5 * MINUTE, random, 30 * MINUTE);
  if (failure.next === "hold") return backOff(failuresInARow, 5 * SECOND, random, MINUTE);
  // The first failure is often just an idle connection that was dropped: try again almost at once.
  if (failuresInARow === 1) return backOff(1, Math.min(baseMs, SECOND), random);
  return backOff(failuresInARow - 1, baseMs, random);
}
