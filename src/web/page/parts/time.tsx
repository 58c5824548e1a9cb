/**
 * A moment; the other time scale shows when it is pointed at.
 *
 * @module
 */
import type { JSX } from "preact";
import { bothTimes, timeText } from "./times.ts";

/** `shape` is as in `timeText`: the time of day unless given. */
export interface TimeProps {
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
  readonly shape?: "clock" | "minute" | "day" | "full";
}

/** In UT or the browser's zone, as is preferred. */
export function Time({ at, shape = "clock" }: TimeProps): JSX.Element {
  // Made only when somebody points at it: a list has many moments.
  const tell = (event: { currentTarget: HTMLElement }) => event.currentTarget.title = bothTimes(at);
  return <time class="time" dateTime={new Date(at).toISOString()} onPointerEnter={tell}>{timeText(at, shape)}</time>;
}
