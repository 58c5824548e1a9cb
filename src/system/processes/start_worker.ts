/**
 * The Worker of `launch.ts`: starts programs, and moves bytes between their pipes and the messages.
 *
 * It is bundled and embedded separately: import nothing heavy here.
 */
import { type Started, startHere } from "./start_here.ts";
import type { Command } from "../system.ts";
import { serveCalls } from "../workers/serve_calls.ts";

/** What a program writes to. */
export type Output = "stdout" | "stderr";

interface Program {
  readonly started: Started;
  readonly readers: Readonly<Record<Output, ReadableStreamDefaultReader<Uint8Array>>>;
  readonly forgotten: PromiseWithResolvers<void>;
}

const programs = new Map<number, Program>();
let count = 0;

const calls = {
  /** `id` names the program in all other calls. */
  async start(command: Command): Promise<{ readonly id: number; readonly pid: number }> {
    const started = await startHere(command);
    const id = ++count;
    const readers = { stdout: started.stdout.getReader(), stderr: started.stderr.getReader() };
    programs.set(id, { started, readers, forgotten: Promise.withResolvers() });
    return { id, pid: started.pid };
  },
  finished: (id: number) => programOf(id).started.finished,
  write: (id: number, bytes: Uint8Array) => programOf(id).started.stdin.write(bytes),
  close: (id: number) => programOf(id).started.stdin.close(),
  /** The next piece; null at the end. A broken pipe is at its end. */
  async read(id: number, output: Output): Promise<Uint8Array | null> {
    const { value } = await programOf(id).readers[output].read().catch(() => ({ value: undefined }));
    return value ?? null;
  },
  cancel: (id: number, output: Output) => programOf(id).readers[output].cancel(),
  kill: (id: number, name: "SIGTERM" | "SIGKILL") => programOf(id).started.kill(name),
  /** Nothing more will be asked of it. */
  forget(id: number): void {
    programOf(id).forgotten.resolve();
    programs.delete(id);
  },
  /** Resolves with `forget`: until then this Worker is not idle. */
  forgotten: (id: number) => programOf(id).forgotten.promise,
};

/** What this Worker can be asked. */
export type StartCalls = typeof calls;

function programOf(id: number): Program {
  const program = programs.get(id);
  if (program === undefined) throw new Error("This program is no longer known");
  return program;
}

serveCalls(calls);
