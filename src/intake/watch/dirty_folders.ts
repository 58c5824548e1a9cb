/**
 * Which folders are to be checked, and when. An event makes its folder dirty; the first check comes at once and
 * looks at the touched names only; then the whole folder is listed, as events get lost. Listings of a busy folder
 * keep their distance; a close does not wait for one. Pure bookkeeping; times by the monotonic clock, milliseconds.
 *
 * @module
 */

/** What an event told of a name. */
export type Touch = "create" | "write" | "close" | "remove" | "rename" | "chmod";

/** What is to be done in one folder now. */
export interface FolderWork {
  /** Relative to the watched folder with `/`; empty for that folder itself. */
  readonly folder: string;
  /** Names that were touched since the last check, and how. */
  readonly names: ReadonlyMap<string, ReadonlySet<Touch>>;
  /** List the whole folder. */
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
  /** Whether touched names wait to be looked at. */
  pending(): boolean;
}

/** Bookkeeping with `debounceMs` between two listings of a folder. */
export function dirtyFolders(debounceMs: number): DirtyFolders {
  const all = new Map<string, Dirt>();
  const of = (folder: string): Dirt => {
    const dirt = all.get(folder) ?? clean();
    all.set(folder, dirt);
    return dirt;
  };
  const distanceMs = ({ listCostMs }: Dirt) => Math.max(debounceMs, LISTING_SHARE * listCostMs);

  return {
    touch(folder, name, how, now) {
      const dirt = of(folder);
      const touches = dirt.names.get(name) ?? new Set();
      // In the order they came: only a close that nothing followed says that the writer is gone.
      touches.delete(how);
      dirt.names.set(name, touches.add(how));
      dirt.namesDue = Math.min(dirt.namesDue, now + DELAY_MS[how]);
      if (dirt.wholeDue === Infinity) dirt.wholeDue = Math.max(now + debounceMs, dirt.listedAt + distanceMs(dirt));
    },
    list(folder, now, afterMs, deep) {
      const dirt = of(folder);
      dirt.wholeDue = Math.min(dirt.wholeDue, now + afterMs);
      dirt.deep ||= deep;
    },
    listed: (folder, now, costMs) =>
      void Object.assign(of(folder), { listedAt: now, listCostMs: costMs } satisfies Partial<Dirt>),
    take(now) {
      const work: FolderWork[] = [];
      for (const [folder, dirt] of all) {
        if (dirt.wholeDue <= now || dirt.namesDue <= now) work.push({ folder, ...takeDue(dirt, now) });
        else if (dirt.wholeDue === Infinity && now - dirt.listedAt > debounceMs + distanceMs(dirt)) all.delete(folder);
      }
      return work;
    },
    due() {
      let next = Infinity;
      for (const { namesDue, wholeDue } of all.values()) next = Math.min(next, namesDue, wholeDue);
      return next;
    },
    pending: () => [...all.values()].some(({ names }) => names.size > 0),
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
