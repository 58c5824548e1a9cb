/**
 * FITS: the declared length over all header and data units (HDUs), found by walking over the headers alone: a 4 GB file costs a few
 * kilobytes. A tile-compressed file (`.fz`) is an ordinary FITS file with a table.
 */
import {
  type Format,
  type HeaderUnit,
  latin1,
  notBegun,
  type RangeReader,
  short,
  undeclared,
  type Verdict,
  windowed,
  type WindowReader,
  written,
} from "../format.ts";

/** Everything in FITS comes in blocks of this many bytes. */
const BLOCK_BYTES = 2880;

/** `.fits`, `.fit`, `.fts`, `.fz`: a file that begins like FITS is short until its last declared HDU is there. */
export const fits: Format = {
  name: "FITS",
  claims: (name) => /\.(fits|fit|fts|fz)$/.test(name),
  async inspect(read, size, signal, onHdu) {
    const walk = walkHdus(read, size, signal);
    while (true) {
      const step = await walk.next();
      if (step.done) return step.value;
      onHdu?.(step.value);
    }
  },
};

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
  const block = (await window(0, BLOCK_BYTES)).subarray(0, BLOCK_BYTES);
  const blank = notBegun(block);
  if (blank !== null) return blank;
  const beginning = latin1(block.subarray(0, SIMPLE.length));
  if (!SIMPLE.startsWith(beginning)) return undeclared('not a FITS file: it does not begin with "SIMPLE  ="');
  if (beginning !== SIMPLE) return short(null, "the primary header is not complete");

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
    // Where the file ends inside the word, an extension is being written.
    const following = latin1((await window(end, XTENSION.length)).subarray(0, XTENSION.length));
    if (!XTENSION.startsWith(following)) {
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

// A header, read up to its END card, whatever else its bytes are, in bounded memory. A card is one line of it: 80 characters, keyword and
// value (FITS Standard 4.0, §4.1 and §4.2), fixed or free format. Lenient in what does not matter for the length: real cameras are.

/** What a keyword can hold; complex numbers and keywords without value are left out. */
export type CardValue = string | number | boolean;

/** `value` is undefined for COMMENT, HISTORY, complex numbers and whatever else has none that can be read. */
interface Card {
  readonly keyword: string;
  readonly value: CardValue | undefined;
}

/** Length of a card, in bytes. */
export const CARD_BYTES = 80;

/** The keywords of a header with their values; of a keyword that comes twice, the first, as astropy and cfitsio take it. */
export type Header = ReadonlyMap<string, CardValue>;

/** A header longer than this is taken for none: the longest real ones have a tenth of it. */
export const MAX_HEADER_BYTES = 16 * 1024 * 1024;

/** How far the header at an offset could be read. */
type HeaderReading =
  /** `bytes` is the length up to and with END, without the blanks that fill the block. */
  | { readonly found: "header"; readonly header: Header; readonly bytes: number }
  /** The file ends, or has unwritten bytes, before END. */
  | { readonly found: "cut" }
  /** No END within {@linkcode MAX_HEADER_BYTES}. */
  | { readonly found: "endless" };

/** Reads the header that begins at `offset`. */
async function readHeader(window: WindowReader, offset: number): Promise<HeaderReading> {
  const header = new Map<string, CardValue>();
  let continued: string | null = null;
  for (let at = 0; at < MAX_HEADER_BYTES; at += BLOCK_BYTES) {
    const block = latin1((await window(offset + at, BLOCK_BYTES)).subarray(0, BLOCK_BYTES));
    for (let line = 0; line < BLOCK_BYTES; line += CARD_BYTES) {
      // Less than a card: the file ends here. A zero is no character of a header: reserved and not yet written.
      if (line + CARD_BYTES > block.length || block.charCodeAt(line) === 0) return { found: "cut" };
      const text = block.slice(line, line + CARD_BYTES);
      if (isEnd(text)) return { found: "header", header: fromUtf8(header), bytes: at + line + CARD_BYTES };
      const { keyword, value } = parseCard(text);
      if (keyword === "CONTINUE") {
        continued = extend(header, continued, value);
      } else if (value !== undefined && !header.has(keyword)) {
        header.set(keyword, value);
        continued = keyword;
      } else {
        continued = null;
      }
    }
  }
  return { found: "endless" };
}

/** Appends to a string that ends in `&` (§4.2.1.2); answers the keyword that may go on. */
function extend(header: Map<string, CardValue>, keyword: string | null, more: CardValue | undefined): string | null {
  const before = keyword === null ? undefined : header.get(keyword);
  if (keyword === null || typeof before !== "string" || !before.endsWith("&") || typeof more !== "string") return null;
  if (before.length > MAX_STRING) return null;
  header.set(keyword, before.slice(0, -1) + more);
  return keyword;
}

/** FITS knows ASCII only; programs write UTF-8 all the same, and some Latin-1. */
function fromUtf8(header: Map<string, CardValue>): Header {
  for (const [keyword, value] of header) {
    if (typeof value !== "string" || !/[\x80-\xff]/.test(value)) continue;
    try {
      const bytes = Uint8Array.from(value, (character) => character.charCodeAt(0));
      header.set(keyword, new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch {
      // It is Latin-1, as it was read.
    }
  }
  return header;
}

/** True for the END card, also where something else than blanks follows: astropy reads such files. */
export function isEnd(text: string): boolean {
  return /^END(?![A-Z0-9_-])/.test(text);
}

/** Keyword and value of a card; `text` has one character a byte. Never throws. */
export function parseCard(text: string): Card {
  const keyword = text.slice(0, 8).trimEnd();
  // A continued string has no value indicator (§4.2.1.2).
  if (text.slice(8, 10) !== "= " && keyword !== "CONTINUE") return { keyword, value: undefined };
  const rest = text.slice(10).trimStart();
  // A quote inside is doubled; blanks at the end say nothing. A missing last quote is forgiven.
  const inside = /^'((?:[^']|'')*)/.exec(rest)?.[1];
  if (inside !== undefined) return { keyword, value: inside.replaceAll("''", "'").trimEnd() };
  const word = rest.split("/")[0]!.trim();
  if (word === "T" || word === "F") return { keyword, value: word === "T" };
  return { keyword, value: NUMBER.test(word) ? Number(word.replace(/[Dd]/, "E")) : undefined };
}

/** Nobody reads on; and joining without end takes time that grows with its square. */
const MAX_STRING = 65_536;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][+-]?\d+)?$/;
