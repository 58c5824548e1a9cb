/**
 * Looks into a file: what its format says of it, which header cards it has, whether its end is written yet. Reads pieces, never the whole,
 * but for compressed files and checksums: those reads take turns.
 */
import { perOwner } from "../../async/mutex.ts";
import { semaphore } from "../../async/semaphore.ts";
import { type FileFacts, sameFile, untilTicked } from "../../domain/source_file.ts";
import { declaresSums, verifyFitsChecksums } from "../../formats/fits/fits_checksums.ts";
import { keptCards, readCards } from "../../formats/fits/cards.ts";
import { isBlank, type RangeReader, type Verdict, windowed } from "../../formats/format.ts";
import { formatOf } from "../../formats/formats.ts";
import type { Admission } from "../../ledger/intake_ledger.ts";
import type { Files, System } from "../../system/system.ts";

/** Header cards worth keeping in the ledger. */
export type Cards = NonNullable<Admission["cards"]>;

export interface Content {
  readonly verdict: Verdict;
  /** It holds checksums of its contents; null where that was not looked for. */
  readonly hasSums: boolean | null;
  /** Its end is nothing but zeros, as in space that was set aside and not written yet; only asked of what may be all there. */
  readonly emptyTail: boolean;
  readonly cards: Cards | null;
}

/** A file to look into; `name` is the last part of its path. */
interface InspectedFile {
  readonly absolutePath: string;
  readonly name: string;
  readonly identity: string;
  readonly size: number;
  /** Header cards that are wanted besides those that are always kept. */
  readonly cards?: readonly string[];
}

/** Asks the format of a file; a file that no format claims tells nothing. Errors of reading pass through. */
export async function inspect(file: InspectedFile, system: Pick<Files, "read">, signal: AbortSignal): Promise<Content> {
  const { name, size, cards } = file;
  const format = formatOf(name);
  if (format === undefined) {
    // One byte: a file that cannot be read is found out now, not when it is sent.
    if (size > 0) await system.read(sameFile(file), 0, 1);
    return { verdict: { verdict: "undeclared" }, hasSums: null, emptyTail: false, cards: null };
  }
  const read = rangeReader(system, file);
  const kept = keptCards(cards);
  let hasHeader = false;
  let hasSums = false;
  const verdict = await format.inspect(read, size, signal, (hdu) => {
    hasHeader = true;
    kept.add(hdu);
    hasSums ||= declaresSums(hdu);
  });
  const { verdict: is } = verdict;
  return {
    verdict,
    hasSums: hasHeader ? hasSums : null,
    emptyTail: (is === "reached" || is === "corrupt") && await hasEmptyTail(read, size, verdict),
    cards: hasHeader ? kept.cards : is === "reached" || is === "corrupt" ? await readCards(read, size, cards) : null,
  };
}

/** Whether a file of this name may hold checksums of its contents, for all that is known of these. */
export function mayHaveSums(name: string, content: Content | undefined): boolean {
  return /\.(fits|fit|fts|fz)$/i.test(name) && !(content?.verdict.verdict === "reached" && content.hasSums === false);
}

/** How the content contradicts its own checksums; null where it does not, or has none. `content` is what is known of it. */
export async function checkSums(
  file: InspectedFile & Pick<FileFacts, "mtimeMs">,
  content: Content | undefined,
  system: Pick<System, "read" | "now" | "monotonic" | "sleep">,
  signal: AbortSignal,
): Promise<string | null> {
  if (!mayHaveSums(file.name, content)) return null;
  const waitMs = untilTicked([file], system.now());
  if (waitMs > 0) await system.sleep(waitMs, signal);
  const sums = await takingTurns(system, signal, (fair) => {
    const read: RangeReader = (offset, length) => fair.read(sameFile(file), offset, length);
    return verifyFitsChecksums(read, file.size, signal);
  });
  return sums.ok ? null : sums.reason;
}

/** Whether the end of a file, or of what it declares, is nothing but zeros, as space is that was set aside and not written yet. */
export async function hasEmptyTail(read: RangeReader, size: number, verdict: Verdict): Promise<boolean> {
  // The file may end after what it declares so far: there the next part may come.
  const end = verdict.verdict === "reached" ? Math.min(size, verdict.declaredBytes) : size;
  return await isEmpty(0, end) || (size - end >= FITS_BLOCK && await isEmpty(end, size));

  async function isEmpty(from: number, to: number): Promise<boolean> {
    const length = Math.min(to - from, TAIL);
    if (length === 0) return false;
    // Few files go on after the look at their last bytes.
    const last = Math.min(length, LAST);
    return isBlank(await read(to - last, last)) && (last === length || isBlank(await read(to - length, length - last)));
  }
}

/**
 * Reads both ends at once, as both are wanted of nearly every file. Of the rest it remembers the last piece, so that a header read in
 * small steps, or twice, is one read.
 */
function rangeReader(system: Pick<Files, "read">, file: InspectedFile): RangeReader {
  const { size } = file;
  const read: RangeReader = (offset, length) => system.read(sameFile(file), offset, length);
  const window = windowed(read, size, PIECE);
  const lastAt = Math.max(0, size - LAST);
  const first = size === 0 ? Promise.resolve(new Uint8Array(0)) : read(0, Math.min(FIRST, size));
  const last = size <= FIRST ? first : read(lastAt, size - lastAt);
  // Heard if it is wanted: of a compressed file, neither may be.
  for (const piece of [first, last]) piece.catch(() => undefined);
  return async (offset, length) => {
    if (offset + length <= Math.min(FIRST, size)) return (await first).subarray(offset, offset + length);
    if (size > FIRST && offset >= lastAt) return (await last).subarray(offset - lastAt, offset - lastAt + length);
    return length >= LONG ? await read(offset, length) : (await window(offset, length)).subarray(0, length);
  };
}

/** Most headers are shorter. */
const FIRST = 16 * 1024;
const PIECE = 32 * 1024;
const LONG = 128 * 1024;
/** The least that a further part of a FITS file takes; fewer zeros are padding. */
const FITS_BLOCK = 2880;
const TAIL = 16 * 1024;
/** More than the padding of a FITS block. */
const LAST = 4 * 1024;

type ReadSystem = Pick<System, "read" | "monotonic">;

/** Gives `use` a `read` that waits for its turn now and then. */
export async function takingTurns<T>(
  system: ReadSystem,
  signal: AbortSignal,
  use: (system: Pick<System, "read">) => Promise<T>,
): Promise<T> {
  let place: Disposable | null = await first(system).acquire(signal);
  let [bytes, since] = [0, system.monotonic()];
  const leave = () => {
    place?.[Symbol.dispose]();
    place = null;
  };
  try {
    return await use({
      async read(from, offset, length) {
        bytes += length;
        if (place !== null && (bytes > SLICE_BYTES || system.monotonic() - since > SLICE_MS)) {
          leave();
          const next = await further(system).acquire(signal);
          leave();
          place = next;
          [bytes, since] = [length, system.monotonic()];
        }
        return await system.read(from, offset, length);
      },
    });
  } finally {
    leave();
  }
}

/** The most that is read of a file before others get their turn. */
export const SLICE_BYTES = 64 * 1024 * 1024;
const SLICE_MS = 500;
const first = perOwner(() => semaphore(8));
/** Whoever has had a turn already: never in the way of those that have not. */
const further = perOwner(() => semaphore(2));
