/** What the operating system says about this computer's files, as a Failure of the destination. */
import { type Cause, CAUSES, failure } from "../../domain/causes.ts";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import { faultOf } from "../../system/fault.ts";
import type { Fault } from "../../system/system.ts";

/** A Failure for an error at the destination's side. `what` reads `Cannot <what>: reason`. */
export function localFailure(error: unknown, what: string): Failure {
  if (error instanceof Failure) return error;
  const said = error instanceof Error ? printable(reasonOf(error)) : "";
  return failure(MEANING[faultOf(error)], `Cannot ${what}`, { said, cause: error });
}

const MEANING: Readonly<Record<Fault, Cause>> = {
  not_found: CAUSES.not_there,
  changed: CAUSES.place_taken,
  exists: CAUSES.name_taken,
  permission: CAUSES.permission_denied,
  no_space: CAUSES.full,
  read_only: CAUSES.read_only,
  busy: CAUSES.in_use_there,
  not_a_folder: CAUSES.file_blocks_folder,
  is_a_folder: CAUSES.folder_has_name,
  name_too_long: CAUSES.name_too_long,
  bad_name: CAUSES.name_refused,
  too_many_open_files: CAUSES.too_many_files,
  cross_device: CAUSES.other_file_system,
  unsupported: CAUSES.unsupported,
  io: CAUSES.disk_error,
  aborted: CAUSES.aborted,
  other: CAUSES.system_error,
};
