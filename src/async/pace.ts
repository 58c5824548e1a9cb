/**
 * Keeps the bytes that are sent at an average rate.
 *
 * @module
 */
import type { Sleeper } from "./deadline.ts";

/** Shared by all that send at this rate together. */
export interface Pace {
  /** Bytes that may be sent in one piece: four a second. To be asked for each piece: the limit may change. */
  readonly atOnce: number;
  /** Waits until the next piece may be sent. @throws the signal's reason once it is aborted. */
  next(bytes: number, signal: AbortSignal): Promise<void>;
}

/** `limit` returns the current limit in bytes per second, or null for none. Time in which nothing was sent earns no credit. */
export function pace(limit: () => number | null, clock: Sleeper & { monotonic(): number }): Pace {
  let nextAt = -Infinity;
  return {
    get atOnce() {
      const bytesPerSecond = limit();
      return bytesPerSecond === null ? Infinity : Math.max(1024, Math.floor(bytesPerSecond / 4));
    },
    async next(bytes, signal) {
      const bytesPerSecond = limit();
      if (bytesPerSecond === null) return;
      const at = Math.max(nextAt, clock.monotonic());
      nextAt = at + bytes / bytesPerSecond * 1000;
      await clock.sleep(at - clock.monotonic(), signal);
      signal.throwIfAborted();
    },
  };
}
