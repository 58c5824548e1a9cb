/**
 * What the error texts of operating systems (in the C locale) and of SFTP servers mean: one table for every tool that
 * passes them on — perl, mv, rsync, scp, sftp.
 *
 * @module
 */
import type { FailureCode } from "../../domain/failure.ts";

/** The meaning of an error text: what it is, in words, and what would help. */
export interface Meaning {
  readonly code: FailureCode;
  readonly reason: string;
  readonly hint: string;
}

/** What an error text of the destination's file system means; null when it says nothing that is known. */
export function meaningOf(text: string): Meaning | null {
  return TABLE.find(([pattern]) => pattern.test(text))?.[1] ?? null;
}

const FULL = "Free some space there; delivery resumes automatically.";
const RIGHTS = "Give the remote account permission to write below the base path.";

const TABLE: readonly (readonly [RegExp, Meaning])[] = [
  [/no space left on device|not enough space|disk full/i, { code: "disk_full", reason: "the disk is full", hint: FULL }],
  [/quota exceeded|exceeded quota|disc quota/i, {
    code: "disk_full",
    reason: "the quota of the account is used up",
    hint: FULL,
  }],
  [/read-only file ?system/i, {
    code: "read_only",
    reason: "the file system is read-only",
    hint: "Mount it writable; a file system that became read-only on its own often has a failing disk.",
  }],
  [/file ?name too long/i, {
    code: "name_refused",
    reason: "the name is too long for the file system there",
    hint: "Shorten the file's name or the layout.",
  }],
  [/invalid or incomplete multibyte|illegal byte sequence|invalid argument/i, {
    code: "name_refused",
    reason: "the file system there rejects this name",
    hint: "Rename the file: not every file system allows every character.",
  }],
  [/not a directory|is a directory|directory not empty|file exists|cannot overwrite directory/i, {
    code: "exists",
    reason: "something else is in the way of the file or one of its folders",
    hint: "Check the path at the destination, and move away what is in the way.",
  }],
  [/permission denied|operation not permitted/i, { code: "permission_denied", reason: "permission denied", hint: RIGHTS }],
  [/cross-device link/i, {
    code: "configuration",
    reason: "the folder is on another file system than the base path",
    hint: "Make that file system a destination of its own.",
  }],
  [/stale (nfs )?file handle|transport endpoint is not connected|input\/output error|host is down/i, {
    code: "device_missing",
    reason: "the disk or network share there is not responding",
    hint: "Check the disk and the mount at the destination.",
  }],
];
