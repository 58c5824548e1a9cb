/**
 * The one table from what keeps a source file from being read to a Failure, whoever read it: intake, delivery, or the
 * program of a method.
 *
 * @module
 */
import { Failure, type FailureCode, failureRecord } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import { reasonOf } from "../domain/names/reason.ts";
import { faultOf } from "./fault.ts";
import { pathToRead, type ToRead } from "../domain/source_file.ts";
import type { Fault, Files } from "./system.ts";

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

/** The same for a fault that is known; `detail` is shown where the table says nothing of it. */
export function sourceFailureOf(fault: Fault, path: string, detail = "", cause?: unknown): Failure {
  const { code, reason, hint } = MEANING[fault] ?? {
    ...UNREADABLE,
    reason: `${UNREADABLE.reason}${detail === "" ? "" : ` (${printable(detail).slice(0, 200)})`}`,
  };
  return new Failure(code, `Cannot read "${printable(path)}": ${reason}`, { hint, cause });
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

interface Meaning {
  readonly code: FailureCode;
  readonly reason: string;
  readonly hint: string;
}

const GONE = "If it was moved or deleted on purpose, ignore this. To deliver it, put it back.";

const MEANING: Partial<Readonly<Record<Fault, Meaning>>> = {
  not_found: { code: "source_gone", reason: "it no longer exists", hint: GONE },
  not_a_folder: { code: "source_gone", reason: "its folder no longer exists", hint: GONE },
  is_a_folder: { code: "source_changed", reason: "it is no longer a regular file", hint: "It is checked again." },
  changed: {
    code: "source_changed",
    reason: "it changed after it was finished, or another file has taken its place",
    hint: "It is checked again.",
  },
  permission: {
    code: "source_unreadable",
    reason: "permission denied",
    hint: "Give the account that runs image-transfer permission to read the file; it is retried automatically.",
  },
  busy: {
    code: "source_unreadable",
    reason: "another program has it open",
    hint: "It is retried automatically.",
  },
  io: {
    code: "source_unreadable",
    reason: "the disk reports an error",
    hint: "Check the disk; it is retried automatically.",
  },
  // Nothing is wrong with the file, nor with its disk: no attempt is used up.
  too_many_open_files: {
    code: "interrupted",
    reason: "too many files are open",
    hint: "Raise the limit of open files (LimitNOFILE, ulimit -n); it is retried automatically.",
  },
};

const UNREADABLE: Meaning = {
  code: "source_unreadable",
  reason: "it cannot be opened or read",
  hint: "Check the file's permissions and the disk; it is retried automatically.",
};
