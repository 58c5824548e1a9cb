/**
 * What the intake's steps are handed.
 *
 * @module
 */
import type { FailureRecord } from "../domain/failure.ts";
import type { Job } from "../config/settings.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { IntakeLedger } from "../ledger/intake_ledger.ts";
import type { System } from "../system/system.ts";
import type { Candidates } from "./settle/candidates.ts";
import type { FormatTools } from "./settle/inspect_content.ts";
import type { Writers } from "./settle/writers.ts";

/** The part of the system that judging needs. */
export type JudgeSystem = Pick<
  System,
  "now" | "monotonic" | "sleep" | "facts" | "read" | "hash" | "separator"
>;

/** The parts of one intake. */
export interface JudgeTools {
  readonly job: Job;
  readonly system: JudgeSystem;
  readonly ledger: IntakeLedger;
  readonly formats: FormatTools;
  readonly candidates: Candidates;
  readonly writers: Writers;
  readonly emit: Emit;
  /** The method that `auto` has chosen for a destination; null where it has not, or needs not. */
  readonly methodOf: (destination: string) => string | null;
  /** Told of errors of work in the background. */
  readonly onError: (error: unknown) => void;
  /** Called after something was admitted. */
  readonly admitted: () => void;
  /** Called where images come back into the watched folder: the job must send nothing more. */
  readonly loops: (failure: FailureRecord) => void;
}
