/** The cards of a FITS or XISF file: those that the ledger keeps and a layout names, and all of them for people to read. */
import { CARD_BYTES, type CardValue, type Header, isEnd, parseCard, walkHdus } from "./fits.ts";
import { fill, type HeaderUnit, latin1, type RangeReader } from "../format.ts";
import { plainBeginning } from "../gzip/gzip.ts";

const KEPT_CARDS = [
  "OBJECT",
  "FILTER",
  "EXPTIME",
  "EXPOSURE",
  "DATE-OBS",
  "IMAGETYP",
  "INSTRUME",
  "TELESCOP",
  "GAIN",
  "CCD-TEMP",
  "RA",
  "DEC",
  "AIRMASS",
] as const;

/**
 * The kept cards that are there, and those named: of the primary header, and where that has no data (`.fz`, many cameras' files of
 * several images) also of the first extension. Looks into gzip, at its beginning. What is no FITS file has none.
 */
export async function readCards(
  read: RangeReader,
  size: number,
  named: readonly string[] = [],
): Promise<Record<string, CardValue>> {
  const plain = await plainBeginning(read, size);
  const kept = keptCards(named);
  for await (const hdu of walkHdus(plain.read, plain.size)) {
    if (!kept.add(hdu)) break;
  }
  return kept.cards;
}

/** The kept cards of the HDUs of one file, which are added in order. */
interface KeptCards {
  readonly cards: Readonly<Record<string, CardValue>>;
  /** False once the following HDUs have nothing to add. */
  add(unit: HeaderUnit): boolean;
}

/** None yet; `named` are kept besides. */
export function keptCards(named: readonly string[] = []): KeptCards {
  const keywords = new Set<string>([...KEPT_CARDS, ...named]);
  const cards: Record<string, CardValue> = {};
  let more = true;
  return {
    cards,
    add({ index, header, dataBytes }) {
      for (const keyword of more ? keywords : []) {
        const value = header.get(keyword);
        if (value !== undefined && value !== "") cards[keyword] ??= typeof value === "string" ? value.slice(0, MAX_TEXT) : value;
      }
      more &&= index === 0 && dataBytes === 0;
      return more;
    },
  };
}

/** Continued strings can be as long as the header. */
const MAX_TEXT = 200;

interface HeaderCards {
  /** `primary`, `extension 2 (SCI)`. */
  readonly name: string;
  /** `4144 × 2822, 16 bit`; `no data`. */
  readonly data: string;
  /** In the order of the file, at most 1000; `value` is as written, a text without its quotes and empty where there is none. */
  readonly cards: readonly { readonly keyword: string; readonly value: string; readonly comment: string }[];
}

const MOST_HDUS = 10;
const MOST_CARDS = 1000;

/** The headers of the first HDUs, of a gzip file those in its beginning; none where it is no FITS file. */
export async function readHeaderCards(read: RangeReader, size: number): Promise<HeaderCards[]> {
  const plain = await plainBeginning(read, size);
  const found: HeaderCards[] = [];
  for await (const { index, header, offset, headerBytes } of walkHdus(plain.read, plain.size)) {
    const bytes = await fill(plain.read, offset, Math.min(headerBytes, MOST_CARDS * CARD_BYTES));
    const name = header.get("EXTNAME");
    found.push({
      name: `${index === 0 ? "primary" : `extension ${index}`}${typeof name === "string" && name !== "" ? ` (${name})` : ""}`,
      data: dataOf(header),
      cards: cardsOf(bytes),
    });
    if (found.length >= MOST_HDUS) break;
  }
  return found;
}

function cardsOf(bytes: Uint8Array): HeaderCards["cards"] {
  const cards: { keyword: string; value: string; comment: string }[] = [];
  for (let at = 0; at + CARD_BYTES <= bytes.length; at += CARD_BYTES) {
    const text = latin1(bytes.subarray(at, at + CARD_BYTES));
    if (isEnd(text)) break;
    if (text.trim() !== "") cards.push(cardOf(text));
  }
  return cards;
}

function cardOf(text: string): HeaderCards["cards"][number] {
  const { keyword, value } = parseCard(text);
  if (text.slice(8, 10) !== "= ") return { keyword, value: "", comment: text.slice(8).trim() };
  const rest = text.slice(10);
  const quoted = /^\s*'(?:[^']|'')*'?/.exec(rest)?.[0];
  const slash = rest.indexOf("/", quoted?.length ?? 0);
  const written = (slash < 0 ? rest : rest.slice(0, slash)).trim();
  // As written, so that 1.50 stays 1.50; a text without its quotes.
  return { keyword, value: typeof value === "string" ? value : written, comment: slash < 0 ? "" : rest.slice(slash + 1).trim() };
}

function dataOf(header: Header): string {
  const prefix = header.get("ZIMAGE") === true ? "Z" : "";
  const axes = Math.min(Number(header.get(`${prefix}NAXIS`) ?? 0), 9);
  if (axes < 1) return "no data";
  const bitpix = Number(header.get(`${prefix}BITPIX`));
  const sides = Array.from({ length: axes }, (_, axis) => header.get(`${prefix}NAXIS${axis + 1}`));
  const kind = header.get("XTENSION") === "BINTABLE" && prefix === ""
    ? "table"
    : `${Math.abs(bitpix)} bit${bitpix < 0 ? " floating point" : ""}`;
  return `${sides.join(" × ")}, ${kind}${prefix === "Z" ? `, ${String(header.get("ZCMPTYPE") ?? "compressed")}` : ""}`;
}
