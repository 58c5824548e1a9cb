/**
 * What was found but cannot be looked at: folders without permission, names that are not UTF-8. Told once, listed
 * until a scan no longer finds it.
 *
 * @module
 */
import type { FailureRecord } from "../../domain/failure.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import type { Waiting } from "../settle/candidate.ts";
import type { Patterns } from "../patterns.ts";
import { lastPart } from "../source_path.ts";
import { badName, unreadableFolder } from "../source_faults.ts";

/** Kept from scan to scan, in memory. */
export interface UnreadablePaths {
  /** Notes one; paths relative to the watched folder. What no pattern wants is nobody's trouble. */
  note(path: string, reason: string): void;
  scanBegins(): void;
  /** It has ended: what it did not find is forgotten. */
  scanned(): void;
  /** As refused files of 0 bytes, to stand in one list with the others. */
  waiting(): Waiting[];
}

/** One for each intake; `tell` hears `refused` once for each path and reason. */
export function unreadablePaths(
  job: string,
  tools: { patterns: Patterns; emit: Emit; system: { now(): number } },
): UnreadablePaths {
  const all = new Map<string, { failure: FailureRecord; since: number; scan: number }>();
  let scan = 0;
  return {
    note(path, reason) {
      const isName = lastPart(path).includes("\uFFFD");
      // A file, or a folder above some.
      if (!tools.patterns.wants(path) && (isName || !tools.patterns.enters(path))) return;
      const failure = isName ? badName(path) : unreadableFolder(path, reason);
      const known = all.get(path);
      if (known?.failure.message !== failure.message) tools.emit({ type: "refused", job, path, failure });
      all.set(path, { failure, since: known?.since ?? tools.system.now(), scan });
    },
    scanBegins: () => void scan++,
    scanned() {
      for (const [path, found] of all) if (found.scan < scan) all.delete(path);
    },
    waiting: () =>
      [...all].map(([path, { failure, since }]) => (
        { path, reason: "refused", detail: failure.message, hint: failure.hint, size: 0, declared: null, since }
      )),
  };
}
