/** From the text of a configuration to settings, or to everything that is wrong with it. Pure. */
import { check, tidy } from "./check.ts";
import { parseToml, parseYaml } from "./parse_text.ts";
import { type FullSettings, resolve } from "../resolve/resolve.ts";
import { addRemoteJobs, type UsedJob } from "./remote_jobs.ts";
import { fromSeed2, isSeed2 } from "./seed2.ts";
import { isSection, keyText, listOf, Origins, type Path, type Source, type Tree, valueAt } from "./source.ts";
import type { Surroundings } from "../resolve/expand_path.ts";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";

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
