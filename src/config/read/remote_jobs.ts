/**
 * Jobs that a PocketBase server keeps, as they were when it was last asked, beside those of the file. Programs, keys, passwords, hidden
 * files and deleting never come from a server; which jobs the file allows is decided in `held_jobs.ts`.
 */
import { jsonOf } from "../../domain/json.ts";
import { isSection, listOf, type Report, sectionsIn, type Tree } from "./source.ts";
import type { Settings } from "../settings.ts";
import type { ConfigFiles } from "../resolve/expand_path.ts";
import * as z from "zod";

const remoteJob = z.object({
  name: z.string(),
  settings: z.record(z.string(), z.unknown()).readonly(),
  /** Of its record: one that has another name now is not removed. */
  id: z.string().exactOptional(),
  /** When the server no longer had it, milliseconds since 1970 UTC: it stays as it was until a person accepts that. */
  removedAt: z.number().exactOptional(),
}).readonly();

const remoteJobs = z.object({
  /** The server that they are from. */
  url: z.string(),
  /** The name that this computer had there. */
  instance: z.string(),
  fetchedAt: z.number(),
  jobs: z.array(remoteJob).readonly(),
}).readonly();

/** A job as the server has it: a section of `jobs`, without its name. */
export type RemoteJob = z.infer<typeof remoteJob>;

export type RemoteJobs = z.infer<typeof remoteJobs>;

/** A job as this computer uses it: whole, or its schedule alone, for the job of that name in the file. */
export type UsedJob = RemoteJob & {
  readonly use: "job" | "schedule";
  /** The job of that name in the file, as `writtenJobs()` has it. */
  readonly own?: RemoteJob;
};

/**
 * Adds the server's jobs to the tree. One with the name of a job of the file replaces it; all have the keys at the top of the file as
 * their defaults.
 */
