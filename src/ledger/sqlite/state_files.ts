/**
 * The small files beside the ledger. What the operating system says about them leaves here as a {@linkcode Failure} that
 * names the file, the reason, and what to do.
 */
import { type Cause, CAUSES, failure } from "../../domain/causes.ts";
import { Failure } from "../../domain/failure.ts";
import { reasonOf } from "../../domain/names/reason.ts";

/** Makes a folder and those above it, for its owner only; one that is there is fine. @throws {Failure} */
export function makeFolder(path: string): void {
  guarded(`create the folder "${path}"`, () => Deno.mkdirSync(path, { recursive: true, mode: 0o700 }));
}

/** Takes the rights of other accounts to a folder and these files in it, also where they were there before. */
export function keepPrivate(folder: string, names: readonly string[]): void {
  if (Deno.build.os === "windows") return;
  try {
    // A sticky folder is shared on purpose, as /tmp is.
    if (((Deno.statSync(folder).mode ?? 0) & 0o1000) === 0) Deno.chmodSync(folder, 0o700);
    for (const name of names) {
      const path = `${folder}/${name}`;
      // Never what a link leads to.
      if (isThere(path) && Deno.lstatSync(path).isFile) Deno.chmodSync(path, 0o600);
    }
  } catch (error) {
    // Another account's, or a disk without modes: what is of no use fails when it is used.
    if (!(error instanceof Error)) throw error;
  }
}

/** True for links as well, wherever they lead. @throws {Failure} where it cannot be told. */
export function isThere(path: string): boolean {
  return guarded(`access "${path}"`, () => {
    try {
      Deno.lstatSync(path);
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  });
}

/** The text of a file; null where there is none. @throws {Failure} */
export function readIfThere(path: string): string | null {
  return guarded(`read "${path}"`, () => isThere(path) ? Deno.readTextFileSync(path) : null);
}

/** Replaces a file whole, so that a power cut leaves the former or the new text. @throws {Failure} */
export function writeDurably(path: string, text: string): void {
  guarded(`write "${path}"`, () => {
    const part = `${path}.part`;
    try {
      {
        using file = Deno.openSync(part, { write: true, create: true, truncate: true });
        file.writeSync(new TextEncoder().encode(text));
        file.syncSync();
      }
      Deno.renameSync(part, path);
    } catch (error) {
      if (isThere(part)) Deno.removeSync(part);
      throw error;
    }
  });
}

/** Gives a file another name, in place of what has it. @throws {Failure} */
export function move(from: string, to: string): void {
  guarded(`rename "${from}" to "${to}"`, () => Deno.renameSync(from, to));
}

/** Nothing there is fine. @throws {Failure} */
export function removeIfThere(path: string): void {
  if (isThere(path)) guarded(`remove "${path}"`, () => Deno.removeSync(path));
}

/** Which file has this name, as the operating system tells files apart; null where there is none, or where that is not known. */
export function identityOf(path: string): string | null {
  return guarded(`access "${path}"`, () => {
    if (!isThere(path)) return null;
    const { dev, ino } = Deno.statSync(path);
    return ino === null || ino === 0 ? null : `${dev}:${ino}`;
  });
}

/** @throws {Failure} `exists` where a folder has the name of one of SQLite's files. */
export function refuseFolders(path: string): void {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    if (!guarded(`access "${file}"`, () => isThere(file) && Deno.lstatSync(file).isDirectory)) continue;
    throw failure(CAUSES.state_folder_has_name, `Cannot open the ledger "${file}"`);
  }
}

/** 0 where there is none. @throws {Failure} */
export function sizeOf(path: string): number {
  return guarded(`access "${path}"`, () => isThere(path) ? Deno.statSync(path).size : 0);
}

/** When the file was last changed. @throws {Failure} */
export function changedAt(path: string): Date {
  return guarded(`access "${path}"`, () => Deno.statSync(path).mtime ?? new Date(0));
}

function guarded<T>(action: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Error) || error instanceof Failure) throw error;
    // Every error of the operating system has one; what has none is a fault of the program.
    const name = "code" in error && typeof error.code === "string" ? error.code : BY_CLASS[error.name];
    if (name === undefined) throw error;
    throw failure(MEANING[name] ?? CAUSES.state_unusable, `Cannot ${action}`, {
      words: { reason: reasonOf(error) },
      cause: error,
    });
  }
}

/** Errors that Deno gives no code, by their class. */
const BY_CLASS: Readonly<Record<string, string>> = {
  NotFound: "ENOENT",
  PermissionDenied: "EACCES",
  NotCapable: "EACCES",
  AlreadyExists: "EEXIST",
  NotADirectory: "ENOTDIR",
  IsADirectory: "EISDIR",
  Busy: "EBUSY",
};

const MEANING: Readonly<Record<string, Cause>> = {
  ENOSPC: CAUSES.state_full,
  EDQUOT: CAUSES.state_full,
  EACCES: CAUSES.state_denied,
  EPERM: CAUSES.state_denied,
  EROFS: CAUSES.state_read_only,
  EEXIST: CAUSES.state_file_blocks_folder,
  ENOTDIR: CAUSES.state_file_blocks_folder,
  EISDIR: CAUSES.state_folder_has_name,
  ENOENT: CAUSES.state_missing,
  EBUSY: CAUSES.state_open,
  EMFILE: CAUSES.too_many_files,
  ENFILE: CAUSES.too_many_files,
  EIO: CAUSES.state_disk_error,
  ENXIO: CAUSES.state_disk_error,
  ESTALE: CAUSES.state_disk_error,
};
