/** What `doctor` looks at in a watched folder: whether it exists, how many files match the patterns, and what cannot be read. */
import { basename } from "@std/path";
import ms from "ms";
import { deadline } from "../../async/deadline.ts";
import { SENDS_GROWING } from "../../config/schema/schema_methods.ts";
import type { Job } from "../../config/settings.ts";
import { Failure } from "../../domain/failure.ts";
import { type Hook, HOOK_PROGRAM } from "../../domain/hook.ts";
import { counted, localTime } from "../../domain/words.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import { observingNight } from "../../domain/night/night.ts";
import { nextRun, windowAt } from "../../domain/schedule.ts";
import { isDeep, patternsOf } from "../../intake/patterns.ts";
import { isRemoteFolder } from "../../intake/settle/writers.ts";
import { andFound, foundIn, NOTHING_FOUND, unmatchedOf, unmatchedText } from "../../intake/watch/known_files.ts";
import { unreadablePaths } from "../../intake/source_faults.ts";
import { faultOf } from "../../system/fault.ts";
import type { System } from "../../system/system.ts";
import { type Access, ownAccess } from "../../services/service_account.ts";
import { fault, type Finding, findingsAbout, ok, type Remark, warning } from "./finding.ts";

/** If clocks differ by more than this, nights and ages are doubtful. Milliseconds. */
const CLOCK_DRIFT_MS = 5_000;
/** How many unreadable folders and files are named. */
const MOST_NAMED = 5;

export async function checkJob(job: Job, system: System, signal: AbortSignal): Promise<Finding[]> {
  const access = ownAccess(system);
  const night = ok(`Tonight is night ${observingNight(system.now(), job.night)}`);
  const findings = (remarks: readonly Remark[]) => findingsAbout(`job ${job.name}`, remarks);
  try {
    const wrong = await checkWatched(job, access, system);
    if (wrong.length > 0) return findings([...wrong, night]);
    const remarks = [...await content(job, system, signal), night];
    const seesAll = async () => await system.seesEveryWriter() && !await isRemoteFolder(job.watchPath, system);
    if (job.completeness === "auto" && !await seesAll()) remarks.push(ok(UNSEEN_WRITERS));
    // Files on a network drive have the times of its server's clock, and ages and nights depend on them.
    const { entries } = await system.list(job.watchPath);
    const ahead = entries.reduce((latest, { facts }) => Math.max(latest, facts.mtimeMs), 0) - system.now();
    if (ahead >= CLOCK_DRIFT_MS) {
      const what = `A file in ${job.watchPath} is dated ${Math.round(ahead / 1000)} s in the future`;
      remarks.push(warning(what, "Synchronise the clocks of the camera and this computer with NTP."));
    }
    remarks.push(...await checkRemoval(job, access), ...checkSchedule(job, system.now()));
    const hooks = job.hooks.map(({ on, receiver }) => {
      const when = on.join(", ");
      return receiver.kind === "url" ? checkAddress(receiver, when, system, signal) : checkProgram(receiver, when, system);
    });
    remarks.push(...await Promise.all(hooks), ...checkGrowing(job));
    if (job.dryRun) remarks.push(warning("This job is a dry run: nothing is sent", "To send, remove dry_run."));
    return findings(remarks);
  } catch (error) {
    signal.throwIfAborted();
    return findings([fault(error), night]);
  }
}

/** What keeps the folder of a job from being watched. */
export async function checkWatched(job: Job, access: Access, system: Pick<System, "followedFacts">): Promise<Remark[]> {
  try {
    const facts = await system.followedFacts(job.watchPath);
    if (facts === null) {
      const hint = "Correct watch_path, or create the folder; it will be watched as soon as it appears.";
      return [warning(`The watched folder ${job.watchPath} does not exist`, hint)];
    }
    if (facts.kind !== "folder") {
      throw new Failure("not_a_folder", `watch_path "${job.watchPath}" is not a folder`, {
        hint: "Set it to the folder the camera writes to.",
      });
    }
    await access.read(job.watchPath);
    return [];
  } catch (error) {
    if (faultOf(error) !== "permission") return [fault(error)];
    const message = `${access.account ?? "This account"} cannot read "${job.watchPath}"`;
    const hint = "Give it permission to list the folder and read its files.";
    return [fault(new Failure("source_unreadable", message, { hint }))];
  }
}

