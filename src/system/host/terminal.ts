/** The terminal, or what stdin, stdout and stderr are redirected to. */
import { Failure } from "../../domain/failure.ts";
import { which } from "../processes/launch.ts";
import type { Terminal } from "../system.ts";
import type { StandardStream } from "./host.ts";

/** How often a full, non-blocking pipe is tried again, every 10 ms, before the rest is given up. */
const PATIENCE = 500;

const terminals = new Map<StandardStream, boolean>();
let lent = false;

/** True while Ctrl+C is meant for a program that has the terminal. */
export function isLent(): boolean {
  return lent;
}

export const terminal: Terminal = {
  /** Asked for every line that is printed; it does not change. */
  isTerminal(stream) {
    const isOne = terminals.get(stream) ?? Deno[stream].isTerminal();
    terminals.set(stream, isOne);
    return isOne;
  },
  columns() {
    if (!terminal.isTerminal("stdout") && !terminal.isTerminal("stderr")) return null;
    try {
      return Deno.consoleSize().columns || null;
    } catch (error) {
      if (error instanceof Error) return null;
      throw error;
    }
  },
  print(stream, text) {
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
  },
  async readLine() {
    const bytes: number[] = [];
    const one = new Uint8Array(1);
    // Byte by byte: what follows the line belongs to the next reader.
    for (let got = await Deno.stdin.read(one);; got = await Deno.stdin.read(one)) {
      if (got === null && bytes.length === 0) return null;
      if (got === null || one[0] === 10) break;
      bytes.push(one[0] ?? 0);
    }
    return new TextDecoder().decode(new Uint8Array(bytes)).replace(/\r$/, "");
  },
  async lend(name, args) {
    const program = await which(name);
    if (program === null) throw cannotStart(name, "it is not on this computer's PATH");
    lent = true;
    try {
      const child = new Deno.Command(program, { args: [...args], stdin: "inherit", stdout: "inherit", stderr: "inherit" })
        .spawn();
      return (await child.status).code;
    } catch (cause) {
      if (cause instanceof Deno.errors.NotCapable) throw cannotStart(name, "this build is not allowed to start it", cause);
      throw cause;
    } finally {
      lent = false;
    }
  },
};

function cannotStart(name: string, reason: string, cause?: unknown): Failure {
  return new Failure("tool_missing", `Cannot start "${name}": ${reason}`, {
    hint: "Use another editor (EDITOR=nano or EDITOR=vi), or edit the file yourself, then run: image-transfer config validate",
    cause,
  });
}
