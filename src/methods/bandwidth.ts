/**
 * The bandwidth limit of a destination, for the methods: the pace of all that a session sends, or the limit of one run of a program.
 *
 * @module
 */
import { type Pace, pace } from "../async/pace.ts";
import type { Destination } from "../config/settings.ts";
import { limitAt } from "../domain/bandwidth.ts";
import type { System } from "../system/system.ts";

/** To be shared by all that a session sends; a timetable takes effect with the next piece. */
export function paceOf(
  destination: Pick<Destination, "bandwidthLimit">,
  system: Pick<System, "now" | "monotonic" | "sleep">,
): Pace {
  return pace(() => limitNow(destination, system), system);
}

/** Bytes per second, for a program that starts now; null is no limit. */
export function limitNow({ bandwidthLimit }: Pick<Destination, "bandwidthLimit">, system: Pick<System, "now">): number | null {
  return limitAt(bandwidthLimit, system.now());
}
