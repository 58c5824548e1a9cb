/**
 * The real clock.
 *
 * @module
 */
import { onAbort } from "../../async/abort.ts";
import type { Clock } from "../system.ts";

/** Longest single timer: a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The only one outside tests; a sleep may be longer than the 2^31 - 1 ms of one timer. */
export const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  async sleep(ms, signal) {
    for (let left = ms; left > 0 && !signal?.aborted; left -= LONGEST_TIMER_MS) {
      await nap(Math.min(left, LONGEST_TIMER_MS), signal);
    }
  },
};

async function nap(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  using _listening = signal && onAbort(signal, resolve);
  await promise;
  clearTimeout(timer);
}
