/**
 * Announces the headline to screen readers: at once if the level changes, every 30 s at most while only numbers change.
 *
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { shownHeadline } from "../now/shown_headline.ts";

const QUIET_MS = 30_000;

/** A live region (WAI-ARIA 1.2, `status`); the same level is said again after 30 s at the earliest. */
export function Announcer(): JSX.Element {
  const { level, text, advice } = shownHeadline.value;
  const [said, say] = useState("");
  const last = useRef({ level: "", at: 0 });
  useEffect(() => {
    const waitMs = last.current.level === level ? Math.max(0, last.current.at + QUIET_MS - Date.now()) : 0;
    const timer = setTimeout(() => {
      last.current = { level, at: Date.now() };
      // Without the advice where it counts down.
      say(level === "away" ? text : `${text}. ${advice}`);
    }, waitMs);
    return () => clearTimeout(timer);
  }, [level, text]);
  return <p class="unseen" role="status" aria-live="polite">{said}</p>;
}
