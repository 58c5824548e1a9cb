/** One version of a file at its source, as the file system tells it. */

/** What the file system says of one regular file. Times in milliseconds since 1970 UTC, size in bytes. */
export interface FileFacts {
  /** Path relative to the watched folder; `/` between the parts on every system. */
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
  /** Change of content or metadata; whole seconds on some runtimes, 0 where the system has none. */
  readonly ctimeMs: number;
  /** `device:inode`, so that a replaced file is told from a rewritten one; empty where the system gives none. */
  readonly identity: string;
}

/** A file of a job, ready to be opened. */
export interface SourceFile extends FileFacts {
  readonly job: string;
  /** The path to open, in the system's own notation. */
  readonly absolutePath: string;
}

/**
 * What is to be opened, and what it must be then: a path can be exchanged for another one at any time. Without size and time the file may
 * have been written meanwhile.
 */
export interface Expected {
  readonly absolutePath: string;
  readonly identity: string;
  readonly size?: number;
  readonly mtimeMs?: number;
}

/**
 * What is read: a path of ours or of the user's, or a source, which is read only if what was opened is what was found at its path before.
 * A call that is given a source throws an error of the fault `changed` for anything else.
 */
export type ToRead = string | Expected;

/** The file itself, whatever has been written into it. */
export function sameFile({ absolutePath, identity }: Expected): Expected {
  return { absolutePath, identity };
}

/** Where that is, of what is given by its path or as a source. */
export function pathToRead(what: string | Expected): string {
  return typeof what === "string" ? what : what.absolutePath;
}

/** Two observations with the same fingerprint are the same version, unless a changed `ctimeMs` makes a second look worth while. */
export function fingerprint(file: Fingerprinted): string {
  return `${file.identity}/${file.size}/${Math.trunc(file.mtimeMs)}`;
}

export function sameFingerprint(a: Fingerprinted, b: Fingerprinted): boolean {
  return a.size === b.size && Math.trunc(a.mtimeMs) === Math.trunc(b.mtimeMs) && a.identity === b.identity;
}

/**
 * Whether both can be the same file: as {@linkcode sameFingerprint}, but the number of a device may be another one after a reboot.
 */
export function sameInode(a: Pick<FileFacts, "identity">, b: Pick<FileFacts, "identity">): boolean {
  const inodeOf = ({ identity }: Pick<FileFacts, "identity">) => identity.slice(identity.indexOf(":") + 1);
  return a.identity === "" || b.identity === "" || inodeOf(a) === inodeOf(b);
}

type Fingerprinted = Pick<FileFacts, "identity" | "size" | "mtimeMs">;

/**
 * For so long after its last change a file is *racy*: it can be rewritten and none of its facts shows it, as times are told in units.
 * Whatever was read of it before must be read again. Milliseconds.
 */
export function racyMs({ mtimeMs, ctimeMs }: Pick<FileFacts, "mtimeMs" | "ctimeMs">): number {
  const changedMs = changeOf({ mtimeMs, ctimeMs });
  const inUnits = (unit: number) => mtimeMs % unit === 0 && changedMs % unit === 0;
  // FAT tells times in units of two seconds, a runtime ctimes in whole seconds.
  const unit = inUnits(2_000) ? 2_000 : changedMs % 1_000 === 0 ? 1_000 : 0;
  return unit + CLOCK_TICK_MS;
}

/** When a file stops being racy, by the clock that its file system tells times by. */
export function racyUntil(facts: Pick<FileFacts, "mtimeMs" | "ctimeMs">): number {
  return changeOf(facts) + racyMs(facts);
}

/** True as long as a rewrite could leave the mtime as it is. */
export function isFresh(facts: Pick<FileFacts, "mtimeMs">, now: number): boolean {
  return now < facts.mtimeMs + freshMs(facts);
}

/** For so long after a change another one may leave the mtime as it is, told in units of one or two seconds or by a clock that ticks seldom. */
export function freshMs({ mtimeMs }: Pick<FileFacts, "mtimeMs">): number {
  return ([2_000, 1_000].find((unit) => mtimeMs % unit === 0) ?? 0) + CLOCK_TICK_MS;
}

/** A mtime can be set to anything: it tells only where there is no ctime. */
function changeOf({ mtimeMs, ctimeMs }: Pick<FileFacts, "mtimeMs" | "ctimeMs">): number {
  return Math.trunc(ctimeMs === 0 ? mtimeMs : ctimeMs);
}

/**
 * How long until a write to any of these files would show in its times, milliseconds. Nothing that a receipt is made of is read
 * before: a write within the tick of the last one would not show.
 */
export function untilTicked(files: readonly Pick<FileFacts, "mtimeMs">[], now: number): number {
  const youngest = files.reduce((least, { mtimeMs }) => Math.min(least, Math.abs(now - mtimeMs)), Infinity);
  return Math.max(0, KERNEL_TICK_MS - youngest);
}

/** File systems take their times from a clock that ticks so seldom; other computers' may be slower than this one's. */
const CLOCK_TICK_MS = 20;
/** Linux: at most 10 (CONFIG_HZ 100). */
const KERNEL_TICK_MS = 12;

/** A file that is still being written and large enough to be sent meanwhile, as it was seen last. */
export interface GrowingFile {
  /** Relative to the watched folder, `/` between the parts. */
  readonly path: string;
  readonly absolutePath: string;
  /** `device:inode`, empty where the system gives none. */
  readonly identity: string;
  readonly size: number;
  /** It has not grown for `growth_timeout_seconds`: nothing more of it is sent until it grows again. */
  readonly stalled: boolean;
}
