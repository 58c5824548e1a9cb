/**
 * Named places where the fault tests end the daemon as a power cut would: the environment variable
 * `IMAGE_TRANSFER_CRASH_AT` names one. Without it nothing happens.
 */
import type { Surroundings } from "../system/system.ts";

export type CrashPoint =
  | "after_claim"
  | "during_put"
  | "after_put"
  | "after_verify"
  | "after_publish"
  | "before_record"
  | "after_record"
  | "after_source_moved"
  | "after_source_removed"
  | "before_removal"
  | "after_removal";

export function crashPoint(point: CrashPoint, system: Pick<Surroundings, "env" | "crash">): void {
  if (system.env("IMAGE_TRANSFER_CRASH_AT") === point) system.crash();
}
