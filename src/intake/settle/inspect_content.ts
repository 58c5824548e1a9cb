/**
 * Looks into a file: what its format says of it, which header cards it has, whether its end is written yet.
 * Reads pieces, never the whole, but for compressed files and checksums.
 *
 * @module
 */
import { readCards } from "../../formats/fits/kept_cards.ts";
import { verifyFitsChecksums } from "../../formats/fits/fits_checksums.ts";
import type { Format, RangeReader, Verdict } from "../../formats/format.ts";
import { formatOf } from "../../formats/formats.ts";
import type { Files } from "../../system/system.ts";
import type { Cards } from "../admit/admit.ts";

/** The formats, as the intake uses them. */
export interface FormatTools {
  /** The format that claims a file of this name. */
  formatOf(name: string): Format | undefined;
  readCards(read: RangeReader, size: number): Promise<Cards>;
  verifyFitsChecksums(
    read: RangeReader,
    size: number,
    signal: AbortSignal,
  ): Promise<{ ok: true } | { ok: false; reason: string }>;
}

/** The formats there are. */
export const FORMAT_TOOLS: FormatTools = { formatOf, readCards, verifyFitsChecksums };

/** What a look into the content gave. */
export interface ContentFindings {
  readonly verdict: Verdict;
  /** Null where the format has none. */
  readonly cards: Cards | null;
}

/** Asks the format of a file; a file that no format claims tells nothing. Errors of reading pass through. */
export async function inspectContent(
  file: { readonly absolutePath: string; readonly name: string; readonly size: number },
  tools: { system: Pick<Files, "read">; formats: FormatTools },
  signal: AbortSignal,
): Promise<ContentFindings> {
  const format = tools.formats.formatOf(file.name);
  if (format === undefined) {
    // One byte: a file that cannot be read is found out now, not when it is sent.
    if (file.size > 0) await tools.system.read(file.absolutePath, 0, 1);
    return { verdict: { verdict: "undeclared" }, cards: null };
  }
  const read = rangeReader(tools.system, file.absolutePath);
  const verdict = await format.inspect(read, file.size, signal);
  return { verdict, cards: verdict.verdict === "reached" ? await tools.formats.readCards(read, file.size) : null };
}

/** How the content contradicts its own checksums; null where it does not, or has none. */
export async function checkSums(
  file: { readonly absolutePath: string; readonly name: string; readonly size: number },
  tools: { system: Pick<Files, "read">; formats: FormatTools },
  signal: AbortSignal,
): Promise<string | null> {
  if (!/\.(fits|fit|fts|fz)$/i.test(file.name)) return null;
  const read: RangeReader = (offset, length) => tools.system.read(file.absolutePath, offset, length);
  const sums = await tools.formats.verifyFitsChecksums(read, file.size, signal);
  return sums.ok ? null : sums.reason;
}

/** Whether the end of a file, or of what it declares, is nothing but zeros, as space is that was set aside and not written yet. */
export async function hasEmptyTail(system: Pick<Files, "read">, path: string, size: number, verdict: Verdict): Promise<boolean> {
  // The file may end after what it declares so far: there the next part may come.
  const end = verdict.verdict === "reached" ? Math.min(size, verdict.declaredBytes) : size;
  return await isEmpty(0, end) || (size - end >= FITS_BLOCK && await isEmpty(end, size));

  async function isEmpty(from: number, to: number): Promise<boolean> {
    const length = Math.min(to - from, TAIL);
    if (length === 0) return false;
    const tail = await system.read(path, to - length, length);
    return tail.every((byte) => byte === 0);
  }
}

/** Reads ranges of a file and remembers the last piece, so that a header read in small steps, or twice, is one read. */
function rangeReader(system: Pick<Files, "read">, path: string): RangeReader {
  let piece = new Uint8Array() as Uint8Array;
  let from = 0;
  return async (offset, length) => {
    if (offset < from || offset + length > from + piece.length) {
      if (length >= LONG) return await system.read(path, offset, length);
      piece = await system.read(path, offset, Math.max(length, PIECE));
      from = offset;
    }
    return piece.subarray(offset - from, offset - from + length);
  };
}

const PIECE = 32 * 1024;
const LONG = 1024 * 1024;
/** The least that a further part of a FITS file takes; fewer zeros are padding. */
const FITS_BLOCK = 2880;
/** More than the padding of a FITS block. */
const TAIL = 16 * 1024;
