/**
 * The headline as it may be shown: the daemon's own while connected, and never an old one as if it were current.
 *
 * @module
 */
import { computed, type ReadonlySignal } from "@preact/signals";
import type { Headline } from "../../../reports/api_types.ts";
import { timeText } from "../parts/time.tsx";
import { now } from "../store/clock.ts";
import { headline, heardAt, link, saidGoodbye, toldAt } from "../store/live.ts";

/** `away` is the page's own level: nobody says how it is now, and not for long. */
interface ShownHeadline {
  readonly level: Headline["level"] | "away";
  readonly text: string;
  readonly advice: string;
}

/** After so long without the daemon somebody has to start it. */
const LONG_MS = 60_000;
const START = "On the daemon's computer, run: image-transfer service start (or image-transfer run).";

/** Only looked at while there is no connection. */
const isAwayForLong = computed(() => heardAt.value > 0 && now.value > 0 && Date.now() - heardAt.value >= LONG_MS);

/** Never null: there is something to say before the first message too. */
export const shownHeadline: ReadonlySignal<ShownHeadline> = computed(() => {
  const { kind } = link.value;
  const told = headline.value;
  if (kind === "no_session") return { level: "away", text: "Your session has ended", advice: "" };
  if (kind === "live" && told !== null) return told;
  if (told === null) {
    if (kind === "connecting") return { level: "away", text: "Connecting to the daemon…", advice: "" };
    return { level: "away", text: "The daemon is not responding", advice: "This page keeps trying to connect." };
  }
  const last = `Last status, at ${timeText(toldAt.value, "clock")}: ${told.text}`;
  if (!isAwayForLong.value) {
    const advice = `${last.replace(/\.$/, "")}. The data shown here may be out of date.`;
    return { level: "away", text: "The daemon is not responding", advice };
  }
  const since = `since ${timeText(toldAt.value, "minute")}`;
  const text = saidGoodbye.value
    ? `The daemon has stopped. Nothing has been sent ${since}`
    : `The daemon has not responded ${since}`;
  return { level: "bad", text, advice: `${START}\n${last}` };
});
