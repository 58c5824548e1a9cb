/**
 * Hints that wait, in bounded number: with more, all of them become one "list everything again". The Worker of the watchers bundles it.
 *
 * @module
 */
import type { WatchEvent } from "../system.ts";

/** Something may have been lost: everything should be listed again. */
export const LOST_TRACK: WatchEvent = { kind: "other", paths: [] };

/** Those that wait on one side of the way from the watcher to its user. */
export interface Hints {
  put(hint: WatchEvent): void;
  lostTrack(): void;
  /** All that wait; none do afterwards. */
  take(): WatchEvent[];
}

/** None yet. */
export function hintsOf(): Hints {
  let waiting: WatchEvent[] = [];
  const put = (hint: WatchEvent) => {
    if (waiting.length >= MOST_WAITING) waiting = [LOST_TRACK];
    waiting.push(hint);
  };
  return {
    put,
    lostTrack: () => put(LOST_TRACK),
    take: () => waiting.splice(0),
  };
}

/** Hints that may wait. */
const MOST_WAITING = 8_192;
