/** What keeps a source file from being read, as a Failure, whoever read it: intake, delivery, or the program of a method. */
import { type Cause, CAUSES, failure } from "../domain/causes.ts";
import { Failure, failureRecord } from "../domain/failure.ts";
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
