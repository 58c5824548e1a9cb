/**
 * One protocol for all Workers, their side: every message is a call, every answer its value or its error. `worker_calls.ts` is the other side.
 *
 * It is bundled with each Worker: import nothing heavy here. Our own instead of Comlink, which drops the class and code of errors and
 * does not notice a Worker that broke.
 */

/** What a Worker can be asked. Its module exports the type of its calls: `export type WalkCalls = typeof calls`. */
export type Calls = Readonly<Record<string, (...args: never[]) => unknown>>;

export interface Call {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
  /** How long the Worker may then have nothing to do until it says so, milliseconds. */
  readonly restMs: number | null;
}

/** From the Worker, in any order; `idle` when it had nothing to do for long. */
export type CallAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failed: CarriedError }
  | "idle";

/** What is left of an error in a message: errors lose their class on the way. */
export interface CarriedError {
  readonly name: string;
  readonly message: string;
  readonly code: string;
}

/** A value whose buffers are handed over rather than copied: the Worker cannot use them afterwards. */
export class HandedOver<T> {
  constructor(readonly value: T, readonly buffers: ArrayBuffer[]) {}
}

export function serveCalls(calls: Calls): void {
  let running = 0;
  let rest: ReturnType<typeof setTimeout> | undefined;
  self.onmessage = async ({ data: { id, name, args, restMs } }: MessageEvent<Call>) => {
    clearTimeout(rest);
    running += 1;
    let answer: CallAnswer;
    let buffers: ArrayBuffer[] = [];
    try {
      const given = await calls[name]!(...args as never[]);
      if (given instanceof HandedOver) buffers = given.buffers;
      answer = { id, value: given instanceof HandedOver ? given.value : given };
    } catch (error) {
      answer = { id, failed: carried(error) };
    }
    self.postMessage(answer, { transfer: buffers });
    running -= 1;
    if (running === 0 && restMs !== null) rest = setTimeout(() => self.postMessage("idle" satisfies CallAnswer), restMs);
  };
}

export function carried(error: unknown): CarriedError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), code: "" };
  return { name: error.name, message: error.message, code: "code" in error ? String(error.code) : "" };
}
