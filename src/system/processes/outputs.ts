/**
 * The two outputs of a program: read to their end even if nobody listens, kept up to a limit.
 *
 * @module
 */
import { within } from "../../async/deadline.ts";
import { clock } from "../host/clock.ts";

/** How long outputs are still read after the program has ended; background processes that it left may keep them open longer. */
export const LAST_WORDS_MS = 500;

type Take = (piece: Uint8Array) => void | Promise<void>;

/** Reads both outputs from now on. `lastWords` resolves at their end, or after {@linkcode LAST_WORDS_MS}, and stops reading. */
export function drainBoth(
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

/** Keeps the first bytes. */
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

/** Keeps the last bytes. */
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
