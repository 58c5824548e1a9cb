/**
 * The bandwidth limits in force: one for this computer's line, one for each destination. Whoever sends draws on both, whatever jobs,
 * sessions and programs send there.
 */
import { type Bucket, bucket, type Pace, pace } from "../async/pace.ts";
import { type Destination, isOnThisComputer, type Job, loginOf, serverOf } from "../config/settings.ts";
import { type BandwidthLimit, lowestAt } from "../domain/schedule.ts";
import type { System } from "../system/system.ts";
import type { MethodContext } from "./method.ts";

type Limited = Pick<Destination, "bandwidthLimit" | "lineLimit">;
type BandwidthClock = Pick<System, "now" | "monotonic" | "sleep">;

/** A timetable is looked up again after so long. */
const LOOK_MS = 100;

/** Makes a pace for each destination of a job. `jobs` are those of the configuration in force: a reload changes the limits at once. */
export function bandwidth(
  jobs: () => readonly Pick<Job, "destinations">[],
  clock: BandwidthClock,
): (destination: Destination) => Pace {
  const limits = new Map<string, readonly BandwidthLimit[]>();
  const buckets = new Map<string, Bucket>();
  let known: unknown = null;

  const line = bucket(cached(() => lowestAt(limitsOf(LINE), clock.now()), clock), clock);

  function limitsOf(place: string): readonly BandwidthLimit[] {
    const now = jobs();
    if (now !== known) {
      known = now;
      const all = now.flatMap(({ destinations }) => destinations);
      // Those of a destination that is no longer configured hold for what is still under way there.
      for (const [key, some] of Map.groupBy(all, placeOf)) limits.set(key, some.map(({ bandwidthLimit }) => bandwidthLimit));
      limits.set(LINE, all.map(({ lineLimit }) => lineLimit));
    }
    return limits.get(place) ?? [];
  }

  return (destination) => {
    const place = placeOf(destination);
    const found = buckets.get(place) ??
      bucket(cached(() => lowestAt(limitsOf(place), clock.now()), clock), isOnThisComputer(destination) ? clock : line);
    buckets.set(place, found);
    return pace(found);
  };
}

/** The pace that a session was handed; for one alone, that of the limits of its destination. */
export function paceOf(
  destination: Limited,
  { pace: handed, system }: Pick<MethodContext, "pace"> & { readonly system: BandwidthClock },
): Pace {
  return handed ?? pace(bucket(cached(() => limitNow(destination, system), system), system));
}

/** The lower limit of the destination and the line now, bytes per second; null is none. */
export function limitNow({ bandwidthLimit, lineLimit }: Limited, system: Pick<System, "now">): number | null {
  return lowestAt([bandwidthLimit, lineLimit], system.now());
}

/** Whether there is a limit at any time. */
export function isLimited({ bandwidthLimit, lineLimit }: Limited): boolean {
  return bandwidthLimit !== null || lineLimit !== null;
}

const LINE = "line";

/** The same for all who send to the same folder there. */
function placeOf({ transport, basePath }: Destination): string {
  return JSON.stringify([serverOf(transport)?.toLowerCase() ?? null, loginOf(transport)?.port ?? null, basePath]);
}

/** Looking up the time in a time zone for each piece would cost more than sending it. */
function cached(limit: () => number | null, clock: BandwidthClock): () => number | null {
  let [value, until]: [number | null, number] = [null, -Infinity];
  return () => {
    const now = clock.monotonic();
    if (now >= until) [value, until] = [limit(), now + LOOK_MS];
    return value;
  };
}
