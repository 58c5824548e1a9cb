/** The resolved configuration for people and programs, without its secrets. */
import { stringify } from "yaml";
import { secretKeys, sectionOf } from "../schema/json_schema.ts";
import { isSection } from "../read/source.ts";

/** What is shown instead of a secret. */
const HIDDEN = "(hidden)";

/** `full` of a resolved configuration as YAML or JSON; it ends with a line break. */
export function showConfig(full: Readonly<Record<string, unknown>>, format: "yaml" | "json"): string {
  const hidden = hide(full, "", secretKeys());
  return format === "json" ? `${JSON.stringify(hidden, null, 2)}\n` : stringify(hidden, { lineWidth: 0 });
}

function hide(value: unknown, section: string, isSecret: ReturnType<typeof secretKeys>): unknown {
  if (Array.isArray(value)) return value.map((item) => hide(item, section, isSecret));
  if (!isSection(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const isHidden = isSecret(section, key) && typeof inner === "string";
      return [key, isHidden ? HIDDEN : hide(inner, sectionOf(section, key), isSecret)];
    }),
  );
}
