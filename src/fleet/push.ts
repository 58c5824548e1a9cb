/**
 * Sends the jobs of a configuration file to the server, as the jobs of one computer.
 *
 * @module
 */
import { canonical, forServer } from "../config/read/own_keys.ts";
import type { RemoteJob } from "../config/read/remote_jobs.ts";
import { Failure } from "../domain/failure.ts";
import { addAccount, daemons, named } from "./accounts.ts";
import { JOBS } from "./collections.ts";
import type { PocketbaseServer } from "./pocketbase_server.ts";
import { superuser } from "./setup.ts";
import type { System } from "../system/system.ts";

/** What was done with a job; `left out` are keys that only a file may set. */
export interface Pushed {
  readonly job: string;
  readonly done: "created" | "updated" | "unchanged";
  readonly leftOut: readonly string[];
}

/** Jobs of that computer that are not in the file stay as they are. @throws {Failure} */
export async function pushJobs(
  { jobs, instance }: { readonly jobs: readonly RemoteJob[]; readonly instance: string },
  server: PocketbaseServer,
  system: Pick<System, "randomHex">,
  signal: AbortSignal,
): Promise<readonly Pushed[]> {
  await superuser(server, signal);
  const find = async () => named(instance, await daemons(server, signal));
  if (await find() === undefined) await addAccount(instance, server, system, signal);
  const daemon = (await find())?.id;
  if (daemon === undefined) throw new Failure("internal", `The account for ${instance} was not created`);
  const known = await server.all<{ id: string; name: string; settings: unknown }>(
    JOBS,
    { filter: `daemon = "${daemon}"` },
    signal,
  );
  const pushed: Pushed[] = [];
  for (const job of jobs) {
    const { name } = job;
    const { kept, leftOut } = forServer(job);
    const record = known.find((one) => one.name.toLowerCase() === name.toLowerCase());
    const path = `/api/collections/${JOBS}/records`;
    const body = { name, daemon, enabled: true, settings: kept };
    if (record === undefined) await server.ask(path, { method: "POST", body }, signal);
    else if (canonical(record.settings) === canonical(kept)) {
      pushed.push({ job: name, done: "unchanged", leftOut });
      continue;
    } else await server.ask(`${path}/${record.id}`, { method: "PATCH", body: { settings: kept } }, signal);
    pushed.push({ job: name, done: record === undefined ? "created" : "updated", leftOut });
  }
  return pushed;
}
