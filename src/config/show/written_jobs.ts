/** The jobs of a resolved configuration as a person would write them: without what is the default anyway. */
import { listOf } from "../read/tree.ts";
import type { RemoteJob } from "../read/remote_jobs.ts";
import { defaultOf } from "../schema/schema.ts";
import { destinationShape } from "../schema/schema_destination.ts";
import { jobShape } from "../schema/schema_job.ts";
import type { Shape } from "../schema/settings_of.ts";

/** The jobs of `full` (see `Resolved`); everything that applies to a job is in it. */
export function writtenJobs(full: Readonly<Record<string, unknown>>): readonly RemoteJob[] {
  return listOf(full["jobs"]).map(([, job]) => {
    const { name, destinations, ...keys } = job;
    const settings = withoutDefaults(keys, jobShape);
    const to = listOf(destinations).map(([, destination]) => withoutDefaults(destination, destinationShape));
    return { name: String(name), settings: { ...settings, ...(to.length === 0 ? {} : { destinations: to }) } };
  });
}

function withoutDefaults(keys: Record<string, unknown>, shape: Shape): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(keys).filter(([key, value]) => {
      const type = shape[key];
      return type === undefined || JSON.stringify(defaultOf(type)) !== JSON.stringify(value);
    }),
  );
}
