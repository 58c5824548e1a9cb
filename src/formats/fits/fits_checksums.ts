/**
 * Proves a FITS file by its own DATASUM and CHECKSUM keywords (FITS Standard 4.0, §4.4.2.7 and appendix J:
 * sums of 32-bit words in ones' complement). Reads the whole file once, a mebibyte at a time.
 */
import { hduName, walkHdus } from "./fits.ts";
import { fill, type HeaderUnit, type RangeReader } from "../format.ts";

/** `checked` is the number of sums that were there and right. */
type ChecksumVerdict = { readonly ok: true; readonly checked: number } | { readonly ok: false; readonly reason: string };

/** Checks every DATASUM and CHECKSUM that is present; HDUs without them, and what is no FITS, pass unchecked. */
export async function verifyFitsChecksums(read: RangeReader, size: number, signal: AbortSignal): Promise<ChecksumVerdict> {
  let checked = 0;
  for await (const hdu of walkHdus(read, size, signal)) {
    if (!declaresSums(hdu)) continue;
    const wanted = declaredSums(hdu);
    const sumOf = (from: number, to: number, filler: number) => onesComplementSum(read, { from, to, size, filler }, signal);
    const data = await sumOf(hdu.dataOffset, hdu.end, hdu.header.get("XTENSION") === "TABLE" ? BLANK : 0);
    if (wanted.data !== null) {
      if (!sameSum(data, wanted.data)) {
        return { ok: false, reason: `${hduName(hdu.index)} is damaged or edited: its DATASUM does not match its data` };
      }
      checked++;
    }
    if (wanted.whole) {
      const whole = fold(data + await sumOf(hdu.offset, hdu.dataOffset, BLANK));
      // All ones is the ones' complement's other zero.
      if (!sameSum(whole, 0)) {
        return { ok: false, reason: `${hduName(hdu.index)} is damaged or edited: its CHECKSUM does not match its contents` };
      }
      checked++;
    }
  }
  return { ok: true, checked };
}

/** Whether there is a sum to check. */
export function declaresSums(hdu: Pick<HeaderUnit, "header">): boolean {
  const { data, whole } = declaredSums(hdu);
  return data !== null || whole;
}

/** What the header promises. An empty CHECKSUM means "not known"; a DATASUM that is no number promises nothing. */
function declaredSums({ header }: Pick<HeaderUnit, "header">): { data: number | null; whole: boolean } {
  const datasum = String(header.get("DATASUM") ?? "").trim();
  const checksum = header.get("CHECKSUM");
  return {
    data: /^\d{1,10}$/.test(datasum) && Number(datasum) <= ALL_ONES ? Number(datasum) : null,
    whole: typeof checksum === "string" && checksum.length === 16,
  };
}

/** What lies behind the end of the file is padding that was left out: `filler` stands for it. */
async function onesComplementSum(
  read: RangeReader,
  range: { from: number; to: number; size: number; filler: number },
  signal: AbortSignal,
): Promise<number> {
  let sum = 0;
  for (let at = range.from; at < range.to; at += PIECE_BYTES) {
    signal.throwIfAborted();
    const length = Math.min(PIECE_BYTES, range.to - at);
    const there = await fill(read, at, Math.max(0, Math.min(length, range.size - at)));
    const piece = there.length === length ? there : extended(there, length, range.filler);
    const words = new DataView(piece.buffer, piece.byteOffset, piece.length);
    // A mebibyte of words adds up to 2^50 at most: exact. FITS is big-endian.
    for (let word = 0; word < length; word += 4) sum += words.getUint32(word, false);
    sum = fold(sum);
  }
  return sum;
}

function extended(bytes: Uint8Array, length: number, filler: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(length).fill(filler);
  all.set(bytes);
  return all;
}

/** Adds the carry at the low end, until none is left. */
function fold(sum: number): number {
  while (sum > ALL_ONES) sum = sum % 0x1_0000_0000 + Math.floor(sum / 0x1_0000_0000);
  return sum;
}

/** Zero has two forms. */
function sameSum(a: number, b: number): boolean {
  return a % ALL_ONES === b % ALL_ONES;
}

const ALL_ONES = 0xFFFF_FFFF;
const BLANK = 0x20;
const PIECE_BYTES = 1024 * 1024;
