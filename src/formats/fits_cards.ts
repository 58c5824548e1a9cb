/**
 * The cards of a FITS file that the ledger keeps: what was observed, how, and with what.
 *
 * @module
 */
import { constants, gunzipSync } from "node:zlib";
import type { CardValue } from "./fits_card.ts";
import { walkHdus } from "./fits_walk.ts";
import type { RangeReader } from "./format.ts";
import { fill } from "./range_window.ts";

/** The keywords that are kept. */
export const KEPT_CARDS = [
  "OBJECT",
  "FILTER",
  "EXPTIME",
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
 * The kept cards that are there: those of the primary header, and where that has no data (`.fz`, many cameras' files of several
 * images) also those of the first extension. Looks into gzip, at its beginning. What is no FITS file has none.
 */
export async function readCards(read: RangeReader, size: number): Promise<Record<string, CardValue>> {
  const [first, second] = await fill(read, 0, Math.min(size, 2));
  if (first !== 0x1f || second !== 0x8b) return await cardsOf(read, size);
  const bytes = unzipped(await fill(read, 0, Math.min(size, ZIPPED_BYTES)));
  return await cardsOf((offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)), bytes.length);
}

async function cardsOf(read: RangeReader, size: number): Promise<Record<string, CardValue>> {
  const cards: Record<string, CardValue> = {};
  for await (const { index, header, dataBytes } of walkHdus(read, size)) {
    for (const keyword of KEPT_CARDS) {
      const value = header.get(keyword);
      if (value !== undefined && value !== "") cards[keyword] ??= typeof value === "string" ? value.slice(0, MAX_TEXT) : value;
    }
    if (index > 0 || dataBytes > 0) break;
  }
  return cards;
}

/** What the beginning of a gzip file holds; nothing where it is damaged. */
function unzipped(beginning: Uint8Array): Uint8Array {
  try {
    return gunzipSync(beginning, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch (error) {
    if (error instanceof Error && "code" in error && String(error.code).startsWith("Z_")) return new Uint8Array(0);
    throw error;
  }
}

/** Holds some 2,000 cards, which compress well, and at worst becomes 16 MB. */
const ZIPPED_BYTES = 16 * 1024;

/** Continued strings can be as long as the header. */
const MAX_TEXT = 200;
