/**
 * Moments for people: in the browser's zone or in UT.
 *
 * @module
 */
import type { JSX } from "preact";
import { preferences } from "../store/preferences.ts";

/** `shape` is as in `timeText`: the time of day unless given. */
interface TimeProps {
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
  readonly shape?: Shape;
}

/** In the scale that is preferred; the other one shows when it is pointed at. */
export function Time({ at, shape = "clock" }: TimeProps): JSX.Element {
  // Made only when somebody points at it: a list has many moments.
  const tell = (event: { currentTarget: HTMLElement }) => event.currentTarget.title = bothTimes(at);
  return <time class="time" dateTime={new Date(at).toISOString()} onPointerEnter={tell}>{timeText(at, shape)}</time>;
}

type Shape = "clock" | "minute" | "day" | "full";

const SHAPES: Readonly<Record<Shape, Intl.DateTimeFormatOptions>> = {
  clock: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  minute: { hour: "2-digit", minute: "2-digit" },
  day: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  full: { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" },
};
const formats = new Map<string, Intl.DateTimeFormat>();

/** The moment in the scale that is preferred. */
export function timeText(atMs: number, shape: Shape, utc = preferences.utc.value): string {
  const text = formatOf(shape, utc).format(atMs);
  return utc ? `${text} UT` : text;
}

export function bothTimes(atMs: number): string {
  return `${timeText(atMs, "full", false)} local time, ${timeText(atMs, "full", true)}`;
}

/** `Fri 20 Nov 2026` of `20261120`. */
export function nightName(night: string): string {
  const at = Date.UTC(Number(night.slice(0, 4)), Number(night.slice(4, 6)) - 1, Number(night.slice(6, 8)));
  if (Number.isNaN(at)) return night;
  const options = { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" } as const;
  return new Intl.DateTimeFormat("en-GB", options).format(at).replace(",", "");
}

function formatOf(shape: Shape, utc: boolean): Intl.DateTimeFormat {
  const key = `${shape} ${utc}`;
  let format = formats.get(key);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-GB", {
      ...SHAPES[shape],
      hourCycle: "h23",
      ...(utc ? { timeZone: "UTC" } : {}),
    });
    formats.set(key, format);
  }
  return format;
}
