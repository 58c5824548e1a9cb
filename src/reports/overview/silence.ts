/** When a camera that makes images has stopped doing so. */
import { type NightRule, observingNight } from "../../domain/night/night.ts";

/** So many times the usual distance between two images. */
const INTERVALS = 5;
/** A camera that makes ten images a second is not silent while it is pointed elsewhere. */
const LEAST_MS = 60_000;

/**
 * True where no image came for five usual intervals, and a minute; until the night of the last image is over: by day no images are
 * expected. Times are milliseconds since 1970 UTC.
 */
export function isSilent(
  { lastImage, usualMs }: { readonly lastImage: number | null; readonly usualMs: number | null },
  night: NightRule,
  now: number,
): boolean {
  if (lastImage === null || usualMs === null || now - lastImage <= Math.max(INTERVALS * usualMs, LEAST_MS)) return false;
  return observingNight(lastImage, night) === observingNight(now, night);
}
