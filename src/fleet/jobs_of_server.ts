/**
 * The jobs that a server keeps for this computer: fetched, checked, and kept on this disk. A bad record changes nothing, and one that
 * has vanished removes nothing: a deleted account or an old backup would end jobs that nobody meant to end.
 */
import { dirname } from "@std/path";
import * as z from "zod";
import { mutex } from "../async/mutex.ts";
import { ConfigError } from "../config/read/parse_settings.ts";
import { canonical, forServer, keptJobs, keptJobsFile, type RemoteJob, type RemoteJobs } from "../config/read/remote_jobs.ts";
import type { Settings } from "../config/settings.ts";
import { Failure } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import type { System } from "../system/system.ts";
import { JOBS } from "./collections.ts";
import { type Identity, recordOf, superuser } from "./accounts.ts";
import type { PocketbaseServer } from "./pocketbase_server.ts";
import { understood } from "./server_failure.ts";

const jobRecord = z.object({
  // A superuser may hide fields.
  id: z.unknown().optional(),
  name: z.string(),
  daemon: z.string(),
  enabled: z.unknown().optional(),
  settings: z.unknown().optional(),
});

/** The jobs for this computer and those for all, by name; its own take precedence. @throws {Failure} */
export async function fetchJobs(server: PocketbaseServer, { id }: Identity, signal: AbortSignal): Promise<readonly RemoteJob[]> {
  const all = await server.all(JOBS, { filter: `daemon = "" || daemon = "${id}"` }, signal);
  const records = understood(z.array(jobRecord), all, server.url);
  const odd = records.length > MOST_JOBS
    ? `${server.url} has ${records.length} jobs for this computer, more than ${MOST_JOBS}`
    : records.filter(({ settings }) => !isShallow(settings, MOST_LEVELS)).map(({ name }) =>
      `Job "${printable(name).slice(0, 64)}" of ${server.url} is nested too deeply`
    )[0];
  if (odd !== undefined) throw new Failure("configuration", odd, { hint: "Correct it on the server." });
  const own = new Set(records.filter((record) => record.daemon === id).map(({ name }) => name.toLowerCase()));
  return records
    .filter(({ name, daemon, enabled }) => enabled && (daemon === id || !own.has(name.toLowerCase())))
    .map(({ id, name, settings }) => ({ name, settings: keys.parse(settings), id: String(id) }))
    .sort(byName);
}

const keys = z.record(z.string(), z.unknown()).catch({});

/** Nobody has so many, and reading them again and again would hold up what runs. */
const MOST_JOBS = 1_000;
/** Far more than a job has; what reads settings goes down into each. */
const MOST_LEVELS = 20;

function isShallow(value: unknown, levels: number): boolean {
  return typeof value !== "object" || value === null ||
    (levels > 0 && Object.values(value).every((inner) => isShallow(inner, levels - 1)));
}

type Files = Pick<System, "read" | "writeText" | "makeFolder" | "now">;

interface Kept {
  readonly hasChanged: boolean;
  /** Names of jobs that the server has had until now. */
  readonly vanished: readonly string[];
  /** What is wrong with the jobs; then only those that vanished were marked. Null where they are used. */
  readonly fault: ConfigError | null;
}

/** Whoever reads the copy to write it again is alone with it. */
const inTurn = mutex();

/** Keeps what was fetched if `check` finds nothing wrong with it, and what has vanished as it was, marked. */
export function keepJobs(
  fetched: readonly RemoteJob[],
  instance: string,
  settings: Settings,
  system: Files,
  check: (jobs: readonly RemoteJob[]) => Promise<Pick<Settings, "held">>,
): Promise<Kept> {
  return inTurn(async () => {
    const former = await keptJobs(settings, system);
    const now = system.now();
    const isThere = ({ name, id }: RemoteJob) => fetched.some((one) => isSame(one, name) || (id !== undefined && one.id === id));
    const gone = (former?.jobs ?? []).filter((job) => !isThere(job) && isUsed(job, settings));
    const vanished = gone.filter(({ removedAt }) => removedAt === undefined).map(({ name }) => name);
    const marked = gone.map((job): RemoteJob => ({ ...job, removedAt: job.removedAt ?? now }));
    const jobs = [...fetched, ...marked].sort(byName);
    const kept = { url: settings.pocketbase?.url ?? "", instance, fetchedAt: now, jobs };
    const isNew = former === null || JSON.stringify(former.jobs) !== JSON.stringify(jobs);
    let hasChanged = isNew;
    try {
      // The same jobs are allowed no longer where a folder has become a link.
      const { held = [] } = await check(jobs);
      hasChanged ||= JSON.stringify(held) !== JSON.stringify(settings.held ?? []);
    } catch (fault) {
      if (!(fault instanceof ConfigError)) throw fault;
      // Then it is the file that is wrong, which the reload tells.
      if (!isNew) return { hasChanged: false, vanished, fault: null };
      // A mark changes nothing of what runs, and what is wrong with others does not keep a person from accepting it.
      const left = former?.jobs.map((job) => marked.find(({ name }) => name === job.name) ?? job) ?? [];
      if (former !== null && vanished.length > 0) await store({ ...former, jobs: left }, settings, system);
      return { hasChanged: vanished.length > 0, vanished, fault };
    }
    await store(kept, settings, system);
    return { hasChanged, vanished, fault: null };
  });
}

