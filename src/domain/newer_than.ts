/** The oldest change of a file that counts (`newer_than`): a date, or a time before the first start. */
import ms from "ms";
import { momentOf } from "./night/night.ts";

/** As it is written; what it comes to depends on the time zone, or on the first start. */
export type NewerThan =
  /** So long before the job was first started with this key. */
  | { readonly since: "first_start"; readonly backMs: number }
  /** What a clock in the job's time zone shows, as if that were UTC. */
  | { readonly since: "local"; readonly shownMs: number }
  | { readonly since: "moment"; readonly atMs: number };

/** A date, with a time and a time zone if need be, a duration, or `now`; null for anything else. */
export function newerThan(written: string): NewerThan | null {
  const text = written.trim();
  if (/^now$/i.test(text)) return { since: "first_start", backMs: 0 };
  if (/^\d+(\.\d+)? ?[a-z]+$/i.test(text)) {
    const backMs = ms(text as ms.StringValue) ?? NaN;
    return backMs >= 0 && backMs <= LONGEST_MS ? { since: "first_start", backMs } : null;
  }
  const [, date, time = "00:00", zone] = DATE.exec(text) ?? [];
  if (date === undefined) return null;
  const shownMs = Date.parse(`${date}T${time}Z`);
  // A date that does not exist is taken for one in the next month.
  if (Number.isNaN(shownMs) || new Date(shownMs).toISOString().slice(0, 10) !== date) return null;
  if (zone === undefined) return { since: "local", shownMs };
  const atMs = Date.parse(`${date}T${time}${zone}`);
  return Number.isNaN(atMs) ? null : { since: "moment", atMs };
}

/**
 * Files that were last changed before this are left aside. Milliseconds since 1970 UTC; a null time zone is the computer's own. Clocks differ
 * and some disks tell times in units of two seconds: what is up to a minute older counts.
 */
export function oldestCounted(newerThan: NewerThan, firstStart: number, timezone: string | null): number {
  switch (newerThan.since) {
    case "first_start":
      return firstStart - newerThan.backMs - MINUTE_MS;
    case "local":
      return momentOf(newerThan.shownMs, timezone);
    case "moment":
      return newerThan.atMs;
    default:
      return newerThan satisfies never;
  }
}

const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?(?: ?(Z|[+-]\d\d:\d\d))?$/i;
const MINUTE_MS = 60_000;
const LONGEST_MS = 100 * 366 * 24 * 3_600_000;
