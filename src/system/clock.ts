/**
 * The real clock. Long sleeps end together, a little later than asked: an idle daemon wakes the processor seldom.
 *
 * @module
 */
import type { Clock } from "./system.ts";

/** Longest single timer: a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  async sleep(ms, signal) {
    for (let left = together(ms); left > 0 && !signal?.aborted; left -= LONGEST_TIMER_MS) {
      await nap(Math.min(left, LONGEST_TIMER_MS), signal);
    }
  },
};

/** From so long on a sleep ends at the next whole step of the monotonic clock, milliseconds. */
const LONG_MS = 2_000;
const STEP_MS = 250;

function together(ms: number): number {
  return ms < LONG_MS ? ms : Math.ceil((performance.now() + ms) / STEP_MS) * STEP_MS - performance.now();
}

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
