/** From the text of a configuration to settings, or to everything that is wrong with it. Pure. */
import { check, tidy, unknownKey } from "./check.ts";
import { parseToml, parseYaml } from "./parse_text.ts";
import { type FullSettings, resolve } from "../resolve/resolve.ts";
import { addRemoteJobs, type UsedJob } from "./remote_jobs.ts";
import { isSection, keyText, listOf, Origins, type Path, type Report, type Source, type Tree, valueAt } from "./source.ts";
import type { Surroundings } from "../resolve/expand_path.ts";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Section } from "../resolve/resolving.ts";

/** The variable whose value takes the place of `pocketbase.url`. */
export const POCKETBASE_URL = "IMAGE_TRANSFER_POCKETBASE_URL";

export type ConfigKind = "yaml" | "toml";

/**
 * The settings that a text means. `fileName` is what errors call the file, and `Settings.file`.
 *
 * @throws {ConfigError} with everything that is wrong, in the order of the lines.
 */
export function parseSettings(text: string, fileName: string, kind: ConfigKind, around: Surroundings): FullSettings {
  const { settings, fault } = parsePartially(text, fileName, kind, around);
  if (fault !== null) throw fault;
  return settings;
}

export interface PartialConfig {
  /** With a fault: what could be read, with defaults for the rest. */
  readonly settings: FullSettings;
  /** The state directory that the text names; null if it names none, or it cannot be read. */
  readonly stateDirectory: string | null;
  readonly fault: ConfigError | null;
}

/** As {@linkcode parseSettings}, but what is wrong is part of the answer. `remote` are jobs that a server keeps. */
export function parsePartially(
  text: string,
  fileName: string,
  kind: ConfigKind,
  around: Surroundings,
  remote: readonly UsedJob[] = [],
): PartialConfig {
  const source = kind === "toml" ? parseToml(text) : parseYaml(text);
  if (source.faults.length > 0) return unparsed(text, fileName, kind, around, source.faults);
  if (!isSection(source.value)) {
    const empty = source.value === null || source.value === undefined;
    const message = empty
      ? 'the configuration is empty; "image-transfer init" creates one'
      : "a configuration must consist of keys and values, like watch_path: ~/images";
    return unparsed(text, fileName, kind, around, [{ ...source.locate([]), message }]);
  }
  const found: { path: Path; message: string }[] = [];
  const report = (path: Path, message: string) => found.push({ path, message });
  const tree: Tree = isSeed2(source.value)
    ? fromSeed2(source.value, report)
    : { root: source.value, origins: new Origins(), notes: [] };
  const url = around.env(POCKETBASE_URL);
  if (url) tree.root["pocketbase"] = { ...(isSection(tree.root["pocketbase"]) ? tree.root["pocketbase"] : {}), url };
  const { pocketbase } = tree.root;
  if (isSection(pocketbase)) addRemoteJobs(tree, remote, report);
  // Without jobs of its own, the file leaves them to the server.
  const isEmpty = isSection(pocketbase) && tree.root["watch_path"] === undefined && listOf(tree.root["jobs"]).length === 0;
  if (isEmpty) delete tree.root["jobs"];
  const wrong = new Set([...tidy(tree, report), ...check(tree.root, report)]);
  if (isEmpty) tree.root["jobs"] = [];
  const resolved = resolve(tree.root, fileName, { around, report, wrong, placeOf: (path, key) => placeOf(tree.root, path, key) });
  const { pocketbase: server } = resolved;
  // A file with mistakes of its own is reported first; only then do mistakes belong to jobs of the server.
  const all = remote.length > 0 && server !== null ? problemsAt(server.url, found, tree) : problems(found, source, tree);
  const fault = found.length === 0 ? null : new ConfigError(fileName, all);
  // What is wrong was removed from the tree, or resolved to an empty text.
  const isNamed = tree.root["state_directory"] !== undefined && resolved.stateDirectory !== "";
  const settings = { ...resolved, notes: [...tree.notes, ...resolved.notes] };
  return { settings, stateDirectory: isNamed ? resolved.stateDirectory : null, fault };
}

