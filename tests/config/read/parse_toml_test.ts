/** What TOML says, and where its keys are. */
import { assertEquals } from "@std/assert";
import { parseToml } from "../../../src/config/read/parse_text.ts";

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

Deno.test("parseToml() gives back octal numbers as they were written", () => {
  assertEquals(parseToml("a = 0o17\nb = [ 0o7 ]\n[c]\nd = { e = 0o1_0 }\n").value, {
    a: "0o17",
    b: ["0o7"],
    c: { d: { e: "0o10" } },
  });
});

Deno.test("parseToml() keeps __proto__ as a key like any other", () => {
  const { value } = parseToml("a = { __proto__ = { b = 1 } }\n[__proto__]\nc = 2\n");
  assertEquals(JSON.stringify(value), '{"a":{"__proto__":{"b":1}},"__proto__":{"c":2}}');
});

Deno.test("parseToml() gives dates as they were written, and refuses whole numbers that it cannot keep", () => {
  assertEquals(parseToml("a = 2026-11-01\nb = 2026-11-01 18:00:00+01:00\nc = 12:00:00\n").value, {
    a: "2026-11-01",
    b: "2026-11-01 18:00:00+01:00",
    c: "12:00:00",
  });
  assertEquals(parseToml("a = 1\nb = 9007199254740993\n").faults, [{
    line: 2,
    column: 5,
    message: "this number is too large",
  }]);
});
