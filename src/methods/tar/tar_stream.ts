/**
 * A tar stream that is made while its files are read: each file is read once, and hashed on the way.
 *
 * @module
 */
import type { Pace } from "../../async/pace.ts";
import type { Digest } from "../../domain/receipt.ts";
import type { SourceReader } from "../../system/system.ts";

/** Writes some bytes to where the stream goes; resolves when it takes more. */
type Write = (bytes: Uint8Array) => Promise<void>;

/** One stream. Calls are made one after the other. */
export interface TarStream {
  /**
   * Adds a file of `entry.bytes` bytes and gives the digest of what it added. A source that ends early, or cannot be read to its
   * end, is filled up with zeros, so that what follows is still a tar stream.
   *
   * @throws {SourceError} when the source could not be read, {StreamError} when the stream cannot be written.
   */
  add(entry: TarEntry, source: Pick<SourceReader, "read" | "sha256">, onBytes: (bytes: number) => void): Promise<Digest>;
  /** Adds entries that are complete, straight from where they are; resolves when all is written. `onWritten` is told how far it is. */
  shared(entries: Uint8Array, onWritten: (bytes: number) => void): Promise<void>;
  /** Adds a file that was read before: as much of `content` as the entry takes, filled up with zeros. */
  addRead(entry: TarEntry, content: Uint8Array): Promise<void>;
  /** Adds bytes of a source as they are. */
  raw(bytes: Uint8Array): Promise<void>;
  /** Writes what has been gathered so far. */
  flush(): Promise<void>;
  /** Says that all files are there. */
  end(): Promise<void>;
}

/** The source failed, not the stream. */
export class SourceError extends Error {}

/** The stream takes no more. */
export class StreamError extends Error {}

/** Written at a time: small files share a write. */
const WRITE_BYTES = 256 * 1024;
const ZEROS = new Uint8Array(64 * 1024);

/** Writes at the pace of the session. */
export function tarStream(write: Write, pace: Pace, signal: AbortSignal): TarStream {
  const { raw, flush } = gather(write, pace, signal);

  async function zeros(count: number): Promise<void> {
    for (let left = count; left > 0; left -= ZEROS.length) await raw(ZEROS.subarray(0, left));
  }

  return {
    raw,
    flush,
    async shared(entries, onWritten) {
      await flush();
      for (let written = 0; written < entries.length;) {
        const piece = entries.subarray(written, written + Math.min(WRITE_BYTES, pace.atOnce));
        await pace.next(piece.length, signal);
        signal.throwIfAborted();
        await write(piece).catch(takesNoMore);
        onWritten(written += piece.length);
      }
    },
    async addRead(entry, content) {
      const all = content.subarray(0, entry.bytes);
      await raw(tarHeader(entry));
      await raw(all);
      await zeros(entry.bytes - all.length + tarPadding(entry.bytes));
    },
    async add(entry, source, onBytes) {
      await raw(tarHeader(entry));
      let bytes = 0;
      let broken: unknown = null;
      for await (const piece of readable(source.read(entry.bytes), (error) => broken = error)) {
        await raw(piece);
        bytes += piece.length;
        onBytes(bytes);
      }
      const digest = { bytes, sha256: source.sha256() };
      await zeros(entry.bytes - bytes + tarPadding(entry.bytes));
      if (broken !== null) throw new SourceError(`"${entry.name}" could not be read to its end`, { cause: broken });
      return digest;
    },
    async end() {
      await zeros(2 * TAR_BLOCK);
      await flush();
    },
  };
}

/** Gathers bytes in one buffer while another one is written. */
function gather(write: Write, pace: Pace, signal: AbortSignal): Pick<TarStream, "raw" | "flush"> {
  let atOnce = Math.min(WRITE_BYTES, pace.atOnce);
  let [buffer, other] = [new Uint8Array(WRITE_BYTES), new Uint8Array(WRITE_BYTES)];
  let filled = 0;
  let writing: Promise<void> = Promise.resolve();

  async function swap(): Promise<void> {
    await writing;
    await pace.next(filled, signal);
    signal.throwIfAborted();
    writing = write(buffer.subarray(0, filled)).catch(takesNoMore);
    writing.catch(() => undefined); // Heard at the next swap.
    [buffer, other, filled] = [other, buffer, 0];
    atOnce = Math.min(WRITE_BYTES, pace.atOnce);
  }

  return {
    async raw(bytes) {
      for (let from = 0; from < bytes.length;) {
        const part = bytes.subarray(from, from + atOnce - filled);
        buffer.set(part, filled);
        filled += part.length;
        from += part.length;
        if (filled === atOnce) await swap();
      }
    },
    async flush() {
      if (filled > 0) await swap();
      await writing;
    },
  };
}

function takesNoMore(cause: unknown): never {
  throw new StreamError("The far end takes no more", { cause });
}

/** The pieces up to the first error, which is told. */
async function* readable(pieces: AsyncIterable<Uint8Array>, onError: (error: unknown) => void): AsyncGenerator<Uint8Array> {
  const reading = pieces[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await reading.next().catch((error) => {
        onError(error);
        return { done: true as const, value: undefined };
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await reading.return?.();
  }
}

/** Bytes of a header; contents are padded to a multiple, and two empty blocks say that the stream is whole. */
export const TAR_BLOCK = 512;

/** A regular file of the stream. */
export interface TarEntry {
  /** Of safe ASCII characters, at most 100. */
  readonly name: string;
  readonly bytes: number;
  /** Permission bits. */
  readonly mode: number;
  /** Milliseconds since 1970 UTC; a tar header keeps whole seconds. */
  readonly mtimeMs: number;
}

/**
 * The header of one file, in a block of zeros.
 *
 * @throws {RangeError} for a name that does not fit.
 */
export function tarHeader(entry: TarEntry, block: Uint8Array = new Uint8Array(TAR_BLOCK)): Uint8Array {
  const { name, bytes, mode, mtimeMs } = entry;
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(name)) throw new RangeError(`"${name}" cannot be a name in a tar stream`);
  ascii(block, 0, name);
  octal(block, 100, mode & 0o7777, 8);
  octal(block, 108, 0, 8);
  octal(block, 116, 0, 8);
  if (bytes < 8 ** 11) octal(block, 124, bytes, 12);
  else {
    block[124] = 0x80;
    new DataView(block.buffer, block.byteOffset).setBigUint64(128, BigInt(bytes));
  }
  octal(block, 136, Math.min(Math.max(0, Math.floor(mtimeMs / 1000)), 8 ** 11 - 1), 12);
  ascii(block, 148, "        ");
  ascii(block, 156, "0");
  ascii(block, 257, "ustar");
  ascii(block, 263, "00");
  // The sum of all bytes, with spaces in the place of the sum itself.
  let sum = 0;
  for (let at = 0; at < TAR_BLOCK; at++) sum += block[at]!;
  octal(block, 148, sum, 7);
  return block;
}

/** How many zero bytes follow contents of this length. */
export function tarPadding(bytes: number): number {
  return (TAR_BLOCK - bytes % TAR_BLOCK) % TAR_BLOCK;
}

/** Octal digits and a NUL, `width` characters in all. */
function octal(block: Uint8Array, at: number, value: number, width: number): void {
  let left = value;
  for (let digit = at + width - 2; digit >= at; digit--) {
    block[digit] = ZERO + left % 8;
    left = Math.floor(left / 8);
  }
  block[at + width - 1] = 0;
}

function ascii(block: Uint8Array, at: number, text: string): void {
  for (let index = 0; index < text.length; index++) block[at + index] = text.charCodeAt(index);
}

const ZERO = 0x30;
