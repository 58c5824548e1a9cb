/**
 * Sends the jobs of a configuration file to the server, as the jobs of one computer.
 *
 * @module
 */
import { LOCAL_ONLY, type RemoteJob } from "../config/read/remote_jobs.ts";
import { Failure } from "../domain/failure.ts";
import { addAccount, daemons, named } from "./accounts.ts";
import { JOBS } from "./collections.ts";
import type { PocketbaseServer } from "./pocketbase_server.ts";
import { superuser } from "./setup.ts";

/** What was done with a job; `left out` are keys that only a file may set. */
export interface Pushed {
  readonly job: string;
  readonly done: "created" | "updated" | "unchanged";
  readonly leftOut: readonly string[];
}

/** Jobs of that computer that are not in the file stay as they are. @throws {Failure} */
export async function pushJobs(
  jobs: readonly RemoteJob[],
  instance: string,
  server: PocketbaseServer,
  signal: AbortSignal,
): Promise<readonly Pushed[]> {
  await superuser(server, signal);
  const find = async () => named(instance, await daemons(server, signal));
  if (await find() === undefined) await addAccount(instance, server, signal);
  const daemon = (await find())?.id;
  if (daemon === undefined) throw new Failure("internal", `The account for ${instance} was not created`);
  const known = await server.all<{ id: string; name: string; settings: unknown }>(
    JOBS,
    { filter: `daemon = "${daemon}"` },
    signal,
  );
  const pushed: Pushed[] = [];
  for (const { name, settings } of jobs) {
    const { kept, leftOut } = forServer(settings);
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

type Keys = Readonly<Record<string, unknown>>;

/** Without what a server cannot set: it stays in the file. */
function forServer(settings: Keys): { kept: Keys; leftOut: readonly string[] } {
  const leftOut = new Set<string>();
  const own = (section: Keys): Keys =>
    Object.fromEntries(
      Object.entries(section).flatMap(([key, value]) => {
        if (LOCAL_ONLY.has(key)) {
          leftOut.add(key);
          return [];
        }
        return [[key, key === "destinations" && Array.isArray(value) ? value.map((one) => own(one as Keys)) : value]];
      }),
    );
  const { name: _name, ...kept } = own(settings);
  return { kept, leftOut: [...leftOut] };
}

/** JSON with the keys in order, to compare. */
function canonical(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, inner: unknown) =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => one < other ? -1 : 1))
        : inner,
  );
}
