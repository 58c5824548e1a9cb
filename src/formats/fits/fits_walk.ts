/**
 * Walks over the header and data units (HDUs) of a FITS file by its headers alone: a 4 GB file costs a few
 * kilobytes. Everything that asks a FITS file something (length, cards, checksums, preview) uses it.
 */
import { type HeaderUnit, type RangeReader, short, undeclared, type Verdict, written } from "../format.ts";
import { BLOCK_BYTES, MAX_HEADER_BYTES, readHeader } from "./fits_header.ts";
import { dataLength, padded } from "./fits_length.ts";
import { isBlank, latin1, windowed } from "../range_window.ts";

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
