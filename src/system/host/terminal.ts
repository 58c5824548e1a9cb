/**
 * The terminal, or what stdin, stdout and stderr are redirected to.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { which } from "../processes/launch.ts";
import type { Terminal } from "../system.ts";
import type { StandardStream } from "./host.ts";

export const terminal: Terminal = {
  isTerminal,
  columns,
  print,
  readLine,
  lend,
};

/** Asked for every line that is printed; it does not change. */
function isTerminal(stream: StandardStream): boolean {
  let known = terminals.get(stream);
  if (known === undefined) terminals.set(stream, known = Deno[stream].isTerminal());
  return known;
}
const terminals = new Map<StandardStream, boolean>();

function columns(): number | null {
  if (!isTerminal("stdout") && !isTerminal("stderr")) return null;
  try {
    return Deno.consoleSize().columns || null;
  } catch (error) {
    if (error instanceof Error) return null;
    throw error;
  }
}

/** How often a full, non-blocking pipe is tried again, every 10 ms, before the rest is given up. */
const PATIENCE = 500;

function print(stream: "stdout" | "stderr", text: string): boolean {
  const data = new TextEncoder().encode(text);
  let refused = 0;
  for (let written = 0; written < data.length;) {
    try {
      written += Deno[stream].writeSync(data.subarray(written));
      refused = 0;
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) return false;
      if (!(error instanceof Deno.errors.WouldBlock) || ++refused > PATIENCE) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
  return true;
}

/** See `Terminal.lend`. */
async function lend(name: string, args: readonly string[]): Promise<number> {
  const program = await which(name);
  if (program === null) throw cannotStart(name, "it is not on this computer's PATH");
  lent = true;
  try {
    const child = new Deno.Command(program, { args: [...args], stdin: "inherit", stdout: "inherit", stderr: "inherit" }).spawn();
    return (await child.status).code;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cannotStart(name, "this build is not allowed to start it", cause);
    throw cause;
  } finally {
    lent = false;
  }
}

/** True while Ctrl+C is meant for a program that has the terminal. */
export function isLent(): boolean {
  return lent;
}
let lent = false;

function cannotStart(name: string, reason: string, cause?: unknown): Failure {
  return new Failure("tool_missing", `Cannot start "${name}": ${reason}`, {
    hint: "Use another editor (EDITOR=nano or EDITOR=vi), or edit the file yourself, then run: image-transfer config validate",
    cause,
  });
}

async function readLine(): Promise<string | null> {
  const bytes: number[] = [];
  const one = new Uint8Array(1);
  // Byte by byte: what follows the line belongs to the next reader.
  for (let got = await Deno.stdin.read(one);; got = await Deno.stdin.read(one)) {
    if (got === null) {
      if (bytes.length === 0) return null;
      break;
    }
    if (one[0] === 10) break;
    bytes.push(one[0] ?? 0);
  }
  return new TextDecoder().decode(new Uint8Array(bytes)).replace(/\r$/, "");
}
