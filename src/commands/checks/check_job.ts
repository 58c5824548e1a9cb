/**
 * What `doctor` looks at in a watched folder: whether it exists, how many files match the patterns, and what cannot be read.
 *
 * @module
 */
import { counted } from "../../domain/names/counted.ts";
import type { Job } from "../../config/settings.ts";
import { Failure } from "../../domain/failure.ts";
import { observingNight } from "../../domain/night/night.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import { isDeep, patternsOf } from "../../intake/patterns.ts";
import { andFound, foundIn, NOTHING_FOUND, unmatchedOf, unmatchedText } from "../../intake/watch/unmatched.ts";
import { isRemoteFolder } from "../../intake/watch/remote_folder.ts";
import { unreadablePaths } from "../../intake/watch/unreadable_paths.ts";
import { faultOf } from "../../system/fault.ts";
import type { System } from "../../system/system.ts";
import { type Access, ownAccess } from "./access.ts";
import { checkGrowing } from "./check_growing.ts";
import { checkHooks } from "./check_hooks.ts";
import { checkSchedule } from "./check_schedule.ts";
import { fault, type Finding, ok, warning } from "./finding.ts";

/** If clocks differ by more than this, nights and ages are doubtful. Milliseconds. */
const CLOCK_DRIFT_MS = 5_000;
/** How many unreadable folders and files are named. */
const MOST_NAMED = 5;

/** One job, without its destinations. */
export async function checkJob(job: Job, system: System, signal: AbortSignal): Promise<Finding[]> {
  const about = `job ${job.name}`;
  const access = ownAccess(system);
  const night = ok(about, `Tonight is night ${observingNight(system.now(), job.night)}`);
  try {
    const wrong = await checkWatched(job, access, system);
    if (wrong.length > 0) return [...wrong, night];
    return [
      ...await content(job, about, system, signal),
      night,
      ...await unseenWriters(job, about, system),
      ...await clock(job, about, system),
      ...await checkRemoval(job, access),
      ...checkSchedule(job, system.now()),
      ...await checkHooks(job, system, signal),
      ...checkGrowing(job),
      ...job.dryRun ? [warning(about, "This job is a dry run: nothing is sent", "To send, remove dry_run.")] : [],
    ];
  } catch (error) {
    signal.throwIfAborted();
    return [fault(about, error), night];
  }
}

/** What keeps the folder of a job from being watched. */
export async function checkWatched(job: Job, access: Access, system: Pick<System, "followedFacts">): Promise<Finding[]> {
  const about = `job ${job.name}`;
  try {
    const facts = await system.followedFacts(job.watchPath);
    if (facts === null) {
      const hint = "Correct watch_path, or create the folder; it will be watched as soon as it appears.";
      return [warning(about, `The watched folder ${job.watchPath} does not exist`, hint)];
    }
    if (facts.kind !== "folder") {
      throw new Failure("not_a_folder", `watch_path "${job.watchPath}" is not a folder`, {
        hint: "Set it to the folder the camera writes to.",
      });
    }
    await access.read(job.watchPath);
    return [];
  } catch (error) {
    if (faultOf(error) !== "permission") return [fault(about, error)];
    const message = `${access.account ?? "This account"} cannot read "${job.watchPath}"`;
    const hint = "Give it permission to list the folder and read its files.";
    return [fault(about, new Failure("source_unreadable", message, { hint }))];
  }
}

/** With `delete_source`: whether files can be removed. */
export async function checkRemoval(job: Job, access: Access): Promise<Finding[]> {
  if (!job.deleteSource) return [];
  const about = `job ${job.name}`;
  try {
    await access.write(job.watchPath);
    return [ok(about, "Files can be deleted here once they are verified everywhere (delete_source)")];
  } catch (error) {
    const hint = "delete_source needs write permission in the watched folder.";
    const message = `Cannot remove files in "${job.watchPath}": ${reasonOf(error)}`;
    return [fault(about, new Failure("permission_denied", message, { hint }))];
  }
}

/** Looks at everything, as the daemon does at its start. */
async function content(job: Job, about: string, system: System, signal: AbortSignal): Promise<Finding[]> {
  const patterns = patternsOf(job);
  let files = NOTHING_FOUND;
  const unread = unreadablePaths(job.name, { patterns, emit: () => {}, system });
  for await (const batch of system.walk(job.watchPath, { recursive: isDeep(job), skipHidden: job.ignoreHiddenFiles }, signal)) {
    files = andFound(files, foundIn(batch.files, batch.files.filter(({ path }) => patterns.wants(path)).length));
    for (const { path, reason } of batch.unreadable) unread.note(path, reason);
  }
  const found = files.all === 0
    ? "empty so far"
    : `${files.wanted} of ${counted(files.all, "file")} ${files.wanted === 1 ? "matches" : "match"}`;
  const unmatched = unmatchedOf(files);
  const watches = ok(about, `Watches ${job.watchPath}: ${found}`);
  return [
    unmatched === null ? watches : nothingMatches(job, about, unmatched),
    ...unreadable(unread.waiting(), about),
  ];
}

function nothingMatches(job: Job, about: string, unmatched: Parameters<typeof unmatchedText>[1]): Finding {
  const { message, hint } = unmatchedText(job, unmatched);
  return warning(about, message, hint);
}

function unreadable(found: readonly { readonly detail: string; readonly hint: string }[], about: string): Finding[] {
  const named = found.slice(0, MOST_NAMED).map(({ detail, hint }) =>
    fault(about, new Failure("source_unreadable", detail, { hint }))
  );
  const left = found.length - named.length;
  if (left === 0) return named;
  return [
    ...named,
    fault(about, new Failure("source_unreadable", `${left} more cannot be read; the daemon's log lists them all`)),
  ];
}

/** Where a program cannot be seen that rewrites an image in place, the image may be sent while it does. */
async function unseenWriters(job: Job, about: string, system: System): Promise<Finding[]> {
  if (job.completeness !== "auto") return [];
  if (await system.seesEveryWriter() && !await isRemoteFolder(job.watchPath, system)) return [];
  const cure = "set completeness: marker, or completeness: quiet with a longer min_file_age_seconds";
  return [
    ok(
      about,
      `Programs of other accounts or computers that write here are not visible: if they rewrite images in place, ${cure}`,
    ),
  ];
}

/** Files on a network drive have the times of its server's clock, and ages and nights depend on them. */
async function clock(job: Job, about: string, system: System): Promise<Finding[]> {
  const { entries } = await system.list(job.watchPath);
  const newest = entries.reduce((latest, { facts }) => Math.max(latest, facts.mtimeMs), 0);
  const ahead = newest - system.now();
  if (ahead < CLOCK_DRIFT_MS) return [];
  return [
    warning(
      about,
      `A file in ${job.watchPath} is dated ${Math.round(ahead / 1000)} s in the future`,
      "Synchronise the clocks of the camera and this computer with NTP.",
    ),
  ];
}
