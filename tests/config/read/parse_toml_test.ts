/** Positions of keys in TOML, held against texts that the library reads. */
import { assertEquals } from "@std/assert";
import { parse } from "smol-toml";
import { parseToml, tomlKeys } from "../../../src/config/read/parse_toml.ts";

const TEXT = `# first
title = "a # no comment" # one
"quoted key" = 'literal \\'
dotted.inner."deep key" = 1
multi = """
not = "a key"
"""
raw = '''
[not.a.table]
'''
list = [ 1, [ 2, 3 ], # two
  "four ]",
  { a = 1, b = { c = "}" } },
]
[table] # three
key=1979-05-27T07:32:00Z
[table.sub]
key = 0o17
[[list_of.tables]]
name = "first"
[list_of.tables.sub]
key = true
[[list_of.tables]]
name = "second"
`;

/** Every way to a value in what the library read. */
function* paths(value: unknown, above: readonly (string | number)[] = []): Iterable<readonly (string | number)[]> {
  if (above.length > 0) yield above;
  if (typeof value !== "object" || value === null || value instanceof Date) return;
  const entries: [string | number, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  for (const [key, inner] of entries) yield* paths(inner, [...above, key]);
}

Deno.test("tomlKeys() finds every key that the library reads, and no other", () => {
  const found = new Set(tomlKeys(TEXT).map((key) => JSON.stringify(key.path)));
  const real = new Set([...paths(parse(TEXT))].map((path) => JSON.stringify(path)));
  // A dotted head makes its parents by the way; they have no place of their own.
  const implied = ['["dotted","inner"]', '["dotted"]', '["list_of"]'];
  assertEquals([...real].filter((path) => !found.has(path)).sort(), implied);
  assertEquals([...found].filter((path) => !real.has(path)), []);
});

const PLACES: readonly (readonly [readonly (string | number)[], number, number])[] = [
  [["title"], 2, 1],
  [["quoted key"], 3, 1],
  [["dotted", "inner", "deep key"], 4, 1],
  [["raw"], 8, 1],
  [["list", 1, 1], 11, 18],
  [["list", 3, "b", "c"], 13, 18],
  [["table"], 15, 2],
  [["table", "key"], 16, 1],
  [["table", "sub", "key"], 18, 1],
  [["list_of", "tables", 0, "name"], 20, 1],
  [["list_of", "tables", 0, "sub", "key"], 22, 1],
  [["list_of", "tables", 1], 23, 3],
  [["list_of", "tables", 1, "name"], 24, 1],
  [["list_of", "tables", 1, "nothing"], 23, 3],
  [["nothing"], 1, 1],
];
for (const [path, line, column] of PLACES) {
  Deno.test(`parseToml() places ${path.join(".")} at ${line}:${column}`, () => {
    assertEquals(parseToml(TEXT).locate(path), { line, column });
  });
}

Deno.test("tomlKeys() comes to an end for what is no TOML", () => {
  for (const text of ["=", "[", "[[", "a", "a =", "{", "]", '"', "'''", "a = [", "a = {", "a = { = }", "\u0000"]) tomlKeys(text);
});

Deno.test("parseToml() gives back octal numbers as they were written", () => {
  assertEquals(parseToml("a = 0o17\nb = [ 0o7 ]\n[c]\nd = { e = 0o1_0 }\n").value, {
    a: "0o17",
    b: ["0o7"],
    c: { d: { e: "0o10" } },
  });
});
