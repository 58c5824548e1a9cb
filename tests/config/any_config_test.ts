/** Whatever a configuration holds: settings come of it, or a ConfigError, never another error. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { stringify as yaml } from "yaml";
import { ConfigError, parseSettings } from "../../src/config/read/parse_settings.ts";
import { isSection } from "../../src/config/read/source.ts";
import { parseToml } from "../../src/config/read/parse_text.ts";
import { ALIASES, fileSchema, SECTIONS } from "../../src/config/schema/schema.ts";
import { aComputer } from "./a_computer.ts";

const KEYS = [
  ...Object.keys(fileSchema.shape),
  ...Object.keys(ALIASES),
  "sync_jobs",
  "file_watchers",
  "daemon",
  "cache",
  "concurrency",
];
const INNER = [
  "id",
  "name",
  "listen",
  "token",
  "on",
  "interval",
  "source_path",
  "sync_job_id",
  "enabled",
  "schedule",
  "sync_options",
  "__proto__",
];

const simple = fc.oneof(
  fc.constantFrom(
    "/data",
    "/data/NIGHT",
    "~",
    "freya",
    "local",
    "auto",
    "5m",
    "*.fits",
    "$HOME",
    "-e",
    "--inplace",
    "0664",
    "12:00",
    "size",
    "",
  ),
  fc.string(),
  fc.boolean(),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const { section } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    simple,
    fc.array(tie("value"), { maxLength: 3 }),
    tie("section"),
  ),
  section: fc.dictionary(fc.constantFrom(...KEYS, ...INNER), tie("value"), { maxKeys: 6 }),
})) as { section: fc.Arbitrary<Record<string, unknown>> };

/** Tables and lists of tables under heads of their own; what is inside them in braces. */
function toml(value: Record<string, unknown>): string {
  const line = ([key, inner]: [string, unknown]) => `${JSON.stringify(key)} = ${inline(inner)}\n`;
  const inline = (inner: unknown): string => {
    if (Array.isArray(inner)) return `[${inner.map(inline).join(", ")}]`;
    if (!isSection(inner)) return JSON.stringify(inner);
    return `{ ${Object.entries(inner).map((entry) => line(entry).trim()).join(", ")} }`;
  };
  const under = (head: string, inner: Record<string, unknown>) => `${head}\n${Object.entries(inner).map(line).join("")}`;
  const isList = (inner: unknown) => Array.isArray(inner) && inner.length > 0 && inner.every(isSection);
  const entries = Object.entries(value);
  return [
    ...entries.filter(([, inner]) => !isSection(inner) && !isList(inner)).map(line),
    ...entries.map(([key, inner]) => isSection(inner) ? under(`[${JSON.stringify(key)}]`, inner) : ""),
    ...entries.map(([key, inner]) =>
      isList(inner) ? (inner as Record<string, unknown>[]).map((one) => under(`[[${JSON.stringify(key)}]]`, one)).join("") : ""
    ),
  ].join("");
}

function holds(text: string, kind: "yaml" | "toml"): boolean {
  const lines = text.split("\n").length;
  try {
    parseSettings(text, "c", kind, aComputer({ env: { HOME: "/home/observer" } }));
    return true;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.length > 0 && error.problems.every(({ line, column }) => line >= 1 && line <= lines && column >= 1);
  }
}

Deno.test("parseSettings() throws nothing but ConfigError, with lines that exist, for any YAML", () => {
  fc.assert(fc.property(section, (value) => holds(yaml(value), "yaml")), { numRuns: 400 });
});

Deno.test("parseSettings() throws nothing but ConfigError, with lines that exist, for any TOML", () => {
  fc.assert(fc.property(section, (value) => holds(toml(value), "toml")), { numRuns: 400 });
});

Deno.test("parseSettings() throws nothing but ConfigError for any text", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), fc.constantFrom("yaml" as const, "toml" as const), holds), {
    numRuns: 400,
  });
});

Deno.test("parseToml() places every key of any TOML on a line that holds it", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), simple, { minKeys: 1 }), (value) => {
      const text = toml({ first: 1, inner: value, list: [value, value] });
      const { locate } = parseToml(text);
      for (const key of Object.keys(value)) {
        for (const path of [["inner", key], ["list", 1, key]]) {
          const { line, column } = locate(path);
          assertEquals(text.split("\n")[line - 1]?.slice(column, column + key.length), key);
        }
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("SECTIONS hold every key of the file but the lists", () => {
  const listed = SECTIONS.flatMap(({ shape }) => Object.keys(shape));
  assertEquals([...listed, "destinations", "jobs"].sort(), Object.keys(fileSchema.shape).sort());
});
