/**
 * Jobs that a PocketBase server keeps, as they were when it was last asked, beside those of the file. Programs, keys, passwords, hidden
 * files and deleting never come from a server; which jobs the file allows is decided in `held_jobs.ts`.
 */
import { LOCAL_ONLY, withOwnKeys } from "./own_keys.ts";
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

/** A job as this computer uses it: whole, or its schedule alone, for the job of that name in the file. */
export interface UsedJob extends RemoteJob {
  readonly use: "job" | "schedule";
  /** The job of that name in the file, as `writtenJobs()` has it. */
  readonly own?: RemoteJob;
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

/**
 * Adds the server's jobs to the tree. One with the name of a job of the file replaces it; all have the keys at the top of the file as
 * their defaults.
 */
export function addRemoteJobs({ root, origins, notes }: Tree, jobs: readonly UsedJob[], report: Report): void {
  for (const { name, settings, use, own } of jobs) {
    if (use === "job") {
      const refuse = (message: string) => report(["pocketbase"], `the server's job "${name}" ${message}`);
      const bare = remoteSection(settings, refuse);
      const { kept, lost } = own === undefined ? { kept: bare, lost: [] } : withOwnKeys(bare, own);
      if (lost.length > 0) {
        notes.push(`the server's job ${name} is no longer that of the file: it does without ${lost.join(", ")}`);
      }
      const section: Record<string, unknown> = { ...kept, name };
      if (!keepsSecrets(section, root)) {
        refuse("sends elsewhere than this computer's file, which has a password: only the file may say where that is sent");
      }
      const isInheriting = section["destinations"] === undefined && Array.isArray(root["destinations"]);
      const list = jobList(root);
      const index = list.findIndex((job) => isSection(job) && sameName(job["name"], name));
      const at = index < 0 ? list.length : index;
      list[at] = isInheriting ? { ...section, destinations: withoutMirrors(root["destinations"]) } : section;
      origins.moved(["pocketbase"], ["jobs", at]);
      if (isInheriting) origins.moved(["destinations"], ["jobs", at, "destinations"]);
    } else if (settings["schedule"] !== undefined) {
      const own = listOf(root["jobs"]).find(([, job]) => sameName(job["name"], name));
      if (own === undefined && (root["jobs"] !== undefined || !sameName(name, DEFAULT))) continue;
      (own?.[1] ?? root)["schedule"] = structuredClone(settings["schedule"]);
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
  settings: RemoteJob["settings"],
  refuse: (message: string) => void,
): Record<string, unknown> {
  const plain = structuredClone(settings) as Record<string, unknown>;
  for (const section of [plain, ...listOf(plain["destinations"]).map(([, destination]) => destination)]) {
    for (const key of Object.keys(section).filter((key) => LOCAL_ONLY.has(key))) {
      refuse(`sets "${key}", which only this computer's file may set`);
      delete section[key];
    }
  }
  // What deletes, and what shows keys, is not inherited either.
  const { name: _name, ...named } = plain;
  return { ...named, delete_source: false, delete_destination_files: false, ignore_hidden_files: true };
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

function sameName(one: unknown, other: string): boolean {
  return typeof one === "string" && one.toLowerCase() === other.toLowerCase();
}
