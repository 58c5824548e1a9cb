/**
 * The one object that the configuration is declared in: every key with type, check, default and help. Types, validation,
 * the sample file, `config show`, the JSON Schema and the README's table come from it.
 */
import * as z from "zod";
import { addressKeys, destinationShape, placeKeys, proofKeys, transferKeys } from "./schema_destination.ts";
import { finishedKeys, hookKey, jobShape, nightKeys, scheduleKeys, watchKeys } from "./schema_job.ts";
import { daemonKeys, loadKeys, logKeys, pocketbaseKeys, programShape, webKeys } from "./schema_program.ts";
import { settingOf, type Shape, text } from "./values.ts";

const NAME = "must be a name of letters, digits, spaces and . _ - (at most 64 characters)";
const nameKey = text("a name").regex(/^[\p{L}\p{N}_][\p{L}\p{N} ._-]{0,63}$/u, NAME);

const destinationLayer = z.strictObject({
  name: nameKey.optional().describe(
    "Name of the destination. If not set: the host name, or `local` for a folder on this computer",
  ),
  ...layer(destinationShape),
}, "must be a section, like { name: nas, remote_host: nas, remote_base_path: /data }");

const destinationsKey = z.array(destinationLayer, "must be a list of destinations").min(1, "must have at least one destination")
  .optional().describe("Where the files of a job are sent, if there is more than one destination");

const jobLayer = z.strictObject({
  name: nameKey.describe("Name of the job"),
  ...layer(jobShape),
  ...layer(destinationShape),
  destinations: destinationsKey,
}, "must be a section, like { name: spring, watch_path: /data, … }");

/** A whole file as it is written: every key in every place where it may be set, without defaults. */
export const fileSchema = z.strictObject({
  ...layer(jobShape),
  ...layer(destinationShape),
  destinations: destinationsKey,
  jobs: z.array(jobLayer, "must be a list of jobs").min(1, "must have at least one job")
    .optional().describe("Several watched folders, each with its own keys; keys outside are the defaults for all of them"),
  ...layer(programShape),
}, "must be a list of keys and values");

export const ALIASES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({ ...jobShape, ...destinationShape }).flatMap(([key, type]) =>
    (settingOf(key, type).aliases ?? []).map((alias) => [alias, key])
  ),
);

/** The sections of the sample file and the README's table, in order. */
export const SECTIONS: readonly {
  readonly title: string;
  readonly place: "job" | "destination" | "program";
  readonly shape: Shape;
}[] = [
  { title: "What is watched", place: "job", shape: watchKeys },
  { title: "Where it goes", place: "destination", shape: addressKeys },
  { title: "When a file is finished", place: "job", shape: finishedKeys },
  { title: "How files are transferred", place: "destination", shape: transferKeys },
  { title: "How they are verified", place: "destination", shape: proofKeys },
  { title: "At the destination", place: "destination", shape: placeKeys },
  { title: "The observing night", place: "job", shape: nightKeys },
  { title: "When to send, and hooks", place: "job", shape: { ...scheduleKeys, ...hookKey } },
  { title: "Concurrency", place: "program", shape: loadKeys },
  { title: "Log", place: "program", shape: logKeys },
  { title: "Page, metrics and report", place: "program", shape: webKeys },
  { title: "The daemon", place: "program", shape: daemonKeys },
  { title: "PocketBase", place: "program", shape: pocketbaseKeys },
];

/** The default of a key as it would be written; undefined where there is none. */
export function defaultOf(type: z.ZodType): unknown {
  return type instanceof z.ZodPrefault ? type.def.defaultValue : undefined;
}

/** The keys of the section that a type describes; none for other types. */
export function keysInside(type: z.ZodType): Shape {
  return (unwrapped(type) as { shape?: Shape }).shape ?? {};
}

/** How zod defines a type that is made of others; `in` is what is written where the value is transformed. */
interface Wrapping {
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly options?: readonly z.ZodType[];
}

/** The type inside optional values, defaults and transformations; of several forms, the one with keys, or with a list. */
export function unwrapped(type: z.ZodType): z.ZodType {
  const { innerType, in: written, options = [] } = type.def as Wrapping;
  if (innerType ?? written) return unwrapped((innerType ?? written)!);
  return options.map(unwrapped).find((option) => Object.keys(keysInside(option)).length > 0 || "element" in option) ?? type;
}

/** The keys without their defaults, which would hide what is set above; none is required, as it may be set above. */
function layer(shape: Shape): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(shape).map(([key, type]) => {
      if (type instanceof z.ZodOptional) return [key, type];
      if (!(type instanceof z.ZodPrefault)) return [key, type.optional().meta(type.meta() ?? {})];
      return [key, (type.unwrap() as z.ZodType).optional().meta({ ...type.meta(), default: type.def.defaultValue })];
    }),
  );
}

/** The JSON Schema (draft 2020-12) of a configuration file, other names of keys included. */
export function configSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(fileSchema, {
    io: "input",
    override: ({ zodSchema, jsonSchema }) => {
      // zod leaves out the default of a value that is transformed.
      const fallback = z.globalRegistry.get(zodSchema)?.["default"];
      if (fallback !== undefined) jsonSchema.default = fallback as typeof jsonSchema.default;
      const { properties = {} } = jsonSchema;
      for (const [alias, key] of Object.entries(ALIASES)) {
        const known = properties[key];
        if (typeof known === "object") properties[alias] = { ...known, description: `Another name for ${key}` };
      }
    },
  });
  return { ...schema, title: "Configuration of image-transfer" };
}

/** Whether a key of a section holds a secret (`writeOnly`). Jobs and destinations are no sections here: `""`. */
export function isSecret(section: string, key: string): boolean {
  return SECRETS.has(`${section}.${key}`);
}

function secretsIn(type: z.ZodType, section: string): string[] {
  return Object.entries(keysInside(type)).flatMap(([key, inner]) => {
    const { element = inner } = unwrapped(inner) as { element?: z.ZodType };
    const inside = secretsIn(element, sectionOf(section, key));
    return inner.meta()?.["writeOnly"] === true ? [`${section}.${key}`, ...inside] : inside;
  });
}

const SECRETS: ReadonlySet<string> = new Set(secretsIn(fileSchema, ""));

/** The section that the keys inside a key of `section` belong to. */
export function sectionOf(section: string, key: string): string {
  return key === "jobs" || key === "destinations" ? section : key;
}
