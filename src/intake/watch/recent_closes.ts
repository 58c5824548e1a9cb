/**
 * Which files were closed by their writers lately, under whatever name: a file that is written under a temporary
 * name, closed and renamed has no writer under its final name either.
 *
 * @module
 */
import type { WatchEvent } from "../../system/system.ts";

/** Absolute paths, the newest 1000. */
export interface RecentCloses {
  /** Notes an event. Returns the new name of a file that was closed before it was renamed; null otherwise. */
  note(kind: WatchEvent["kind"], paths: readonly string[]): string | null;
}

/** One for each watched folder. */
export function recentCloses(): RecentCloses {
  const closed = new Set<string>();
  return {
    note(kind, paths) {
      const [from, to] = paths;
      if (from === undefined) return null;
      if (kind === "close") {
        closed.add(from);
        for (const oldest of closed) {
          if (closed.size <= MOST) break;
          closed.delete(oldest);
        }
      }
      if (kind === "create" || kind === "write" || kind === "other") closed.delete(from);
      return kind === "rename" && to !== undefined && closed.delete(from) ? to : null;
    },
  };
}

/** Temporary names live shortly. */
const MOST = 1_000;
