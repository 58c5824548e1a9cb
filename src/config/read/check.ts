/**
 * Checks a tree against the schema, reports every mistake, and removes what is wrong, so that the rest can be checked as well.
 */
import type * as z from "zod";
import { nearestKey } from "../../domain/names/nearest_key.ts";
import { ALIASES, fileSchema, isSecret, keysInside, sectionOf, unwrapped } from "../schema/schema.ts";
import { jobShape } from "../schema/schema_job.ts";
import { isSection, keyText, type Path, type Report, sections, type Tree, valueAt } from "./source.ts";
import { addressWords, isAddress } from "../../domain/names/host_name.ts";
import { inWords } from "../schema/values.ts";

/** Checks in place; returns the names of keys that were wrong somewhere. */
export function check(root: Record<string, unknown>, report: Report): Set<string> {
  const wrong = new Set<string>();
  const result = fileSchema.safeParse(root);
  for (const issue of result.error?.issues.flatMap((issue) => unfold(issue, root)) ?? []) {
    const path = issue.path.filter((part) => typeof part !== "symbol");
    if (issue.code === "unrecognized_keys") {
      const known = knownKeys(path);
      const section = valueAt(root, path) as object;
      for (const key of issue.keys) {
        const elsewhere = misplaced(key, path);
        report([...path, key], elsewhere ?? unknownKey(key, known, section, (name) => knownKeys([...path, name])));
        const meant = elsewhere === null ? meantKey(key, known, section) : undefined;
        // What was meant is not missing as well.
        if (meant !== undefined) wrong.add(meant);
      }
    } else {
      const value = valueAt(root, path);
      const { message } = issue;
      report(path, value === undefined ? `"${subject(path)}" is missing; it ${message}` : wrongValue(path, message, value));
      wrong.add(String(path[keyIndex(path)] ?? path[0]));
    }
  }
  // The whole key that an issue lies in is removed, or the unknown keys themselves.
  for (const issue of result.error?.issues ?? []) {
    const path = issue.path.filter((part) => typeof part !== "symbol");
    const section = valueAt(root, path.slice(0, keyIndex(path)));
    const key = path[keyIndex(path)];
    if (!isSection(section)) continue;
    const keys = key !== undefined ? [key] : issue.code === "unrecognized_keys" ? issue.keys : [];
    for (const one of keys) delete section[one];
  }
  return wrong;
}

function misplaced(key: string, path: Path): string | null {
  if (path.length === 0 || !Object.hasOwn(fileSchema.shape, key)) return null;
  const place = typeof path.at(-1) === "number" ? `a ${path.at(-2) === "jobs" ? "job" : "destination"}` : `"${path.at(-1)}"`;
  const where = Object.hasOwn(jobShape, key) ? "in its job" : "at the top of the file";
  return `"${key}" is not allowed in ${place}; it belongs ${where}`;
}

/** For a value that may have several forms, the mistakes inside the form that was meant. */
function unfold(issue: z.core.$ZodIssue, root: unknown): z.core.$ZodIssue[] {
  const value = valueAt(root, issue.path);
  if (issue.code !== "invalid_union" || !(isSection(value) || Array.isArray(value))) return [issue];
  const inside = issue.errors.find((errors) =>
    errors.some((error) => error.path.length > 0 || error.code === "unrecognized_keys" || error.code === "custom")
  );
  return inside?.map((error) => ({ ...error, path: [...issue.path, ...error.path] })) ?? [issue];
}

