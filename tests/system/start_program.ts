/** Starts `system_program.ts` in a process of its own: from source, or as the binary named in `SYSTEM_PROGRAM`. */
import { fromFileUrl } from "@std/path";

interface RunningProgram extends AsyncDisposable {
  readonly pid: number;
  /** The next line it prints; empty at the end. */
  line(): Promise<string>;
  write(text: string): Promise<void>;
  closeStdin(): Promise<void>;
  kill(signal: "SIGKILL" | "SIGTERM" | "SIGHUP" | "SIGINT"): void;
  readonly finished: Promise<{ code: number; signal: string | null }>;
}

/** `program` is a compiled one; the source is run when it is left out. */
export function startProgram(args: string[], env: Record<string, string> = {}, program?: string): Promise<RunningProgram> {
  const source = ["run", "--no-check", "-A", "--config", at("../../deno.json"), at("system_program.ts")];
  const child = new Deno.Command(program ?? Deno.execPath(), {
    args: [...(program === undefined ? source : []), ...args],
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const stdin = child.stdin.getWriter();
  const reader = child.stdout.getReader();
  const lines = linesOf(reader);
  const finished = child.status.then(({ code, signal }) => ({ code, signal: signal as string | null }));
  return Promise.resolve({
    pid: child.pid,
    line: async () => (await lines.next()).value ?? "",
    write: (text) => stdin.write(new TextEncoder().encode(text)),
    closeStdin: () => stdin.close(),
    kill: (signal) => child.kill(signal),
    finished,
    async [Symbol.asyncDispose]() {
      if (!await Promise.race([finished.then(() => true), Promise.resolve(false)])) {
        try {
          child.kill("SIGKILL");
        } catch (error) {
          // It ended in this moment.
          if (!(error instanceof TypeError)) throw error;
        }
      }
      await finished;
      await stdin.close().catch(() => undefined);
      await reader.cancel();
    },
  });
}

function at(path: string): string {
  return fromFileUrl(new URL(path, import.meta.url));
}

async function* linesOf(reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<string, string> {
  const decoder = new TextDecoder();
  let rest = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    rest += decoder.decode(piece.value, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  return rest;
}
