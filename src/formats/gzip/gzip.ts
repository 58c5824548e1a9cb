/**
 * gzip (RFC 1952): finished when every member decompresses to its end with length and CRC right. Reads the
 * whole file, holding some hundred kilobytes. What is inside is not looked at: the end of the gzip is the end.
 */
import { constants, crc32, createGunzip, createInflateRaw, gunzipSync } from "node:zlib";
import {
  fill,
  type Format,
  isBlank,
  notBegun,
  type RangeReader,
  short,
  undeclared,
  type Verdict,
  windowed,
  type WindowReader,
} from "../format.ts";
import { Readable } from "node:stream";

/** `.gz`: the only format whose verdict can be `corrupt`, by its own CRC. */
export const gzip: Format = {
  name: "gzip",
  claims: (name) => name.endsWith(".gz"),
  inspect: decompress,
};

async function decompress(read: RangeReader, size: number, signal: AbortSignal): Promise<Verdict> {
  const window = windowed(read, size, WINDOW_BYTES);
  const opening = (await window(0, 2)).subarray(0, WINDOW_BYTES);
  const blank = notBegun(opening, "nothing is written yet");
  if (blank !== null) return blank;
  if (!beginsMember(opening)) return undeclared("not a gzip file");

  let offset = 0;
  while (true) {
    const member = await readMember(window, offset, size, signal);
    if (member.found === "cut") return short(null, "the compressed data ends early");
    if (member.found === "corrupt") {
      // It may have been made long in advance.
      const isUnwritten = isBlank(await read(Math.max(0, size - 16), Math.min(16, size)));
      return isUnwritten ? short(null, "the end is not written yet") : { verdict: "corrupt", reason: member.reason };
    }
    offset = member.end;
    if (offset === size) return { verdict: "reached", declaredBytes: offset };
    if (beginsMember(await window(offset, 2))) continue;
    // Zeros behind the last member fill up tape blocks and sectors: gzip itself allows them.
    if (await restIsBlank(window, offset, size, signal)) return { verdict: "reached", declaredBytes: offset };
    return { verdict: "reached", declaredBytes: offset, warning: `${size - offset} bytes follow the compressed data` };
  }
}

/** The file ends within it, or has something else there. */
type NoMember = { readonly found: "cut" } | { readonly found: "corrupt"; readonly reason: string };

type Member = NoMember | { readonly found: "member"; readonly end: number };

async function readMember(window: WindowReader, offset: number, size: number, signal: AbortSignal): Promise<Member> {
  const header = await gzipHeaderLength(window, offset, size);
  if (typeof header !== "number") return header;
  const data = await inflate(window, offset + header, size, signal);
  if (data.found !== "data") return data;
  const trailer = await window(data.end, 8);
  if (trailer.length < 8) return { found: "cut" };
  const view = new DataView(trailer.buffer, trailer.byteOffset, 8);
  if (view.getUint32(0, true) !== data.crc) return { found: "corrupt", reason: "damaged: its gzip CRC does not match its data" };
  if (view.getUint32(4, true) !== data.bytes % 0x1_0000_0000) {
    return { found: "corrupt", reason: "damaged: its gzip length does not match its data" };
  }
  return { found: "member", end: data.end + 8 };
}

type Inflated = NoMember | { readonly found: "data"; readonly end: number; readonly crc: number; readonly bytes: number };

