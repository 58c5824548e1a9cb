/**
 * Jobs that a PocketBase server keeps, as they were when it was last asked, beside those of the file. What the file does not allow
 * (`pocketbase.may_set`) is left out, and programs, keys, passwords and deleting never come from a server.
 *
 * @module
 */
import { isSection } from "./source.ts";
import { listOf, type Report, type Tree } from "./tree.ts";

/** A job as the server has it: a section of `jobs`, without its name. */
export interface RemoteJob {
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Of its record: one that has another name now is not removed. */
  readonly id?: string;
  /** When the server no longer had it, milliseconds since 1970 UTC: it stays as it was until a person accepts that. */
  readonly removedAt?: number;
}

/** The copy on this disk. */
export interface RemoteJobs {
  /** The server that they are from. */
  readonly url: string;
  /** The name that this computer had there. */
  readonly instance: string;
  /** Milliseconds since 1970 UTC. */
  readonly fetchedAt: number;
  readonly jobs: readonly RemoteJob[];
}

/** Keys that only the file may set: with them, who may write on the server could run programs here, read keys, or delete images. */
export const LOCAL_ONLY: ReadonlySet<string> = new Set([
  "hooks",
  "rsync_options",
  "password",
  "password_file",
  "tls_ca",
  "rclone_config",
  "delete_source",
  "delete_destination_files",
]);

/**
 * Adds the server's jobs to the tree. One with the name of a job of the file replaces it; all have the keys at the top of the file as
 * their defaults. `maySet` is what `pocketbase.may_set` allows.
 */
export function addRemoteJobs(
  { root, origins }: Tree,
  jobs: readonly RemoteJob[],
  maySet: ReadonlySet<string>,
  report: Report,
): void {
  for (const { name, settings } of jobs) {
    const refuse = (message: string) => report(["pocketbase"], `the server's job "${name}" ${message}`);
    const section = remoteSection(name, settings, refuse);
    if (!keepsSecrets(section, root)) {
      refuse("sends elsewhere than this file, which has a password: only this file may say where that is sent");
    }
    if (maySet.has("jobs")) {
      const isInheriting = section["destinations"] === undefined && Array.isArray(root["destinations"]);
      const list = jobList(root);
      const index = list.findIndex((job) => isSection(job) && sameName(job["name"], name));
      const at = index < 0 ? list.length : index;
      list[at] = isInheriting ? { ...section, destinations: withoutMirrors(root["destinations"]) } : section;
      origins.moved(["pocketbase"], ["jobs", at]);
      if (isInheriting) origins.moved(["destinations"], ["jobs", at, "destinations"]);
    } else if (maySet.has("schedules") && section["schedule"] !== undefined) {
      const own = listOf(root["jobs"]).find(([, job]) => sameName(job["name"], name));
      if (own === undefined && (root["jobs"] !== undefined || name !== DEFAULT)) continue;
      (own?.[1] ?? root)["schedule"] = section["schedule"];
      origins.moved(["pocketbase"], own === undefined ? ["schedule"] : ["jobs", own[0], "schedule"]);
    }
  }
}

/** The name of the job of a file without a list of jobs. */
const DEFAULT = "default";

/** The list of jobs, made of the file's only job where it has none; empty where the file watches nothing. */
function jobList(root: Record<string, unknown>): unknown[] {
  if (!Array.isArray(root["jobs"])) root["jobs"] = root["watch_path"] === undefined ? [] : [{ name: DEFAULT }];
  return root["jobs"] as unknown[];
}

function remoteSection(
  name: string,
  settings: RemoteJob["settings"],
  refuse: (message: string) => void,
): Record<string, unknown> {
  const plain = structuredClone(settings) as Record<string, unknown>;
  for (const section of [plain, ...listOf(plain["destinations"]).map(([, destination]) => destination)]) {
    for (const key of Object.keys(section).filter((key) => LOCAL_ONLY.has(key))) {
      refuse(`sets "${key}", which only this file may set`);
      delete section[key];
    }
  }
  const variable = textsIn(plain).find((text) => /\$(?!HOME\b)[\w{]|%\w+%/.test(text));
  // Their values would be seen wherever the files are sent.
  if (variable !== undefined) refuse(`uses an environment variable, which only this file may use: ${variable}`);
  // What deletes is not inherited either.
  return { ...plain, name, delete_source: false, delete_destination_files: false };
}

/** The destinations of the file, for a job of the server: a folder that the server names must not decide what is deleted there. */
function withoutMirrors(destinations: unknown): Record<string, unknown>[] {
  return listOf(destinations).map(([, destination]) => ({ ...destination, delete_destination_files: false }));
}

/** A password of the file is for the server that the file names, and for the way that it names: not for another port, nor in clear. */
function keepsSecrets(section: Record<string, unknown>, root: Record<string, unknown>): boolean {
  const isInheriting = section["destinations"] === undefined;
  const own = listOf((isInheriting ? root : section)["destinations"]).map(([, destination]) => destination);
  return (own.length === 0 ? [{}] : own).every((destination) => {
    const file: Record<string, unknown> = isInheriting ? { ...root, ...destination } : root;
    const used: Record<string, unknown> = { ...root, ...section, ...destination };
    const hasSecret = file["password"] !== undefined || file["password_file"] !== undefined;
    const isSent = /^ftps?$/i.test(String(used["transfer_method"]));
    const isSame = (key: string) => String(used[key]).toLowerCase() === String(file[key]).toLowerCase();
    return !hasSecret || !isSent || WHERE_SENT.every(isSame);
  });
}

const WHERE_SENT = ["transfer_method", "remote_host", "remote_port"] as const;

function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

function sameName(one: unknown, other: string): boolean {
  return typeof one === "string" && one.toLowerCase() === other.toLowerCase();
}
