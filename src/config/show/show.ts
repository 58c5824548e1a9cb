/** The resolved configuration for people and programs, without its secrets. */
import { stringify } from "yaml";
import { defaultOf, isSecret, sectionOf } from "../schema/schema.ts";
import { isSection, sectionsIn } from "../read/source.ts";
import type { RemoteJob } from "../read/remote_jobs.ts";
import { destinationShape } from "../schema/schema_destination.ts";
import { jobShape } from "../schema/schema_job.ts";
import type { Shape } from "../schema/values.ts";

/** What is shown instead of a secret. */
const HIDDEN = "(hidden)";

/** `full` of a resolved configuration as YAML or JSON; it ends with a line break. */
export function showConfig(full: Readonly<Record<string, unknown>>, format: "yaml" | "json"): string {
  const hidden = hide(full, "");
  return format === "json" ? `${JSON.stringify(hidden, null, 2)}\n` : stringify(hidden, { lineWidth: 0 });
}

function hide(value: unknown, section: string): unknown {
  if (Array.isArray(value)) return value.map((item) => hide(item, section));
  if (!isSection(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const isHidden = isSecret(section, key) && typeof inner === "string";
      return [key, isHidden ? HIDDEN : hide(inner, sectionOf(section, key))];
    }),
  );
}

/** The jobs of `full` (see `Settings`) as a person would write them, without defaults; everything that applies to a job is in it. */
export function writtenJobs(full: Readonly<Record<string, unknown>>): readonly RemoteJob[] {
  return sectionsIn(full["jobs"]).map((job) => {
    const { name, destinations, ...keys } = job;
    const settings = withoutDefaults(keys, jobShape);
    const to = sectionsIn(destinations).map((destination) => withoutDefaults(destination, destinationShape));
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