function wrongValue(path: Path, message: string, value: unknown): string {
  if (!message.startsWith("must")) return `"${subject(path)}" is invalid: ${message}`;
  const word = typeof value === "string"
    ? nearestKey(value, [...message.matchAll(/"([^"]+)"/g)].map((match) => match[1]!))
    : undefined;
  const isKnown = Array.isArray(value) && !message.includes("section") || message.startsWith("must have");
  const not = isKnown || mayBeSecret(path) ? "" : `, not ${shown(value)}`;
  return `"${subject(path)}" ${message}${not}${word === undefined || word === value ? "" : `; did you mean "${word}"?`}`;
}

/** The key as the user wrote it, without the jobs and destinations around it. */
function subject(path: Path): string {
  const own = path.slice(keyIndex(path));
  if (own.length === 0) return String(path.at(-2) ?? "configuration");
  return keyText(own);
}

/** Where in the path the section's own key begins, after jobs[n] and destinations[n]. */
function keyIndex(path: Path): number {
  let at = 0;
  while ((path[at] === "jobs" || path[at] === "destinations") && typeof path[at + 1] === "number") at += 2;
  return at;
}

/** True for a key that holds a secret, and for a section with such a key: a secret may have been written in its place. */
function mayBeSecret(path: Path): boolean {
  const names = path.filter((part) => typeof part === "string");
  let section = "";
  for (const name of names) {
    if (isSecret(section, name)) return true;
    section = sectionOf(section, name);
  }
  return knownKeys(path).some((key) => isSecret(section, key));
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (isSection(value)) return "a section";
  if (typeof value === "string") return `"${value.length > 60 ? `${value.slice(0, 60)}…` : value}"`;
  return String(value);
}

function knownKeys(path: Path): string[] {
  let type: z.ZodType = fileSchema;
  for (const part of path) {
    const next = typeof part === "number" ? (unwrapped(type) as { element?: z.ZodType }).element : keysInside(type)[part];
    if (!next) return [];
    type = next;
  }
  const keys = Object.keys(keysInside(type));
  return keyIndex(path) === path.length ? [...keys, ...Object.keys(ALIASES)] : keys;
}

// Before the check, so that each mistake is reported once.

/** Other names of keys become ours, and keys without a value are reported and removed; returns the names of keys that were removed. */
export function tidy(tree: Tree, report: Report): Set<string> {
  for (const { section, path } of sections(tree.root)) {
    for (const [alias, key] of Object.entries(ALIASES)) {
      if (!Object.hasOwn(section, alias)) continue;
      if (Object.hasOwn(section, key)) {
        report([...path, alias], `"${alias}" is another name for "${key}", which is also set; keep one`);
      } else {
        section[key] = section[alias];
        tree.origins.moved([...path, alias], [...path, key]);
      }
      delete section[alias];
    }
  }
  const dropped = new Set<string>();
  dropEmpty(tree.root, [], (path, message) => {
    report(path, message);
    dropped.add(String(path.at(-1)));
  });
  return dropped;
}

/** `{path}` without quotes where a text belongs. */
function isPlaceholder(key: string, value: Record<string, unknown>): boolean {
  const type = keysInside(fileSchema)[key];
  return type !== undefined && Object.keys(keysInside(type)).length === 0 && Object.values(value).every((one) => one === null);
}

function dropEmpty(section: Record<string, unknown>, path: Path, report: Report): void {
  for (const [key, value] of Object.entries(section)) {
    const at = [...path, key];
    if (value === null || value === undefined) {
      const [word = ""] = key.split(/\s/);
      report(at, `"${key}" has no value; ${word === key ? "add one or remove the line" : `no ":" after ${word}`}`);
      delete section[key];
    } else if (isSection(value) && Object.keys(value).length > 0) {
      if (isPlaceholder(key, value)) report(at, `"${key}" must be text, not a section, which { begins; put the value in quotes`);
      else dropEmpty(value, at, report);
      // What is wrong in it was said.
      if (Object.values(value).every((one) => one === null)) delete section[key];
    } else if (Array.isArray(value)) value.forEach((item, index) => isSection(item) && dropEmpty(item, [...at, index], report));
  }
}

/** Our keys, each with the words that people guess for it, from other programs or from everyday language. */
const GUESSES: Readonly<Record<string, string>> = {
  watch_path: "source source_path source_dir src input from path folder directory dir watch watch_dir local_path",
  remote_base_path: "path dest destination_path dest_path target target_path remote_path remote_dir remote_folder to output",
  remote_host: "host hostname server address remote_server",
  remote_user: "user username login account",
  remote_port: "port ssh_port",
  transfer_method: "method transfer protocol transport mode type backend",
  file_patterns: "pattern patterns include includes include_patterns extensions file_types filter globs",
  exclude_patterns: "exclude excludes ignore ignore_patterns",
  delete_source: "delete move remove_source delete_after move_files",
  delete_destination_files: "mirror delete_remote",
  verify_transfer: "checksum verify_checksum checksums verification",
  retry_attempts: "retries retry max_retries attempts",
  transfer_timeout_seconds: "timeout",
  bandwidth_limit: "bwlimit bandwidth rate_limit speed_limit limit",
  parallel_transfers: "parallel threads workers concurrency connections",
  rescan_interval: "interval poll_interval scan_interval",
  schedule: "cron",
  recursive: "subfolders subdirectories",
  log_file: "log logfile log_path",
  listen: "port host address bind bind_address",
  password: "remote_password passwd pass",
  token: "password",
  admin_email: "user username",
  admin_password: "password",
  command: "cmd exec run script program",
  url: "webhook address",
  on: "event events when",
  at: "time",
  to: "url webhook",
};

/** What ssh reads itself, and how ssh_config calls it. */
const OF_SSH: Readonly<Record<string, string>> = {
  IdentityFile: "ssh_key key_file identity identity_file private_key private_key_path ssh_key_path key_path",
  ProxyJump: "jump_host proxy_jump bastion",
  UserKnownHostsFile: "known_hosts known_hosts_file",
};

/** The known key that was probably meant: none that the section has already, if it is only guessed. */
function meantKey(key: string, known: readonly string[], section: object = {}): string | undefined {
  const [head = "", ...inside] = key.split(".");
  if (inside.length > 0 && known.includes(head)) return undefined;
  // `path` beside `source` is not the watched folder.
  const isTaken = (one: string) =>
    Object.keys(section).some((other) => other === one || other !== key && guessed(other, GUESSES).join() === one);
  return guessed(key, GUESSES).find((one) => known.includes(one) && !isTaken(one)) ?? nearestKey(key, known);
}

/** `unknown key "file_patern"; did you mean "file_patterns"?`; `inside` gives the keys of a section. */
export function unknownKey(
  key: string,
  known: readonly string[],
  section: object = {},
  inside: (section: string) => readonly string[] = () => [],
): string {
  const meant = meantKey(key, known, section);
  const value = (section as Readonly<Record<string, unknown>>)[key];
  const isPlace = ["destinations", "remote_base_path", "remote_host"].includes(meant ?? "");
  if (isPlace && typeof value === "string" && isAddress(value)) return `unknown key "${key}"; write ${addressWords(value)}`;
  if (meant !== undefined) return `unknown key "${key}"; did you mean "${meant}"?`;
  const [head = "", last = ""] = key.split(".");
  const below = known.includes(head) ? inside(head) : [];
  if (below.length > 0) {
    const inner = below.includes(last) ? last : meantKey(last, below);
    return `unknown key "${key}"; write ${head}: { ${inner ?? "…"}: … }`;
  }
  const [ssh] = guessed(key, OF_SSH);
  if (ssh !== undefined) return `unknown key "${key}"; ssh reads it from your ~/.ssh/config, as ${ssh}`;
  return known.length > 0 && known.length <= 12
    ? `unknown key "${key}"; known keys here are ${inWords(known).replace(/ or (?=[^ ]*$)/, " and ")}`
    : `unknown key "${key}"; "image-transfer config schema" lists all known keys`;
}

function guessed(key: string, table: Readonly<Record<string, string>>): string[] {
  const word = key.replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase().replace(/[\s-]+/g, "_");
  return Object.keys(table).filter((ours) => table[ours]!.split(" ").includes(word));
}
