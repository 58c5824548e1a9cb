/** What a command is handed, for tests: the real system, with all that is printed kept. */
import type { Tools } from "../../src/commands/command.ts";
import { COMMANDS } from "../../src/commands/commands.ts";
import { parse } from "../../src/commands/parse.ts";
import { markDamaged } from "../../src/ledger/sqlite/integrity.ts";
import { openLedger, readLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { System } from "../../src/system/system.ts";
import type { TempFolder } from "./temp.ts";

/** Tools, and what was printed so far. */
export interface TestTools extends Tools {
  readonly printed: { stdout: string; stderr: string };
}

/** Does what a command line says, as the program does, and gives its exit code and what was printed so far. */
export async function called(words: readonly string[], tools: TestTools) {
  const parsed = await parse(words, COMMANDS, { version: "0", stdout: tools.stdout, stderr: tools.stderr });
  const code = parsed.kind === "run" ? await parsed.run(tools) : parsed.code;
  return { code, ...tools.printed };
}

/** A configuration: the job `spring` with the local destinations `freya` and `nas`, everything below `dir`. */
export function springConfig(dir: Pick<TempFolder, "at">): string {
  return `state_directory: ${dir.at("state")}
jobs:
  - name: spring
    watch_path: ${dir.at("images")}
    destinations:
      - { name: freya, transfer_method: local, remote_base_path: ${dir.at("freya")} }
      - { name: nas, transfer_method: local, remote_base_path: ${dir.at("nas")} }
`;
}

/** Tools for a command run in `cwd`, which is its home folder too. `answers` make it a terminal with a person. */
export function testTools(
  cwd: string,
  { system = {}, answers }: { system?: Partial<System>; answers?: readonly string[] } = {},
): TestTools {
  const printed = { stdout: "", stderr: "" };
  const left = [...answers ?? []];
  const prompt = (question: string): Promise<string | null> => {
    printed.stderr += `${question} `;
    return Promise.resolve(left.shift() ?? null);
  };
  return {
    system: { ...createSystem(), home: cwd, env: () => undefined, isTerminal: () => false, columns: () => null, ...system },
    openLedger,
    readLedger,
    markDamaged,
    cwd,
    argv: [],
    stdout: (text) => {
      printed.stdout += text;
      return true;
    },
    stderr: (text) => void (printed.stderr += text),
    isTerminal: answers !== undefined,
    ...(answers === undefined ? {} : { prompt }),
    signal: new AbortController().signal,
    printed,
  };
}
