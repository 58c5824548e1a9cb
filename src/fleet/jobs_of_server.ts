/**
 * The jobs that a server keeps for this computer: fetched, checked, and kept on this disk. A bad record changes nothing.
 *
 * @module
 */
import type { RemoteJob, RemoteJobs } from "../config/read/remote_jobs.ts";
import { keptJobs, keptJobsFile } from "../config/read/kept_jobs.ts";
import type { Settings } from "../config/settings.ts";
import type { System } from "../system/system.ts";
import { JOBS } from "./collections.ts";
import type { Identity } from "./identity.ts";
import type { PocketbaseServer } from "./pocketbase_server.ts";
import { nonsense } from "./server_failure.ts";

/** A record of the collection. */
interface JobRecord {
  readonly name: string;
  readonly daemon: string;
  readonly enabled: boolean;
  readonly settings: unknown;
}

/** The jobs for this computer and those for all, by name; its own take precedence. @throws {Failure} */
export async function fetchJobs(server: PocketbaseServer, { id }: Identity, signal: AbortSignal): Promise<readonly RemoteJob[]> {
  const records = await server.all<JobRecord>(JOBS, { filter: `daemon = "" || daemon = "${id}"` }, signal);
  if (!records.every(({ name, daemon }) => typeof name === "string" && typeof daemon === "string")) throw nonsense(server.url);
  const own = new Set(records.filter((record) => record.daemon === id).map(({ name }) => name.toLowerCase()));
  return records
    .filter(({ name, daemon, enabled }) => enabled && (daemon === id || !own.has(name.toLowerCase())))
    .map(({ name, settings }) => ({ name, settings: isKeys(settings) ? settings : {} }))
    .sort((one, other) => one.name < other.name ? -1 : 1);
}

/**
 * Keeps what was fetched if `check` finds nothing wrong with it; says whether anything changed.
 *
 * @throws what `check` throws; then the former copy stays.
 */
export async function keepJobs(
  jobs: readonly RemoteJob[],
  instance: string,
  settings: Settings,
  system: Pick<System, "read" | "writeText" | "sync" | "rename" | "makeFolder" | "now">,
  check: (jobs: readonly RemoteJob[]) => Promise<unknown>,
): Promise<boolean> {
  const former = await keptJobs(settings, system);
  const isSame = former !== null && JSON.stringify(former.jobs) === JSON.stringify(jobs);
  if (!isSame) await check(jobs);
  const kept: RemoteJobs = { url: settings.pocketbase?.url ?? "", instance, fetchedAt: system.now(), jobs };
  const file = keptJobsFile(settings);
  await system.makeFolder(file.slice(0, Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\"))), 0o700);
  // No shell may ever find a command in what a server has written.
  const text = JSON.stringify(kept).replaceAll("$", "\\u0024").replaceAll("`", "\\u0060");
  await system.writeText(`${file}.part`, `${text}\n`, 0o600);
  await system.sync(`${file}.part`);
  await system.rename(`${file}.part`, file);
  return !isSame;
}

function isKeys(value: unknown): value is RemoteJob["settings"] {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
