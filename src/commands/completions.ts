/**
 * What a shell offers at the Tab key: commands, their options once a `-` is typed, the words and files that an option takes.
 * The scripts of `completions SHELL` ask for it with `completions SHELL WORD...`, the last word being the unfinished one.
 *
 * @module
 */
import { bash, fish, pwsh, zsh } from "@optique/core/completion";
import { type Parser, type Suggestion, suggestSync } from "@optique/core/parser";
import type { Command, Runnable } from "./command.ts";
import { plain } from "./command.ts";

/** Shells by the names of `completions SHELL`. */
export const SHELLS = { bash, zsh, fish, powershell: pwsh };

/** How a command line is read. */
interface Reading {
  readonly commands: readonly Command[];
  /** Moves options from before the command to after it. */
  readonly ordered: (words: readonly string[]) => readonly string[];
  readonly parserOf: (words: readonly string[]) => Parser<"sync", Runnable, unknown>;
}

/** The suggestions for a command line in the shell's format; null if this is not a request for them. */
export function completions(argv: readonly string[], reading: Reading): string | null {
  const [name, shell = "", ...words] = argv;
  if (name !== "completions" || words.length === 0) return null;
  const encoder = shell === "pwsh" ? pwsh : SHELLS[shell as keyof typeof SHELLS];
  if (encoder === undefined) return null;
  // One a line; some encoders end their lines themselves.
  return `${[...encoder.encodeSuggestions(suggested(words, reading))].filter((line) => line !== "\n").join("\n")}\n`;
}

function suggested(words: readonly string[], { commands, ordered, parserOf }: Reading): Suggestion[] {
  const current = words.at(-1) ?? "";
  const before = ordered(words.slice(0, -1));
  const [first] = before;
  const names = commands.map(({ name }) => name);
  const firstWords = beginning([...names, "completions", "help"], current);
  if (first === "completions") return before.length === 1 ? beginning(Object.keys(SHELLS), current) : [];
  if (first === "help") return before.length === 1 ? beginning(names, current) : [];
  const isNamed = first !== undefined && names.includes(first);
  // Options before a command are those of `run`.
  const [name = "run", ...given] = isNamed ? before : ["run", ...before];
  const found = suggestSync(parserOf([name]), [name, ...given, current]);
  const ours = beginning(["--help", ...(first === undefined ? ["--version"] : [])], current);
  const isOption = (one: Suggestion) => one.kind === "literal" && one.text.startsWith("-");
  // Options are suggested only after a `-`: a word may be the name of a destination.
  const all = [...found, ...ours].filter((one) => current !== "" || !isOption(one));
  // An option that expects a value suggests its own words or files.
  return isNamed || !found.every(isOption) ? all : [...firstWords, ...all];
}

function beginning(texts: readonly string[], prefix: string): Suggestion[] {
  return texts.filter((text) => text.startsWith(prefix)).map((text) => ({ kind: "literal", text, description: plain("") }));
}
