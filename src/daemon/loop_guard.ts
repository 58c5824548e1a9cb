/**
 * Finds destinations whose files come back into a watched folder, through a symlink, another mount or this computer's own
 * name behind ssh. Each session creates a probe folder with a random name at its base path; if it turns up in a watched folder,
 * files would too.
 */
import { folderOf } from "../domain/names/file_name.ts";
import { dirname, join } from "@std/path";
import { within } from "../async/deadline.ts";
import { Failure } from "../domain/failure.ts";
import type { Destination, Job } from "../config/settings.ts";
import { printable } from "../domain/names/printable.ts";
import type { LoopCheck, Probe } from "../delivery/destination_context.ts";
import type { System } from "../system/system.ts";
import { isDeep, patternsOf } from "../intake/patterns.ts";

type LookSystem = Pick<System, "followedFacts" | "realPath" | "walk" | "sleep">;

/** A watched folder whose disk does not respond for this long is not being watched either. */
const PATIENCE_MS = 5_000;

export type LoopGuard = ReturnType<typeof loopGuard>;

/** What is known of destinations that lead to watched folders. One for all destinations that run together; each check calls `jobs` again. */
export function loopGuard(jobs: () => readonly Job[], system: LookSystem): LoopCheck & { forget(job: string): void } {
  /** By job and destination: the jobs that its files reach. */
  const reached = new Map<string, Map<string, ReadonlySet<string>>>();
  const clear = new Set<string>();

  /** Whether files of one job reach another one, as far as is known. */
  function leads(from: string, goal: string, seen: Set<string>): boolean {
    if (seen.has(from)) return false;
    seen.add(from);
    const next = [...reached.get(from)?.values() ?? []].flatMap((jobs) => [...jobs]);
    return next.some((job) => job === goal || leads(job, goal, seen));
  }

  async function check(destination: Destination, probe: Probe, signal: AbortSignal): Promise<void> {
    const watched = jobs();
    const seen = await Promise.all(watched.map((job) => isSeenBy(job, probe, system, signal)));
    const found = watched.filter((_, index) => seen[index]);
    const { job, name } = destination;
    clear.delete(keyOf(destination));
    const back = found.find((one) => one.name === job) ?? found.find((one) => leads(one.name, job, new Set()));
    if (back !== undefined) throw loop(destination, back);
    reached.set(job, (reached.get(job) ?? new Map()).set(name, new Set(found.map((one) => one.name))));
    clear.add(keyOf(destination));
  }

  return {
    check,
    doubts: (destination) => !clear.has(keyOf(destination)),
    /** Forgets the destinations of a job: they are new, or gone. */
    forget(job) {
      reached.delete(job);
      for (const key of [...clear]) if (key.startsWith(keyOf({ job, name: "" }))) clear.delete(key);
    },
  };
}

/** Whether the job would pick up files next to the probe, or its folder is below the probe's base path. */
async function isSeenBy(job: Job, { stagingRoot, name }: Probe, system: LookSystem, signal: AbortSignal): Promise<boolean> {
  const isThere = async (folder: string) =>
    await system.followedFacts(join(folder, stagingRoot, name)).catch(() => null) !== null;
  const root = await within(system.realPath(job.watchPath).catch(() => null), PATIENCE_MS, system, null);
  if (root === null) return false;
  for (let folder = root;; folder = dirname(folder)) {
    if (await isThere(folder)) return true;
    if (folder === dirname(folder)) break;
  }
  if (!isDeep(job)) return false;
  const { enters } = patternsOf(job);
  const options = { recursive: true, skipHidden: job.ignoreHiddenFiles, foldersNamed: stagingRoot };
  try {
    for await (const { files } of system.walk(root, options, signal)) {
      for (const { path } of files) if (enters(folderOf(path)) && await isThere(join(root, folderOf(path)))) return true;
    }
  } catch (error) {
    // A folder that cannot be listed cannot be watched either.
    if (signal.aborted) throw error;
  }
  return false;
}

function loop({ name, job, basePath }: Destination, back: Job): Failure {
  const through = back.name === job ? "" : ` through the job "${printable(back.name)}"`;
  const there = `"${printable(basePath)}" leads back to the watched folder "${printable(back.watchPath)}"${through}`;
  return new Failure("loop", `Cannot send to ${name}: ${there}, so every image would be sent again and again`, {
    hint:
      "Correct remote_base_path or watch_path: neither may be inside the other, not even through links, mounts or other host names.",
  });
}

function keyOf({ job, name }: Pick<Destination, "job" | "name">): string {
  return JSON.stringify(job) + name;
}
