/**
 * How many bytes of data a FITS header declares (FITS Standard 4.0, §4.4.1 equations 1 and 2, §6 random groups, §7 extensions).
 */
import { BLOCK_BYTES, type Header } from "./fits_header.ts";

/** The declared length of the data without its padding, or what keeps the header from declaring one. */
type DataLength = { readonly bytes: number } | { readonly problem: string };

/** Reads BITPIX, NAXIS, NAXISn, PCOUNT, GCOUNT and GROUPS. */
export function dataLength(header: Header): DataLength {
  const bitpix = header.get("BITPIX");
  if (typeof bitpix !== "number" || !BITPIX.has(bitpix)) return { problem: `BITPIX is ${told(bitpix)}` };
  const naxis = header.get("NAXIS");
  if (!isCount(naxis) || naxis > 999) return { problem: `NAXIS is ${told(naxis)}` };

  // BigInt: the product of hostile numbers must not lose digits before it is judged.
  let elements = naxis === 0 ? 0n : 1n;
  for (let axis = 1; axis <= naxis; axis++) {
    const length = header.get(`NAXIS${axis}`);
    if (!isCount(length)) return { problem: `NAXIS${axis} is ${told(length)}` };
    // Random groups: a first axis of 0 stands for "no image", the groups have the other axes.
    if (axis === 1 && length === 0 && header.get("GROUPS") === true && naxis > 1) continue;
    elements *= BigInt(length);
  }
  const pcount = header.get("PCOUNT") ?? 0;
  if (!isCount(pcount)) return { problem: `PCOUNT is ${told(pcount)}` };
  const gcount = header.get("GCOUNT") ?? 1;
  if (!isCount(gcount)) return { problem: `GCOUNT is ${told(gcount)}` };

  const heap = naxis === 0 ? 0n : BigInt(pcount);
  const bytes = BigInt(Math.abs(bitpix) / 8) * BigInt(gcount) * (heap + elements);
  return bytes > MAX_BYTES ? { problem: `it declares ${bytes} bytes of data` } : { bytes: Number(bytes) };
}

/** The length with the padding to whole blocks. */
export function padded(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function told(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value).slice(0, 40);
}

const BITPIX: ReadonlySet<number> = new Set([8, 16, 32, 64, -32, -64]);
/** One pebibyte: no file is as long, and sums of a few thousand of them stay exact. */
const MAX_BYTES = 2n ** 50n;
