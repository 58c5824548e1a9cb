/**
 * Waits for many things at a time, but for none of them for ever.
 *
 * @module
 */
import type { Sleeper } from "./sleeper.ts";

/** One for all that is begun together: a clock of its own for each of a hundred thousand files would cost too much. */
export interface Patience extends Disposable {
  /** True when it has come to its end, well or not; false at the next tick of our patience. It goes on all the same. */
  isDone(going: Promise<unknown>): Promise<boolean>;
}

/** Ticks every so many milliseconds, until it is disposed of. */
export function patience(ms: number, clock: Sleeper): Patience {
  const end = new AbortController();
  let tick = Promise.withResolvers<boolean>();
  void (async () => {
    for (;;) {
      await clock.sleep(ms, end.signal);
      if (end.signal.aborted) return;
      tick.resolve(false);
      tick = Promise.withResolvers();
    }
  })();
  return {
    isDone: (going) => Promise.race([going.then(() => true, () => true), tick.promise]),
    [Symbol.dispose]: () => end.abort(),
  };
}
