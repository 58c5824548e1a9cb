/**
 * Reads files from their beginning to their end, and hashes them on the way: alone, while they are copied, or for whoever uses the bytes.
 * Two buffers take turns: while one is hashed here, the next is read in the runtime's threads, so a dead network disk never blocks the event
 * loop.
 */
import { createHash } from "node:crypto";
import type { Digest } from "../../domain/receipt.ts";
import { pathToRead, type ToRead } from "../../domain/source_file.ts";
import type { CopyOptions, SmallFile, SourceReader } from "../system.ts";
import { hashLarge } from "./hash_large.ts";
import { type OpenFile, openToRead } from "./open_source.ts";

/** Read at a time: large enough for full speed, small enough for many files side by side. */
export const CHUNK_BYTES = 256 * 1024;
/** What is hashed in a Worker: its start takes as long as hashing this much. */
const LARGE_BYTES = 64 * 1024 * 1024;
const SMALL_BYTES = 1024 * 1024;

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
 * Copies `from` to the new file `to` and gives the digest of all bytes read, those before `options.from` included.
 *
 * @throws {Deno.errors.AlreadyExists} without `options.from`, when something is at `to`.
 * @throws {Deno.errors.InvalidData} when there is less than `options.from` at either side, or `to` is no regular file.
 */
export async function copy(from: ToRead, to: string, options: CopyOptions, signal: AbortSignal): Promise<Digest> {
  signal.throwIfAborted();
  const start = options.from ?? 0;
  const sum = options.hash === false ? null : createHash("sha256");
  using source = await openToRead(from);
  using target = start === 0 ? await Deno.open(to, { write: true, createNew: true }) : await openPartial(to, start);

  let bytes = 0;
  for await (const piece of pieces(source, start, signal)) {
    sum?.update(piece);
    bytes += piece.length;
  }
  if (bytes < start) {
    throw new Deno.errors.InvalidData(
      `Cannot continue the copy "${to}" at byte ${start}: "${pathToRead(from)}" has only ${bytes} bytes`,
    );
  }

  const { most = Infinity, pace, onBytes } = options;
  for await (const piece of pieces(source, most - start, signal, () => Math.min(CHUNK_BYTES, pace?.atOnce ?? CHUNK_BYTES))) {
    await pace?.next(piece.length, signal);
    const writing = writeAll(target, piece);
    // Here, while a thread of the runtime writes.
    sum?.update(piece);
    await writing;
    bytes += piece.length;
    onBytes?.(piece.length);
  }
  if (options.flush ?? true) await target.sync();
  return { bytes, sha256: sum?.digest("hex") ?? "" };
}

async function openPartial(path: string, start: number): Promise<Deno.FsFile> {
  const { isFile, size } = await Deno.lstat(path);
  if (!isFile || size < start) {
    throw new Deno.errors.InvalidData(`Cannot continue the copy "${path}" at byte ${start}: it is not a file of that length`);
  }
  const file = await Deno.open(path, { write: true });
  try {
    await file.truncate(start);
    await file.seek(start, Deno.SeekMode.Start);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Makes a call to the disk as soon as it has a place for one more: see `bulkheads.ts`. */
type InPlace = <R>(call: () => Promise<R>) => Promise<R>;

/**
 * See `Files.readSource`. What is no regular file is not read: a pipe would never end. Only a call to the disk takes a place: whoever
 * uses the bytes may wait for a line, and for others who wait for a place.
 */
export async function readSource<T>(
  from: ToRead,
  use: (source: SourceReader) => Promise<T>,
  signal: AbortSignal,
  inPlace: InPlace,
): Promise<T> {
  signal.throwIfAborted();
  using file = await inPlace(() => openToRead(from));
  const { kind, size, mode, mtimeMs } = await inPlace(() => file.facts());
  if (kind !== "file") throw new Deno.errors.NotSupported(`"${pathToRead(from)}" is not a regular file`);
  const sum = createHash("sha256");
  return await use({
    bytes: size,
    mode,
    mtimeMs,
    async *read(length, pieceBytes = CHUNK_BYTES) {
      const read = (into: Uint8Array) => inPlace(() => file.read(into));
      for await (const piece of pieces({ read }, length, signal, () => pieceBytes, pieceBytes)) {
        sum.update(piece);
        yield piece;
      }
    },
    sha256: () => sum.copy().digest("hex"),
  });
}

export async function readSmall(from: ToRead, signal: AbortSignal, inPlace: InPlace): Promise<SmallFile | null> {
  const readAll = async (source: SourceReader) => {
    if (source.bytes >= SMALL_BYTES) return null;
    // One byte more than it should have: so a file that grows is noticed.
    const content = new Uint8Array(source.bytes + 1);
    let filled = 0;
    for await (const piece of source.read(content.length)) {
      content.set(piece, filled);
      filled += piece.length;
    }
    if (filled === content.length) return null;
    return { content: content.subarray(0, filled), mode: source.mode, sha256: source.sha256() };
  };
  return await readSource(from, readAll, signal, inPlace);
}

/**
 * The next `length` bytes of a file, or all up to its end, in pieces of at most `chunkBytes()`, which never gives more than `most`. A piece
 * is valid until the next is asked for.
 */
async function* pieces(
  file: Pick<OpenFile, "read">,
  length: number,
  signal: AbortSignal,
  chunkBytes: () => number = () => CHUNK_BYTES,
  most = CHUNK_BYTES,
): AsyncGenerator<Uint8Array> {
  const pair = most <= CHUNK_BYTES && spare.pop() || pairOf(Math.max(most, CHUNK_BYTES));
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

function pairOf(bytes: number): [Uint8Array, Uint8Array] {
  return [new Uint8Array(bytes), new Uint8Array(bytes)];
}

/** A single write may be partial. */
export async function writeAll(file: { write(data: Uint8Array): Promise<number> }, data: Uint8Array): Promise<void> {
  for (let written = 0; written < data.length;) written += await file.write(data.subarray(written));
}
