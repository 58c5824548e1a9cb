/** `service logs` where the service manager keeps no log: the daemon's own file, read and followed. */
import { assertEquals } from "@std/assert";
import { followFile, lastLines } from "../../../src/commands/logs.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { tempFolder } from "../../support/temp.ts";
import { testTools } from "../../support/tools.ts";

Deno.test("lastLines() gives whole lines only, and nothing where there is no file", async () => {
  await using dir = await tempFolder();
  const lines = Array.from({ length: 50 }, (_, index) => `line ${index} ${"x".repeat(380)}`);
  const path = await dir.write("a.log", `${lines.join("\n")}\n`);
  assertEquals((await lastLines(path, 3, createSystem())).text, `${lines.slice(-3).join("\n")}\n`);
  assertEquals((await lastLines(dir.at("none.log"), 3, createSystem())).text, "");
});

Deno.test("followFile() prints what is added, also after the log was rotated, until it is asked to end", async () => {
  await using dir = await tempFolder();
  const path = await dir.write("a.log", "before\n");
  const append = (text: string) => Deno.writeTextFile(path, text, { append: true });
  const rotate = async (text: string) => {
    await Deno.rename(path, `${path}.1`);
    await Deno.writeTextFile(path, text);
  };
  // What happens between two looks; what is not UTF-8 at the end of one is whole in the next.
  const steps: (() => unknown)[] = [
    () => append("one\n"),
    () => {},
    () => Deno.writeFile(path, Uint8Array.of(0xc3), { append: true }),
    () => Deno.writeFile(path, Uint8Array.of(0xbc, 10), { append: true }),
    () => rotate("longer than all that was there before\n"),
    () => rotate("short\n"),
    () => Deno.remove(path),
    () => Deno.writeTextFile(path, "back\n"),
  ];
  const end = new AbortController();
  const sleep = async () => {
    const step = steps.shift();
    if (step === undefined) end.abort();
    else await step();
  };
  const tools = testTools(dir.path, { system: { sleep } });
  const { readTo } = await lastLines(path, 0, createSystem());
  await followFile(path, readTo, { ...tools, signal: end.signal });
  assertEquals(tools.printed.stdout, "one\nü\nlonger than all that was there before\nshort\nback\n");
});

for (
  const [what, former, change, printed] of [
    [
      "appended to the file",
      "before\n",
      (path: string) => Deno.writeTextFile(path, "between\n", { append: true }),
      "before\nbetween\n",
    ],
    ["written to a new file", null, (path: string) => Deno.writeTextFile(path, "between\n"), "between\n"],
    ["written after a rotation", "before\n", async (path: string) => {
      await Deno.rename(path, `${path}.1`);
      await Deno.writeTextFile(path, "between, and longer than before\n");
    }, "before\nbetween, and longer than before\n"],
  ] as const
) {
  Deno.test(`followFile() prints what was ${what} after lastLines() had looked`, async () => {
    await using dir = await tempFolder();
    const path = dir.at("a.log");
    if (former !== null) await dir.write("a.log", former);
    const end = new AbortController();
    let turns = 0;
    const sleep = () => Promise.resolve(turns++ === 2 ? end.abort() : undefined);
    const tools = testTools(dir.path, { system: { sleep } });
    const { text, readTo } = await lastLines(path, 5, tools.system);
    await change(path);
    await followFile(path, readTo, { ...tools, signal: end.signal });
    assertEquals(text + tools.printed.stdout, printed);
  });
}