/** Decompresses from `start` until the deflate stream says that it ends; the output is counted and dropped. */
async function inflate(window: WindowReader, start: number, size: number, signal: AbortSignal): Promise<Inflated> {
  const stream = createInflateRaw({ chunkSize: PIECE_BYTES });
  const output = { crc: 0, bytes: 0, over: null as "end" | { code?: string; message: string } | null };
  // After its end the stream takes nothing more and never calls back.
  let next = () => {};
  const finish = (how: typeof output.over) => {
    output.over ??= how;
    next();
  };
  stream.on("end", () => finish("end"));
  stream.on("error", finish);
  stream.on("data", (piece: Uint8Array) => {
    output.crc = crc32(piece, output.crc);
    output.bytes += piece.length;
  });
  const untilTaken = (give: (taken: () => void) => void) =>
    new Promise<void>((resolve) => {
      next = resolve;
      if (output.over === null) give(resolve);
      else resolve();
    });
  try {
    for (let offset = start; output.over === null && offset < size;) {
      signal.throwIfAborted();
      const piece = (await window(offset, 1)).slice(0, PIECE_BYTES);
      if (piece.length === 0) break;
      offset += piece.length;
      await untilTaken((taken) => stream.write(piece, () => taken()));
    }
    await untilTaken(() => stream.end());
  } finally {
    stream.destroy();
  }
  const { crc, bytes, over } = output;
  if (over === "end") return { found: "data", end: start + stream.bytesWritten, crc, bytes };
  if (over?.code === "Z_BUF_ERROR") return { found: "cut" };
  return { found: "corrupt", reason: `the compressed data is damaged (${over?.message ?? "unknown"})` };
}

function beginsMember(bytes: Uint8Array): boolean {
  // One byte alone: the second is still to come.
  return bytes[0] === 0x1f && (bytes.length === 1 || bytes[1] === 0x8b);
}

async function restIsBlank(window: WindowReader, from: number, size: number, signal: AbortSignal): Promise<boolean> {
  for (let offset = from; offset < size;) {
    signal.throwIfAborted();
    const piece = await window(offset, 1);
    if (piece.length === 0) return true;
    if (!isBlank(piece)) return false;
    offset += piece.length;
  }
  return true;
}

const WINDOW_BYTES = 256 * 1024;
const PIECE_BYTES = 64 * 1024;

// The header of a gzip member (RFC 1952, §2.3): how long it is.

/** The length in bytes of the header that begins at `offset`, or why there is none. */
async function gzipHeaderLength(window: WindowReader, offset: number, size: number): Promise<number | NoMember> {
  // Name and comment have no declared length; what does not fit even into a mebibyte is none.
  for (const atMost of [USUAL_BYTES, MAX_BYTES]) {
    const bytes = await window(offset, atMost);
    const length = measure(bytes);
    if (length === "unknown") return { found: "corrupt", reason: "the gzip header is of an unknown kind" };
    if (length !== "cut") return length;
    if (offset + bytes.length >= size) return { found: "cut" };
  }
  return { found: "corrupt", reason: "the gzip header does not end" };
}

function measure(bytes: Uint8Array): number | "cut" | "unknown" {
  if (bytes.length < 10) return "cut";
  const flags = bytes[3]!;
  if (bytes[2] !== DEFLATE || (flags & RESERVED) !== 0) return "unknown";
  let at = 10;
  if (flags & HAS_EXTRA) {
    if (bytes.length < at + 2) return "cut";
    at += 2 + bytes[at]! + bytes[at + 1]! * 256;
  }
  for (const flag of [HAS_NAME, HAS_COMMENT]) {
    if (!(flags & flag)) continue;
    const zero = bytes.indexOf(0, at);
    if (zero < 0) return "cut";
    at = zero + 1;
  }
  if (flags & HAS_CRC) at += 2;
  return at > bytes.length ? "cut" : at;
}

const DEFLATE = 8;
const HAS_CRC = 2;
const HAS_EXTRA = 4;
const HAS_NAME = 8;
const HAS_COMMENT = 16;
const RESERVED = 0xe0;
const USUAL_BYTES = 4096;
const MAX_BYTES = 1024 * 1024;

// FITS files inside gzip, read as if they were plain: their beginning at once, or all of it from front to back.

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
  const unzip = createGunzip({ chunkSize: PLAIN_PIECE_BYTES });
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
    const piece = await read(offset, Math.min(PLAIN_PIECE_BYTES, size - offset));
    if (piece.length === 0) return;
    yield piece.slice();
    offset += piece.length;
  }
}

const BEGINNING_BYTES = 16 * 1024;
const PLAIN_PIECE_BYTES = 256 * 1024;
const HELD_BYTES = 1024 * 1024;
/** Deflate packs no better (RFC 1951: 258 bytes in 2 bits). */
const MOST_RATIO = 1032;
