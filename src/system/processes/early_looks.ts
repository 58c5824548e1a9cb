/**
 * Looks for writers that begin before anybody asks: when a file is finished, while it is admitted and claimed. The answer holds for that
 * version of the file for good: a write that begins after the look changes its facts.
 */
import { keepNewest } from "../../domain/chunks.ts";
import { fingerprint, type SourceFile, untilTicked } from "../../domain/source_file.ts";
import type { System } from "../system.ts";

export type EarlyLooks = ReturnType<typeof earlyLooks>;

type Version = Pick<SourceFile, "absolutePath" | "identity" | "size" | "mtimeMs" | "ctimeMs">;

/** One for each job: the half that finds files begins the looks, the half that reads them asks. */
export function earlyLooks(system: Pick<System, "now" | "sleep" | "openForWriting">) {
  const looks = new Map<string, { readonly version: string; readonly open: Promise<boolean> }>();
  const writes = new Map<string, number>();
  const never = new AbortController().signal;

  async function look(files: readonly Version[]): Promise<ReadonlySet<string>> {
    const waitMs = untilTicked(files, system.now());
    if (waitMs > 0) await system.sleep(waitMs);
    return await system.openForWriting(files.map(({ absolutePath }) => absolutePath), never) ?? new Set();
  }

  return {
    /** Begins one look for these versions, as they were just found. */
    begin(files: readonly Version[]): void {
      if (files.length === 0) return;
      const looking = look(files);
      // Whoever needs the answer looks again.
      looking.catch(() => files.forEach(({ absolutePath }) => looks.delete(absolutePath)));
      for (const file of files) {
        looks.delete(file.absolutePath);
        looks.set(file.absolutePath, { version: versionOf(file), open: looking.then((open) => open.has(file.absolutePath)) });
        looks.get(file.absolutePath)?.open.catch(() => undefined);
      }
      keepNewest(looks, MOST);
    },
    /** Whether a program has it open for writing, once that is known; undefined where no look was begun for this version, or it failed. */
    of(file: Version): Promise<boolean> | undefined {
      const known = looks.get(file.absolutePath);
      return known?.version === versionOf(file) ? known.open : undefined;
    },
    /** Notes that a write to this path, or its end, was heard of now. */
    heard(absolutePath: string): void {
      writes.delete(absolutePath);
      writes.set(absolutePath, system.now());
      keepNewest(writes, MOST);
    },
    /** Whether one was heard of at that time or later: its facts need not show it, where the mtime was set back within the same second. */
    heardSince: (absolutePath: string, at: number): boolean => (writes.get(absolutePath) ?? -Infinity) >= at,
  };
}

function versionOf(file: Version): string {
  return `${fingerprint(file)}/${Math.trunc(file.ctimeMs)}`;
}

/** Of a backlog, whoever reads it looks for itself, once for each batch. */
const MOST = 1_000;
