/** The table of all keys for the README, in Markdown. */
import { defaultOf, fileSchema, SECTIONS } from "../../src/config/schema/schema.ts";
import type { Shape } from "../../src/config/schema/values.ts";
import { helpOf, innerShape, yamlValue } from "../../src/config/show/show.ts";

/** The table; it ends without a line break. */
export function optionsTable(): string {
  const rows = SECTIONS.flatMap(({ title, place, shape }) => [`| **${title}** | | ${PLACES[place]} |`, ...rowsOf(shape, "")]);
  const several = ["jobs", "destinations"].map((key) =>
    `| \`${key}\` |  | ${cell(helpOf(fileSchema.shape[key as "jobs" | "destinations"]))} |`
  );
  rows.push("| **Several folders, several destinations** | | |", ...several);
  return ["| key | default | what it does |", "| --- | --- | --- |", ...rows].join("\n");
}

const PLACES = {
  job: "*in a job, or at the top for all*",
  destination: "*in a destination, its job, or at the top for all*",
  program: "*at the top*",
} as const;

function rowsOf(shape: Shape, prefix: string): string[] {
  return Object.entries(shape).flatMap(([key, type]) => {
    const inner = innerShape(type);
    const fallback = inner === null ? defaultOf(type) : undefined;
    const shown = fallback === undefined ? "" : `\`${cell(yamlValue(fallback))}\``;
    const row = `| \`${prefix}${key}\` | ${shown} | ${cell(helpOf(type))} |`;
    return inner === null ? [row] : [row, ...rowsOf(inner, `${prefix}${key}.`)];
  });
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
