/**
 * SHA-256 of a whole file. A large one is hashed in a Worker. Else two buffers take turns: while one is hashed here, the next is read in the runtime's threads, so a
 * dead network disk never blocks the event loop, and it is as fast as hashing alone (1.8 GB/s when measured).
 *
 * @module
 */
import type { ToRead } from "../../domain/source_file.ts";
import { createHash } from "node:crypto";
import type { Digest } from "../../domain/receipt.ts";
import { hashLarge } from "./hash_chunks.ts";
import { type OpenFile, openToRead } from "./open_source.ts";

/** Read at a time: large enough for full speed, small enough for many files side by side. */
export const CHUNK_BYTES = 256 * 1024;
/** What is hashed in a Worker: its start takes as long as hashing this much. */
const LARGE_BYTES = 64 * 1024 * 1024;

/** Reads and hashes the file; throws the signal's reason when aborted. `onBytes` is called with the bytes of each piece. */
export async function hash(from: ToRead, signal: AbortSignal, onBytes?: (bytes: number) => void): Promise<Digest> {
  signal.throwIfAborted();
  using file = await openToRead(from);
  const { kind, size } = await file.facts();
  const digest = kind === "file" && size >= LARGE_BYTES ? await hashLarge(from, signal, onBytes) : null;
  if (digest !== null) return digest;
  const sum = createHash("sha256");
  let bytes = 0;
  for await (const piece of pieces(file, Infinity, signal)) {
    sum.update(piece);
    bytes += piece.length;
    onBytes?.(piece.length);
  }
  return { bytes, sha256: sum.digest("hex") };
}

/**
 * The next `length` bytes of a file, or all up to its end, in pieces of at most `chunkBytes()`, which never gives more than `most`. A piece
 * is valid until the next is asked for.
 */
export async function* pieces(
  file: Pick<OpenFile, "read">,
  length: number,
  signal: AbortSignal,
  chunkBytes: () => number = () => CHUNK_BYTES,
  most = CHUNK_BYTES,
): AsyncGenerator<Uint8Array> {
  const pair = most > CHUNK_BYTES ? makePair(most) : takePair();
  let left = length;
  let [now, after] = pair;
  const read = (buffer: Uint8Array) => file.read(buffer.subarray(0, Math.min(chunkBytes(), left)));
  let reading = left > 0 ? read(now) : Promise.resolve(null);
  try {
    while (true) {
      const got = await reading;
      if (got === null) return;
      left -= got;
      signal.throwIfAborted();
      reading = left > 0 ? read(after) : Promise.resolve(null);
      yield now.subarray(0, got);
      [now, after] = [after, now];
    }
  } finally {
    // The runtime still writes into a buffer that is being read: nobody else may use it before.
    await reading.catch(() => undefined);
    if (most <= CHUNK_BYTES) spare.push(pair);
    spare.splice(MOST_SPARE);
  }
}

/** Pairs of buffers that are not in use, kept so that a batch of small files does not allocate a pair for each. */
const spare: [Uint8Array, Uint8Array][] = [];
const MOST_SPARE = 4;

function takePair(): [Uint8Array, Uint8Array] {
  return spare.pop() ?? makePair(CHUNK_BYTES);
}

function makePair(bytes: number): [Uint8Array, Uint8Array] {
  return [new Uint8Array(bytes), new Uint8Array(bytes)];
}
