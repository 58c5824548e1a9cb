/**
 * Converts a configuration in the shape of seed 2 (`[[sync_jobs]]`, `[[file_watchers]]`, `[daemon]`, `[concurrency]`, `[cache]`)
 * into ours. Unknown keys are kept, so that the check reports them with their position.
 */
import { unknownKey } from "./check.ts";
import { isSection, listOf, Origins, type Path, type Report, type Tree } from "./source.ts";

type Section = Record<string, unknown>;

/** Their key → ours; null for a key that is used elsewhere, or only names something. What has no meaning here says why. */
type Keys = Readonly<Record<string, string | null | { readonly noUse: string }>>;
const DAEMON = {
  config_refresh_interval_secs: "pocketbase.config_refresh_interval_secs",
  auto_restart_on_config_change: "auto_reload",
};
const CACHE = {
  cache_dir: "pocketbase.cache_dir",
  config_cache_ttl_secs: { noUse: "the configuration is read when it changes" },
  file_metadata_cache_ttl_secs: { noUse: "what is known of a file is in the ledger for as long as it is needed" },
  enable_persistent_cache: { noUse: "the ledger is always kept" },
};
const SYNC_JOB = {
  id: "name",
  name: null,
  source_path: "watch_path",
  destination_path: "remote_base_path",
  enabled: null,
  sync_options: null,
};
const WATCHER = { id: null, name: null, sync_job_id: null, enabled: null, watch_path: null };

/** True for a file in the shape of seed 2. */
export function isSeed2(root: Section): boolean {
  return ["sync_jobs", "file_watchers", "daemon", "concurrency", "cache"].some((key) => Object.hasOwn(root, key));
}

/** The same configuration in our shape. */
export function fromSeed2(given: Section, report: Report): Tree {
  const { sync_jobs, file_watchers, daemon, concurrency, cache, ...root } = given;
  const tree: Tree = { root, origins: new Origins(), notes: [] };
  if (isSection(root["pocketbase"])) root["pocketbase"] = { ...root["pocketbase"] };
  const sections = { daemon: [daemon, DAEMON], concurrency: [concurrency, {}], cache: [cache, CACHE] } as const;
  for (const [name, [section, keys]] of Object.entries(sections)) {
    if (isSection(section)) move(section, [name], root, [], keys, tree);
    else if (section !== undefined) report([name], `"${name}" must be a section`);
  }
  for (const [name, list] of Object.entries({ sync_jobs, file_watchers })) {
    if (list !== undefined && !Array.isArray(list)) report([name], `"${name}" must be a list of sections, [[${name}]]`);
  }
  if (listOf(sync_jobs).length > 0) root["jobs"] = jobsOf(sync_jobs, file_watchers, tree, report);
  return tree;
}

function jobsOf(given: unknown, watchers: unknown, tree: Tree, report: Report): Section[] {
  const made: Section[] = [];
  const byId = new Map<unknown, Section | null>();
  for (const [index, theirs] of listOf(given)) {
    const isOn = theirs["enabled"] !== false;
    const job = isOn ? jobOf(theirs, ["sync_jobs", index], ["jobs", made.length], tree) : null;
    if (job !== null) made.push(job);
    byId.set(theirs["id"] ?? theirs["name"], job);
  }
  for (const [index, watcher] of listOf(watchers)) {
    if (watcher["enabled"] === false) continue;
    const from = ["file_watchers", index];
    const job = byId.get(watcher["sync_job_id"]);
    if (job === undefined) {
      const id = watcher["sync_job_id"];
      const known = [...byId.keys()].filter((name) => typeof name === "string");
      const message = typeof id === "string"
        ? unknownKey(id, known).replace("unknown key", "no sync job has the id")
        : '"sync_job_id" must be the id of a sync job';
      report([...from, "sync_job_id"], message);
    } else if (job !== null) addWatcher(watcher, from, job, ["jobs", made.indexOf(job)], tree, report);
  }
  return made;
}

function jobOf(theirs: Section, from: Path, to: Path, tree: Tree): Section {
  const job: Section = { name: theirs["id"] ?? theirs["name"] };
  tree.origins.moved(from, to);
  move(theirs, from, job, to, SYNC_JOB, tree);
  const options = theirs["sync_options"];
  if (isSection(options)) move(options, [...from, "sync_options"], job, to, {}, tree);
  const { schedule } = job;
  if (isSection(schedule) && typeof schedule["type"] === "string") {
    // `{ type: interval, interval: 5m }` and `{ type: cron, expression: … }` as we write it.
    const { type, expression, ...rest } = schedule;
    const isCron = type === "cron" && expression !== undefined;
    job["schedule"] = type === "manual" ? type : { ...isCron ? { cron: expression } : {}, ...rest };
  }
  // By default, seed 2 copies every file to a folder of this computer.
  if (!Object.hasOwn(job, "file_patterns")) job["file_patterns"] = ["*"];
  if (!Object.hasOwn(job, "remote_host")) job["transfer_method"] ??= "local";
  return job;
}

/** A watcher adds its keys to its job; the job's interval then means how often everything is listed again. */
function addWatcher(watcher: Section, from: Path, job: Section, to: Path, tree: Tree, report: Report): void {
  if (watcher["watch_path"] !== undefined && watcher["watch_path"] !== job["watch_path"]) {
    report([...from, "watch_path"], `"watch_path" must be the source_path of its sync job, ${JSON.stringify(job["watch_path"])}`);
  }
  move(watcher, from, job, to, WATCHER, tree);
  const schedule = job["schedule"];
  if (isSection(schedule) && schedule["interval"] !== undefined) {
    job["rescan_interval"] = schedule["interval"];
    tree.origins.moved([...tree.origins.of([...to, "schedule"]), "interval"], [...to, "rescan_interval"]);
    delete job["schedule"];
  }
}

/** Copies the keys of one of their sections, under our names. */
function move(section: Section, from: Path, into: Section, to: Path, keys: Keys, { root, origins, notes }: Tree): void {
  for (const [key, value] of Object.entries(section)) {
    const ours = Object.hasOwn(keys, key) ? keys[key] ?? null : key;
    if (ours === null) continue;
    if (typeof ours === "object") {
      notes.push(`"${key}" has no effect: ${ours.noUse}`);
      continue;
    }
    if (ours.startsWith("pocketbase.")) {
      // Without a server there is nothing to refresh or to cache.
      if (isSection(root["pocketbase"])) root["pocketbase"][ours.slice("pocketbase.".length)] ??= value;
      else notes.push(`"${key}" has no effect without [pocketbase]`);
      continue;
    }
    into[ours] = value;
    origins.moved([...from, key], [...to, ours]);
  }
}
