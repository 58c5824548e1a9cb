/** The program: argv → command → exit code. Everything that a command may touch is made here and handed to it. */
import process from "node:process";
import { setColorEnabled } from "@std/fmt/colors";
import about from "./deno.json" with { type: "json" };
import { unlessAborted } from "./src/async/abort.ts";
import type { Parsed } from "./src/commands/answer.ts";
import type { Tools } from "./src/commands/command.ts";
import { COMMANDS } from "./src/commands/commands.ts";
import { failureText, INTERRUPTED } from "./src/commands/text/failure_text.ts";
import { plainRun } from "./src/commands/plain_run.ts";
import { fitted } from "./src/domain/wrapped.ts";
import { markDamaged } from "./src/ledger/sqlite/integrity.ts";
import { openLedger, readLedger } from "./src/ledger/sqlite/open_ledger.ts";
import { createSystem } from "./src/system/create_system.ts";
import type { System } from "./src/system/system.ts";

/** Below so many columns help is not wrapped to the terminal. */
const NARROWEST = 60;

async function main(argv: readonly string[], system: System): Promise<number> {
  const stdout = (text: string) => system.print("stdout", text);
  const stderr = (text: string) => system.print("stderr", forEyes(text, system));
  const columns = system.columns();
  const colors = system.isTerminal("stdout") && system.isTerminal("stderr") && !Deno.noColor;
  setColorEnabled(colors);
  const parsed = parsedPlainly(argv) ?? await (await import("./src/commands/parse.ts")).parse(argv, COMMANDS, {
    version: about.version,
    calledAs: process.argv0,
    known: async (...asked) =>
      (await import("./src/commands/completions.ts")).knownNames(...asked, { system, cwd: Deno.cwd(), readLedger }),
    stdout,
    // What the parser says is wrapped already.
    stderr: (text) => system.print("stderr", text),
    colors,
    ...(columns === null ? {} : { width: Math.max(columns, NARROWEST) }),
  });
  if (parsed.kind === "done") return parsed.code;
  const isTerminal = system.isTerminal("stdin") && system.isTerminal("stderr");
  const signal = endSignal(system);
  const prompt = async (question: string) => {
    system.print("stderr", `${question} `);
    const answer = await unlessAborted(system.readLine(), signal, null);
    if (signal.aborted) stderr("\n");
    return answer;
  };
  const tools: Tools = {
    system,
    openLedger,
    readLedger,
    markDamaged,
    cwd: Deno.cwd(),
    argv,
    stdout,
    stderr,
    isTerminal,
    ...(isTerminal ? { prompt } : {}),
    signal,
  };
  try {
    return await parsed.run(tools);
  } catch (thrown) {
    const { text, code } = failureText(thrown, signal);
    stderr(text);
    return code;
  }
}

/** Null where only the parser knows. */
function parsedPlainly(argv: readonly string[]): Parsed | null {
  const input = plainRun(argv, process.argv0);
  if (input === null) return null;
  return { kind: "run", run: async (tools) => await (await import("./src/commands/run/run_daemon.ts")).runDaemon(input, tools) };
}

/** Wrapped between words where a person reads it; what moves the cursor knows the width itself. */
function forEyes(text: string, system: System): string {
  const columns = system.isTerminal("stderr") ? system.columns() : null;
  return columns === null || MOVES.test(text) ? text : fitted(text, columns);
}

// deno-lint-ignore no-control-regex -- ECMA-48 begins with one
const MOVES = /\r|\x1b\[\d*[A-K]/;

/** Aborted by the first request to end; a second one ends the program at once. */
function endSignal(system: System): AbortSignal {
  const ending = new AbortController();
  system.onSignal(["SIGINT", "SIGTERM", "SIGBREAK"], () => {
    if (ending.signal.aborted) system.exit(INTERRUPTED);
    ending.abort(new DOMException("asked to end", "AbortError"));
  });
  return ending.signal;
}

if (import.meta.main) {
  const system = createSystem();
  // A refused connection inside node's net can surface only here; it has been reported where it was awaited.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    system.print("stderr", failureText(event.reason).text);
  });
  system.exit(await main(Deno.args, system));
}
