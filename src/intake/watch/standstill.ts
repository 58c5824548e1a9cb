/**
 * Notices that the computer slept, or that only this process was stopped: meanwhile nobody emptied the queue of the watcher, so events
 * may be lost.
 *
 * @module
 */
import type { Clock } from "../../system/system.ts";

/** Calls `resumed` after each standstill of more than a few seconds, until the signal is aborted. */
export async function noticeStandstills(
  clock: Pick<Clock, "now" | "monotonic" | "sleep">,
  resumed: () => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const [at, wall] = [clock.monotonic(), clock.now()];
    await clock.sleep(BEAT_MS, signal, "in step");
    // The monotonic clock stands still while the computer sleeps; it runs while only we are stopped.
    if (Math.max(clock.monotonic() - at, clock.now() - wall) > 2 * BEAT_MS) resumed();
  }
}

const BEAT_MS = 3_000;
