import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { shellQuote, shellWords, wordGroups } from "../../../src/methods/shell/shell_quote.ts";

const HOSTILE = [
  "",
  "-rf",
  "$(touch x)",
  "a b",
  "it's",
  "`id`",
  "a\nb",
  "\\",
  "*",
  "~",
  "=x",
  "ünï-☃",
  "!",
  "'",
  '"',
  ";&|<>",
  "\x01\x7f",
];

Deno.test("shellQuote() is read back byte for byte by a real sh", { ignore: Deno.build.os === "windows" }, async () => {
  const command = new Deno.Command("sh", { args: ["-c", `printf '%s\\0' ${shellWords(HOSTILE)}`] });
  const { stdout } = await command.output();
  assertEquals(new TextDecoder().decode(stdout), HOSTILE.map((word) => `${word}\0`).join(""));
});

Deno.test("shellQuote() is read back whatever the word", { ignore: Deno.build.os === "windows" }, () =>
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" }).filter((word) => !word.includes("\0")), { minLength: 1 }), (words) => {
      const { stdout } = new Deno.Command("sh", { args: ["-c", `printf '%s\\0' ${shellWords(words)}`] }).outputSync();
      assertEquals(new TextDecoder().decode(stdout), words.map((word) => `${word}\0`).join(""));
    }),
    { numRuns: 40 },
  ));

Deno.test("shellQuote() refuses a NUL", () => {
  assertThrows(() => shellQuote("a\0b"), TypeError);
});

Deno.test("wordGroups() keeps the order and every word, below the limit", () => {
  const words = Array.from({ length: 50 }, (_, n) => `name ${n}`);
  const groups = wordGroups(words, 100);
  assertEquals(groups.flat(), words);
  assertEquals(groups.every((group) => shellWords(group).length <= 100), true);
  assertEquals(wordGroups([]), []);
});
