/** The time as the daemon has it, ticking once a second while somebody looks. */
import { signal } from "@preact/signals";

/** A smaller difference between the clocks of browser and daemon is the message's travel time. */
const SMALL_SKEW_MS = 2_000;
let skewMs = 0;

/** Milliseconds since 1970 UTC by the daemon's clock. */
export const now = signal(Date.now());

/** Hears what the daemon's clock shows. */
export function setClock(daemonAt: number): void {
  const skew = daemonAt - Date.now();
  const before = skewMs;
  skewMs = Math.abs(skew) < SMALL_SKEW_MS ? 0 : skew;
  // Otherwise all ages are wrong until the next tick.
  if (Math.abs(skewMs - before) >= SMALL_SKEW_MS) now.value = Date.now() + skewMs;
}

/** Ticks from now on; `onTick` is called each time. */
export function startClock(onTick: () => void): void {
  const tick = () => {
    if (document.visibilityState === "visible") now.value = Date.now() + skewMs;
    onTick();
  };
  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);
}