/** With `delete_source`: whether files can be removed. */
export async function checkRemoval(job: Job, access: Access): Promise<Remark[]> {
  if (!job.deleteSource) return [];
  try {
    await access.write(job.watchPath);
    return [ok("Files can be deleted here once they are verified everywhere (delete_source)")];
  } catch (error) {
    const hint = "delete_source needs write permission in the watched folder.";
    const message = `Cannot remove files in "${job.watchPath}": ${reasonOf(error)}`;
    return [fault(new Failure("permission_denied", message, { hint }))];
  }
}

/** Looks at everything, as the daemon does at its start. */
async function content(job: Job, system: System, signal: AbortSignal): Promise<Remark[]> {
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
  const none = unmatchedOf(files);
  const unmatched = none === null ? null : unmatchedText(job, none);
  const watches = ok(`Watches ${job.watchPath}: ${found}`);
  const findings = [unmatched === null ? watches : warning(unmatched.message, unmatched.hint)];
  const unreadable = unread.waiting();
  for (const { detail, hint } of unreadable.slice(0, MOST_NAMED)) {
    findings.push(fault(new Failure("source_unreadable", detail, { hint })));
  }
  const left = unreadable.length - MOST_NAMED;
  if (left <= 0) return findings;
  return [...findings, fault(new Failure("source_unreadable", `${left} more cannot be read; the daemon's log lists them all`))];
}

/** An image that such a program rewrites may be sent while it does. */
const UNSEEN_WRITERS =
  "Programs of other accounts or computers that write here are not visible: if they rewrite images in place, " +
  "set completeness: marker, or completeness: quiet with a longer min_file_age_seconds";

const RUNS = 3;
/** A schedule whose next run is later than this is perhaps not meant. */
const LONG_MS = 32 * 86_400_000;

/** Nothing for a job that always sends. `now` is milliseconds since 1970 UTC. */
export function checkSchedule(
  { name, schedule, destinations }: Pick<Job, "name" | "schedule" | "destinations">,
  now: number,
): Remark[] {
  if (destinations.length === 0) return [];
  // Two clocks in one line are told apart.
  const timezone = "timezone" in schedule ? schedule.timezone : null;
  const [zone, here] = timezone === null ? ["", ""] : [` (${timezone})`, " (this computer's time)"];
  switch (schedule.kind) {
    case "continuous":
      return [];
    case "manual":
      return [ok(`Files are sent only when you run: image-transfer sync ${name}`)];
    case "interval":
      return [ok(`Files are sent every ${ms(schedule.everyMs, { long: true })}, first when the daemon starts`)];
    case "window": {
      const { isOpen, until } = windowAt(schedule, now);
      const when = isOpen ? `now, until ${localTime(until)}` : `next from ${localTime(until)}`;
      return [ok(`Files are sent between ${schedule.from} and ${schedule.to}${zone}: ${when}${here}`)];
    }
    case "cron": {
      const runs: number[] = [];
      for (let at: number | null = now; runs.length < RUNS && (at = nextRun(schedule, at)) !== null;) runs.push(at);
      const [first] = runs;
      const text = `Next runs${zone}: ${runs.map(localTime).join(", ")}${here}`;
      if (first !== undefined && first - now <= LONG_MS) return [ok(text)];
      const late = first === undefined ? "The schedule never runs again" : text;
      return [warning(late, "Correct the cron expression; image-transfer sync sends at any time.")];
    }
    default:
      return schedule satisfies never;
  }
}

type HookSystem = Pick<System, "which" | "askRemote" | "sleep" | "compiled" | "gaveUp" | "followedFacts">;

