/**
 * One version of a file at its source, as the file system tells it.
 *
 * @module
 */

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

/** Two observations with the same fingerprint are the same version, unless a changed `ctimeMs` makes a second look worth while. */
export function fingerprint(file: Pick<FileFacts, "identity" | "size" | "mtimeMs">): string {
  return `${file.identity}/${file.size}/${Math.trunc(file.mtimeMs)}`;
}
