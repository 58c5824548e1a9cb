/** The keys of a job that say when its files are sent. */
import * as z from "zod";
import { cronFault, type Schedule } from "../../domain/schedule.ts";
import { setting } from "./settings_of.ts";
import { amount, duration, oneOf, text, timeOfDay, zone } from "./values.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A schedule with times: `type` and `expression` are the words of seed 2. */
const timesOfRuns = z.strictObject({
  interval: duration("seconds", 1000, 30 * DAY).optional().meta({ description: "Time between two runs, like `5m` or `1h`" }),
  interval_hours: amount(0.01, 720).optional().meta({ description: "The same in hours" }),
  cron: text("five or six cron fields").optional()
    .meta({ description: "When runs begin, as five or six cron fields; the sixth, in front, is for seconds" }),
  from: timeOfDay("06:00").optional().meta({ description: "With `to`: send every day between these times only" }),
  to: timeOfDay("18:00").optional().meta({ description: "End of that time" }),
  timezone: zone().optional().meta({ description: "Time zone of `cron`, `from` and `to`; default: `night_timezone`" }),
}, "must be a section");

/** When files are sent. */
export const scheduleKeys = {
  schedule: z.union(
    [
      z.literal(false).transform((): Schedule => ({ kind: "continuous" })),
      oneOf(["continuous", "none", "manual"])
        .transform((word): Schedule => ({ kind: word === "manual" ? word : "continuous" })),
      timesOfRuns.transform(timedSchedule),
    ],
    'must be "continuous", "manual" or a section, like {interval: 5m}, {cron: "0 6 * * *"} or {from: "06:00", to: "18:00"}',
  )
    .prefault("continuous")
    .meta({
      description:
        'When files are sent. `continuous`: as soon as they are finished; `manual`: with `image-transfer sync`; `{interval: 5m}`, `{cron: "0 6 * * *", timezone: Europe/Berlin}`: in runs; `{from: "06:00", to: "18:00"}`: between these times only. `sync` sends at any time',
    }),
  cooldown_seconds: setting(duration("seconds", 0, DAY).prefault(0), {
    name: "cooldownMs",
    description: "Shortest pause after a run; with `schedule: continuous`, after everything that waited was sent",
  }),
};

type TimesOfRuns = z.output<typeof timesOfRuns>;

function timedSchedule(keys: TimesOfRuns, context: z.RefinementCtx): Schedule {
  // An unknown key may be a misspelt one of these.
  if (context.issues.length > 0) return z.NEVER;
  const { interval, interval_hours, cron, from, to, timezone = null } = keys;
  const everyMs = interval ?? (interval_hours === undefined ? undefined : interval_hours * HOUR);
  const fault = (message: string, path: string[] = []): never => {
    context.addIssue({ code: "custom", message, path });
    return z.NEVER;
  };
  if ([interval, interval_hours, cron, from ?? to].filter((key) => key !== undefined).length !== 1) {
    return fault("must have one of interval, interval_hours, cron, and from with to");
  }
  if (everyMs !== undefined) return { kind: "interval", everyMs };
  if (cron !== undefined) {
    const wrong = cronFault(cron);
    return wrong === null ? { kind: "cron", pattern: cron, timezone } : fault(wrong, ["cron"]);
  }
  if (from === undefined || to === undefined) return fault("must have both from and to");
  return from === to ? fault("must be another time than from", ["to"]) : { kind: "window", from, to, timezone };
}
