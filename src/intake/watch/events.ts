/**
 * What is remembered of the events of a watched folder: which folders are to be checked and when, which files were closed lately, and
 * whether events are missing. Pure bookkeeping.
 */
import { keepNewest } from "../../domain/chunks.ts";
import { folderOf } from "../../domain/names/file_name.ts";
import type { FileFacts } from "../../domain/source_file.ts";
import type { Clock, WatchEvent } from "../../system/system.ts";

export type Touch = "create" | "write" | "close" | "remove" | "rename" | "chmod";

export interface FolderWork {
  /** Relative to the watched folder with `/`; empty for that folder itself. */
  readonly folder: string;
  /** Names that were touched since the last check, and how. */
  readonly names: ReadonlyMap<string, ReadonlySet<Touch>>;
  readonly whole: boolean;
  /** Descend into its folders too: it is new, and what was made in it before gave no event. */
  readonly deep: boolean;
}

interface Dirt {
  names: Map<string, Set<Touch>>;
  namesDue: number;
  wholeDue: number;
  deep: boolean;
  listedAt: number;
  listCostMs: number;
}

/** Folders relative to the watched one with `/`; times by the monotonic clock, milliseconds. */
export type DirtyFolders = ReturnType<typeof dirtyFolders>;

/** Bookkeeping with `debounceMs` between two listings of a folder. */
export function dirtyFolders(debounceMs: number) {
  const all = new Map<string, Dirt>();
  const of = (folder: string): Dirt => {
    const dirt = all.get(folder) ?? clean();
    all.set(folder, dirt);
    return dirt;
  };
  const distanceMs = ({ listCostMs }: Dirt) => Math.max(debounceMs, LISTING_SHARE * listCostMs);

  return {
    /** Something happened to a name in a folder. */
    touch(folder: string, name: string, how: Touch, now: number): void {
      const dirt = of(folder);
      const touches = dirt.names.get(name) ?? new Set();
      // In the order they came: only a close that nothing followed says that the writer is gone.
      touches.delete(how);
      dirt.names.set(name, touches.add(how));
      dirt.namesDue = Math.min(dirt.namesDue, now + DELAY_MS[how]);
      if (dirt.wholeDue === Infinity) dirt.wholeDue = Math.max(now + debounceMs, dirt.listedAt + distanceMs(dirt));
    },
    /** The whole folder must be listed, after `afterMs`; `deep`: with all that is below. */
    list(folder: string, now: number, afterMs: number, deep: boolean): void {
      const dirt = of(folder);
      dirt.wholeDue = Math.min(dirt.wholeDue, now + afterMs);
      dirt.deep ||= deep;
    },
    /** The listing of a folder took this long. */
    listed: (folder: string, now: number, costMs: number): void =>
      void Object.assign(of(folder), { listedAt: now, listCostMs: costMs } satisfies Partial<Dirt>),
    /** Takes what is due. */
    take(now: number): FolderWork[] {
      const work: FolderWork[] = [];
      for (const [folder, dirt] of all) {
        if (dirt.wholeDue <= now || dirt.namesDue <= now) work.push({ folder, ...takeDue(dirt, now) });
        else if (dirt.wholeDue === Infinity && now - dirt.listedAt > debounceMs + distanceMs(dirt)) all.delete(folder);
      }
      return work;
    },
    /** When something is due next; Infinity if nothing is dirty. */
    due(): number {
      let next = Infinity;
      for (const { namesDue, wholeDue } of all.values()) next = Math.min(next, namesDue, wholeDue);
      return next;
    },
    /** Whether touched names wait to be looked at. */
    pending: (): boolean => [...all.values()].some(({ names }) => names.size > 0),
  };
}

function clean(): Dirt {
  return { names: new Map(), namesDue: Infinity, wholeDue: Infinity, deep: false, listedAt: -Infinity, listCostMs: 0 };
}

function takeDue(dirt: Dirt, now: number): Omit<FolderWork, "folder"> {
  const whole = dirt.wholeDue <= now;
  const work = { names: dirt.names, whole, deep: whole && dirt.deep };
  Object.assign(dirt, { names: new Map(), namesDue: Infinity } satisfies Partial<Dirt>);
  if (whole) Object.assign(dirt, { wholeDue: Infinity, deep: false } satisfies Partial<Dirt>);
  return work;
}

/** A close may mean that a file is finished; while it is written there is nothing to win by looking often. */
const DELAY_MS: Readonly<Record<Touch, number>> = { close: 1, rename: 1, create: 15, remove: 15, chmod: 100, write: 100 };
/** Listing a folder may take one part in this many of the time. */
const LISTING_SHARE = 50;

/** Absolute paths, the newest 1000. */
export type RecentCloses = ReturnType<typeof recentCloses>;

export function recentCloses() {
  const closed = new Set<string>();
  return {
    /** Notes an event. Returns the new name of a file that was closed before it was renamed; null otherwise. */
    note(kind: WatchEvent["kind"], paths: readonly string[]): string | null {
      const [from, to] = paths;
      if (from === undefined) return null;
      if (kind === "close") {
        closed.add(from);
        keepNewest(closed, MOST_CLOSES);
      }
      if (kind === "create" || kind === "write" || kind === "other") closed.delete(from);
      return kind === "rename" && to !== undefined && closed.delete(from) ? to : null;
    },
  };
}

/** Temporary names live shortly. */
const MOST_CLOSES = 1_000;

/** Paths are relative to the watched folder, with `/`. */
export type MissingEvents = ReturnType<typeof missingEvents>;

/** Nothing is expected before the first scan came to its end. */
export function missingEvents(clock: Pick<Clock, "now" | "monotonic">) {
  /** By the wall clock: what came later should have been told of. Null before everything was listed. */
  let listedAt: number | null = null;
  let begunAt: number | null = null;
  let expected = new Map<string, number>();

  return {
    // ctimes are told in whole seconds. What is from the same second and was there already is listed by this scan.
    scanBegins: (): void => void (begunAt = Math.floor(clock.now() / 1000) * 1000),
    /** The scan found these files, which are new and which nobody had told of. */
    found(files: readonly FileFacts[]): void {
      for (const { path, ctimeMs, mtimeMs } of files) {
        if (expected.size >= MOST_EXPECTED || listedAt === null) return;
        // Windows has no ctime; what was copied there with its times kept is left out.
        if ((ctimeMs || mtimeMs) >= listedAt) expected.set(path, clock.monotonic());
      }
    },
    /** The scan came to its end: everything that was there when it began is listed. */
    scanned(): void {
      if (begunAt !== null) listedAt = begunAt;
    },
    /** An event told of this path. */
    told(path: string): void {
      expected.delete(path);
      // Who tells of a folder that was moved here tells of what is in it.
      for (const waiting of expected.keys()) if (isBelow(waiting, path)) expected.delete(waiting);
    },
    /** Some events may be lost: nothing follows from their silence. */
    lost(): void {
      listedAt = begunAt = null;
      expected = new Map();
    },
    /** A file whose event should have come by now; null where there is none. Tells of it once. */
    overdue(): string | null {
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
const MOST_EXPECTED = 100;
