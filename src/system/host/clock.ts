/**
 * The real clock.
 *
 * @module
 */
import type { Clock } from "../system.ts";

/** Longest single timer: a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The only one that is not a test's; a sleep may be longer than the 2^31 - 1 ms of one timer. */
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

function nap(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal?.addEventListener("abort", wake, { once: true });
  });
}
