/**
 * Time limits: for a block, for one piece of work, for many. Our own, because the clock is an argument, so that tests can use theirs;
 * `deadline()` of @std/async and `AbortSignal.timeout()` only know the real one.
 */
import { anySignal } from "./abort.ts";

/** The part of a clock that the kit needs. */
export interface Sleeper {
  /** Resolves after `ms`, or at once, without an error, when the signal is aborted; `inStep`: see `Clock.sleep`. */
  sleep(ms: number, signal?: AbortSignal, inStep?: "in step"): Promise<void>;
}

/** A limit that ends with its block: `using limit = deadline(5_000, clock, signal);`. */
export interface Deadline extends Disposable {
  /** Aborted when the time is up, when a followed signal is aborted, and at the end of the block. */
  readonly signal: AbortSignal;
  /** Whether the signal was aborted because the time was up. */
  readonly passed: boolean;
}

/** Starts now. The signal's reason is `reason` when the time is up. */
export function deadline(ms: number, clock: Sleeper, signal?: AbortSignal, reason?: unknown): Deadline {
  const link = signal ? anySignal(signal) : anySignal();
  let passed = false;
  void clock.sleep(ms, link.signal).then(() => {
    if (link.signal.aborted) return;
    passed = true;
    link.abort(reason);
  });
  return {
    signal: link.signal,
    get passed() {
      return passed;
    },
    [Symbol.dispose]: () => link[Symbol.dispose](),
  };
}

/** The result of the work, or `late` when the time is up first. The work itself continues, and its result is ignored. */
export async function within<T, L>(work: Promise<T>, ms: number, clock: Sleeper, late: L): Promise<T | L> {
  using end = anySignal();
  return await Promise.race([work, clock.sleep(ms, end.signal).then(() => late)]);
}

/** One limit for many that start together: a timer for each of a hundred thousand files would cost too much. */
interface SharedDeadline extends Disposable {
  /** True when the work ends, successfully or not; false if it has not by the next tick. It continues in any case. */
  inTime(work: Promise<unknown>): Promise<boolean>;
}

/** Ticks every so many milliseconds, until it is disposed of. */
export function sharedDeadline(ms: number, clock: Sleeper): SharedDeadline {
  const end = anySignal();
  const waiting = new Set<(inTime: boolean) => void>();
  void (async () => {
    for (;;) {
      await clock.sleep(ms, end.signal);
      if (end.signal.aborted) return;
      for (const late of waiting) late(false);
      waiting.clear();
    }
  })();
  return {
    inTime: (work) =>
      new Promise((resolve) => {
        waiting.add(resolve);
        const ended = () => {
          waiting.delete(resolve);
          resolve(true);
        };
        work.then(ended, ended);
      }),
    [Symbol.dispose]: () => end[Symbol.dispose](),
  };
}
