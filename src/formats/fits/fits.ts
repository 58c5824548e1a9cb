/**
 * FITS: the declared length over all header and data units (HDUs), found by walking over the headers alone: a 4 GB file costs a few
 * kilobytes. A tile-compressed file (`.fz`) is an ordinary FITS file with a table.
 */
import {
  type Format,
  type HeaderUnit,
  isBlank,
  latin1,
  type RangeReader,
  short,
  undeclared,
  type Verdict,
  windowed,
  written,
} from "../format.ts";
import { BLOCK_BYTES, type Header, MAX_HEADER_BYTES, readHeader } from "./fits_header.ts";

/** `.fits`, `.fit`, `.fts`, `.fz`: a file that begins like FITS is short until its last declared HDU is there. */
export const fits: Format = {
  name: "FITS",
  claims: (name) => /\.(fits|fit|fts|fz)$/.test(name),
  inspect: declaredLength,
};

async function declaredLength(
  read: RangeReader,
  size: number,
  signal: AbortSignal,
  onHdu?: (hdu: HeaderUnit) => void,
): Promise<Verdict> {
  const walk = walkHdus(read, size, signal);
  while (true) {
    const step = await walk.next();
    if (step.done) return step.value;
    onHdu?.(step.value);
  }
}

/** One HDU whose header is whole; its data may not be there yet. Offsets from the beginning of the file, in bytes. */
export interface Hdu extends HeaderUnit {
  readonly offset: number;
  /** Length of the header, its padding included. */
  readonly headerBytes: number;
  readonly dataOffset: number;
  /** Where the next HDU begins. */
  readonly end: number;
}

/** Yields each HDU in order; what the walk returns is what the file says of its own length. Never throws for content. */
export async function* walkHdus(read: RangeReader, size: number, signal?: AbortSignal): AsyncGenerator<Hdu, Verdict, undefined> {
  const window = windowed(read, size, WINDOW_BYTES);
  const opening = openingVerdict((await window(0, BLOCK_BYTES)).subarray(0, BLOCK_BYTES));
  if (opening !== null) return opening;

  let offset = 0;
  for (let index = 0; index < MAX_HDUS; index++) {
    signal?.throwIfAborted();
    const reading = await readHeader(window, offset);
    if (reading.found === "cut") return short(null, `the header of ${hduName(index)} is not complete`);
    if (reading.found === "endless") {
      return undeclared(`the header of ${hduName(index)} has no END within ${MAX_HEADER_BYTES / 1024 / 1024} MiB`);
    }
    const { header } = reading;
    if (index === 0 && header.get("SIMPLE") !== true) {
      return undeclared("SIMPLE is not T: the file says that it does not follow the standard");
    }
    const length = dataLength(header);
    if ("problem" in length) return undeclared(`the header of ${hduName(index)} declares no length: ${length.problem}`);

    const headerBytes = padded(reading.bytes);
    const dataOffset = offset + headerBytes;
    const dataBytes = length.bytes;
    const end = dataOffset + padded(dataBytes);
    yield { index, header, offset, headerBytes, dataOffset, dataBytes, end };

    // The padding of the last block may be missing: nothing that was declared is lost with it.
    const needed = dataBytes > 0 ? dataOffset + dataBytes : offset + reading.bytes;
    if (size < needed) {
      const where = index === 0 ? "" : `, ${hduName(index)} is not complete`;
      return short(end, written(size, end) + where);
    }
    if (size <= end) return { verdict: "reached", declaredBytes: size < end ? needed : end };
    if (!beginsHdu(await window(end, XTENSION.length))) {
      return {
        verdict: "reached",
        declaredBytes: end,
        warning: `${size - end} bytes follow the last HDU and belong to none`,
      };
    }
    offset = end;
  }
  return undeclared(`it has more than ${MAX_HDUS} HDUs`);
}

/** What the first block alone says; null where a primary header may begin. */
function openingVerdict(block: Uint8Array): Verdict | null {
  if (block.length === 0) return short(null, "the file is empty");
  if (isBlank(block)) return short(null, "the file begins with zeros: its header is not written yet");
  const beginning = latin1(block.subarray(0, SIMPLE.length));
  if (!SIMPLE.startsWith(beginning)) return undeclared('not a FITS file: it does not begin with "SIMPLE  ="');
  return beginning === SIMPLE ? null : short(null, "the primary header is not complete");
}

/** True also where the file ends inside the word: an extension is being written. */
function beginsHdu(rest: Uint8Array): boolean {
  return XTENSION.startsWith(latin1(rest.subarray(0, XTENSION.length)));
}

/** As messages name it. */
export function hduName(index: number): string {
  return index === 0 ? "the primary HDU" : `extension ${index}`;
}

const SIMPLE = "SIMPLE  =";
const XTENSION = "XTENSION";
/** Room for most headers. */
const WINDOW_BYTES = 4 * BLOCK_BYTES;
const MAX_HDUS = 65_536;

/** The declared length of the data without its padding, or what keeps the header from declaring one. */
type DataLength = { readonly bytes: number } | { readonly problem: string };

/** FITS Standard 4.0, §4.4.1 equations 1 and 2, §6 random groups, §7 extensions. Reads BITPIX, NAXIS, NAXISn, PCOUNT, GCOUNT and GROUPS. */
function dataLength(header: Header): DataLength {
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
