/** The real clock. */
import { onAbort } from "../../async/abort.ts";
import type { Clock } from "../system.ts";

/** Longest single timer: a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The only one outside tests; a sleep may be longer than the 2^31 - 1 ms of one timer. */
export const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  randomHex: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)).toHex(),
  async sleep(ms, signal, inStep) {
    for (let left = inStep ? untilStep(ms, clock.monotonic()) : ms; left > 0 && !signal?.aborted; left -= LONGEST_TIMER_MS) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, Math.min(left, LONGEST_TIMER_MS));
      using _listening = signal && onAbort(signal, resolve);
      await promise;
      clearTimeout(timer);
    }
  },
};

/** Milliseconds to the last step within `ms`: a loop that has slept to one step sleeps to the next. Shorter sleeps are left as they are. */
export function untilStep(ms: number, now: number): number {
  if (ms < STEP_MS) return ms;
  const left = Math.floor((now + ms) / STEP_MS) * STEP_MS - now;
  // A timer may be a little early: so near is only the step that it was set for.
  return left < EARLY_MS ? left + STEP_MS : left;
}

const STEP_MS = 2_000;
const EARLY_MS = 20;
