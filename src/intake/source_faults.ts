/**
 * What is wrong with a source file, or with the watched folder, in words a person can act on; and what was found but cannot be sent,
 * whatever is in it: told once, listed until a scan no longer finds it.
 */
import { lastPart } from "../domain/names/file_name.ts";
import { Failure, type FailureCode, type FailureRecord, failureRecord, type NextStep } from "../domain/failure.ts";
import { reasonOf } from "../domain/names/reason.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { Patterns } from "./patterns.ts";
import type { Waiting } from "./settle/candidate.ts";
import { faultOf, sourceFailure } from "../system/fault.ts";
import type { Platform } from "../system/system.ts";
import type { RootLook } from "../system/watching/source_root.ts";

/** What an error met while reading a listed file means for it. Its disk lists it: if it cannot be found, it is looked for again. */
export function unreadable(path: string, error: unknown): FailureRecord {
  const failure = failureRecord(sourceFailure(error, path));
  return failure.code === "source_gone" || failure.code === "source_changed"
    ? { ...failure, code: "source_unreadable", next: "later" }
    : failure;
}

function fault(code: FailureCode, message: string, hint: string, next?: NextStep): FailureRecord {
  return failureRecord(new Failure(code, message, { hint, ...(next === undefined ? {} : { next }) }));
}

/** A file that contradicts itself. */
export function corrupt(path: string, reason: string): FailureRecord {
  const hint = "Write the file again, or set verify_source: warn to send it as it is.";
  return fault("source_corrupt", `Cannot send "${path}": ${reason}`, hint);
}

/** A file that was delivered, and came back one folder deeper. */
export function cameBack(path: string, former: string): FailureRecord {
  const message = `Cannot send "${path}": it is "${former}" that came back, so every image would be sent again and again`;
  const hint =
    "A destination leads back to this folder, perhaps through another computer. Correct that, remove the copies here, then resume.";
  return fault("loop", message, hint, "later");
}

const RENAME = "Rename the file; it is then sent under its new name.";

/** A name that is kept for folders and temporary files of ours. */
export function reservedName(path: string): FailureRecord {
  const why = "names that begin with .image-transfer- are reserved for temporary files";
  return fault("bad_name", `Cannot send "${path}": ${why}`, RENAME);
}

/** A folder that cannot be looked into; one `below` the watched one may be left out. */
export function unreadableFolder(path: string, reason: string, below: boolean): FailureRecord {
  const leave = below ? ", or leave it out with exclude_patterns" : "";
  const hint =
    `Give the account that runs image-transfer permission to read the folder${leave}; it is retried at the next rescan.`;
  return fault("source_unreadable", `Cannot list "${path}": ${reason}`, hint);
}

/** A watched folder that is not there, is not a folder, lies below a disk that is gone, or does not respond. */
export function noRoot(folder: string, is: Exclude<RootLook["is"], "folder">, platform: Platform): Failure {
  const cannot = `Cannot watch "${folder}"`;
  switch (is) {
    case "missing":
      return platform !== "windows" && /^[A-Za-z]:[\\/]/.test(folder)
        ? new Failure("source_gone", `${cannot}: it is a Windows path, and this computer does not run Windows`, {
          next: "later",
          hint: "Correct watch_path.",
        })
        : new Failure("source_gone", `${cannot}: the folder does not exist`, {
          next: "later",
          hint: "Create the folder, mount its disk, or correct watch_path. Watching then starts automatically.",
        });
    case "unmounted":
      return new Failure("source_gone", `${cannot}: its disk is not mounted; what is there now is the folder below it`, {
        next: "later",
        hint: "Mount the disk: watching resumes automatically. To watch the folder itself, restart image-transfer.",
      });
    case "not a folder":
      return new Failure("not_a_folder", `${cannot}: it is not a folder`, {
        hint: "Set watch_path to the folder of the images.",
      });
    case "silent":
      return new Failure("timeout", `${cannot}: its file system is not responding`, {
        hint: "Check its file server or disk. Watching resumes automatically as soon as it responds.",
      });
    default:
      return is satisfies never;
  }
}

/** A watched folder that cannot be looked at, or whose events cannot be followed. */
export function cannotWatch(folder: string, error: unknown): Failure {
  const hint = faultOf(error) === "permission"
    ? "Give the account that runs image-transfer permission to read the folder."
    : "It is retried automatically. If the error persists, check the disk.";
  return new Failure("source_unreadable", `Cannot watch "${folder}": ${reasonOf(error)}`, { hint, cause: error });
}

/** Kept from scan to scan, in memory. */
export type UnreadablePaths = ReturnType<typeof unreadablePaths>;

/** One for each intake; `tell` hears `refused` once for each path and reason. */
export function unreadablePaths(
  job: string,
  tools: { patterns: Patterns; emit: Emit; system: { now(): number } },
) {
  const all = new Map<string, { failure: FailureRecord; since: number; scan: number }>();
  let scan = 0;
  const keep = (path: string, failure: FailureRecord) => {
    const known = all.get(path);
    if (known?.failure.message !== failure.message) tools.emit({ type: "refused", job, path, failure });
    all.set(path, { failure, since: known?.since ?? tools.system.now(), scan });
  };
  return {
    /** Notes one; paths relative to the watched folder. What no pattern wants is nobody's trouble. */
    note(path: string, reason: string): void {
      const failure = whyUnreadable(path, reason, tools.patterns);
      if (failure !== null) keep(path, failure);
    },
    /** Notes those of some files whose names are reserved; returns how many. */
    noteReserved(files: readonly { readonly path: string }[]): number {
      const reserved = files.filter(({ path }) => tools.patterns.isReserved(path));
      for (const { path } of reserved) keep(path, reservedName(path));
      return reserved.length;
    },
    scanBegins: (): void => void scan++,
    /** It has ended: what it did not find is forgotten. */
    scanned(): void {
      for (const [path, found] of all) if (found.scan < scan) all.delete(path);
    },
    /** As refused files of 0 bytes, to stand in one list with the others. */
    waiting: (): Waiting[] =>
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
  // Its bytes are not UTF-8.
  if (isName) return fault("bad_name", `Cannot send "${path}": its name is not valid UTF-8`, RENAME);
  return unreadableFolder(path, reason, true);
}
