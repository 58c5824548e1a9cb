/**
 * The files of all jobs that are listed and not sent: incomplete, or such as cannot be taken.
 *
 * @module
 */
import { join } from "@std/path";
import type { Job } from "../config/settings.ts";
import type { Waiting } from "../intake/settle/candidate.ts";
import type { GivenUp } from "./daemon_control.ts";

/** Most of them that are named. */
const MOST = 100;

/** The first of them, with absolute paths. */
export function givenUp(
  jobs: readonly { readonly job: Pick<Job, "name" | "watchPath">; readonly intake: { waiting(): readonly Waiting[] } }[],
): GivenUp[] {
  const all: GivenUp[] = [];
  for (const { job, intake } of jobs) {
    for (const { path, reason, detail, hint } of intake.waiting()) {
      if (reason !== "incomplete" && reason !== "refused") continue;
      all.push({ job: job.name, path: join(job.watchPath, path), reason, detail, hint });
      if (all.length === MOST) return all;
    }
  }
  return all;
}
