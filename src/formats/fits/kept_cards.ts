/**
 * The cards of a FITS file that the ledger keeps: what was observed, how, and with what.
 *
 * @module
 */
import type { CardValue } from "./fits_header.ts";
import { walkHdus } from "./fits_walk.ts";
import type { RangeReader } from "../format.ts";
import { plainBeginning } from "../gzip/gunzipped.ts";

/** The keywords that are kept. */
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
 * The kept cards that are there: those of the primary header, and where that has no data (`.fz`, many cameras' files of several
 * images) also those of the first extension. Looks into gzip, at its beginning. What is no FITS file has none.
 */
export async function readCards(read: RangeReader, size: number): Promise<Record<string, CardValue>> {
  const plain = await plainBeginning(read, size);
  const cards: Record<string, CardValue> = {};
  for await (const { index, header, dataBytes } of walkHdus(plain.read, plain.size)) {
    for (const keyword of KEPT_CARDS) {
      const value = header.get(keyword);
      if (value !== undefined && value !== "") cards[keyword] ??= typeof value === "string" ? value.slice(0, MAX_TEXT) : value;
    }
    if (index > 0 || dataBytes > 0) break;
  }
  return cards;
}

/** Continued strings can be as long as the header. */
const MAX_TEXT = 200;
