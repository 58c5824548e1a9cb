/**
 * What an error of the operating system means, decided by the first of these that is known: the number in the message
 * (`(os error 28)`, the most reliable, as Deno names only some errors), the `code` (`ENOSPC`), the class (`Deno.errors.NotFound`). And what
 * keeps a source file from being read, as a Failure, whoever read it: intake, delivery, or the program of a method.
 */
import type { Fault, Files, Platform } from "./system.ts";
import { type Cause, CAUSES, failure } from "../domain/causes.ts";
import { Failure, failureRecord } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import { reasonOf } from "../domain/names/reason.ts";
import { pathToRead, type ToRead } from "../domain/source_file.ts";

/** The meaning of anything thrown by the parts of System; "other" if it is not an error of the operating system. */
export function faultOf(error: unknown, platform: Platform = THIS_PLATFORM): Fault {
  if (!(error instanceof Error)) return "other";
  if (error.name === "AbortError" || error.name === "Interrupted") return "aborted";
  if (/unexpected NUL byte|nul byte|invalid utf-?8/i.test(error.message)) return "bad_name";
  const number = /\(os error (\d+)\)/.exec(error.message)?.[1];
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  // A name that the file system cannot hold (a colon on FAT) is EINVAL; so is much else, but not from these calls.
  const aboutAName = /: (open|rename|link|mkdir|symlink|copyfile) '/.test(error.message);
  if (aboutAName && (code === "EINVAL" || (number === "22" && platform !== "windows"))) return "bad_name";
  const known = number === undefined ? undefined : meaningIn(NUMBERS[platform], Number(number));
  return known ?? meaningIn(CODES, code) ?? meaningIn(CLASSES, error.name) ?? "other";
}

function meaningIn<T>(table: Meanings<T>, said: T): Fault | undefined {
  return (Object.keys(table) as Fault[]).find((fault) => table[fault]!.includes(said));
}

type Meanings<T> = Partial<Readonly<Record<Fault, readonly T[]>>>;

const { os } = Deno.build;
const THIS_PLATFORM: Platform = os === "windows" || os === "darwin" ? os : "linux";

const CODES: Meanings<string> = {
  not_found: ["ENOENT"],
  exists: ["EEXIST", "ENOTEMPTY"],
  permission: ["EACCES", "EPERM"],
  no_space: ["ENOSPC", "EDQUOT"],
  read_only: ["EROFS"],
  busy: ["EBUSY", "ETXTBSY", "EADDRINUSE", "EAGAIN"],
  not_a_folder: ["ENOTDIR"],
  is_a_folder: ["EISDIR"],
  name_too_long: ["ENAMETOOLONG"],
  bad_name: ["EILSEQ"],
  too_many_open_files: ["EMFILE", "ENFILE"],
  cross_device: ["EXDEV"],
  unsupported: ["ENOTSUP", "EOPNOTSUPP", "ENOSYS", "ENOLCK", "EFBIG"],
  io: ["EIO", "ENXIO", "ENODEV", "ESTALE", "EREMOTEIO", "EHOSTDOWN", "ENOTCONN", "ESHUTDOWN"],
  // Ours.
  changed: ["ECHANGED"],
};

const CLASSES: Meanings<string> = {
  not_found: ["NotFound"],
  exists: ["AlreadyExists"],
  permission: ["PermissionDenied", "NotCapable"],
  busy: ["Busy", "AddrInUse", "WouldBlock"],
  not_a_folder: ["NotADirectory"],
  is_a_folder: ["IsADirectory"],
  unsupported: ["NotSupported"],
  io: ["TimedOut"],
};

/** errno (Linux, macOS) and GetLastError (Windows) numbers that Deno gives no or a misleading code for. */
const NUMBERS: Readonly<Record<Platform, Meanings<number>>> = {
  linux: {
    io: [5, 6, 19, 108, 112, 116, 121, 123], // 108, 112, 116: a mount or its server went away; 123: no medium
    unsupported: [27, 37, 95], // 27: larger than the file system allows; 37: no locks
    bad_name: [84],
    no_space: [122], // quota
  },
  darwin: {
    io: [5, 6, 19, 64, 70],
    unsupported: [27, 45, 77, 102],
    no_space: [69],
    bad_name: [92],
  },
  windows: {
    unsupported: [1, 50],
    not_found: [2, 3, 67], // 67: no such share
    too_many_open_files: [4],
    permission: [5, 82],
    cross_device: [17],
    read_only: [19],
    // Not ready, CRC, a network path or name that went away.
    io: [21, 23, 53, 55, 59, 64, 110, 121, 483, 1117, 1231, 1392],
    busy: [32, 33, 170, 303, 1224], // open elsewhere, a locked range, being deleted, mapped by a process
    no_space: [39, 112, 1295, 1816], // the last two: quota
    exists: [80, 145, 183], // 145: folder not empty
    other: [87],
    name_too_long: [111, 206],
    bad_name: [123, 161],
    not_a_folder: [267],
  },
};

/** What an error met while reading a source means; one that is not the operating system's is `internal`. */
export function sourceFailure(error: unknown, path: string): Failure {
  if (error instanceof Failure) return error;
  const fault = faultOf(error);
  if (fault !== "other" || (error instanceof Error && "code" in error)) {
    return sourceFailureOf(fault, path, reasonOf(error), error);
  }
  const { code, message, next, hint } = failureRecord(error);
  return new Failure(code, message, { next, hint, cause: error });
}

/** The same for a fault that is known; `detail` is shown where the fault says nothing. */
export function sourceFailureOf(fault: Fault, path: string, detail = "", cause?: unknown): Failure {
  const known = MEANING[fault];
  const said = known ? "" : printable(detail).slice(0, 200);
  return failure(known ?? CAUSES.source_unreadable, `Cannot read "${printable(path)}"`, { said, cause });
}

/**
 * Whether it is the source that keeps a file from being sent, which a copy or a tool that touches both sides does not tell: a Failure
 * where it cannot be read; null where it can. `whole` reads all of it, as after an error of a disk.
 */
export async function sourceFault(
  from: ToRead,
  whole: boolean,
  system: Pick<Files, "followedFacts" | "read" | "hash">,
  signal: AbortSignal,
): Promise<Failure | null> {
  const source = pathToRead(from);
  try {
    const facts = await system.followedFacts(source);
    if (facts === null) return sourceFailureOf("not_found", source);
    if (facts.kind !== "file") return sourceFailureOf("is_a_folder", source);
    await system.read(from, 0, 1);
    if (whole) await system.hash(from, signal);
    return null;
  } catch (error) {
    signal.throwIfAborted();
    return sourceFailure(error, source);
  }
}

const MEANING: Partial<Readonly<Record<Fault, Cause>>> = {
  not_found: CAUSES.source_gone,
  not_a_folder: CAUSES.source_folder_gone,
  is_a_folder: CAUSES.source_not_a_file,
  changed: CAUSES.source_replaced,
  permission: CAUSES.source_denied,
  busy: CAUSES.source_open,
  io: CAUSES.source_disk,
  too_many_open_files: CAUSES.too_many_files,
};
