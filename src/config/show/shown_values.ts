/** Values and help of the schema as text: for the sample file and the README's table. */
import { stringify } from "yaml";
import type * as z from "zod";
import { isSection } from "../read/source.ts";
import { defaultOf, keysInside } from "../schema/schema.ts";
import type { Shape } from "../schema/settings_of.ts";

/** The help of a key. */
export function helpOf(type: z.ZodType): string {
  return type.meta()?.description ?? "";
}

/** A value to show: the default, else an example. */
export function sampleValue(type: z.ZodType): unknown {
  const examples = type.meta()?.["examples"];
  return defaultOf(type) ?? (Array.isArray(examples) ? examples[0] : undefined);
}

/** The keys inside a key that is a section by default (`web`); null for others. */
export function innerShape(type: z.ZodType): Shape | null {
  return isSection(defaultOf(type)) ? keysInside(type) : null;
}

/** A value on one line of YAML. */
export function yamlValue(value: unknown): string {
  if (value === undefined) throw new TypeError("A key of the schema has neither a default nor examples to show");
  return stringify(value, { collectionStyle: "flow", flowCollectionPadding: false, lineWidth: 0 }).trim();
}

/** A value on one line of TOML, which is JSON for these kinds of values. */
export function tomlValue(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(tomlValue).join(", ")}]` : JSON.stringify(value);
}
