/**
 * Calls for attention where somebody asked for it: a notification of the browser, and the colour of the page's sign in the tab.
 *
 * @module
 */
import { effect } from "@preact/signals";
import { shownHeadline } from "../now/shown_headline.ts";
import { preferences } from "./preferences.ts";

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
