/**
 * Converts a configuration in the shape of seed 2 (`[[sync_jobs]]`, `[[file_watchers]]`, `[daemon]`, `[concurrency]`, `[cache]`)
 * into ours. Unknown keys are kept, so that the check reports them with their position.
 *
 * @module
 */
import { unknownKey } from "./check.ts";
import { isSection, type Path } from "./source.ts";
import { listOf, Origins, type Report, type Tree } from "./tree.ts";

type Section = Record<string, unknown>;

/** Their key → ours; null for a key that has no counterpart and can be left out. */
const DAEMON = {
  config_refresh_interval_secs: "pocketbase.config_refresh_interval_secs",
  auto_restart_on_config_change: "auto_reload",
};
const CACHE = {
  cache_dir: "pocketbase.cache_dir",
  config_cache_ttl_secs: null,
  file_metadata_cache_ttl_secs: null,
  enable_persistent_cache: null,
};
const SYNC_JOB = {
  id: "name",
  name: null,
  source_path: "watch_path",
  destination_path: "remote_base_path",
  enabled: null,
  sync_options: null,
};
const SYNC_OPTIONS = { dry_run: null };
const WATCHER = { id: null, name: null, sync_job_id: null, enabled: null, watch_path: null };

/** True for a file in the shape of seed 2. */
export function isSeed2(root: Section): boolean {
  return ["sync_jobs", "file_watchers", "daemon", "concurrency", "cache"].some((key) => Object.hasOwn(root, key));
}

/** The same configuration in our shape. */
export function fromSeed2(given: Section, report: Report): Tree {
  const tree: Tree = { root: {}, origins: new Origins() };
  const { sync_jobs, file_watchers, daemon, concurrency, cache, ...rest } = given;
  Object.assign(tree.root, rest);
  const withPocketbase = isSection(rest["pocketbase"]);
  if (withPocketbase) tree.root["pocketbase"] = { ...rest["pocketbase"] as Section };
  const whole: [string, unknown, Readonly<Record<string, string | null>>][] = [["daemon", daemon, DAEMON], [
    "concurrency",
    concurrency,
    {},
  ], ["cache", cache, CACHE]];
  for (const [name, section, keys] of whole) {
    if (section === undefined) continue;
    if (isSection(section)) move(tree, section, [name], [], keys, withPocketbase);
    else report([name], `"${name}" must be a section`);
  }
  const lists = { sync_jobs, file_watchers };
  for (const [name, list] of Object.entries(lists)) {
    if (list !== undefined && !Array.isArray(list)) report([name], `"${name}" must be a list of sections, [[${name}]]`);
  }
  if (listOf(sync_jobs).length > 0) tree.root["jobs"] = jobs(tree, sync_jobs, file_watchers, report);
  return tree;
}

function jobs(tree: Tree, given: unknown, watchers: unknown, report: Report): Section[] {
  const made: Section[] = [];
  const ids = new Map<unknown, Section | null>();
  for (const [index, theirs] of listOf(given)) {
    const id = theirs["id"] ?? theirs["name"];
    if (theirs["enabled"] === false) {
      ids.set(id, null);
      continue;
    }
    const from: Path = ["sync_jobs", index];
    const to: Path = ["jobs", made.length];
    const job: Section = { name: id };
    made.push(job);
    ids.set(id, job);
    tree.origins.moved(from, to);
    move(tree, theirs, from, to, SYNC_JOB, false, job);
    const options = theirs["sync_options"];
    if (isSection(options)) {
      move(tree, options, [...from, "sync_options"], to, SYNC_OPTIONS, false, job);
      if (options["dry_run"] === true) {
        report([...from, "sync_options", "dry_run"], '"dry_run" is a command-line option: image-transfer --dry-run');
      }
    }
    plainSchedule(job);
    // By default, seed 2 copies every file to a folder of this computer.
    if (!Object.hasOwn(job, "file_patterns")) job["file_patterns"] = ["*"];
    if (!Object.hasOwn(job, "remote_host")) job["transfer_method"] ??= "local";
  }
  for (const [index, watcher] of listOf(watchers)) {
    if (watcher["enabled"] !== false) watch(tree, watcher, ["file_watchers", index], ids, made, report);
  }
  return made;
}

/** A watcher belongs to a job and adds its keys to it; the job's interval then means how often everything is listed again. */
function watch(
  tree: Tree,
  watcher: Section,
  from: Path,
  ids: Map<unknown, Section | null>,
  made: Section[],
  report: Report,
): void {
  const id = watcher["sync_job_id"];
  const job = ids.get(id);
  if (job === undefined) {
    const known = [...ids.keys()].filter((name) => typeof name === "string");
    report(
      [...from, "sync_job_id"],
      typeof id === "string"
        ? unknownKey(id, known).replace("unknown key", "no sync job has the id")
        : '"sync_job_id" must be the id of a sync job',
    );
    return;
  }
  if (job === null) return;
  if (watcher["watch_path"] !== undefined && watcher["watch_path"] !== job["watch_path"]) {
    report([...from, "watch_path"], `"watch_path" must be the source_path of its sync job, ${JSON.stringify(job["watch_path"])}`);
  }
  const to: Path = ["jobs", made.indexOf(job)];
  move(tree, watcher, from, to, WATCHER, false, job);
  const schedule = job["schedule"];
  if (isSection(schedule) && schedule["interval"] !== undefined) {
    job["rescan_interval"] = schedule["interval"];
    tree.origins.moved([...tree.origins.of([...to, "schedule"]), "interval"], [...to, "rescan_interval"]);
    delete job["schedule"];
  }
}

/** `{ type: interval, interval: 5m }` and `{ type: cron, expression: … }` as we write it. */
function plainSchedule(job: Section): void {
  const schedule = job["schedule"];
  if (!isSection(schedule) || typeof schedule["type"] !== "string") return;
  const { type, expression, ...rest } = schedule;
  if (type === "manual") job["schedule"] = "manual";
  else job["schedule"] = type === "cron" && expression !== undefined ? { cron: expression, ...rest } : rest;
}

/** Copies the keys of one of their sections, under our names. */
function move(
  tree: Tree,
  section: Section,
  from: Path,
  to: Path,
  keys: Readonly<Record<string, string | null>>,
  withPocketbase: boolean,
  into = tree.root,
): void {
  for (const [key, value] of Object.entries(section)) {
    const ours = Object.hasOwn(keys, key) ? keys[key] ?? null : key;
    if (ours === null) continue;
    if (ours.startsWith("pocketbase.")) {
      // Without a server there is nothing to refresh or to cache.
      if (withPocketbase) (into["pocketbase"] as Section)[ours.slice("pocketbase.".length)] ??= value;
      continue;
    }
    into[ours] = value;
    tree.origins.moved([...from, key], [...to, ours]);
  }
}