export function addRemoteJobs({ root, origins, notes }: Tree, jobs: readonly UsedJob[], report: Report): void {
  for (const { name, settings, use, own } of jobs) {
    if (use === "job") {
      const refuse = (message: string) => report(["pocketbase"], `the server's job "${name}" ${message}`);
      const { name: _name, ...bare }: Record<string, unknown> = structuredClone(settings);
      for (const section of [bare, ...sectionsIn(bare["destinations"])]) {
        for (const key of Object.keys(section).filter(isLocalOnly)) {
          refuse(`sets "${key}", which only this computer's file may set`);
          delete section[key];
        }
      }
      // What deletes, and what shows keys, is not inherited either.
      Object.assign(bare, { delete_source: false, delete_destination_files: false, ignore_hidden_files: true });
      const { kept, lost } = own === undefined ? { kept: bare, lost: [] } : withOwnKeys(bare, own);
      if (lost.length > 0) {
        notes.push(`the server's job ${name} is no longer that of the file: it does without ${lost.join(", ")}`);
      }
      const section: Record<string, unknown> = { ...kept, name };
      if (!keepsSecrets(section, root)) {
        refuse("sends elsewhere than this computer's file, which has a password: only the file may say where that is sent");
      }
      const isInheriting = section["destinations"] === undefined && Array.isArray(root["destinations"]);
      // A folder that the server names must not decide what is deleted at the destinations of the file.
      const inherited = sectionsIn(root["destinations"]).map((one) => ({ ...one, delete_destination_files: false }));
      if (!Array.isArray(root["jobs"])) root["jobs"] = root["watch_path"] === undefined ? [] : [{ name: DEFAULT }];
      const list = root["jobs"] as unknown[];
      const index = list.findIndex((job) => isSection(job) && sameName(job["name"], name));
      const at = index < 0 ? list.length : index;
      list[at] = isInheriting ? { ...section, destinations: inherited } : section;
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

/** A password of the file is for the server that the file names, and for the way that it names: not for another port, nor in clear. */
function keepsSecrets(section: Record<string, unknown>, root: Record<string, unknown>): boolean {
  const isInheriting = section["destinations"] === undefined;
  const own = sectionsIn((isInheriting ? root : section)["destinations"]);
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

// What a job of a server keeps of the job of the same name in the file. A password goes where the file sends it and nowhere else, and
// nothing is deleted for a job that is not the file's own but for its schedule.

type Keys = Readonly<Record<string, unknown>>;

/**
 * Keys that only the file may set: with them, who may write on the server could run programs here, read keys, or delete images. A job of the
 * server keeps those of the file's job of its name: always, while it is the same job, or for a destination of this name on this server.
 */
const LOCAL_ONLY: Readonly<Record<string, "always" | "same job" | "same server">> = {
  hooks: "always",
  rsync_options: "same server",
  password: "same server",
  password_file: "same server",
  tls_ca: "same server",
  rclone_config: "same server",
  delete_source: "same job",
  delete_destination_files: "same job",
  ignore_hidden_files: "same job",
  follow_links: "same job",
};
const WHERE = ["transfer_method", "remote_host", "remote_port", "remote_user"] as const;
/** What a server may change of a job that stays the file's own. */
const HARMLESS: readonly string[] = ["schedule", "bandwidth_limit"];

/** Whether only this computer's file may set a key. */
function isLocalOnly(key: string): boolean {
  return Object.hasOwn(LOCAL_ONLY, key);
}

/** The section of a job of the server with what it keeps of `own`, and the keys that it does not keep. */
function withOwnKeys(
  section: Keys,
  own: { readonly settings: Keys },
): { readonly kept: Keys; readonly lost: readonly string[] } {
  const isSameJob = canonical(without(section, HARMLESS)) === canonical(without(own.settings, HARMLESS));
  const lost = new Set<string>();
  const keep = (from: Keys, isSameServer: boolean): Keys =>
    Object.fromEntries(
      Object.entries(from).filter(([key]) => {
        if (!isLocalOnly(key)) return false;
        const isKept = isSameJob || LOCAL_ONLY[key] === "always" || isSameServer && LOCAL_ONLY[key] === "same server";
        if (!isKept) lost.add(key);
        return isKept;
      }),
    );
  const kept = { ...section, ...keep(own.settings, false) };
  const theirs = sectionsIn(section["destinations"]);
  const ours = sectionsIn(own.settings["destinations"]);
  if (section["destinations"] === undefined) return { kept, lost: [...lost] };
  const destinations = theirs.map((destination) => {
    const same = ours.find(({ name }) => String(name).toLowerCase() === String(destination["name"]).toLowerCase());
    if (same === undefined) return destination;
    return { ...destination, ...keep(same, WHERE.every((key) => canonical(same[key]) === canonical(destination[key]))) };
  });
  return { kept: { ...kept, destinations }, lost: [...lost] };
}

/** The job as a server may have it, and which of its keys stay in the file. */
export function forServer(
  { settings }: { readonly settings: Keys },
): { readonly kept: Keys; readonly leftOut: readonly string[] } {
  const { name: _name, ...kept } = without(settings);
  const all = [settings, ...sectionsIn(settings["destinations"])].flatMap(Object.keys);
  return { kept, leftOut: [...new Set(all)].filter(isLocalOnly) };
}

/** Without what only the file may set, and without these keys; in the destinations, too. */
function without(section: Keys, more: readonly string[] = []): Keys {
  return Object.fromEntries(
    Object.entries(section).filter(([key]) => !isLocalOnly(key) && !more.includes(key)).map(([key, value]) => [
      key,
      key === "destinations" && Array.isArray(value) ? value.map((one) => isSection(one) ? without(one, more) : one) : value,
    ]),
  );
}

/** JSON with the keys in order, to compare. */
export function canonical(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, inner: unknown) =>
      isSection(inner) ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => one < other ? -1 : 1)) : inner,
  ) ?? "";
}

// The copy on this disk: starts and commands read it, so that none of them waits for a network.

/** Where the copy is kept. */
export function keptJobsFile({ pocketbase, stateDirectory }: Pick<Settings, "pocketbase" | "stateDirectory">): string {
  return `${pocketbase?.cacheDir ?? stateDirectory}/pocketbase-jobs.json`;
}

/** The copy, if there is one and it is of the server in the settings; null otherwise. A damaged one is fetched again. */
export async function keptJobs(
  settings: Pick<Settings, "pocketbase" | "stateDirectory">,
  system: Pick<ConfigFiles, "read">,
): Promise<RemoteJobs | null> {
  const bytes = await system.read(keptJobsFile(settings), 0, MOST_BYTES).catch(() => null);
  if (bytes === null) return null;
  const kept = remoteJobs.safeParse(jsonOf(new TextDecoder().decode(bytes))).data;
  const isOfThisServer = kept !== undefined && kept.url === settings.pocketbase?.url &&
    (settings.pocketbase.instance ?? kept.instance) === kept.instance;
  return isOfThisServer ? kept : null;
}

const MOST_BYTES = 64 * 1024 * 1024;
