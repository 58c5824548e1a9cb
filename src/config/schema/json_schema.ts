/** The JSON Schema of a configuration file, for editors. */
import * as z from "zod";
import { fileSchema } from "./schema.ts";
import { ALIASES } from "../read/tidy.ts";

/** A JSON Schema (draft 2020-12) as plain data. */
type JsonSchema = Record<string, unknown>;

/** The schema of a configuration file, other names of keys included. */
export function configSchema(): JsonSchema {
  const schema = z.toJSONSchema(fileSchema, {
    io: "input",
    override: ({ zodSchema, jsonSchema }) => {
      // zod leaves out the default of a value that is transformed.
      const fallback = z.globalRegistry.get(zodSchema)?.["default"];
      if (fallback !== undefined) jsonSchema.default = fallback as typeof jsonSchema.default;
      addAliases(jsonSchema.properties);
    },
  });
  return { ...schema, title: "Configuration of image-transfer" };
}

/** Whether a key of a section holds a secret: it is marked `writeOnly` in the schema. Jobs and destinations are no sections here: `""`. */
export function secretKeys(): (section: string, key: string) => boolean {
  const secrets = new Set<string>();
  const visit = (schema: JsonSchema, section: string): void => {
    for (const [key, inner] of Object.entries((schema["properties"] ?? {}) as Record<string, JsonSchema>)) {
      if (inner["writeOnly"] === true) secrets.add(`${section}.${key}`);
      visit(inner, sectionOf(section, key));
    }
    for (const form of [schema["items"], ...(schema["anyOf"] ?? []) as unknown[]]) {
      if (typeof form === "object" && form !== null) visit(form as JsonSchema, section);
    }
  };
  visit(configSchema(), "");
  return (section, key) => secrets.has(`${section}.${key}`);
}

/** The section that the keys inside a key of `section` belong to. */
export function sectionOf(section: string, key: string): string {
  return key === "jobs" || key === "destinations" ? section : key;
}

function addAliases(properties: JsonSchema | undefined): void {
  for (const [alias, key] of Object.entries(ALIASES)) {
    const known = properties?.[key];
    if (properties && typeof known === "object") properties[alias] = { ...known, description: `Another name for ${key}` };
  }
}
