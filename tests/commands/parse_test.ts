/** From the words of the command line to what is run. */
import { object, or } from "@optique/core/constructs";
import { map, optional } from "@optique/core/modifiers";
import { argument, command } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Command, type CommandList, defineCommand } from "../../src/commands/command.ts";
import { COMMANDS } from "../../src/commands/commands.ts";
import { configOption, runOptions } from "../../src/commands/options.ts";
import { parse } from "../../src/commands/parse.ts";
import { testTools } from "../support/tools.ts";

/** A command that prints its input; it does nothing else. */
function printing<T>(name: string, parser: Parameters<typeof defineCommand<T>>[0]["parser"]): Command {
  return defineCommand({
    name,
    help: `Does ${name}`,
    parser,
    run: (input, tools) => {
      tools.stdout(`${name} ${JSON.stringify(input)}`);
      return Promise.resolve(0);
    },
  });
}

const LIST = listed([
  printing("run", runOptions),
  printing("status", object({ config: configOption })),
  printing("sync", object({ job: optional(argument(string({ metavar: "JOB" }))) })),
  printing("init", object({ config: configOption })),
  printing(
    "config",
    or(
      command("show", map(object({ config: configOption }), (input) => ({ what: "show", ...input }))),
      command("validate", map(object({ config: configOption }), (input) => ({ what: "validate", ...input }))),
    ),
  ),
]);

function listed(commands: readonly Command[]): CommandList {
  return Object.fromEntries(commands.map((command) => [command.name, () => Promise.resolve(command)]));
}

/** What becomes of a command line: what ran, or what was printed instead, with the exit code. */
async function outcome(argv: readonly string[], commands = LIST): Promise<{ code: number; stdout: string; stderr: string }> {
  const tools = testTools("/");
  const parsed = await parse(argv, commands, { version: "1.2.3", stdout: tools.stdout, stderr: tools.stderr });
  const code = parsed.kind === "run" ? await parsed.run(tools) : parsed.code;
  return { code, ...tools.printed };
}

const RUN = { verbose: false, dryRun: false, once: false };

const GOOD: readonly (readonly [string, string])[] = [
  ["", `run ${JSON.stringify(RUN)}`],
  ["run", `run ${JSON.stringify(RUN)}`],
  ["-c f.yaml", `run ${JSON.stringify({ config: "f.yaml", ...RUN })}`],
  ["--config=f.yaml -v", `run ${JSON.stringify({ config: "f.yaml", ...RUN, verbose: true })}`],
  ["--dry-run", `run ${JSON.stringify({ ...RUN, dryRun: true })}`],
  ["--once --log-level DEBUG", `run ${JSON.stringify({ ...RUN, once: true, logLevel: "debug" })}`],
  ["run --once -c f.yaml", `run ${JSON.stringify({ config: "f.yaml", ...RUN, once: true })}`],
  ["-c f.yaml run -v", `run ${JSON.stringify({ config: "f.yaml", ...RUN, verbose: true })}`],
  ["-c f.yaml status", 'status {"config":"f.yaml"}'],
  ["--config=f.yaml status", 'status {"config":"f.yaml"}'],
  ["-c f.yaml config show", 'config {"what":"show","config":"f.yaml"}'],
  ["config validate -c f.yaml", 'config {"what":"validate","config":"f.yaml"}'],
  ["-c status", `run ${JSON.stringify({ config: "status", ...RUN })}`],
  ["sync -- --create-config", 'sync {"job":"--create-config"}'],
  ["--create-config", "init {}"],
  ["--create-config -c f.yaml", 'init {"config":"f.yaml"}'],
];
for (const [line, expected] of GOOD) {
  Deno.test(`parse() takes "image-transfer ${line}"`, async () => {
    assertEquals(await outcome(line.split(" ").filter(Boolean)), { code: 0, stdout: expected, stderr: "" });
  });
}

const BAD: readonly (readonly [string, string, string])[] = [
  ["stats", "Did you mean `status`?", 'Try "image-transfer --help".'],
  ["run --onc", "Did you mean `--once`?", 'Try "image-transfer run --help".'],
  ["config shwo", "`shwo`", 'Try "image-transfer config --help".'],
  ["config", "No matching command", 'Try "image-transfer config --help".'],
  ["--log-level loud", '"loud"', 'Try "image-transfer --help".'],
  ["-c", "-c", 'Try "image-transfer --help".'],
  ["status --confg f.yaml", "Did you mean `--config`?", 'Try "image-transfer status --help".'],
  ["status --dry-run -c f.yaml", 'Unexpected option or argument: "--dry-run".', 'Try "image-transfer status --help".'],
  ["sync a b", '"b"', 'Try "image-transfer sync --help".'],
];
for (const [line, reason, hint] of BAD) {
  Deno.test(`parse() refuses "image-transfer ${line}" with exit code 2`, async () => {
    const { code, stdout, stderr } = await outcome(line.split(" "));
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, reason);
    assertStringIncludes(stderr, hint);
  });
}

Deno.test("parse() shows help of every level on standard output", async () => {
  for (
    const [line, held] of [["--help", "status"], ["-h", "completions"], ["help", "status"], ["run --help", "--dry-run"], [
      "config --help",
      "validate",
    ], ["config show --help", "--config"]] as const
  ) {
    const { code, stdout, stderr } = await outcome(line.split(" "));
    assertEquals([code, stderr], [0, ""], line);
    assertStringIncludes(stdout, held);
  }
});

Deno.test("parse() shows the version", async () => {
  assertEquals(await outcome(["--version"]), { code: 0, stdout: "image-transfer 1.2.3\n", stderr: "" });
});

for (const shell of ["bash", "zsh", "fish", "powershell"]) {
  Deno.test(`parse() writes completions for ${shell}`, async () => {
    const { code, stdout } = await outcome(["completions", shell]);
    assertEquals(code, 0);
    assertStringIncludes(stdout, "completions");
    assertStringIncludes(stdout, "image-transfer");
  });

  Deno.test(`parse() completes commands and options for ${shell}`, async () => {
    assertMatch((await outcome(["completions", shell, "stat"])).stdout, /status/);
    assertMatch((await outcome(["completions", shell, "run", "--dry"])).stdout, /--dry-run/);
  });
}

Deno.test("parse() refuses completions of a shell that it does not know", async () => {
  assertEquals((await outcome(["completions", "tcsh"])).code, 2);
});

Deno.test("COMMANDS have the names that they are listed by, and help on one line", async () => {
  for (const [listed, load] of Object.entries(COMMANDS)) {
    const { name, help } = await load();
    assertEquals(name, listed);
    assertMatch(help, /^[A-Z][^\n]*[^.\s]$/, name);
    assertEquals((await outcome([name, "--help"], COMMANDS)).code, 0, name);
  }
});

Deno.test("parse() loads no command but the one that is named, or run", async () => {
  const loaded: string[] = [];
  const noted = Object.fromEntries(
    Object.entries(LIST).map(([name, load]) => [name, () => (loaded.push(name), load())]),
  );
  for (
    const [line, name] of [["status -c f", "status"], ["-c f status", "status"], ["-c f --once", "run"], ["", "run"]] as const
  ) {
    loaded.length = 0;
    assertEquals((await outcome(line.split(" ").filter(Boolean), noted)).code, 0);
    assertEquals(loaded, [name], line);
  }
});

Deno.test("parse() tells of the ways without a command only in the help of all", async () => {
  assertStringIncludes((await outcome(["--help"])).stdout, "Without a command");
  assertEquals((await outcome(["status", "--help"])).stdout.includes("Without a command"), false);
});
