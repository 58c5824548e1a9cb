/** The cards of a FITS or XISF file that the ledger keeps: what was observed, how, and with what, and what a layout names. */
import type { CardValue } from "./fits_header.ts";
import { walkHdus } from "./fits_walk.ts";
import type { HeaderUnit, RangeReader } from "../format.ts";
import { plainBeginning } from "../gzip/gunzipped.ts";

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
