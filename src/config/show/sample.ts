/**
 * The commented configuration that `init` and `config generate` write: every key with its help; what has a default
 * stands commented out with it.
 *
 * @module
 */
import type { ConfigKind } from "../read/parse_settings.ts";
import { SECTIONS } from "../schema/schema.ts";
import type { Shape } from "../schema/settings_of.ts";
import { helpOf, innerShape, sampleValue, tomlValue, yamlValue } from "./shown_values.ts";

/** What stands in the file without a `#`; keys not named have their example or none. */
export type Answers = Readonly<Record<string, string>>;

/** What a beginner must fill in. */
const FILLED = ["watch_path", "remote_host", "remote_user", "remote_base_path"];

/** The text of a sample configuration. */
export function sampleConfig(kind: ConfigKind, answers: Answers | null = null): string {
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
      const told = wrapped(helpOf(name, type), 100).map((text) => `${indent}# ${text}`);
      // What has neither default nor example could not be shown by a value that works.
      return value === undefined
        ? [...told, `${indent}# ${name}${assign}…`]
        : [...told, `${indent}${name}${assign}${shown(value)}`];
    });
    return [...help, head, ...lines, ""];
  };
  const body = SECTIONS.flatMap(({ title, shape }) => [
    ...(kind === "toml" && Object.values(shape).every((type) => innerShape(type) !== null)
      ? []
      : [`# ${`── ${title} `.padEnd(100, "─")}`, ""]),
    ...Object.entries(shape).flatMap(([key, type]) => {
      const help = wrapped(helpOf(key, type), 110).map((text) => `# ${text}`);
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

function wrapped(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.length - 1;
    if (lines[last] !== "" && lines[last]!.length + word.length >= width) lines.push(word);
    else lines[last] = lines[last] === "" ? word : `${lines[last]} ${word}`;
  }
  return lines;
}
