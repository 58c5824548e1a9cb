/** The header of a gzip member (RFC 1952, §2.3): how long it is. */
import type { WindowReader } from "../range_window.ts";

/** The file ends within the header, or has something else there. */
type NoHeader = { readonly found: "cut" } | { readonly found: "corrupt"; readonly reason: string };

/** The length in bytes of the header that begins at `offset`, or why there is none. */
export async function gzipHeaderLength(window: WindowReader, offset: number, size: number): Promise<number | NoHeader> {
  // Name and comment have no declared length; what does not fit even into a mebibyte is none.
  const little = await window(offset, USUAL_BYTES);
  const length = measure(little);
  if (length !== "cut" || offset + little.length >= size) return asHeader(length);
  const much = await window(offset, MAX_BYTES);
  const longer = measure(much);
  return longer === "cut" && offset + much.length < size
    ? { found: "corrupt", reason: "the gzip header does not end" }
    : asHeader(longer);
}

function asHeader(length: number | "cut" | "unknown"): number | NoHeader {
  if (length === "cut") return { found: "cut" };
  return length === "unknown" ? { found: "corrupt", reason: "the gzip header is of an unknown kind" } : length;
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
