/** How the daemon is set up, for people: the configuration in force, the next runs of schedules, hooks with their last result. */
import { showConfig } from "../config/show/show.ts";
import { hookName } from "../events/hooks/hooks.ts";
import { nextRun, type Schedule, windowAt } from "../domain/schedule.ts";
import { nextTime } from "./morning/report_schedule.ts";
import type { JobNow, PageSource } from "./page_source.ts";

const RUNS = 5;

/** All of the view Setup. */
export type SetupReport = ReturnType<typeof setupReport>;

/** `now` is milliseconds since 1970 UTC. */
export function setupReport(source: Pick<PageSource, "about" | "jobs" | "setup" | "check">, now: number) {
  const { version, startedAt } = source.about();
  const { settings, reload, hookCall } = source.setup();
  const jobs = source.jobs();
  const shown = settings.full === undefined ? null : known.get(settings.full) ?? showConfig(settings.full, "yaml");
  if (settings.full !== undefined && shown !== null) known.set(settings.full, shown);
  return {
    version,
    startedAt,
    file: settings.file,
    /** The configuration in force as YAML, every key with its value, secrets hidden, as `config show` prints it; null where there is none. */
    configuration: shown,
    /** What of the file has no effect, a sentence each without a full stop. */
    notes: settings.notes,
    reload,
    /** The next runs, soonest first; none where nobody knows, or files are sent all the time. Without a job: the morning report. */
    schedules: [
      ...jobs.map((one) => scheduleOf(one, now)),
      ...settings.report === null
        ? []
        : [{ job: "", when: `every day at ${settings.report.at}${zoned(null)}`, next: [nextTime(settings.report.at, now)] }],
    ],
    hooks: jobs.flatMap(({ job: { name: job, hooks } }) =>
      hooks.map((hook) => {
        const name = hookName(hook);
        return { job, name, kind: hook.receiver.kind, on: hook.on, last: hookCall(job, name) };
      })
    ),
    canCheck: source.check !== null,
  };
}

/** Hiding the secrets takes a while; a configuration does not change. */
const known = new WeakMap<object, string>();

function scheduleOf({ job: { name, schedule, destinations }, nextRun: first }: JobNow, now: number) {
  const sends = destinations.length > 0;
  const when = sends || schedule.kind !== "continuous"
    ? `${sends ? "sends" : "calls its hooks"} ${inWords(schedule)}`
    : "watches only";
  return { job: name, when, next: runsFrom(schedule, first, now) };
}

/** `first` is when the job itself will run; null while it sends, and where only a person knows. */
function runsFrom(schedule: Schedule, first: number | null, now: number): number[] {
  switch (schedule.kind) {
    case "continuous":
    case "manual":
      return first === null ? [] : [first];
    case "interval":
    case "cron": {
      const runs: number[] = [];
      for (let next = first ?? nextRun(schedule, now); next !== null && runs.length < RUNS; next = nextRun(schedule, next)) {
        // A run that was missed is made up for now.
        runs.push(Math.max(next, now));
      }
      return runs;
    }
    case "window": {
      const { isOpen, until } = windowAt(schedule, now);
      return [isOpen ? windowAt(schedule, until).until : until];
    }
    default:
      return schedule satisfies never;
  }
}

function inWords(schedule: Schedule): string {
  switch (schedule.kind) {
    case "continuous":
      return "as soon as images are finished";
    case "manual":
      return "only on request";
    case "interval":
      return `every ${spanOf(schedule.everyMs)}`;
    case "cron":
      return `by cron ${schedule.pattern}${zoned(schedule.timezone)}`;
    case "window":
      return `every day from ${schedule.from} to ${schedule.to}${zoned(schedule.timezone)}`;
    default:
      return schedule satisfies never;
  }
}

/** Null is the computer's own. */
function zoned(timezone: string | null): string {
  return ` (${timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone})`;
}

/** In the largest unit that needs no fraction. */
function spanOf(ms: number): string {
  const [length, unit] = UNITS.find(([length]) => ms % length === 0) ?? [1, "ms"];
  return `${ms / length} ${unit}`;
}

const UNITS = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1_000, "s"]] as const;
