/** What is printed for a command line that starts nothing: help, the version, completions, a mistake. Loaded only then. */
import { runParserSync } from "@optique/core/facade";
import type { Parser } from "@optique/core/parser";
import type { Usage } from "@optique/core/usage";
import { type KnownNames, SHELLS } from "./completions.ts";
import { EXIT, plain, type Runnable } from "./command.ts";

/** The result of parsing: something to run, or an answer that was already printed (help, version, a mistake). */
export type Parsed = { readonly kind: "run"; readonly run: Runnable } | { readonly kind: "done"; readonly code: number };

/** How and where help and mistakes are printed. */
export interface ParseOptions {
  readonly version: string;
  /** The name or path that the program was called by. */
  readonly calledAs?: string;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly colors?: boolean;
  /** Names that shells complete; without it, none. */
  readonly known?: KnownNames;
  /** Columns of the terminal. */
  readonly width?: number;
}

const PROGRAM = "image-transfer";

const USAGE: Usage = [{ type: "literal", value: "[COMMAND] [OPTION...]" }];

/** `named`: the command that the parser is for; null if it is for all of them. Never throws for what a user wrote. */
export function answer(
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
