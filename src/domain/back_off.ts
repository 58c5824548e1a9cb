/** How long to wait before the next try: twice as long each time, up to a cap, and never in step with others. */

/**
 * Milliseconds to wait after the `attempt`-th failure in a row (from 1). Grows from `baseMs` by doubling up to `capMs`, each time
 * between three quarters and five quarters of that, as `random` in [0, 1) says; never above the cap.
 */
export function backOff(attempt: number, baseMs: number, random: number, capMs = FIVE_MINUTES): number {
  if (!(baseMs > 0)) return 0;
  const doublings = Math.max(0, Math.min(attempt - 1, 60));
  const steady = Math.min(baseMs * 2 ** doublings, capMs);
  return Math.round(Math.min(steady * (0.75 + random / 2), capMs));
}

const FIVE_MINUTES = 5 * 60 * 1000;
