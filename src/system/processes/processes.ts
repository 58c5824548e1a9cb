/**
 * Programs of the system: run to their end, or kept running with pipes. All outputs are drained even if nobody reads, up to a limit.
 */
import { untilAborted } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";
import { clock } from "../host/clock.ts";
import { type Launch, launch, type Launched } from "./launch.ts";
import { queue } from "../../async/queue.ts";
import type { Child, Command, Finished, Processes } from "../system.ts";
import { which } from "./launch.ts";

export const processes: Processes = processesWith(launch);

export function processesWith(launch: Launch): Processes {
  return {
    run: (command, signal, stdin) => run(launch, command, signal, stdin),
    spawn: (command, signal, onError) => spawn(launch, command, signal, onError),
    which,
  };
}

/** Kept of each output of `run`, and of a child's standard output while nobody reads it. */
const KEPT_BYTES = 1024 * 1024;
const KEPT_ERROR_BYTES = 64 * 1024;
/** When a reader is so far behind, the child has to wait. */
const WAITING_BYTES = 4 * 1024 * 1024;
/** How long outputs are still read after the program has ended; background processes that it left may keep them open longer. */
const LAST_WORDS_MS = 500;

async function run(launch: Launch, command: Command, signal: AbortSignal, stdin?: string | Uint8Array): Promise<Finished> {
  const launched = await launch(command, signal);
  const stdout = createHead(KEPT_BYTES);
  const stderr = createHead(KEPT_BYTES);
  const outputs = drainBoth(launched, stdout.add, stderr.add);
  const unfed: unknown[] = [];
  feed(launched, stdin).catch((error) => {
    unfed.push(error);
    void launched.end();
  });
  const finished = await endOf(launched, signal).finally(outputs.lastWords);
  if (unfed.length > 0) throw unfed[0];
  signal.throwIfAborted();
  return { ...finished, stdout: stdout.text(), stderr: stderr.text() };
}

async function spawn(
  launch: Launch,
  command: Command,
  signal: AbortSignal,
  onError: (piece: Uint8Array) => void = () => undefined,
): Promise<Child> {
  const launched = await launch(command, signal);
  const pieces = queue<Uint8Array>();
  const stderr = createTail(KEPT_ERROR_BYTES);
  let waiting = 0;
  let isRead = false;
  let goOn: (() => void) | null = null;

  const take = async (piece: Uint8Array) => {
    pieces.push(piece);
    waiting += piece.length;
    while (!isRead && waiting > KEPT_BYTES && pieces.length > 1) waiting -= (await pieces.next())?.length ?? 0;
    while (isRead && waiting > WAITING_BYTES) await new Promise<void>((resolve) => goOn = resolve);
  };
  const outputs = drainBoth(launched, take, (piece) => {
    stderr.add(piece);
    onError(piece);
  });
  const finished = launched.finished.then(async (status) => {
    // The end must be known even if the reader has stopped reading.
    waiting = -Infinity;
    goOn?.();
    await outputs.lastWords();
    pieces.end();
    return status;
  });

  const end = async () => {
    // Not awaited: a write to a program that reads nothing ends only with the program.
    launched.stdin.close().catch(() => undefined);
    await launched.end();
    await within(finished, 2 * LAST_WORDS_MS, clock, undefined);
  };
  return {
    pid: launched.pid,
    write: (data) => launched.stdin.write(typeof data === "string" ? new TextEncoder().encode(data) : data),
    closeStdin: () => launched.stdin.close(),
    stdout: {
      async *[Symbol.asyncIterator]() {
        isRead = true;
        for await (const piece of pieces) {
          waiting -= piece.length;
          goOn?.();
          yield piece;
        }
      },
    },
    stderr: stderr.text,
    finished,
    end,
    [Symbol.asyncDispose]: end,
  };
}

/** Writes the input while the outputs are drained. A program that ends without reading all of it is not an error. */
async function feed({ stdin }: Launched, data: string | Uint8Array = ""): Promise<void> {
  try {
    if (data.length > 0) await stdin.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
    await stdin.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe || error instanceof TypeError)) throw error;
  }
}

/** Its status; once aborted, throws the signal's reason as soon as it is gone, or cannot be ended. */
async function endOf({ finished, end }: Launched, signal: AbortSignal): ReturnType<() => Launched["finished"]> {
  try {
    return await untilAborted(finished, signal);
  } catch (error) {
    if (signal.aborted) await end();
    throw error;
  }
}

type Take = (piece: Uint8Array) => void | Promise<void>;

/**
 * Reads both outputs from now on, even if nobody listens. `lastWords` resolves at their end, or after {@linkcode LAST_WORDS_MS}, and stops
 * reading.
 */
function drainBoth(
  streams: { readonly stdout: ReadableStream<Uint8Array>; readonly stderr: ReadableStream<Uint8Array> },
  takeOutput: Take,
  takeError: Take,
): { lastWords(): Promise<void> } {
  const readers = [streams.stdout.getReader(), streams.stderr.getReader()] as const;
  const drained = Promise.all([drain(readers[0], takeOutput), drain(readers[1], takeError)]);
  let last: Promise<void> | null = null;
  const lastWords = async () => {
    // A background process (an ssh master) that inherited the pipes holds them open for as long as it lives.
    await within(drained, LAST_WORDS_MS, clock, undefined);
    await Promise.all(readers.map((reader) => reader.cancel()));
  };
  return { lastWords: () => last ??= lastWords() };
}

async function drain(reader: ReadableStreamDefaultReader<Uint8Array>, take: Take): Promise<void> {
  while (true) {
    const { value, done } = await reader.read();
    if (done) return;
    await take(value);
  }
}

export function createHead(limit: number) {
  const pieces: Uint8Array[] = [];
  let kept = 0;
  return {
    add(piece: Uint8Array): void {
      if (kept >= limit) return;
      pieces.push(piece.subarray(0, limit - kept));
      kept += Math.min(piece.length, limit - kept);
    },
    text: (): string => textOf(pieces),
  };
}

export function createTail(limit: number) {
  let pieces: Uint8Array[] = [];
  let kept = 0;
  return {
    add(piece: Uint8Array): void {
      pieces.push(piece);
      kept += piece.length;
      while (kept - (pieces[0]?.length ?? 0) >= limit) kept -= pieces.shift()?.length ?? 0;
      // Otherwise a single large piece stays in memory.
      if (kept > 2 * limit) {
        pieces = [piece.slice(-limit)];
        kept = limit;
      }
    },
    text: (): string => textOf(pieces).slice(-limit),
  };
}

function textOf(pieces: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return pieces.map((piece) => decoder.decode(piece, { stream: true })).join("") + decoder.decode();
}

/** The pieces between NULs of a stream of bytes. */
export async function* splitAtNul(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = new Uint8Array();
  for await (const piece of stream) {
    const bytes = new Uint8Array(rest.length + piece.length);
    bytes.set(rest);
    bytes.set(piece, rest.length);
    let start = 0;
    for (let end = bytes.indexOf(0); end !== -1; end = bytes.indexOf(0, start)) {
      yield bytes.subarray(start, end);
      start = end + 1;
    }
    rest = bytes.slice(start);
  }
}
