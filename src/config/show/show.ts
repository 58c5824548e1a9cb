/** A configuration as text: the resolved one without its secrets, and the sample. */
import { stringify } from "yaml";
import { defaultOf, isSecret, keysInside, sectionOf, SECTIONS } from "../schema/schema.ts";
import { isSection, sectionsIn } from "../read/source.ts";
import type { RemoteJob } from "../read/remote_jobs.ts";
import { destinationShape } from "../schema/schema_destination.ts";
import { jobShape } from "../schema/schema_job.ts";
import type { Shape } from "../schema/values.ts";
import { wrapped } from "../../domain/wrapped.ts";
import type { ConfigKind } from "../read/parse_settings.ts";
import type * as z from "zod";

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

/** Values that are written without a `#`, by key; other keys show their default or an example. */
export type Answers = Readonly<Record<string, string>>;

/** What a beginner must fill in. */
const FILLED = ["watch_path", "remote_host", "remote_user", "remote_base_path"];

/** What `init` and `config generate` write: every key with its help; keys with a default are commented out, but for `answers`. */
export function sampleConfig(kind: ConfigKind, answers: Readonly<Record<string, string | number>> | null = null): string {
  const assign = kind === "toml" ? " = " : ": ";
  const shown = kind === "toml" ? tomlValue : yamlValue;
  const tables: string[] = [];
  const lineOf = (key: string, value: unknown): string => {
    const given = answers?.[key];
    if (given !== undefined) return `${key}${assign}${shown(given)}`;
    const filled = answers === null && FILLED.includes(key);
    return `${filled ? "" : "#"}${key}${assign}${shown(value)}`;
  };
  const section = (key: string, help: string[], inner: Shape): string[] => {
    const head = kind === "toml" ? `#[${key}]` : `#${key}:`;
    const indent = kind === "toml" ? "#" : "#  ";
    const lines = Object.entries(inner).flatMap(([name, type]) => {
      const value = sampleValue(type);
      const about = wrapped(helpOf(type), 102 + indent.length, `${indent}# `, `${indent}# `);
      // Without a default or an example, there is no value to show that works.
      return value === undefined
        ? [...about, `${indent}# ${name}${assign}…`]
        : [...about, `${indent}${name}${assign}${shown(value)}`];
    });
    return [...help, head, ...lines, ""];
  };
  const body = SECTIONS.flatMap(({ title, shape }) => [
    ...(kind === "toml" && Object.values(shape).every((type) => innerShape(type) !== null)
      ? []
      : [`# ${`── ${title} `.padEnd(100, "─")}`, ""]),
    ...Object.entries(shape).flatMap(([key, type]) => {
      const help = wrapped(helpOf(type), 112, "# ", "# ");
      const inner = innerShape(type);
      if (inner === null) return [...help, lineOf(key, sampleValue(type)), ""];
      const lines = section(key, help, inner);
      if (kind === "yaml") return lines;
      tables.push(...lines);
      return [];
    }),
  ]);
  return [...head(kind), ...body, ...tables].join("\n").replace(/\n+$/, "\n");
}

function head(kind: ConfigKind): string[] {
  const several = kind === "toml"
    ? [
      "#[[jobs]]",
      '#name = "spring"',
      '#watch_path = "~/images"',
      "#[[jobs.destinations]]",
      '#remote_host = "freya"',
      '#remote_base_path = "/data/images"',
    ]
    : [
      "#jobs:",
      "#  - name: spring",
      "#    watch_path: ~/images",
      "#    destinations:",
      "#      - { remote_host: freya, remote_base_path: /data/images }",
    ];
  return [
    "# Configuration of image-transfer.",
    "#",
    "# Lines that begin with # and a space are comments; lines that begin with # and a key show the default.",
    "# To change it, remove the #. Then run: image-transfer config validate",
    "#",
    "# Several folders or several destinations (keys outside are the defaults for all of them):",
    ...several.map((line) => `#   ${line.slice(1)}`),
    "",
  ];
}

export function helpOf(type: z.ZodType): string {
  return type.meta()?.description ?? "";
}

/** A value to show: the default, else an example. */
function sampleValue(type: z.ZodType): unknown {
  const examples = type.meta()?.["examples"];
  return defaultOf(type) ?? (Array.isArray(examples) ? examples[0] : undefined);
}

/** The keys inside a key that is a section by default (`web`); null for others. */
export function innerShape(type: z.ZodType): Shape | null {
  return isSection(defaultOf(type)) ? keysInside(type) : null;
}

export function yamlValue(value: unknown): string {
  if (value === undefined) throw new TypeError("A key of the schema has neither a default nor examples to show");
  return stringify(value, { collectionStyle: "flow", flowCollectionPadding: false, lineWidth: 0 }).trim();
}

/** A value on one line of TOML, which is JSON for these kinds of values. */
function tomlValue(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(tomlValue).join(", ")}]` : JSON.stringify(value);
}
