/** How the daemon is started without the library for command lines. */
import { parseSync } from "@optique/core/parser";
import { assertEquals } from "@std/assert";
import { runOptions } from "../../src/commands/options.ts";
import { plainRun } from "../../src/commands/plain_run.ts";

Deno.test("plainRun() understands what it understands as the parser does", () => {
  const words = ["run", "-c", "--config", "--once", "a.yaml", "-v", "--", "-", "", "status", "--config=a.yaml", "-ca.yaml"];
  const lines = [[], ...words.map((word) => [word])];
  for (let length = 1; length < 4; length++) {
    lines.push(...lines.filter((line) => line.length === length).flatMap((line) => words.map((word) => [...line, word])));
  }
  let understood = 0;
  for (const line of lines) {
    const input = plainRun(line);
    if (input === null) continue;
    understood += 1;
    const parsed = parseSync(runOptions, line[0] === "run" ? line.slice(1) : line);
    assertEquals(parsed.success ? parsed.value : parsed.error, input, line.join(" "));
  }
  // Without options, with a file, once, and both in both orders; with and without the name.
  assertEquals(plainRun(["run", "--once", "-c", "status"])?.config, "status");
  assertEquals(understood, 40);
});

Deno.test("plainRun() leaves to the parser what may be a mistake, another command or another name of the program", () => {
  for (const line of [["status"], ["run", "status"], ["-c"], ["-c", "--once"], ["--once", "--once"], ["--help"], ["-v"]]) {
    assertEquals(plainRun(line), null, line.join(" "));
  }
  assertEquals(plainRun([], "/usr/bin/image-transfer-service"), null);
});
