/** Lets loops sleep until a given time or until somebody rings. */
import { onAbort } from "./abort.ts";
import type { Sleeper } from "./deadline.ts";

/** A ring wakes everyone who waits. If nobody waits, it is remembered: the next wait ends at once. */
export interface Bell {
  ring(): void;
  /** Resolves to true when rung; to false after `ms` (at most a day) or when the signal is aborted; `inStep` as for a sleep. Never throws. */
  wait(ms: number, signal: AbortSignal, inStep?: "in step"): Promise<boolean>;
}

/** A bell that has not been rung. */
export function bell(clock: Sleeper): Bell {
  const waiting = new Set<AbortController>();
  let rung = false;
  return {
    ring() {
      rung = waiting.size === 0;
      for (const one of waiting) one.abort(RUNG);
    },
    async wait(ms, signal, inStep) {
      if (signal.aborted) return false;
      if (rung) {
        rung = false;
        return true;
      }
      const mine = new AbortController();
      using _listening = onAbort(signal, () => mine.abort(STOPPED));
      waiting.add(mine);
      // A timer has at most 2^31 ms.
      await clock.sleep(Math.min(Math.max(0, ms), LONGEST_MS), mine.signal, inStep);
      waiting.delete(mine);
      return mine.signal.reason === RUNG;
    },
  };
}

/** Constants: no error is created for each ring, of which there may be thousands a second. */
const RUNG = "rung";
const STOPPED = "stopped";
const LONGEST_MS = 24 * 3_600_000;
