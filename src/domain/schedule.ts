/**
 * When the files of a job are sent, and how fast. Fields of a cron expression and times of day are read in a time zone: a time that the change to
 * summer time skips counts as the first moment after the gap, one that comes twice counts the first time.
 */
import { Cron } from "croner";
import { localMinutes, rolloverMinutes } from "./night/night.ts";

/** Durations in milliseconds; a null time zone is the computer's own. */
export type Schedule =
  /** As soon as they are finished. */
  | { readonly kind: "continuous" }
  /** When a person asks. */
  | { readonly kind: "manual" }
  | { readonly kind: "interval"; readonly everyMs: number }
  /** Five or six fields as in cron(8), the sixth in front for seconds. */
  | { readonly kind: "cron"; readonly pattern: string; readonly timezone: string | null }
  /** Every day between two times of day (`HH:MM`), past midnight where `to` is earlier. */
  | { readonly kind: "window"; readonly from: string; readonly to: string; readonly timezone: string | null };

export type RunSchedule = Extract<Schedule, { kind: "interval" | "cron" }>;

/**
 * When the next run begins after the last one began at `last`; null if never. Times in milliseconds since 1970 UTC. The result may be
 * in the past: however many runs were missed, there is one to make up.
 */
export function nextRun(schedule: RunSchedule, last: number): number | null {
  if (schedule.kind === "interval") return last + schedule.everyMs;
  return nextMatch(schedule.pattern, schedule.timezone, last);
}

/** Whether files are sent at a moment, and when that next changes; milliseconds since 1970 UTC. */
export function windowAt(
  { from, to, timezone }: Extract<Schedule, { kind: "window" }>,
  at: number,
): { readonly isOpen: boolean; readonly until: number } {
  const [begin, end, minutes] = [rolloverMinutes(from)!, rolloverMinutes(to)!, localMinutes(at, timezone)];
  const isOpen = holds({ from: begin, to: end }, minutes);
  // Both occur every day.
  return { isOpen, until: nextMatch(daily(isOpen ? end : begin), timezone, at)! };
}

/** What is wrong with a cron expression, as the end of a sentence; null if it has runs. */
export function cronFault(pattern: string): string | null {
  const fields = pattern.trim().split(/\s+/).length;
  if (fields !== 5 && fields !== 6) return `must be five or six cron fields, like 0 */10 6 * * *`;
  try {
    return nextMatch(pattern, null, Date.UTC(2026, 0)) === null ? "must match some date" : null;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return `must be a cron expression: ${error.message.replace(/^CronPattern: /, "")}`;
  }
}

function nextMatch(pattern: string, timezone: string | null, after: number): number | null {
  const cron = new Cron(pattern, { paused: true, ...(timezone === null ? {} : { timezone }) });
  return cron.nextRun(new Date(after))?.getTime() ?? null;
}

function daily(minutes: number): string {
  return `${minutes % 60} ${Math.floor(minutes / 60)} * * *`;
}

/** A bandwidth limit, constant or by time of day. Bytes per second; null means unlimited. */
export type BandwidthLimit = number | null | Timetable;

/** Bandwidth limits by time of day, in one time zone. Whenever no entry applies, there is no limit. */
export interface Timetable {
  /** IANA time zone; null is the computer's own. */
  readonly timezone: string | null;
  readonly entries: readonly TimetableEntry[];
}

/** From a minute of the day on, up to another one, which may be after midnight. */
interface TimetableEntry {
  readonly from: number;
  readonly to: number;
  readonly limit: number | null;
}

/** The limit in force at a moment, milliseconds since 1970 UTC. Clocks that are set forward or back skip or repeat their entries. */
export function limitAt(limit: BandwidthLimit, nowMs: number): number | null {
  if (limit === null || typeof limit === "number") return limit;
  const minute = localMinutes(nowMs, limit.timezone);
  return limit.entries.find((entry) => holds(entry, minute))?.limit ?? null;
}

/** The lowest of several limits that hold together; null is none. */
export function lowestAt(limits: readonly BandwidthLimit[], nowMs: number): number | null {
  return least(limits.map((limit) => limitAt(limit, nowMs)));
}

export function lowestEver(limits: readonly BandwidthLimit[]): number | null {
  return least(
    limits.flatMap((limit) => limit === null || typeof limit === "number" ? limit : limit.entries.map(({ limit }) => limit)),
  );
}

function least(limits: readonly (number | null)[]): number | null {
  const set = limits.filter((limit) => limit !== null);
  return set.length === 0 ? null : Math.min(...set);
}

/** The first two entries that hold at the same time, by their numbers; null where none do. */
export function overlap(entries: readonly Pick<TimetableEntry, "from" | "to">[]): readonly [number, number] | null {
  for (const [later, entry] of entries.entries()) {
    const earlier = entries.slice(0, later).findIndex((other) => holds(other, entry.from) || holds(entry, other.from));
    if (earlier >= 0) return [earlier, later];
  }
  return null;
}

function holds({ from, to }: Pick<TimetableEntry, "from" | "to">, minute: number): boolean {
  return from < to ? from <= minute && minute < to : from <= minute || minute < to;
}
