/** A limit of the bandwidth: the same at all times, or by a timetable of the day. */
import { localMinutes } from "./night/night.ts";

/** Bytes per second; null is no limit. */
export type BandwidthLimit = number | null | Timetable;

/** By the clock of a time zone; outside of all entries there is no limit. */
export interface Timetable {
  /** IANA time zone; null is the computer's own. */
  readonly timezone: string | null;
  readonly entries: readonly TimetableEntry[];
}

/** From a minute of the day on, up to another one, which may be after midnight. */
interface TimetableEntry {
  readonly from: number;
  readonly to: number;
  /** Bytes per second; null is no limit. */
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

/** The lowest of all times. */
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
