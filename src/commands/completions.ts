/**
 * What a shell offers at the Tab key: commands, their options once a `-` is typed, the words and files that an option takes.
 * The scripts of `completions SHELL` ask for it with `completions SHELL WORD...`, the last word being the unfinished one.
 */
import { bash, fish, pwsh, zsh } from "@optique/core/completion";
import { type Suggestion, suggestSync } from "@optique/core/parser";
import { type CommandList, plain, type Tools } from "./command.ts";
import type { NameKind } from "./options.ts";
import { partialSettings } from "../config/read/load.ts";
import { orphans } from "../ledger/orphans.ts";

/** Shells by the names of `completions SHELL`. */
export const SHELLS = { bash, zsh, fish, powershell: pwsh };

/** The suggestions for a command line in the shell's format; null if this is not a request for them. */
export async function completions(argv: readonly string[], reading: Parameters<typeof suggested>[1]): Promise<string | null> {
  const [name, shell = "", ...words] = argv;
  if (name !== "completions" || words.length === 0) return null;
  const encoder = shell === "pwsh" ? pwsh : SHELLS[shell as keyof typeof SHELLS];
  if (encoder === undefined) return null;
  // One a line; some encoders end their lines themselves.
  return `${[...encoder.encodeSuggestions(await suggested(words, reading))].filter((line) => line !== "\n").join("\n")}\n`;
}

async function suggested(
  words: readonly string[],
  { commands, ordered, known }: {
    readonly commands: CommandList;
    /** Moves options from before the command to after it. */
    readonly ordered: (words: readonly string[]) => readonly string[];
    readonly known: KnownNames;
  },
): Promise<Suggestion[]> {
  const current = words.at(-1) ?? "";
  const before = ordered(words.slice(0, -1));
  const [first] = before;
  const names = Object.keys(commands);
  const firstWords = beginning([...names, "completions", "help"], current);
  if (first === "completions") return before.length === 1 ? beginning(Object.keys(SHELLS), current) : [];
  if (first === "help") return before.length === 1 ? beginning(names, current) : [];
  const isNamed = first !== undefined && names.includes(first);
  // Options before a command are those of `run`.
  const [name = "run", ...given] = isNamed ? before : ["run", ...before];
  const { parser } = await commands[name]!();
  const found: Suggestion[] = [];
  for (const one of suggestSync(parser, [name, ...given, current])) {
    if (one.kind !== "literal" || !one.text.startsWith("\0")) {
      found.push(one);
      continue;
    }
    const names = await known(one.text.slice(1) as NameKind, given);
    const fitting = names.filter((name) => name.startsWith(current) && PLAIN.test(name));
    found.push(...fitting.map((text): Suggestion => ({ kind: "literal", text })));
  }
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

/** Names that every shell takes as they are. */
const PLAIN = /^[\p{L}\p{N}_@%+=:,./-]+$/u;

export type KnownNames = (kind: NameKind, words: readonly string[]) => Promise<readonly string[]>;

/** From the configuration of the command line and its ledger, which is only read; none where one of them is missing or broken. */
export async function knownNames(
  kind: NameKind,
  words: readonly string[],
  { system, cwd, readLedger }: Pick<Tools, "system" | "cwd" | "readLedger">,
): Promise<readonly string[]> {
  try {
    const joined = words.find((word) => word.startsWith("--config="));
    const at = words.findIndex((word) => word === "-c" || word === "--config");
    const config = joined?.slice("--config=".length) ?? (at < 0 ? undefined : words[at + 1]);
    const { settings: { jobs, stateDirectory } } = await partialSettings(config, cwd, system);
    if (kind === "JOB") return jobs.map(({ name }) => name);
    if (kind === "DEST") return [...new Set(jobs.flatMap(({ destinations }) => destinations.map(({ name }) => name)))];
    using ledger = readLedger(stateDirectory);
    if (kind === "NIGHT") return ["last", ...ledger.nights().slice(-MOST_NIGHTS).toReversed()];
    return [...new Set(orphans(ledger, jobs).map(({ destination }) => destination))];
  } catch {
    // A person is typing: an error would be printed into the line.
    return [];
  }
}

const MOST_NIGHTS = 20;