/**
 * Removes jobs that the server no longer has: the one of this name, or all. Returns their names.
 *
 * @throws {Failure} `configuration` where that job is not marked.
 */
export function acceptRemoved(name: string | null, settings: Settings, system: Files): Promise<readonly string[]> {
  return inTurn(async () => {
    const kept = await keptJobs(settings, system);
    const marked = kept?.jobs.filter(({ removedAt }) => removedAt !== undefined) ?? [];
    const accepted = name === null ? marked : marked.filter((job) => isSame(job, name));
    if (name !== null && accepted.length === 0) {
      const names = marked.map((job) => printable(job.name)).join(", ");
      throw new Failure("configuration", `Job "${printable(name)}" is not marked as removed on the server`, {
        hint: names === "" ? "No job is." : `These are: ${names}`,
      });
    }
    if (kept !== null && accepted.length > 0) {
      await store({ ...kept, jobs: kept.jobs.filter((job) => !accepted.includes(job)) }, settings, system);
    }
    return accepted.map((job) => job.name);
  });
}

/** What was done with a job; `left out` are keys that only a file may set. */
interface Pushed {
  readonly job: string;
  readonly done: "created" | "updated" | "unchanged";
  readonly leftOut: readonly string[];
}

/** Sends jobs to the server, as those of one computer. Jobs of it that are not in the file stay as they are. @throws {Failure} */
export async function pushJobs(
  { jobs, instance }: { readonly jobs: readonly RemoteJob[]; readonly instance: string },
  server: PocketbaseServer,
  system: Pick<System, "randomHex">,
  signal: AbortSignal,
): Promise<readonly Pushed[]> {
  await superuser(server, signal);
  const { id: daemon } = await recordOf(instance, server, system, signal);
  const known = await understood(
    z.array(jobRecord),
    await server.all(JOBS, { filter: `daemon = "${daemon}"` }, signal),
    server.url,
  );
  const pushed: Pushed[] = [];
  for (const job of jobs) {
    const { name } = job;
    const { kept, leftOut } = forServer(job);
    const record = known.find((one) => isSame(one, name));
    const path = `/api/collections/${JOBS}/records`;
    let done: Pushed["done"] = "unchanged";
    if (record === undefined) {
      done = "created";
      await server.ask(path, { method: "POST", body: { name, daemon, enabled: true, settings: kept } }, signal);
    } else if (canonical(record.settings) !== canonical(kept)) {
      done = "updated";
      await server.ask(`${path}/${record.id}`, { method: "PATCH", body: { settings: kept } }, signal);
    }
    pushed.push({ job: name, done, leftOut });
  }
  return pushed;
}

async function store(kept: RemoteJobs, settings: Settings, system: Files): Promise<void> {
  const file = keptJobsFile(settings);
  await system.makeFolder(dirname(file), 0o700);
  // No shell may ever find a command in what a server has written.
  const text = JSON.stringify(kept).replaceAll("$", "\\u0024").replaceAll("`", "\\u0060");
  await system.writeText(file, `${text}\n`, 0o600);
}

/** Whether something here would be other without it. */
function isUsed({ name, settings }: RemoteJob, { jobs, pocketbase, held = [] }: Settings): boolean {
  const may = pocketbase?.maySet ?? [];
  const isAllowed = (may.includes("jobs") && !held.some((job) => isSame(job, name))) ||
    (may.includes("schedules") && settings["schedule"] !== undefined);
  return isAllowed && jobs.some((job) => isSame(job, name));
}

function isSame(job: { readonly name: string }, name: string): boolean {
  return job.name.toLowerCase() === name.toLowerCase();
}

function byName(one: RemoteJob, other: RemoteJob): number {
  return one.name < other.name ? -1 : 1;
}
