/**
 * The folders of this computer that jobs work in: each may be a disk, or a network drive, of its own.
 *
 * @module
 */
import type { Job } from "../../domain/job.ts";
import type { System } from "../../system/system.ts";
import { nativeBase } from "./local_files.ts";

/** What the jobs watch, and where they deliver to on this computer; absolute paths. */
export function localFolders(jobs: readonly Job[], system: Pick<System, "home" | "platform">): string[] {
  return jobs.flatMap(({ watchPath, destinations }) => [
    watchPath,
    ...destinations.filter(({ method, host }) => method === "local" || host === null).map(({ basePath }) =>
      nativeBase(basePath, system)
    ),
  ]);
}
