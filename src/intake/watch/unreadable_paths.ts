/**
 * What was found but cannot be sent, whatever is in it: folders without permission, names that are not UTF-8 or reserved. Told once,
 * listed until a scan no longer finds it.
 *
 * @module
 */
import type { FailureRecord } from "../../domain/failure.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import type { Waiting } from "../settle/candidate.ts";
import type { Patterns } from "../patterns.ts";
import { lastPart } from "../source_path.ts";
import { badName, reservedName, unreadableFolder } from "../source_faults.ts";

/** Kept from scan to scan, in memory. */
export interface UnreadablePaths {
  /** Notes one; paths relative to the watched folder. What no pattern wants is nobody's trouble. */
  note(path: string, reason: string): void;
  /** Notes those of some files whose names are reserved; returns how many. */
  noteReserved(files: readonly { readonly path: string }[]): number;
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
  const keep = (path: string, failure: FailureRecord) => {
    const known = all.get(path);
    if (known?.failure.message !== failure.message) tools.emit({ type: "refused", job, path, failure });
    all.set(path, { failure, since: known?.since ?? tools.system.now(), scan });
  };
  return {
    note(path, reason) {
      const failure = whyUnreadable(path, reason, tools.patterns);
      if (failure !== null) keep(path, failure);
    },
    noteReserved(files) {
      const reserved = files.filter(({ path }) => tools.patterns.isReserved(path));
      for (const { path } of reserved) keep(path, reservedName(path));
      return reserved.length;
    },
    scanBegins: () => void scan++,
    scanned() {
      for (const [path, found] of all) if (found.scan < scan) all.delete(path);
    },
    waiting: () =>
      [...all].map(([path, { failure, since }]) => ({
        ...{ path, reason: "refused", detail: failure.message, hint: failure.hint, size: 0, declared: null, since },
        ...failure.code === "source_unreadable" ? { isFolder: true } : {},
      })),
  };
}

/** What to say of a path that a walk could not read; null where no pattern wants it. */
export function whyUnreadable(path: string, reason: string, patterns: Patterns): FailureRecord | null {
  const isName = lastPart(path).includes("\uFFFD");
  // A file, or a folder above some.
  if (!patterns.wants(path) && (isName || !patterns.enters(path))) return null;
  return isName ? badName(path) : unreadableFolder(path, reason, true);
}
