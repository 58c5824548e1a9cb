/**
 * The observing night that a moment belongs to. A night has the date of its evening: it begins at the
 * rollover (local noon unless configured) and lasts until the next one.
 */
import { Failure } from "../failure.ts";
import { withNight } from "../names/layout.ts";

/** When an observing night begins: local noon of a time zone, or of the site's longitude. */
export interface NightRule {
  /** IANA time zone; null is the computer's own. */
  readonly timezone: string | null;
  /** `HH:MM`, local. */
  readonly rollover: string;
  /** Degrees, east positive; when set it takes the place of the time zone (mean solar time). */
  readonly siteLongitude: number | null;
}

/**
 * The night of a moment (milliseconds since 1970 UTC) as `YYYYMMDD`. Moments outside the years 1 to 9999, and what is
 * no number, are taken as the nearest end, so that a broken file time never stops a file.
 *
 * @throws {Failure} `configuration` when the rule's time zone or rollover is none.
 */
export function observingNight(atMs: number, rule: NightRule): string {
  const rollover = rolloverMinutes(rule.rollover);
  if (rollover === null) {
    throw new Failure("configuration", `Cannot determine the night: "${rule.rollover}" is not a time of day`, {
      hint: "Write night_rollover as HH:MM, for example 12:00.",
    });
  }
  const local = localTime(clamp(atMs), rule);
  // Setting the clock's reading back, not the moment: so the change to and from summer time does no harm.
  const evening = new Date(Math.max(local - rollover * MINUTE, EARLIEST));
  const digits = (value: number, width: number) => String(value).padStart(width, "0");
  return digits(evening.getUTCFullYear(), 4) + digits(evening.getUTCMonth() + 1, 2) + digits(evening.getUTCDate(), 2);
}

/** True where `Intl` knows the time zone, e.g. `Europe/Berlin`. */
export function isTimeZone(name: string): boolean {
  try {
    return clockOf(name) !== undefined;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Minutes after midnight of `HH:MM` (24 hours); null where it is no time of day. */
export function rolloverMinutes(text: string): number | null {
  const match = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text);
  return match ? Number(match[1]) * 60 + Number(match[2]) : null;
}

/** Minutes after midnight that a clock of the time zone shows, fractions included; a null zone is the computer's own. */
export function localMinutes(atMs: number, timezone: string | null): number {
  const local = localTime(clamp(atMs), { timezone, siteLongitude: null });
  return (local % DAY + DAY) % DAY / MINUTE;
}

/**
 * When a clock of the time zone shows this (as if it were UTC); a null zone is the computer's own. A time that the change to summer time
 * skips is the moment after the gap, or before it.
 */
export function momentOf(shownMs: number, timezone: string | null): number {
  const offset = (atMs: number) => localTime(atMs, { timezone, siteLongitude: null }) - Math.floor(atMs / 1000) * 1000;
  const guess = shownMs - offset(clamp(shownMs));
  return shownMs - offset(clamp(guess));
}

/** `2026-11-01 00:00 Europe/Berlin`; a null zone is the computer's own. */
export function shownIn(atMs: number, timezone: string | null): string {
  const shown = new Date(localTime(clamp(atMs), { timezone, siteLongitude: null })).toISOString();
  return `${shown.slice(0, 16).replace("T", " ")} ${timezone ?? "local time"}`;
}

function localTime(atMs: number, rule: Omit<NightRule, "rollover">): number {
  if (rule.siteLongitude !== null) return Math.floor(atMs) + Math.floor(rule.siteLongitude * MS_PER_DEGREE);
  if (rule.timezone === null) return atMs - new Date(atMs).getTimezoneOffset() * MINUTE;
  let clock: Intl.DateTimeFormat;
  try {
    clock = clockOf(rule.timezone);
  } catch (cause) {
    throw new Failure("configuration", `Cannot determine the night: "${rule.timezone}" is not a known time zone`, {
      hint: "Set night_timezone to a name from the IANA list, for example Europe/Berlin or Pacific/Honolulu.",
      cause,
    });
  }
  const parts = new Map(clock.formatToParts(atMs).map((part) => [part.type, Number(part.value)]));
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
  const shown = new Date(0);
  shown.setUTCFullYear(part("year"), part("month") - 1, part("day"));
  shown.setUTCHours(part("hour"), part("minute"), part("second"));
  return shown.getTime();
}

// Making one takes far longer than asking it, and a backlog asks a hundred thousand times.
const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(timeZone: string): Intl.DateTimeFormat {
  let clock = clocks.get(timeZone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat("en-US", {
      timeZone,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    clocks.set(timeZone, clock);
  }
  return clock;
}

function clamp(atMs: number): number {
  // Two days inside the ends, so that no time zone leads out of them.
  if (Number.isNaN(atMs)) return EARLIEST + 2 * DAY;
  return Math.min(Math.max(atMs, EARLIEST + 2 * DAY), LATEST - 2 * DAY);
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** The sun moves 15 degrees an hour: four minutes a degree. */
const MS_PER_DEGREE = 4 * MINUTE;
const EARLIEST = Date.parse("0001-01-01T00:00:00Z");
const LATEST = Date.parse("9999-12-31T23:59:59Z");

// `NIGHT` in a watched path: the folders of all nights below the part before it are watched, so that nothing of a former night is left
// behind at the rollover. A file's path begins below the folder of its night.

/** A file or folder seen from the folder of its night. */
interface InNight {
  /** `YYYYMMDD`, as the folder says. */
  readonly night: string;
  /** The path below that folder, `/` between the parts. */
  readonly path: string;
}

/** Reads relative paths (`/` between the parts) against one template; made by {@linkcode nightFolder}. */
interface NightFolder {
  /** Where a path below the watched folder lies; null where it is in the folder of no night. */
  locate(path: string): InNight | null;
  /** True for a folder that folders of nights may lie in. */
  leadsThere(folder: string): boolean;
}

/** Reads a template like `NIGHT/raw`: the part of the watched path from the first `NIGHT` on, `/` between its parts. */
export function nightFolder(template: string): NightFolder {
  const parts = template.split("/").filter((part) => part !== "");
  let named = false;
  const patterns = parts.map((part) =>
    withNight(part, "\0").split("\0").map(escaped).reduce((before, after) => {
      const night = named ? "\\k<night>" : `(?<night>${DATE})`;
      named = true;
      return before + night + after;
    })
  );
  const whole = new RegExp(`^${patterns.join("/")}/(?<path>.+)$`, "su");
  const ways = patterns.slice(0, -1).map((_, index) => new RegExp(`^${patterns.slice(0, index + 1).join("/")}$`, "su"));
  return {
    locate(path) {
      const groups = whole.exec(path)?.groups;
      return groups?.["night"] === undefined || groups["path"] === undefined
        ? null
        : { night: groups["night"], path: groups["path"] };
    },
    leadsThere: (folder) => folder === "" || ways.some((way) => way.test(folder)),
  };
}

/** A day as `YYYYMMDD`; other numbers of eight digits are no night. */
const DATE = "(?:19|20|21)\\d\\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\\d|3[01])";

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
