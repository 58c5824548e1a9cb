/**
 * Lets loops rest until something happens or a time has passed.
 *
 * @module
 */
import type { Sleeper } from "./sleeper.ts";

/** Without memory: a wake while nobody waits is lost. `bell.ts` keeps it. */
export interface Wakeup {
  /** Wakes everyone who waits now. */
  wake(): void;
  /** Rests until woken, until `ms` have passed, or until the signal is aborted; never throws. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** One for each outbox: its lanes rest on it. */
export function wakeup(clock: Sleeper): Wakeup {
  const resting = new Set<AbortController>();
  return {
    wake() {
      for (const rest of [...resting]) rest.abort(WOKEN);
    },
    async wait(ms, signal) {
      if (signal.aborted || ms <= 0) return;
      const rest = new AbortController();
      const end = () => rest.abort();
      resting.add(rest);
      signal.addEventListener("abort", end, { once: true });
      await clock.sleep(ms, rest.signal);
      signal.removeEventListener("abort", end);
      resting.delete(rest);
    },
  };
}

/** With a reason of ours no error is made each time. */
const WOKEN = "woken";
