/**
 * What a command is handed, for tests: the real system, with all that is printed kept.
 *
 * @module
 */
import type { Tools } from "../../src/commands/command.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { System } from "../../src/system/system.ts";

/** Tools, and what was printed so far. */
export interface TestTools extends Tools {
  readonly printed: { stdout: string; stderr: string };
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
    system: { ...createSystem(), home: cwd, env: () => undefined, ...system },
    cwd,
    stdout: (text) => void (printed.stdout += text),
    stderr: (text) => void (printed.stderr += text),
    isTerminal: answers !== undefined,
    ...(answers === undefined ? {} : { prompt }),
    signal: new AbortController().signal,
    printed,
  };
}
