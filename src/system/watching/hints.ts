/**
 * Hints that wait, in bounded number: with more, or after a burst that may have lost some, all of them become one "list everything again". The
 * Worker of the watchers bundles it.
 */
import { clock } from "../host/clock.ts";
import { BEFORE_DENO_2_9 } from "../host/deno_version.ts";
import type { WatchEvent } from "../system.ts";

const MOST_WAITING = 8_192;
/** Something may have been lost: everything should be listed again. */
export const LOST_TRACK: WatchEvent = { kind: "other", paths: [] };

/** Those that wait on one side of the way from the watcher to its user; none yet. */
export function hintsOf() {
  let waiting: WatchEvent[] = [];
  const put = (hint: WatchEvent): void => {
    if (waiting.length >= MOST_WAITING) waiting = [LOST_TRACK];
    waiting.push(hint);
  };
  return {
    put,
    lostTrack: () => put(LOST_TRACK),
    /** All that wait; none do afterwards. */
    take: () => waiting.splice(0),
  };
}

/** What counts as a burst, and when it is reported; times in milliseconds. */
export interface BurstLimits {
  /** Events nearer to each other than this belong to one burst. */
  readonly pauseMs: number;
  /** A burst loses something only with so many events… */
  readonly events: number;
  /** …of so many different files: for one file that is written in many pieces, lost events do not matter. */
  readonly files: number;
  /** Called back this long after the last event, */
  readonly quietMs: number;
  /** but, in an endless burst, no later than this after its first loss. */
  readonly longestMs: number;
}

/** For this Deno: before 2.9 its own queue of 16 drops events, from then on only the kernel's does. */
const LIMITS: BurstLimits = {
  pauseMs: BEFORE_DENO_2_9 ? 50 : 250,
  events: BEFORE_DENO_2_9 ? 16 : 4_000,
  files: 4,
  quietMs: 250,
  longestMs: 3_000,
};

/**
 * Recognises bursts of events so dense that some may have been lost: Deno before 2.9 drops events while 16 are waiting, and every Deno silently
 * loses what overflows in the kernel (16,384). `onLoss`, called some time after such a burst, says: list everything again.
 */
export function createBurst(onLoss: () => void, limits: BurstLimits = LIMITS, time = clock) {
  let events = 0;
  let files = new Set<string>();
  let lastAt = -Infinity;
  let firstLossAt: number | null = null;
  const ended = new AbortController();

  const suspect = (): void => {
    if (firstLossAt !== null || ended.signal.aborted) return;
    firstLossAt = time.monotonic();
    lastAt = firstLossAt;
    void callBack();
  };
  const callBack = async () => {
    while (firstLossAt !== null && !ended.signal.aborted) {
      const now = time.monotonic();
      const due = Math.min(lastAt + limits.quietMs, firstLossAt + limits.longestMs);
      if (now < due) {
        await time.sleep(due - now, ended.signal);
        continue;
      }
      firstLossAt = null;
      onLoss();
    }
  };
  return {
    /** To be called for every event. */
    note(paths: readonly string[]): void {
      const now = time.monotonic();
      if (now - lastAt > limits.pauseMs) {
        events = 0;
        files = new Set();
      }
      lastAt = now;
      events++;
      if (files.size < limits.files) paths.forEach((path) => files.add(path));
      if (events >= limits.events && files.size >= limits.files) suspect();
    },
    /** An event was certainly lost. */
    suspect,
    /** Stops the timers; nothing is called back any more. */
    end: () => ended.abort(),
  };
}
