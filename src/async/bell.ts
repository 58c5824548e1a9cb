/**
 * Lets a loop sleep until its time has come or somebody rings. A ring between two sleeps is not lost.
 *
 * @module
 */
import type { Sleeper } from "./sleeper.ts";

/** For one sleeper; several that wait are woken together. `wakeup.ts` does without the memory. */
export interface Bell {
  /** Ends the wait under way, else the next one at once. */
  ring(): void;
  /** Resolves after `ms` (for ever, if Infinity), when rung, or when the signal is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** One for each loop that sleeps; unrung. */
export function bell(system: Sleeper): Bell {
  let cut = new AbortController();
  return {
    // With a reason of ours no error is made for each ring: there may be thousands a second.
    ring: () => cut.abort(RUNG),
    async wait(ms, signal) {
      const mine = cut;
      const ring = () => mine.abort();
      if (signal.aborted) return;
      signal.addEventListener("abort", ring, { once: true });
      // Timers end at 2^31 ms; whoever waits looks again then.
      await system.sleep(Math.min(Math.max(0, ms), LONGEST_MS), mine.signal);
      signal.removeEventListener("abort", ring);
      if (cut === mine) cut = new AbortController();
    },
  };
}

const RUNG = "rung";
const LONGEST_MS = 24 * 3_600_000;
