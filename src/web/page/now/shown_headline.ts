/**
 * The headline as it may be shown: the daemon's own while connected, and never an old one as if it were current.
 *
 * @module
 */
import { computed, type ReadonlySignal } from "@preact/signals";
import type { Headline } from "../../../reports/api_types.ts";
import { timeText } from "../parts/time.tsx";
import { headline, link, toldAt } from "../store/live.ts";

/** `away` is the page's own level: nobody says how it is now. */
interface ShownHeadline {
  readonly level: Headline["level"] | "away";
  readonly text: string;
  readonly advice: string;
}

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
  return {
    level: "away",
    text: "The daemon is not responding",
    advice: `Last status, at ${timeText(toldAt.value, "clock")}: ${told.text}. The data shown here may be out of date.`,
  };
});
