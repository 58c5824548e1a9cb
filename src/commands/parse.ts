/**
 * From the words of the command line to the command to run, with its input checked.
 * As in seed 1, no command is `run`, options may stand before the command, and `--create-config` is `init`.
 */
import { or } from "@optique/core/constructs";
import { parseSync } from "@optique/core/parser";
import type { Usage } from "@optique/core/usage";
import type { Parsed, ParseOptions } from "./answer.ts";
import { type CommandList, EXIT } from "./command.ts";
import { runOptions } from "./options.ts";
import { asService } from "./plain_run.ts";

/** Parses a command line (without the program's own name). Never throws for what a user wrote. */
export async function parse(argv: readonly string[], commands: CommandList, options: ParseOptions): Promise<Parsed> {
  const names = Object.keys(commands);
  if (argv[0] === "completions" && argv.length > 2) {
    const { completions } = await import("./completions.ts");
    const known = options.known ?? (() => Promise.resolve([]));
    const offered = await completions(argv, { commands, ordered: (words) => commandFirst(words, names), known });
    if (offered !== null) {
      options.stdout(offered);
      return { kind: "done", code: EXIT.done };
    }
  }
  const words = asService(options.calledAs) ? serviceWords(argv) : argv.length === 0 ? ["run"] : commandFirst(argv, names);
  const named = names.find((name) => name === words[0]) ?? null;
  const { parser, unnamed } = await commands[named ?? "run"]!();
  const parsed = parseSync(named === null ? unnamed : parser, words);
  if (parsed.success) return { kind: "run", run: parsed.value };
  // Help, version, completions or a mistake.
  const { answer } = await import("./answer.ts");
  if (named !== null) return answer(parser, words, named, options);
  const all = await Promise.all(names.map((name) => commands[name]!()));
  return answer(or(...all.map(({ parser }) => parser), unnamed), words, null, options);
}

/** `image-transfer-service --install` is `image-transfer install-service`; anything else there is `service`. */
function serviceWords(argv: readonly string[]): readonly string[] {
  if (argv.some((word) => ["--install", "--uninstall"].includes(word))) return commandFirst(argv, []);
  return ["service", ...(argv.length === 0 ? ["--help"] : argv)];
}

/** Options in seed 1, commands here. */
const OPTION_COMMANDS: Readonly<Record<string, string>> = {
  "--create-config": "init",
  "--install": "install-service",
  "--uninstall": "uninstall-service",
};

/** `--create-config` becomes `init`, `--install` `install-service`; options before the command move after it. */
function commandFirst(argv: readonly string[], names: readonly string[]): readonly string[] {
  const end = argv.indexOf("--");
  const named = argv.findIndex((word) => Object.hasOwn(OPTION_COMMANDS, word));
  const command = OPTION_COMMANDS[argv[named] ?? ""];
  if (command !== undefined && (end < 0 || named < end)) return [command, ...argv.filter((_, index) => index !== named)];
  // The first word that is neither an option nor an option's value.
  let first = 0;
  while (argv[first]?.startsWith("-") && argv[first] !== "--") first += TAKES_A_VALUE.has(argv[first] ?? "") ? 2 : 1;
  const name = argv[first];
  if (first === 0 || name === undefined || !names.includes(name)) return argv;
  const behind = argv.slice(first);
  const at = behind.indexOf("--");
  const before = argv.slice(0, first);
  return at < 0 ? [...behind, ...before] : [...behind.slice(0, at), ...before, ...behind.slice(at)];
}

const TAKES_A_VALUE: ReadonlySet<string> = new Set(namesWithValue(runOptions.usage));

function namesWithValue(usage: Usage): readonly string[] {
  return usage.flatMap((term) => {
    if (term.type === "optional") return namesWithValue(term.terms);
    return term.type === "option" && term.metavar !== undefined ? term.names : [];
  });
}
