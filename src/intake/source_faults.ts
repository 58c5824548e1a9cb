/**
 * What is wrong with a source file, in words a person can act on.
 *
 * @module
 */
import { Failure, type FailureRecord, failureRecord } from "../domain/failure.ts";
import { sourceFailure } from "../system/source_failure.ts";

/** What an error met while reading a listed file means for it. Its disk lists it: if it cannot be found, it is looked for again. */
export function unreadable(path: string, error: unknown): FailureRecord {
  const failure = failureRecord(sourceFailure(error, path));
  return failure.code === "source_gone" || failure.code === "source_changed"
    ? { ...failure, code: "source_unreadable", next: "later" }
    : failure;
}

/** A file that contradicts itself. */
export function corrupt(path: string, reason: string): FailureRecord {
  return failureRecord(
    new Failure("source_corrupt", `Cannot send "${path}": ${reason}`, {
      hint: "Write the file again, or set verify_source: warn to send it as it is.",
    }),
  );
}

/** A file that was delivered, and came back one folder deeper. */
export function cameBack(path: string, former: string): FailureRecord {
  return failureRecord(
    new Failure("loop", `Cannot send "${path}": it is "${former}" that came back, so every image would be sent again and again`, {
      next: "later",
      hint:
        "A destination leads back to this folder, perhaps through another computer. Correct that, remove the copies here, then resume.",
    }),
  );
}

/** A name that cannot be carried on, because its bytes are not UTF-8. */
export function badName(path: string): FailureRecord {
  return failureRecord(
    new Failure("bad_name", `Cannot send "${path}": its name is not valid UTF-8`, {
      hint: "Rename the file; it is then sent under its new name.",
    }),
  );
}

/** A folder that cannot be looked into. */
export function unreadableFolder(path: string, reason: string): FailureRecord {
  return failureRecord(
    new Failure("source_unreadable", `Cannot list "${path}": ${reason}`, {
      hint: "Give the account that runs image-transfer permission to read the folder; it is retried at the next rescan.",
    }),
  );
}
