/** Moments for people: in the zone of the site, in UT or in the browser's own, always with its name. */
import type { JSX } from "preact";
import { now } from "../store/clock.ts";
import { siteZone } from "../store/live.ts";
import { preferences, type Zone, ZONES } from "../store/preferences.ts";

/** `shape` is as in `timeText`: the time of day unless given. */
interface TimeProps {
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
  readonly shape?: Shape;
}

/** In the zone that is preferred; all zones show when it is pointed at. */
export function Time({ at, shape = "clock" }: TimeProps): JSX.Element {
  // Made only when somebody points at it: a list has many moments.
  const tell = (event: { currentTarget: HTMLElement }) => event.currentTarget.title = allTimes(at);
  return <time class="time" dateTime={new Date(at).toISOString()} onPointerEnter={tell}>{timeText(at, shape)}</time>;
}

/** A moment that is further away is named with its day. */
const SAME_DAY_MS = 12 * 3_600_000;

/** The time of day in minutes, and the day where it is not today's. */
export function Moment({ at }: { readonly at: number }): JSX.Element {
  return <Time at={at} shape={Math.abs(now.value - at) > SAME_DAY_MS ? "day" : "minute"} />;
}

type Shape = "clock" | "minute" | "day" | "full";

const SHAPES: Readonly<Record<Shape, Intl.DateTimeFormatOptions>> = {
  clock: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  minute: { hour: "2-digit", minute: "2-digit" },
  day: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  full: { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" },
};
const formats = new Map<string, Intl.DateTimeFormat>();

/** The moment in the zone that is preferred, with the zone's name: `05:20 CET`, `05:20 UT`. */
export function timeText(atMs: number, shape: Shape, zone: Zone = preferences.zone.value): string {
  return formatOf(shape, zone, true).format(atMs).replace(/UTC$/, "UT");
}

/** Without the name: where that is said once for many, as at an axis. */
export function bareTime(atMs: number, shape: Shape, zone: Zone = preferences.zone.value): string {
  return formatOf(shape, zone, false).format(atMs);
}

/** In all zones that differ: `… CET at the site, … UT, … BST here`. */
export function allTimes(atMs: number): string {
  const where = { site: " at the site", UT: "", mine: " here" } as const;
  return zonesThatDiffer().map((zone) => `${timeText(atMs, "full", zone)}${where[zone]}`).join(", ");
}

/** For the browser; undefined is its own. */
export function zoneName(zone: Zone): string | undefined {
  return zone === "UT" ? "UTC" : zone === "site" ? siteZone.value : undefined;
}

/** To go through with a button: the browser's own only where it is not that of the site. */
function zonesThatDiffer(): readonly Zone[] {
  const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return ZONES.filter((zone) => zone !== "mine" || siteZone.value !== undefined && siteZone.value !== own);
}

/** The next one, around. */
export function nextZone(): void {
  const zones = zonesThatDiffer();
  preferences.zone.value = zones[(zones.indexOf(preferences.zone.value) + 1) % zones.length]!;
}

/** `Fri 20 Nov 2026` of `20261120`. */
export function nightName(night: string): string {
  const at = Date.UTC(Number(night.slice(0, 4)), Number(night.slice(4, 6)) - 1, Number(night.slice(6, 8)));
  if (Number.isNaN(at)) return night;
  const options = { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" } as const;
  return new Intl.DateTimeFormat("en-GB", options).format(at).replace(",", "");
}

function formatOf(shape: Shape, zone: Zone, named: boolean): Intl.DateTimeFormat {
  const timeZone = zoneName(zone);
  const key = `${shape} ${timeZone} ${named}`;
  let format = formats.get(key);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-GB", {
      ...SHAPES[shape],
      hourCycle: "h23",
      ...timeZone === undefined ? {} : { timeZone },
      ...named ? { timeZoneName: "short" } : {},
    });
    formats.set(key, format);
  }
  return format;
}
