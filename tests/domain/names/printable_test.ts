import { assertEquals } from "@std/assert";
import { pathField, printable } from "../../../src/domain/names/printable.ts";

Deno.test("printable() escapes what could forge a line, move a cursor or turn the reading direction", () => {
  assertEquals(printable("a\nb\r\t\x1b[2J\x7f\u202egnp.exe\ud800z"), "a\\nb\\r\\t\\x1b[2J\\x7f\\u202egnp.exe\\ud800z");
});

Deno.test("printable() leaves letters of every script alone", () => {
  assertEquals(printable("Ω–Nébuleuse 星雲 🔭"), "Ω–Nébuleuse 星雲 🔭");
});

Deno.test("pathField() quotes a path with spaces or quotes, and no other", () => {
  assertEquals(pathField("/d/a.fits"), "/d/a.fits");
  assertEquals(pathField('/d/a "b".fits'), '"/d/a \\"b\\".fits"');
});
