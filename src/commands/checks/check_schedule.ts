/**
 * When the schedule of a job sends next, as `doctor` tells it.
 *
 * @module
 */
import ms from "ms";
import type { Job } from "../../config/settings.ts";
import { localTime } from "../../domain/local_time.ts";
import { nextRun, windowAt } from "../../domain/schedule.ts";
import { type Finding, ok, warning } from "./finding.ts";

/** So many runs are named. */
const RUNS = 3;
/** A schedule whose next run is later than this is perhaps not meant. */
const LONG_MS = 32 * 86_400_000;

/** Nothing for a job that always sends. `now` is milliseconds since 1970 UTC. */
export function checkSchedule(
  { name, schedule, destinations }: Pick<Job, "name" | "schedule" | "destinations">,
  now: number,
): Finding[] {
  const about = `job ${name}`;
  if (destinations.length === 0) return [];
  switch (schedule.kind) {
    case "continuous":
      return [];
    case "manual":
      return [ok(about, `Files are sent only when you run: image-transfer sync ${name}`)];
    case "interval":
      return [ok(about, `Files are sent every ${ms(schedule.everyMs, { long: true })}, first when the daemon starts`)];
    case "window": {
      const { isOpen, until } = windowAt(schedule, now);
      const times = `between ${schedule.from} and ${schedule.to}${zoned(schedule)}`;
      return [
        ok(
          about,
          `Files are sent ${times}: ${isOpen ? `now, until ${localTime(until)}` : `next from ${localTime(until)}`}${
            here(schedule)
          }`,
        ),
      ];
    }
    case "cron": {
      const runs: number[] = [];
      for (let at: number | null = now; runs.length < RUNS && (at = nextRun(schedule, at)) !== null;) runs.push(at);
      const [first] = runs;
      const text = `Next runs${zoned(schedule)}: ${runs.map(localTime).join(", ")}${here(schedule)}`;
      if (first !== undefined && first - now <= LONG_MS) return [ok(about, text)];
      const late = first === undefined ? "The schedule never runs again" : text;
      return [warning(about, late, "Correct the cron expression; image-transfer sync sends at any time.")];
    }
    default:
      return schedule satisfies never;
  }
}

interface Zoned {
  readonly timezone: string | null;
}

function zoned({ timezone }: Zoned): string {
  return timezone === null ? "" : ` (${timezone})`;
}

/** Two clocks in one line are told apart. */
function here({ timezone }: Zoned): string {
  return timezone === null ? "" : " (this computer's time)";
}
