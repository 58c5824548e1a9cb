/**
 * Reads a FITS header up to its END card, whatever else its bytes are, in bounded memory. A card is one line of it: 80 characters,
 * keyword and value (FITS Standard 4.0, §4.1 and §4.2), fixed or free format. Lenient in what does not matter for the length:
 * real cameras are.
 */
import { latin1, type WindowReader } from "../format.ts";

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

/** Everything in FITS comes in blocks of this many bytes. */
export const BLOCK_BYTES = 2880;

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
export async function readHeader(window: WindowReader, offset: number): Promise<HeaderReading> {
  const header = new Map<string, CardValue>();
  let continued: string | null = null;
  for (let at = 0; at < MAX_HEADER_BYTES; at += BLOCK_BYTES) {
    const block = latin1((await window(offset + at, BLOCK_BYTES)).subarray(0, BLOCK_BYTES));
    for (let line = 0; line < BLOCK_BYTES; line += CARD_BYTES) {
      // Less than a card: the file ends here. A zero is no character of a header: reserved and not yet written.
      if (line + CARD_BYTES > block.length || block.charCodeAt(line) === 0) return { found: "cut" };
      const text = block.slice(line, line + CARD_BYTES);
      if (isEnd(text)) return { found: "header", header: readable(header), bytes: at + line + CARD_BYTES };
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
function readable(header: Map<string, CardValue>): Header {
  for (const [keyword, value] of header) {
    if (typeof value !== "string" || !/[\x80-\xff]/.test(value)) continue;
    header.set(keyword, fromUtf8(value) ?? value);
  }
  return header;
}

function fromUtf8(text: string): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  } catch {
    return null;
  }
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
  return { keyword, value: parseValue(text.slice(10)) };
}

function parseValue(text: string): CardValue | undefined {
  const rest = text.trimStart();
  if (rest.startsWith("'")) return parseString(rest);
  const slash = rest.indexOf("/");
  const word = (slash < 0 ? rest : rest.slice(0, slash)).trim();
  if (word === "T") return true;
  if (word === "F") return false;
  return NUMBER.test(word) ? Number(word.replace(/[Dd]/, "E")) : undefined;
}

/** A quote inside is doubled; blanks at the end say nothing. A missing last quote is forgiven. */
function parseString(text: string): string {
  const inside = /^'((?:[^']|'')*)/.exec(text)?.[1] ?? "";
  return inside.replaceAll("''", "'").trimEnd();
}

/** Nobody reads on; and joining without end takes time that grows with its square. */
const MAX_STRING = 65_536;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][+-]?\d+)?$/;
