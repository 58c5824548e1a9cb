/** A tar stream that is made while its files are read: each file is read once, and hashed on the way. */
import type { Pace } from "../../async/pace.ts";
import type { Digest } from "../../domain/receipt.ts";
import type { SharedBytes, SmallFile, SourceReader, System } from "../../system/system.ts";
import type { Upload } from "../method.ts";

/** Writes some bytes to where the stream goes; resolves when it takes more. */
type Write = (bytes: Uint8Array) => Promise<void>;

/** One stream. Calls are made one after the other. */
export type TarStream = ReturnType<typeof tarStream>;

export class SourceError extends Error {}

export class StreamError extends Error {}

/** Written at a time: small files share a write. */
const WRITE_BYTES = 256 * 1024;
const ZEROS = new Uint8Array(64 * 1024);

/** Writes at the pace of the session. All calls throw {@linkcode StreamError} when the stream cannot be written. */
export function tarStream(write: Write, pace: Pace, signal: AbortSignal) {
  // Bytes are gathered in one buffer while another one is written.
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

  async function raw(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      const part = bytes.subarray(from, from + atOnce - filled);
      buffer.set(part, filled);
      filled += part.length;
      from += part.length;
      if (filled === atOnce) await swap();
    }
  }

  async function zeros(count: number): Promise<void> {
    for (let left = count; left > 0; left -= ZEROS.length) await raw(ZEROS.subarray(0, left));
  }

  async function flush(): Promise<void> {
    if (filled > 0) await swap();
    await writing;
  }

  return {
    raw,
    flush,
    /** Adds entries that are complete, straight from where they are; resolves when all is written. `onWritten` is told how far it is. */
    async shared(entries: Uint8Array, onWritten: (bytes: number) => void): Promise<void> {
      await flush();
      for (let written = 0; written < entries.length;) {
        const piece = entries.subarray(written, written + Math.min(WRITE_BYTES, pace.atOnce));
        await pace.next(piece.length, signal);
        signal.throwIfAborted();
        await write(piece).catch(takesNoMore);
        onWritten(written += piece.length);
      }
    },
    /** Adds a file that was read before: as much of `content` as the entry takes, filled up with zeros. */
    async addRead(entry: TarEntry, content: Uint8Array): Promise<void> {
      const all = content.subarray(0, entry.bytes);
      await raw(tarHeader(entry));
      await raw(all);
      await zeros(entry.bytes - all.length + tarPadding(entry.bytes));
    },
    /**
     * Adds a file of `entry.bytes` bytes and gives the digest of what it added. A source that ends early, or cannot be read to its
     * end, is filled up with zeros, so that what follows is still a tar stream.
     *
     * @throws {SourceError} when the source could not be read.
     */
    async add(
      entry: TarEntry,
      source: Pick<SourceReader, "read" | "sha256">,
      onBytes: (bytes: number) => void,
    ): Promise<Digest> {
      await raw(tarHeader(entry));
      let bytes = 0;
      let broken: unknown = null;
      const pieces = source.read(entry.bytes)[Symbol.asyncIterator]();
      try {
        for (;;) {
          const next = await pieces.next().catch((error) => void (broken = error));
          if (next === undefined || next.done) break;
          await raw(next.value);
          bytes += next.value.length;
          onBytes(bytes);
        }
      } finally {
        await pieces.return?.();
      }
      const digest = { bytes, sha256: source.sha256() };
      await zeros(entry.bytes - bytes + tarPadding(entry.bytes));
      if (broken !== null) throw new SourceError(`"${entry.name}" could not be read to its end`, { cause: broken });
      return digest;
    },
    async end(): Promise<void> {
      await zeros(2 * TAR_BLOCK);
      await flush();
    },
  };
}

function takesNoMore(cause: unknown): never {
  throw new StreamError("The far end takes no more", { cause });
}

/** Bytes of a header; contents are padded to a multiple, and two empty blocks say that the stream is whole. */
export const TAR_BLOCK = 512;

export interface TarEntry {
  /** Of safe ASCII characters, at most 100. */
  readonly name: string;
  readonly bytes: number;
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

interface Ahead {
  readonly upload: Upload;
  /** Null for a large file, which is read while it is sent. */
  readonly small: Promise<SmallFile | null>;
  /** Where its entry begins in the buffer; a small file is read to behind the room of its header. */
  readonly at: number;
}

/** Files that are read at once, laid out as the entries of a tar stream are. */
export interface Group {
  readonly files: readonly Ahead[];
  /** Valid until the next group is asked for. */
  readonly buffer: SharedBytes;
}

/** Of a group, `groupBytes` and its headers are kept in memory twice. */
export async function* readAhead(
  uploads: readonly Upload[],
  groupBytes: number,
  system: Pick<System, "readSmall">,
  signal: AbortSignal,
): AsyncGenerator<Group> {
  if (uploads.length === 0) return;
  const groups = grouped(uploads, groupBytes);
  const room = Math.max(...groups.map((group) => group.reduce((sum, upload) => sum + roomFor(upload), 0)));
  // A file that grew may be one byte longer.
  const buffers = groups.slice(0, 2).map(() => new Uint8Array(new SharedArrayBuffer(room + 1)));
  const read = (index: number): Group => {
    const buffer = buffers[index % 2]!;
    let used = 0;
    const files = (groups[index] ?? []).map((upload): Ahead => {
      const at = used;
      used += roomFor(upload);
      const { source } = upload;
      // One byte more than the file should have, so that one that grows is noticed.
      const into = buffer.subarray(at + TAR_BLOCK, at + TAR_BLOCK + source.size + 1);
      const small = used === at ? Promise.resolve(null) : system.readSmall(source, into, signal);
      small.catch(() => undefined); // Heard when it is its turn.
      return { upload, small, at };
    });
    return { files, buffer };
  };
  let next = read(0);
  for (let index = 1; index <= groups.length; index++) {
    const now = next;
    // Into the buffer of the group before, all of which has been sent.
    next = read(index);
    yield now;
  }
}

/** Of the buffer: a whole entry of the stream; none for a large file. */
function roomFor({ source: { size } }: Upload): number {
  return size < SMALL_BYTES ? TAR_BLOCK + size + tarPadding(size) : 0;
}

function grouped(uploads: readonly Upload[], groupBytes: number): Upload[][] {
  const groups: Upload[][] = [];
  let bytes = Infinity;
  for (const upload of uploads) {
    bytes += Math.min(upload.source.size, SMALL_BYTES);
    if (bytes > groupBytes) {
      groups.push([]);
      bytes = Math.min(upload.source.size, SMALL_BYTES);
    }
    groups.at(-1)!.push(upload);
  }
  return groups;
}

const SMALL_BYTES = 1024 * 1024;