/** Of a text with syntax errors: all defaults, no jobs, and the state directory if a line of its own names it. */
export function unparsed(
  text: string,
  fileName: string,
  kind: ConfigKind,
  around: Surroundings,
  faults: Source["faults"],
): PartialConfig {
  const fault = new ConfigError(fileName, faults.map((fault) => ({ ...fault, key: "" })));
  const line = /^[ \t]*(["']?state_directory["']?[ \t]*[:=].*?)[ \t]*,?[ \t]*$/m.exec(text)?.[1] ?? "";
  const { value } = kind === "toml" ? parseToml(line) : parseYaml(line);
  const written = isSection(value) ? value["state_directory"] : undefined;
  // A replacement character replaces bytes that are lost: it would be a different folder.
  const root = typeof written === "string" && !written.includes("\uFFFD") ? { jobs: [], state_directory: written } : { jobs: [] };
  const settings = resolve(root, fileName, { around, report: () => {}, wrong: new Set(), placeOf: (path) => path });
  const { stateDirectory } = settings;
  return { settings, stateDirectory: "state_directory" in root && stateDirectory !== "" ? stateDirectory : null, fault };
}

/** Each problem once, with its line, in the order of lines. */
function problems(found: readonly { path: Path; message: string }[], source: Source, { origins }: Tree): Problem[] {
  const placed = found.map(({ path, message }): Problem => {
    const origin = origins.of(path);
    // The key as the user wrote it, where that was under another name.
    const index = path.findLastIndex((part) => typeof part === "string");
    const theirs = origin.at(index - path.length);
    const named = typeof theirs === "string" ? message.replace(`"${path[index]}`, `"${theirs}`) : message;
    return { ...source.locate(origin), key: keyText(origin), message: named };
  });
  return once(placed).sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Those of a server's jobs, which are not in the file. */
function problemsAt(server: string, found: readonly { path: Path; message: string }[], { root, origins }: Tree): Problem[] {
  return once(found.map(({ path, message }) => {
    const [section, ...key] = origins.of(path);
    const job = path[0] === "jobs" ? listOf(root["jobs"]).find(([index]) => index === path[1])?.[1] : undefined;
    // A name that cannot be used is no longer there.
    const name = job?.["name"] === undefined ? "without a usable name" : `"${job["name"]}"`;
    const whose = job !== undefined && section === "pocketbase" ? `the server's job ${name}: ` : "";
    const isNamed = whose !== "" || message.startsWith("the server's job");
    const place = isNamed ? whose : "with the server's jobs, ";
    return { server, line: 0, column: 0, key: keyText(key), message: `${place}${message}` };
  }));
}

function once(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}

/** Where a key is set that applies to a section: in it, in its job, or at the top; the section itself if nowhere. */
function placeOf(root: Record<string, unknown>, path: Path, key: string): Path {
  for (let length = path.length; length >= 0; length -= 2) {
    const section = valueAt(root, path.slice(0, length));
    if (isSection(section) && Object.hasOwn(section, key)) return [...path.slice(0, length), key];
  }
  return path;
}

/** One thing that is wrong; line and column count from 1. */
export interface Problem {
  /** The server whose job contains the mistake. Such a job has no lines, so the line is 0. */
  readonly server?: string;
  readonly line: number;
  readonly column: number;
  /** The whole key, e.g. `jobs[0].destinations[1].remote_host`; empty if it concerns the whole file. */
  readonly key: string;
  readonly message: string;
}

/**
 * Thrown for a configuration that cannot be used; the message has one line for each problem, as `config.yaml:9:1: unknown key …`, or with
 * the server in place of file and position.
 */
export class ConfigError extends Failure {
  constructor(readonly file: string, readonly problems: readonly Problem[]) {
    const lines = problems.map(({ server, line, column, message }) =>
      `${printable(server ?? `${file}:${line}:${column}`)}: ${printable(message)}`
    );
    super("configuration", lines.join("\n"));
  }
}

// A configuration in the shape of seed 2 (`[[sync_jobs]]`, `[[file_watchers]]`, `[daemon]`, `[concurrency]`, `[cache]`) in ours. Unknown keys are
// kept, so that the check reports them with their position.

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
function isSeed2(root: Section): boolean {
  return ["sync_jobs", "file_watchers", "daemon", "concurrency", "cache"].some((key) => Object.hasOwn(root, key));
}

/** The same configuration in our shape. */
function fromSeed2(given: Section, report: Report): Tree {
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
