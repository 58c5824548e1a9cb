/**
 * What the steps of one job's intake are handed, and what they keep between them. Only what is not settled yet is kept; a restart
 * finds all of it again.
 */
import type { TaskGroup } from "../async/task_group.ts";
import type { FailureRecord } from "../domain/failure.ts";
import type { Job } from "../config/settings.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { IntakeLedger } from "../ledger/intake_ledger.ts";
import type { EarlyLooks } from "../system/processes/early_looks.ts";
import type { System } from "../system/system.ts";
import type { WaySystem } from "../system/way_to.ts";
import type { Patterns } from "./patterns.ts";
import type { Candidates } from "./settle/candidate.ts";
import type { Rereads } from "./settle/rereads.ts";
import type { Writers } from "./settle/writers.ts";
import { absolutePathOf } from "./source_path.ts";
import type { DirtyFolders, MissingEvents, RecentCloses } from "./watch/events.ts";
import type { KnownFiles, PatternWatch } from "./watch/known_files.ts";
import type { LeftAside } from "./watch/left_aside.ts";
import type { UnreadablePaths } from "./source_faults.ts";

/** For the steps from a file that was found to its admission. Paths are relative to the watched folder, with `/`. */
export interface SettleContext {
  readonly job: Job;
  readonly system: Pick<System, "now" | "monotonic" | "sleep" | "facts" | "read" | "hash" | "separator"> & WaySystem;
  readonly ledger: IntakeLedger;
  readonly candidates: Candidates;
  readonly writers: Writers;
  /** Begun for what is finished by its close: since then it may have been opened again. */
  readonly looks: Pick<EarlyLooks, "begin" | "heard">;
  /** Compares whole files for a mere ctime: one at a time, beside everything else. */
  readonly comparing: TaskGroup;
  readonly emit: Emit;
  readonly aside: Pick<LeftAside, "isOld">;
  /** The method that `auto` has chosen for a destination; null where it has not, or needs not. */
  readonly chosenMethod: (destination: string) => string | null;
  /** Told of errors of work in the background. */
  readonly onError: (error: unknown) => void;
  /** Called after something was admitted. */
  readonly admitted: () => void;
  /** Called where images come back into the watched folder: the job must send nothing more. */
  readonly loops: (failure: FailureRecord) => void;
}

/** For the steps before: from an event, or a scan, to the files that were found. */
export interface IntakeContext extends SettleContext {
  readonly system: SettleContext["system"] & Pick<System, "list" | "walk" | "run">;
  readonly patterns: Patterns;
  readonly aside: LeftAside;
  readonly dirty: DirtyFolders;
  readonly recentCloses: RecentCloses;
  readonly known: KnownFiles;
  readonly unreadable: UnreadablePaths;
  readonly missingEvents: MissingEvents;
  readonly matches: PatternWatch;
  readonly rereads: Pick<Rereads, "ask">;
}

/** In the system's own notation. */
export function absolute({ job, system }: Pick<SettleContext, "job" | "system">, path: string): string {
  return absolutePathOf(job.watchPath, path, system.separator);
}
