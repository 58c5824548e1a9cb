/**
 * Lets loops sleep until their time has come or somebody rings.
 *
 * @module
 */
import { onAbort } from "./abort.ts";
import type { Sleeper } from "./deadline.ts";

/** A ring wakes all who wait. If nobody does, it is remembered: the next wait ends at once. */
export interface Bell {
  ring(): void;
  /** Resolves after `ms` (Infinity: after a day), when the signal is aborted, or, and only then with true, when rung; never throws. */
  wait(ms: number, signal: AbortSignal): Promise<boolean>;
}

/** Unrung. */
export function bell(clock: Sleeper): Bell {
  const waiting = new Set<AbortController>();
  let rung = false;
  return {
    ring() {
      rung = waiting.size === 0;
      for (const one of waiting) one.abort(RUNG);
    },
    async wait(ms, signal) {
      if (signal.aborted) return false;
      if (rung) {
        rung = false;
        return true;
      }
      const mine = new AbortController();
      using _listening = onAbort(signal, () => mine.abort(STOPPED));
      waiting.add(mine);
      // Timers end at 2^31 ms; whoever waits looks again then.
      await clock.sleep(Math.min(Math.max(0, ms), LONGEST_MS), mine.signal);
      waiting.delete(mine);
      return mine.signal.reason === RUNG;
    },
  };
}

/** With reasons of ours no error is made for each ring: there may be thousands a second. */
const RUNG = "rung";
const STOPPED = "stopped";
const LONGEST_MS = 24 * 3_600_000;
