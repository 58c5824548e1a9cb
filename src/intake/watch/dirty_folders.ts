/**
 * Which folders are to be looked at, and when. A hint makes its folder dirty; the first look comes at once and
 * looks at the hinted names only; then the whole folder is listed, as hints get lost. Looks at a busy folder
 * keep their distance, a close does not wait for it. Pure bookkeeping; times by the monotonic clock, milliseconds.
 *
 * @module
 */

/** How a name was stirred. */
export type Touch = "create" | "write" | "close" | "remove" | "rename" | "chmod";

/** What is to be done in one folder now. */
export interface FolderWork {
  /** Relative to the watched folder with `/`; empty for that folder itself. */
  readonly folder: string;
  /** Names that were hinted at since the last look, with what happened to each. */
  readonly names: ReadonlyMap<string, ReadonlySet<Touch>>;
  /** List the whole folder. */
  readonly whole: boolean;
  /** Descend into its folders too: it is new, and what was made in it before gave no hint. */
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
export interface DirtyFolders {
  /** Something happened to a name in a folder. */
  touch(folder: string, name: string, how: Touch, now: number): void;
  /** The whole folder must be listed, after `afterMs`; `deep`: with all that is below. */
  list(folder: string, now: number, afterMs: number, deep: boolean): void;
  /** The listing of a folder took this long. */
  listed(folder: string, now: number, costMs: number): void;
  /** Takes what is due. */
  take(now: number): FolderWork[];
  /** When something is due next; Infinity if nothing is dirty. */
  due(): number;
  /** Whether hinted names wait to be looked at. */
  pending(): boolean;
}

/** Bookkeeping with `debounceMs` between two listings of a folder. */
export function dirtyFolders(debounceMs: number): DirtyFolders {
  const dirt = new Map<string, Dirt>();

  const of = (folder: string): Dirt => {
    let found = dirt.get(folder);
    if (found === undefined) {
      found = { names: new Map(), namesDue: Infinity, wholeDue: Infinity, deep: false, listedAt: -Infinity, listCostMs: 0 };
      dirt.set(folder, found);
    }
    return found;
  };

  return {
    touch(folder, name, how, now) {
      const found = of(folder);
      const touches = found.names.get(name) ?? new Set();
      // In the order they came: only a close that nothing followed says that the writer is gone.
      touches.delete(how);
      found.names.set(name, touches.add(how));
      found.namesDue = Math.min(found.namesDue, now + DELAY_MS[how]);
      if (found.wholeDue === Infinity) {
        const distance = Math.max(debounceMs, LISTING_SHARE * found.listCostMs);
        found.wholeDue = Math.max(now + debounceMs, found.listedAt + distance);
      }
    },
    list(folder, now, afterMs, deep) {
      const found = of(folder);
      found.wholeDue = Math.min(found.wholeDue, now + afterMs);
      found.deep ||= deep;
    },
    listed(folder, now, costMs) {
      const found = of(folder);
      found.listedAt = now;
      found.listCostMs = costMs;
    },
    take(now) {
      const work: FolderWork[] = [];
      for (const [folder, found] of dirt) {
        const whole = found.wholeDue <= now;
        if (whole || found.namesDue <= now) {
          work.push({ folder, names: found.names, whole, deep: whole && found.deep });
          found.names = new Map();
          found.namesDue = Infinity;
          if (whole) {
            found.wholeDue = Infinity;
            found.deep = false;
          }
        } else if (found.wholeDue === Infinity && now - found.listedAt > LISTING_SHARE * found.listCostMs + debounceMs) {
          dirt.delete(folder);
        }
      }
      return work;
    },
    due() {
      let next = Infinity;
      for (const found of dirt.values()) next = Math.min(next, found.namesDue, found.wholeDue);
      return next;
    },
    pending: () => [...dirt.values()].some(({ names }) => names.size > 0),
  };
}

/** A close may mean that a file is finished; while it is written there is nothing to win by looking often. */
const DELAY_MS: Readonly<Record<Touch, number>> = { close: 1, rename: 1, create: 15, remove: 15, chmod: 100, write: 100 };
/** Listing a folder may take one part in this many of the time. */
const LISTING_SHARE = 50;
