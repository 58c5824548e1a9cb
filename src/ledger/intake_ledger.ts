/** What the intake asks of the ledger: which files are new, their admission, and which bytes must be read again. */
import type { Delivery } from "../domain/delivery.ts";
import type { FileFacts, SourceFile } from "../domain/source_file.ts";

/** A finished file and where it goes. */
export interface Admission {
  readonly source: SourceFile;
  /** `YYYYMMDD`. */
  readonly night: string;
  /** One per destination, by name: the path below its base path, and the method as configured. */
  readonly targets: readonly { readonly destination: string; readonly target: string; readonly method: string }[];
  /** Header cards to keep (OBJECT, FILTER, …), if the format has any. */
  readonly cards?: Readonly<Record<string, string | number | boolean>>;
  /** Until then the file can be rewritten without a trace in its facts; absent where it cannot. */
  readonly racyUntil?: number;
  /** What is wrong with the file, which is sent as it is all the same. */
  readonly warning?: string;
}

/** A version whose bytes must be read again. */
export interface Reread {
  readonly versionId: number;
  readonly facts: FileFacts;
  /** False where nobody has read them yet: there is nothing to compare with. */
  readonly wasRead: boolean;
  /** When it was due. */
  readonly at: number;
}

/** What a reread found: the hash of the bytes now, that no rewrite can have been missed, or that the file must be judged again. */
export type Reading = { readonly is: "read"; readonly sha256: string } | { readonly is: "certain" } | { readonly is: "doubtful" };

/** What is remembered of `newer_than`. Times in milliseconds since 1970 UTC. */
export interface AsideMemory {
  /** When the job was first started with the key. */
  readonly firstStart: number;
  /** What was last changed before is left aside. */
  readonly olderThan: number;
  /** How many files the last scan left aside; null before the first one. */
  readonly files: number | null;
}

/** Paths are relative to the watched folder of the job. Every change is one transaction, durable on return. */
export interface IntakeLedger {
  /**
   * Splits files into `fresh` (not admitted for every one of the destinations) and `recheck` (only the ctime changed); the others
   * are known. Any number of files: a lookup costs about the same for each, and memory stays small.
   */
  unknown(
    job: string,
    files: readonly FileFacts[],
    destinations: readonly string[],
  ): { fresh: FileFacts[]; recheck: FileFacts[] };
  /** When the newest version of this path with this size was admitted, and when it was last modified; null if there is none. */
  admitted(job: string, path: string, size: number): { at: number; mtimeMs: number } | null;
  /**
   * All of them or none. Idempotent on (job, path, fingerprint) × destination. A new version supersedes queued and deferred
   * deliveries of older versions of the same file. Returns the deliveries that are queued now and were not before.
   */
  admit(admissions: readonly Admission[], now: number): Delivery[];
  /** Resolves a changed ctime: for the same content the new ctime is stored, other content is admitted as a new version. */
  recheck(admission: Admission, sha256: string, now: number): Delivery[];
  /** Rereads that are due, the longest due first; without files that are being sent and whose bytes nobody has read yet. */
  dueRereads(job: string, now: number, limit: number): Reread[];
  /** When the next reread is due; null if there is none. */
  nextReread(job: string): number | null;
  /** Stores what rereads found; returns the paths that `unknown` now lists under `recheck`. */
  recordRereads(readings: readonly (Reread & { readonly found: Reading })[]): string[];
  /** Null where it has no `newer_than`, or was never started with it. */
  leftAside(job: string): AsideMemory | null;
  /** Null forgets it. */
  rememberLeftAside(job: string, memory: AsideMemory | null): void;
  /** A writer was seen after these files may have been read: they are due for a reread. Unknown paths are ignored. */
  requestRereads(job: string, paths: readonly string[], now: number): void;
}

/** For an intake that only looks: nothing is remembered, and nothing is read again. */
export const REMEMBERS_NOTHING = {
  recheck: () => [],
  dueRereads: () => [],
  nextReread: () => null,
  recordRereads: () => [],
  rememberLeftAside: () => {},
  requestRereads: () => {},
} satisfies Partial<IntakeLedger>;
