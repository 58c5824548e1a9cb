/**
 * The Worker of `start_in_worker.ts`: starts programs, and moves bytes between their pipes and the messages.
 *
 * It is bundled and embedded by itself: import nothing heavy here.
 *
 * @module
 */
import { type Started, startHere } from "./start_here.ts";
import type { Command } from "../system.ts";
import type { ThrownThere } from "../workers/worker_parts.ts";

/** To the Worker. `id` names the program, `to` a piece of its input. */
export type StartOrder =
  | { readonly do: "start"; readonly id: number; readonly command: Command }
  | { readonly do: "write"; readonly id: number; readonly to: number; readonly bytes: Uint8Array }
  | { readonly do: "close"; readonly id: number; readonly to: number }
  | { readonly do: "more" | "cancel"; readonly id: number; readonly output: Output }
  | { readonly do: "kill"; readonly id: number; readonly name: "SIGTERM" | "SIGKILL" }
  | { readonly do: "forget"; readonly id: number };

/** From the Worker. A piece of `null` is the end of that output. */
export type StartAnswer =
  | { readonly is: "started"; readonly id: number; readonly pid: number }
  | { readonly is: "not_started"; readonly id: number; readonly thrown: ThrownThere }
  | { readonly is: "taken"; readonly id: number; readonly to: number; readonly thrown: ThrownThere | null }
  | { readonly is: "piece"; readonly id: number; readonly output: Output; readonly piece: Uint8Array | null }
  | { readonly is: "finished"; readonly id: number; readonly code: number; readonly signal: string | null };

/** The two that a program writes to. */
export type Output = "stdout" | "stderr";

interface Held {
  readonly started: Started;
  readonly readers: Readonly<Record<Output, ReadableStreamDefaultReader<Uint8Array>>>;
}

const held = new Map<number, Held>();

self.onmessage = ({ data }: MessageEvent<StartOrder>) => void obey(data);

async function obey(order: StartOrder): Promise<void> {
  if (order.do === "start") return await start(order);
  const program = held.get(order.id);
  if (program === undefined) return;
  switch (order.do) {
    case "write":
      return await take(order, program.started.stdin.write(order.bytes));
    case "close":
      return await take(order, program.started.stdin.close());
    case "more":
      return await read(order, program.readers[order.output]);
    case "cancel":
      return await program.readers[order.output].cancel();
    case "kill":
      return program.started.kill(order.name);
    case "forget":
      return void held.delete(order.id);
    default:
      return order satisfies never;
  }
}

async function start({ id, command }: { readonly id: number; readonly command: Command }): Promise<void> {
  try {
    const started = await startHere(command);
    held.set(id, { started, readers: { stdout: started.stdout.getReader(), stderr: started.stderr.getReader() } });
    answer({ is: "started", id, pid: started.pid });
    started.finished.then((end) => answer({ is: "finished", id, ...end }));
  } catch (error) {
    answer({ is: "not_started", id, thrown: thrown(error) });
  }
}

async function take({ id, to }: { readonly id: number; readonly to: number }, taking: Promise<void>): Promise<void> {
  const failed = await taking.then(() => null, thrown);
  answer({ is: "taken", id, to, thrown: failed });
}

async function read(
  { id, output }: { readonly id: number; readonly output: Output },
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<void> {
  // A pipe that breaks has ended.
  const { value } = await reader.read().catch(() => ({ value: undefined }));
  answer({ is: "piece", id, output, piece: value ?? null });
}

function answer(answer: StartAnswer): void {
  self.postMessage(answer);
}

function thrown(error: unknown): ThrownThere {
  if (!(error instanceof Error)) throw error;
  return { name: error.name, message: error.message, code: "code" in error ? String(error.code) : "" };
}
