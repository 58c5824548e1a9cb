/**
 * Notices a folder that looks local and gives no events all the same: a file comes after everything was listed, a scan finds it,
 * and no event told of it, not even some time later. No file of ours is put into the folder for that.
 *
 * @module
 */
import type { FileFacts } from "../../domain/source_file.ts";
import type { Clock } from "../../system/system.ts";
import { folderOf } from "../source_path.ts";

/** Paths are relative to the watched folder, with `/`. */
export interface MissingEvents {
  scanBegins(): void;
  /** The scan found these files, which are new and which nobody had told of. */
  found(files: readonly FileFacts[]): void;
  /** The scan came to its end: everything that was there when it began is listed. */
  scanned(): void;
  /** An event told of this path. */
  told(path: string): void;
  /** Some events may be lost: nothing follows from their silence. */
  lost(): void;
  /** A file whose event should have come by now; null where there is none. Tells of it once. */
  overdue(): string | null;
}

/** Nothing is expected before the first scan came to its end. */
export function missingEvents(clock: Pick<Clock, "now" | "monotonic">): MissingEvents {
  /** By the wall clock: what came later should have been told of. Null before everything was listed. */
  let listedAt: number | null = null;
  let begunAt: number | null = null;
  let expected = new Map<string, number>();

  return {
    // ctimes are told in whole seconds. What is from the same second and was there already is listed by this scan.
    scanBegins: () => void (begunAt = Math.floor(clock.now() / 1000) * 1000),
    found(files) {
      for (const { path, ctimeMs, mtimeMs } of files) {
        if (expected.size >= MOST || listedAt === null) return;
        // Windows has no ctime; what was copied there with its times kept is left out.
        if ((ctimeMs || mtimeMs) >= listedAt) expected.set(path, clock.monotonic());
      }
    },
    scanned() {
      if (begunAt !== null) listedAt = begunAt;
    },
    told(path) {
      expected.delete(path);
      // Who tells of a folder that was moved here tells of what is in it.
      for (const waiting of expected.keys()) if (isBelow(waiting, path)) expected.delete(waiting);
    },
    lost() {
      listedAt = begunAt = null;
      expected = new Map();
    },
    overdue() {
      const due = clock.monotonic() - PATIENCE_MS;
      for (const [path, at] of expected) {
        if (at > due) continue;
        expected = new Map();
        return path;
      }
      return null;
    },
  };
}

function isBelow(path: string, folder: string): boolean {
  for (let part = folderOf(path); part !== ""; part = folderOf(part)) if (part === folder) return true;
  return false;
}

/** An event may come after the scan that was faster. */
const PATIENCE_MS = 10_000;
/** One would do. */
const MOST = 100;
