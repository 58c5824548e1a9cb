/**
 * Holds the README to the program: the table of options is the schema's, and every command is named.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { COMMANDS } from "../src/commands/commands.ts";
import { optionsTable } from "./support/options_table.ts";

const README = new URL("../README.md", import.meta.url);
const TABLE = /(?<=<!-- options:[^>]*-->\n)[^]*?(?=\n<!-- \/options -->)/;

Deno.test("README: the table of options is made of the schema", async () => {
  const readme = await Deno.readTextFile(README);
  if (Deno.env.get("UPDATE_GOLDEN")) await Deno.writeTextFile(README, readme.replace(TABLE, () => optionsTable()));
  const table = TABLE.exec(await Deno.readTextFile(README))?.[0];
  assertEquals(table, optionsTable(), "README.md differs; UPDATE_GOLDEN=1 writes it anew");
});

Deno.test("README: the table of commands names every command, and no other", async () => {
  const readme = await Deno.readTextFile(README);
  const rows = /## Commands\n([^]*?)\n## /.exec(readme)?.[1]?.split("\n").filter((line) => line.startsWith("| `")) ?? [];
  const named = rows.flatMap((row) => [...row.split(" | ")[0]!.matchAll(/`([a-z][a-z-]*)/g)].map((match) => match[1]!));
  assertEquals(named.toSorted(), [...Object.keys(COMMANDS), "completions"].toSorted());
});
