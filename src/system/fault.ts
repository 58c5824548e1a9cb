/**
 * What an error of the operating system means, decided by the first of these that is known: the number in the message
 * (`(os error 28)`, the most reliable, as Deno names only some errors), the `code` (`ENOSPC`), the class (`Deno.errors.NotFound`).
 *
 * @module
 */
import type { Fault, Platform } from "./system.ts";

/** The meaning of anything thrown by the parts of System; "other" if it is not an error of the operating system. */
export function faultOf(error: unknown, platform: Platform = thisPlatform()): Fault {
  if (!(error instanceof Error)) return "other";
  if (error.name === "AbortError" || error.name === "Interrupted") return "aborted";
  if (/unexpected NUL byte|nul byte|invalid utf-?8/i.test(error.message)) return "bad_name";
  const number = /\(os error (\d+)\)/.exec(error.message)?.[1];
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  // A name that the file system cannot hold (a colon on FAT) is EINVAL; so is much else, but not from these calls.
  const aboutAName = /: (open|rename|link|mkdir|symlink|copyfile) '/.test(error.message);
  if (aboutAName && (code === "EINVAL" || (number === "22" && platform !== "windows"))) return "bad_name";
  return (number === undefined ? undefined : BY_NUMBER[platform][Number(number)]) ?? BY_CODE[code] ?? BY_CLASS[error.name] ??
    "other";
}

function thisPlatform(): Platform {
  const { os } = Deno.build;
  return os === "windows" || os === "darwin" ? os : "linux";
}

const BY_CODE: Readonly<Record<string, Fault>> = {
  ENOENT: "not_found",
  EEXIST: "exists",
  ENOTEMPTY: "exists",
  EACCES: "permission",
  EPERM: "permission",
  ENOSPC: "no_space",
  EDQUOT: "no_space",
  EROFS: "read_only",
  EBUSY: "busy",
  ETXTBSY: "busy",
  EADDRINUSE: "busy",
  EAGAIN: "busy",
  ENOTDIR: "not_a_folder",
  EISDIR: "is_a_folder",
  ENAMETOOLONG: "name_too_long",
  EILSEQ: "bad_name",
  EMFILE: "too_many_open_files",
  ENFILE: "too_many_open_files",
  EXDEV: "cross_device",
  ENOTSUP: "unsupported",
  EOPNOTSUPP: "unsupported",
  ENOSYS: "unsupported",
  ENOLCK: "unsupported",
  EIO: "io",
  ENXIO: "io",
  ENODEV: "io",
  ESTALE: "io",
  EREMOTEIO: "io",
  EHOSTDOWN: "io",
  ENOTCONN: "io",
  ESHUTDOWN: "io",
  EFBIG: "unsupported",
  // Ours.
  ECHANGED: "changed",
};

const BY_CLASS: Readonly<Record<string, Fault>> = {
  NotFound: "not_found",
  AlreadyExists: "exists",
  PermissionDenied: "permission",
  NotCapable: "permission",
  Busy: "busy",
  AddrInUse: "busy",
  WouldBlock: "busy",
  NotADirectory: "not_a_folder",
  IsADirectory: "is_a_folder",
  NotSupported: "unsupported",
  TimedOut: "io",
};

/** errno (Linux, macOS) and GetLastError (Windows) numbers that Deno gives no or a misleading code for. */
const BY_NUMBER: Readonly<Record<Platform, Readonly<Record<number, Fault>>>> = {
  linux: {
    5: "io",
    6: "io",
    19: "io",
    27: "unsupported", // larger than the file system allows
    37: "unsupported", // no locks
    84: "bad_name",
    95: "unsupported",
    108: "io", // mount went away
    112: "io", // its server is down
    116: "io", // stale NFS handle
    121: "io",
    122: "no_space", // quota
    123: "io", // no medium
  },
  darwin: {
    5: "io",
    6: "io",
    19: "io",
    27: "unsupported",
    45: "unsupported",
    64: "io",
    69: "no_space",
    70: "io",
    77: "unsupported",
    92: "bad_name",
    102: "unsupported",
  },
  windows: {
    1: "unsupported",
    2: "not_found",
    3: "not_found",
    4: "too_many_open_files",
    5: "permission",
    17: "cross_device",
    19: "read_only", // write protected
    21: "io", // not ready
    23: "io", // CRC
    32: "busy", // sharing violation
    33: "busy", // locked range
    39: "no_space",
    50: "unsupported",
    53: "io", // network path not found
    55: "io",
    59: "io",
    64: "io", // network name no longer there
    67: "not_found", // no such share
    80: "exists",
    82: "permission",
    87: "other",
    110: "io",
    111: "name_too_long",
    112: "no_space",
    121: "io",
    123: "bad_name",
    145: "exists", // folder not empty
    161: "bad_name",
    170: "busy",
    183: "exists",
    206: "name_too_long",
    267: "not_a_folder",
    303: "busy", // being deleted
    483: "io",
    1117: "io",
    1224: "busy", // mapped by a process
    1231: "io",
    1295: "no_space", // quota
    1392: "io",
    1816: "no_space", // quota
  },
};
