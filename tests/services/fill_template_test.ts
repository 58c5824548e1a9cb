import { assertEquals, assertThrows } from "@std/assert";
import { xmlPlain } from "../../src/config/read/service_mark.ts";
import { Failure } from "../../src/domain/failure.ts";
import { fillTemplate, unitArgument, unitText, unitWord, windowsArgument, xmlText } from "../../src/services/fill_template.ts";
import { HOSTILE } from "./requests.ts";

Deno.test("fillTemplate() puts values in as they are", () => {
  assertEquals(fillTemplate("a={{x}} b={{y}}\n", { x: "$& $1 {{y}}", y: "2" }), "a=$& $1 {{y}} b=2\n");
});

Deno.test("fillTemplate() removes the line of a placeholder whose value is empty", () => {
  assertEquals(fillTemplate("a\n  {{x}}\nb {{x}}\n", { x: "" }), "a\nb \n");
});

Deno.test("fillTemplate() refuses a placeholder without a value and a value without a placeholder", () => {
  assertThrows(() => fillTemplate("{{x}} {{toString}}", { x: "1" }), Error, "toString");
  assertThrows(() => fillTemplate("{{x}}", { x: "1", y: "2" }), Error, "no placeholder for y");
});

Deno.test("unitText() keeps specifiers and line ends from meaning anything", () => {
  assertEquals(unitText("50%h\nUser=root\\"), "50%%h User=root");
});

Deno.test("unitWord() quotes, unitArgument() also keeps variables from being read", () => {
  assertEquals(unitWord("/data/a-b_c.d"), "/data/a-b_c.d");
  assertEquals(unitWord('/da ta/"%i\\'), '"/da ta/\\"%%i\\\\"');
  assertEquals(unitArgument("/data/$HOME"), '"/data/$$HOME"');
});

Deno.test("xmlText() is taken back by xmlPlain()", () => {
  assertEquals(xmlPlain(xmlText(HOSTILE)), HOSTILE);
  assertEquals(xmlText("<a b='&\">"), "&lt;a b=&apos;&amp;&quot;&gt;");
});

Deno.test("windowsArgument() survives a backslash at the end", () => {
  assertEquals(windowsArgument("C:\\Program Files\\"), '"C:\\Program Files\\\\"');
});

for (const escape of [unitWord, unitArgument, xmlText, windowsArgument]) {
  Deno.test(`${escape.name}() refuses control characters`, () => {
    assertThrows(() => escape("/data/a\nExecStartPre=/bin/sh"), Failure, "control character");
  });
}
