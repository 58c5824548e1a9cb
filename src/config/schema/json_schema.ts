/**
 * The JSON Schema of a configuration file, for editors.
 *
 * @module
 */
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

/** Names of the keys that hold secrets: marked `writeOnly` in the schema. */
export function secretKeys(): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (typeof inner === "object" && inner !== null && (inner as JsonSchema)["writeOnly"] === true) names.add(key);
      visit(inner);
    }
  };
  visit(configSchema());
  return names;
}

function addAliases(properties: JsonSchema | undefined): void {
  for (const [alias, key] of Object.entries(ALIASES)) {
    const known = properties?.[key];
    if (properties && typeof known === "object") properties[alias] = { ...known, description: `Another name for ${key}` };
  }
}
