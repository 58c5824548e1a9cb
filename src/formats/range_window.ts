/** A reader for scattered small looks at a file: it reads a window at a time and answers from it while it can. */
import { Buffer } from "node:buffer";
import type { RangeReader } from "./format.ts";

/** The bytes from `offset` on: at least `atLeast` of them unless the file ends before, often more; valid until the next call. */
export type WindowReader = (offset: number, atLeast: number) => Promise<Uint8Array>;

/** Never reads behind `size`, even if the file has grown meanwhile: one look sees one length. */
export function windowed(read: RangeReader, size: number, windowBytes: number): WindowReader {
  let start = 0;
  let bytes: Uint8Array = new Uint8Array(0);
  return async (offset, atLeast) => {
    const wanted = Math.min(atLeast, Math.max(0, size - offset));
    if (offset < start || offset + wanted > start + bytes.length) {
      bytes = wanted === 0 ? new Uint8Array(0) : await fill(read, offset, Math.min(Math.max(wanted, windowBytes), size - offset));
      start = offset;
    }
    return bytes.subarray(offset - start);
  };
}

/** Up to `length` bytes, asking again where the reader gave fewer; fewer only where the file ends. */
export async function fill(read: RangeReader, offset: number, length: number): Promise<Uint8Array> {
  const first = await read(offset, length);
  if (first.length === length || first.length === 0) return first;
  const all = new Uint8Array(length);
  all.set(first);
  let filled = first.length;
  while (filled < length) {
    const piece = await read(offset + filled, length - filled);
    if (piece.length === 0) return all.subarray(0, filled);
    all.set(piece, filled);
    filled += piece.length;
  }
  return all;
}

/** True where every byte is zero: space that was reserved and not written. */
export function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** The bytes as text, one character a byte. (`TextDecoder("latin1")` is Windows-1252, and `String.fromCharCode` takes twenty times as long.) */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