/** Of the hooks that start a program, those that cannot: for `config validate`, which asks nobody in the network. */
export async function checkHookPrograms(job: Job, system: HookSystem): Promise<Remark[]> {
  const programs = job.hooks.flatMap(({ on, receiver }) => receiver.kind === "url" ? [] : [{ on, receiver }]);
  const found = await Promise.all(programs.map(({ on, receiver }) => checkProgram(receiver, on.join(", "), system)));
  return found.filter(({ level }) => level !== "ok");
}

type Receiver<Kind> = Extract<Hook["receiver"], { kind: Kind }>;

const ANSWER_MS = 10_000;

/** HEAD is safe (RFC 9110, 9.2.1): it changes nothing there. Whatever it is answered, somebody is there. */
async function checkAddress(
  { url }: Receiver<"url">,
  when: string,
  system: HookSystem,
  signal: AbortSignal,
): Promise<Remark> {
  const { host } = new URL(url);
  const what = `The hook on ${when} cannot post to ${host}`;
  using limit = deadline(ANSWER_MS, system, signal);
  try {
    const { status } = await system.askRemote(url, { method: "HEAD", headers: {} }, limit.signal);
    if (status >= 300 && status < 400) {
      return warning(`${what}: it redirects to another address`, "Redirects are not followed: set url to that address.");
    }
    const isGone = status === 404 || status === 410;
    if (isGone || status >= 500) {
      const hint = isGone
        ? "Correct the url, or create the webhook there again."
        : "Check that server; it is called again until it works.";
      return warning(`${what}: it responded with status ${status}`, hint);
    }
    return ok(`A hook on ${when} posts to ${host}, which responds`);
  } catch (error) {
    signal.throwIfAborted();
    // The address may be a secret.
    const reason = limit.passed ? `no answer within ${ANSWER_MS / 1000} s` : reasonOf(error).replaceAll(url, "…");
    return warning(`${what}: ${reason}`, "Check the address and the network; events are kept and sent when it responds.");
  }
}

async function checkProgram(
  { argv, cwd }: Receiver<"command">,
  when: string,
  system: HookSystem,
): Promise<Remark> {
  const [program = ""] = argv;
  const what = `The hook on ${when} cannot start "${program}"`;
  const missing = (why: string, hint: string) => fault(new Failure("tool_missing", `${what}: ${why}`, { hint }));
  const found = await system.which(program);
  if (found === null) {
    const hint =
      "Correct its command, make the file executable, or put it in a folder on the PATH of the account that runs the daemon.";
    return missing("there is no such program", hint);
  }
  if (system.compiled && basename(found).replace(/\.exe$/i, "") !== HOOK_PROGRAM) {
    const hint = `Give it the name ${HOOK_PROGRAM} and put it in a folder on the PATH, or run image-transfer from source.`;
    return missing("the compiled program may not start any other program", hint);
  }
  if (system.gaveUp(found)) {
    const why = "no hook needed a program when image-transfer started, so the permission was given back";
    return missing(why, "Restart image-transfer.");
  }
  if (cwd !== null && (await system.followedFacts(cwd).catch(() => null))?.kind !== "folder") {
    return missing(`its working_directory "${cwd}" is not a folder`, "Create it, or correct working_directory.");
  }
  return ok(`A hook on ${when} starts ${found}`);
}

/** One for each destination that files are sent to only once they are finished. */
export function checkGrowing({ growingFiles, destinations }: Pick<Job, "growingFiles" | "destinations">): Remark[] {
  if (growingFiles === null) return [];
  return destinations.flatMap((destination) => {
    const { transport: { method }, verify } = destination;
    const isHashed = verify === "checksum";
    if (SENDS_GROWING.has(method) && isHashed) return [];
    const because = SENDS_GROWING.has(method) ? `verify_transfer: ${verify}` : `transfer_method: ${method}`;
    const what = `growing_files has no effect for ${destination.name} with ${because}`;
    const cure = isHashed ? "Use local, rsync, sftp or tar" : "Set verify_transfer: true";
    return [warning(what, `Files are sent there once they are finished. ${cure} to send them earlier.`)];
  });
}
