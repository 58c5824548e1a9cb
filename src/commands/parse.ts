/**
 * From the words of the command line to the command to run, with its input checked.
 * As in seed 1, no command is `run`, options may stand before the command, and `--create-config` is `init`.
 *
 * @module
 */
import { or } from "@optique/core/constructs";
import { runParserSync } from "@optique/core/facade";
import { type Parser, parseSync } from "@optique/core/parser";
import type { Usage } from "@optique/core/usage";
import { completions, SHELLS } from "./completions.ts";
import { type CommandList, EXIT, plain, type Runnable } from "./command.ts";
import { runOptions } from "./options.ts";
import { SERVICE_PROGRAM } from "../services/service_program.ts";

/** The result of parsing: something to run, or an answer that was already printed (help, version, a mistake). */
type Parsed = { readonly kind: "run"; readonly run: Runnable } | { readonly kind: "done"; readonly code: number };

/** How and where help and mistakes are printed. */
interface ParseOptions {
  readonly version: string;
  /** The name or path that the program was called by. */
  readonly calledAs?: string;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly colors?: boolean;
  /** Columns of the terminal. */
  readonly width?: number;
}

const PROGRAM = "image-transfer";

const USAGE: Usage = [{ type: "literal", value: "[COMMAND] [OPTION...]" }];

/** Parses a command line (without the program's own name). Never throws for what a user wrote. */
export async function parse(argv: readonly string[], commands: CommandList, options: ParseOptions): Promise<Parsed> {
  const names = Object.keys(commands);
  const offered = await completions(argv, { commands, ordered: (words) => commandFirst(words, names) });
  if (offered !== null) {
    options.stdout(offered);
    return { kind: "done", code: EXIT.done };
  }
  const words = asService(options.calledAs) ? serviceWords(argv) : argv.length === 0 ? ["run"] : commandFirst(argv, names);
  const named = names.find((name) => name === words[0]);
  if (named !== undefined) return parseWords((await commands[named]!()).parser, words, named, options);
  const run = (await commands["run"]!()).unnamed;
  const unnamed = parseSync(run, words);
  if (unnamed.success) return { kind: "run", run: unnamed.value };
  const all = await Promise.all(names.map((name) => commands[name]!()));
  return parseWords(or(...all.map(({ parser }) => parser), run), words, null, options);
}

/** `named`: the command that the parser is for; null if it is for all of them. */
function parseWords(
  parser: Parser<"sync", Runnable, unknown>,
  words: readonly string[],
  named: string | null,
  options: ParseOptions,
): Parsed {
  const onShow = (code: number): Parsed => ({ kind: "done", code });
  const print = (write: (text: string) => void) => (text: string) => write(`${text}\n`);
  const parsed = runParserSync<typeof parser, Parsed, Parsed>(parser, PROGRAM, words, {
    brief: plain("Delivers every finished image, complete and verified, to its destinations"),
    ...(named !== null
      ? {}
      : { footer: plain("Without a command, it runs in the foreground, like `run`. `--create-config` is the same as `init`.") }),
    help: { command: { names: ["help"] }, option: { names: ["-h", "--help"] }, onShow },
    version: { value: `${PROGRAM} ${options.version}`, option: { names: ["-V", "--version"] }, onShow },
    completion: { command: { names: ["completions"] }, shells: SHELLS, onShow },
    commandList: "top-level",
    usageLine: USAGE,
    aboveError: "none",
    stdout: print(options.stdout),
    stderr: print(options.stderr),
    colors: options.colors ?? false,
    onError: () => {
      options.stderr(`Try "${[PROGRAM, named, "--help"].filter(Boolean).join(" ")}".\n`);
      return { kind: "done", code: EXIT.usage };
    },
    ...(options.width === undefined ? {} : { maxWidth: options.width }),
  }) as Runnable | Parsed;
  return typeof parsed === "function" ? { kind: "run", run: parsed } : parsed;
}

function asService(calledAs = ""): boolean {
  return (calledAs.split(/[\\/]/).at(-1) ?? "").replace(/\.exe$/i, "") === SERVICE_PROGRAM;
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
  const first = firstWord(argv);
  const name = argv[first];
  if (first === 0 || name === undefined || !names.includes(name)) return argv;
  const behind = argv.slice(first);
  const at = behind.indexOf("--");
  const before = argv.slice(0, first);
  return at < 0 ? [...behind, ...before] : [...behind.slice(0, at), ...before, ...behind.slice(at)];
}

/** The index of the first word that is neither an option nor an option's value. */
function firstWord(argv: readonly string[]): number {
  let at = 0;
  while (at < argv.length && argv[at]?.startsWith("-") && argv[at] !== "--") {
    at += TAKES_A_VALUE.has(argv[at] ?? "") ? 2 : 1;
  }
  return at;
}

const TAKES_A_VALUE: ReadonlySet<string> = new Set(namesWithValue(runOptions.usage));

function namesWithValue(usage: Usage): readonly string[] {
  return usage.flatMap((term) => {
    if (term.type === "optional") return namesWithValue(term.terms);
    return term.type === "option" && term.metavar !== undefined ? term.names : [];
  });
}
