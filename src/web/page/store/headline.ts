/**
 * The headline as it may be shown: the daemon's own while connected, and never an old one as if it were current. Where somebody
 * asked for it, it calls for attention: by a notification of the browser, and by the colour of the sign in the tab.
 */
import { computed, effect, type ReadonlySignal } from "@preact/signals";
import type { Headline } from "../../../reports/api_types.ts";
import { timeText } from "../parts/time.tsx";
import { now } from "./clock.ts";
import { headline, heardAt, link, saidGoodbye, toldAt } from "./live.ts";
import { preferences } from "./preferences.ts";

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

type Level = (typeof shownHeadline.value)["level"];

/** Worse ones are higher. */
const RANK: Readonly<Record<Level, number>> = { good: 0, busy: 0, away: 0, warning: 1, bad: 2 };
/** As in `theme.css`, and as a shape: colours alone tell not everybody. */
const SIGNS: Readonly<Record<Level, string>> = {
  good: `<circle cx="16" cy="16" r="14" fill="#2f8f57"/>`,
  busy:
    `<circle cx="16" cy="16" r="14" fill="#2c7fb3"/><path d="M16 24V9m-6 6 6-6 6 6" fill="none" stroke="#fff" stroke-width="3"/>`,
  warning:
    `<rect x="3" y="3" width="26" height="26" rx="5" fill="#e09a1f"/><path d="M16 8v10m0 4v2" stroke="#000" stroke-width="4"/>`,
  bad: `<path d="M16 2 31 29H1z" fill="#d0281c"/><path d="M16 11v9m0 3v3" stroke="#fff" stroke-width="3.500"/>`,
  away: `<circle cx="16" cy="16" r="12" fill="none" stroke="#888" stroke-width="5"/>`,
};

/** To be called once. */
export function startAttention(): void {
  const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  const plain = icon?.href ?? "";
  effect(() => {
    const { level } = shownHeadline.value;
    const sign = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${SIGNS[level]}</svg>`;
    if (icon !== null) icon.href = preferences.colourSign.value ? `data:image/svg+xml,${encodeURIComponent(sign)}` : plain;
  });
  let before: Level | null = null;
  effect(() => {
    const { level, text, advice } = shownHeadline.value;
    if (!preferences.notify.value || level === "away") return;
    const isNews = before !== null && (RANK[level] > RANK[before] || RANK[level] === 0 && RANK[before] > 0);
    before = level;
    if (isNews) notify(text, advice);
  });
}

/** False where the browser cannot, or may not. */
export function canNotify(): boolean {
  return "Notification" in globalThis && isSecureContext && Notification.permission !== "denied";
}

/** Asks the person, and remembers the answer. */
export async function askToNotify(wanted: boolean): Promise<void> {
  preferences.notify.value = wanted && canNotify() && await Notification.requestPermission() === "granted";
}

function notify(text: string, body: string): void {
  try {
    new Notification(text, { body, tag: "image-transfer", icon: "/assets/icon.svg" });
  } catch {
    // Browsers of phones let only a service worker notify: then it is switched off where one sees it.
    preferences.notify.value = false;
  }
}
