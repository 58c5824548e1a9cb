/** FITS files inside gzip, read as if they were plain: their beginning at once, or all of it from front to back. */
import { Readable } from "node:stream";
import { constants, createGunzip, gunzipSync } from "node:zlib";
import type { RangeReader } from "../format.ts";
import { fill } from "../range_window.ts";

/** True where the content begins as gzip does (RFC 1952 §2.3.1). */
export async function isGzip(read: RangeReader, size: number): Promise<boolean> {
  const [first, second] = await fill(read, 0, Math.min(size, 2));
  return first === 0x1f && second === 0x8b;
}

/**
 * The file itself, unless it is gzip: then what its first 16 KiB hold, some 2,000 cards of a header; at worst 16 MiB. Nothing where
 * they are damaged.
 */
export async function plainBeginning(
  read: RangeReader,
  size: number,
): Promise<{ readonly read: RangeReader; readonly size: number }> {
  if (!await isGzip(read, size)) return { read, size };
  const bytes = unzippedAsFarAsPossible(await fill(read, 0, Math.min(size, BEGINNING_BYTES)));
  return { read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)), size: bytes.length };
}

function unzippedAsFarAsPossible(zipped: Uint8Array): Uint8Array {
  try {
    return gunzipSync(zipped, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch (error) {
    if (error instanceof Error && "code" in error && String(error.code).startsWith("Z_")) return new Uint8Array(0);
    throw error;
  }
}

/** The plain content of a gzip file of `size` bytes; to be disposed of. */
interface Gunzipped extends Disposable {
  /** Cheap where each call asks for what lies at most 1 MiB before the end of the last: else it begins again. */
  readonly read: RangeReader;
  /** No more than this can be inside. */
  readonly mostBytes: number;
}

/** Unzips only as far as is asked for, holding some MiB. What is damaged or cut off is an error of the read that meets it. */
export function gunzipped(read: RangeReader, size: number): Gunzipped {
  let stream = unzipping(read, size);
  /** What is held of the plain content, from `start` to `end`. */
  let pieces: Uint8Array[] = [];
  let [start, end] = [0, 0];

  const begin = () => {
    stream.end();
    stream = unzipping(read, size);
    pieces = [];
    start = end = 0;
  };
  const forget = (before: number) => {
    while (pieces.length > 0 && start + pieces[0]!.length <= before) start += pieces.shift()!.length;
  };
  return {
    mostBytes: size * MOST_RATIO,
    async read(offset, length) {
      if (offset < start) begin();
      while (end < offset + length) {
        const { done, value } = await stream.pieces.next();
        if (done) break;
        pieces.push(value);
        end += value.length;
        forget(offset - HELD_BYTES);
      }
      const bytes = new Uint8Array(Math.max(0, Math.min(length, end - offset)));
      let at = start;
      for (const piece of pieces) {
        const wanted = piece.subarray(Math.max(0, offset - at), Math.max(0, offset + length - at));
        if (wanted.length > 0) bytes.set(wanted, Math.max(0, at - offset));
        at += piece.length;
      }
      return bytes;
    },
    [Symbol.dispose]: () => stream.end(),
  };
}

function unzipping(read: RangeReader, size: number): { pieces: AsyncIterator<Uint8Array>; end(): void } {
  const from = Readable.from(zippedPieces(read, size), { objectMode: false });
  const unzip = createGunzip({ chunkSize: PIECE_BYTES });
  from.on("error", (error) => unzip.destroy(error));
  from.pipe(unzip);
  return {
    pieces: unzip[Symbol.asyncIterator](),
    end() {
      from.destroy();
      unzip.destroy();
    },
  };
}

async function* zippedPieces(read: RangeReader, size: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < size;) {
    const piece = await read(offset, Math.min(PIECE_BYTES, size - offset));
    if (piece.length === 0) return;
    yield piece.slice();
    offset += piece.length;
  }
}

const BEGINNING_BYTES = 16 * 1024;
const PIECE_BYTES = 256 * 1024;
const HELD_BYTES = 1024 * 1024;
/** Deflate packs no better (RFC 1951: 258 bytes in 2 bits). */
const MOST_RATIO = 1032;
