/**
 * The one table from what the operating system says about this computer's files to a Failure.
 *
 * @module
 */
import { Failure, type FailureCode } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { Fault } from "../../system/system.ts";
import { faultOf } from "../../system/fault.ts";

interface Meaning {
  readonly code: FailureCode;
  readonly reason: string;
  readonly hint: string;
}

/** A Failure for an error at the destination's side. `what` reads `Cannot <what>: reason`. */
export function localFailure(error: unknown, what: string): Failure {
  if (error instanceof Failure) return error;
  const fault = faultOf(error);
  const { code, reason, hint } = MEANING[fault];
  return new Failure(code, `Cannot ${what}: ${reason}${detailOf(error, reason)}`, { hint, cause: error });
}

/** What the system itself says, where that says more. */
function detailOf(error: unknown, reason: string): string {
  const detail = error instanceof Error ? printable(reasonOf(error)) : "";
  return detail === "" || detail.toLowerCase() === reason.toLowerCase() ? "" : ` (${detail})`;
}

const MEANING: Readonly<Record<Fault, Meaning>> = {
  not_found: {
    code: "interrupted",
    reason: "it does not exist",
    hint: "It is retried automatically.",
  },
  changed: { code: "interrupted", reason: "another file has taken its place", hint: "It is retried automatically." },
  exists: { code: "exists", reason: "the name is taken", hint: "Move the existing file, or set on_conflict." },
  permission: {
    code: "permission_denied",
    reason: "permission denied",
    hint: "Give the account that runs image-transfer permission to write there.",
  },
  no_space: {
    code: "disk_full",
    reason: "the disk or the quota is full",
    hint: "Free some space at the destination; delivery resumes automatically.",
  },
  read_only: {
    code: "read_only",
    reason: "the file system is read-only",
    hint: "Mount it for writing; a disk that became read-only on its own needs a check.",
  },
  busy: {
    code: "permission_denied",
    reason: "another program has it open",
    hint: "Close the program that has the file open at the destination.",
  },
  not_a_folder: {
    code: "exists",
    reason: "a file exists where a folder is needed",
    hint: "Move the file away, or change the layout.",
  },
  is_a_folder: { code: "exists", reason: "a folder has that name", hint: "Move the folder away, or change the layout." },
  name_too_long: { code: "name_refused", reason: "the name is too long for the file system there", hint: "Rename the file." },
  bad_name: { code: "name_refused", reason: "the file system there rejects the name", hint: "Rename the file." },
  too_many_open_files: {
    code: "interrupted",
    reason: "too many files are open",
    hint: "Raise the limit of open files (LimitNOFILE, ulimit -n).",
  },
  cross_device: {
    code: "configuration",
    reason: "the folder is on another file system than the base path",
    hint: "Make that file system a destination of its own.",
  },
  unsupported: {
    code: "interrupted",
    reason: "the file system does not support this",
    hint: "Use another file system, or another transfer method.",
  },
  io: {
    code: "interrupted",
    reason: "the disk or the network drive reports an error",
    hint: "Check the disk and its connection.",
  },
  aborted: { code: "stopped", reason: "it was stopped", hint: "" },
  other: { code: "interrupted", reason: "the system reports an error", hint: "It is retried automatically." },
};
