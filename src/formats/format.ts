/**
 * What a file format can tell about a file being finished. A format reads only what it needs, through a
 * reader that gives any range, so that a 4 GB file costs a few kilobytes.
 */
import { format } from "@std/fmt/bytes";
import { Buffer } from "node:buffer";

/** Reads at most `length` bytes from `offset`; fewer at the end of the file. */
export type RangeReader = (offset: number, length: number) => Promise<Uint8Array>;

/** What the content says. Sizes in bytes. */
export type Verdict =
  /** All that the file declares of itself is there. A lower bound: more may follow. */
  | { readonly verdict: "reached"; readonly declaredBytes: number; readonly warning?: string }
  /** The file says that more must come; `declaredBytes` is null while even that is not known yet. */
  | { readonly verdict: "short"; readonly declaredBytes: number | null; readonly reason: string }
  /** The content tells nothing: the quiet time decides. */
  | { readonly verdict: "undeclared"; readonly warning?: string }
  /** The content contradicts its own checksums: never deliverable by waiting. */
  | { readonly verdict: "corrupt"; readonly reason: string };

/** What the header of one part (HDU) of a FITS file says, or the header of an XISF file. */
export interface HeaderUnit {
  /** 0 is the primary HDU, and the header of an XISF file. */
  readonly index: number;
  readonly header: ReadonlyMap<string, string | number | boolean>;
  /** Length of the data as declared, without padding; with the heap of a table. */
  readonly dataBytes: number;
}

/** One format of the list in `formats.ts`. */
export interface Format {
  /** As people write it: `FITS`, `gzip`; shown in reasons and warnings. */
  readonly name: string;
  /** Whether a file of this name may be of this format; `name` is the last part of the path, in lower case. */
  claims(name: string): boolean;
  /**
   * Looks at `size` bytes of content. Never throws for content; errors of the reader pass through. `onHdu` is told of every HDU of
   * a plain FITS file, and of an XISF header, so that nobody who wants more of it reads it again.
   */
  inspect(read: RangeReader, size: number, signal: AbortSignal, onHdu?: (hdu: HeaderUnit) => void): Promise<Verdict>;
}

/** More must come; `declaredBytes` is null while the file does not say how much. */
export function short(declaredBytes: number | null, reason: string): Verdict {
  return { verdict: "short", declaredBytes, reason };
}

/** The content does not say how long it is; `warning` is why. */
export function undeclared(warning: string): Verdict {
  return { verdict: "undeclared", warning };
}

/** Where nothing is written of a file of which these are the first bytes: `missing` is what is to come first. Null where something is. */
export function notBegun(opening: Uint8Array, missing = "its header is not written yet"): Verdict | null {
  if (!isBlank(opening)) return null;
  return short(null, opening.length === 0 ? "the file is empty" : `the file begins with zeros: ${missing}`);
}

/** `400 of 694 kB written`; the exact numbers where the rounded ones would look the same. `least` where more may be declared. */
export function written(size: number, declared: number, least = ""): string {
  const [part, whole] = [format(size), format(declared)];
  if (part === whole) return `${size} of ${least}${declared} bytes written`;
  const unit = whole.slice(whole.indexOf(" "));
  return `${part.endsWith(unit) ? part.slice(0, -unit.length) : part} of ${least}${whole} written`;
}

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
