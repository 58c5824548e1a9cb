/**
 * TIFF 6.0 and BigTIFF: the end of the last directory, value, strip or tile that the directories tell of.
 * Programs write the directory last or first; either way the length is declared once it is there.
 */
import { type Format, notBegun, short, undeclared, type Verdict, windowed, type WindowReader, written } from "../format.ts";

/** `.tif`, `.tiff`: short until the end of all that the directories point to is there. */
export const tiff: Format = {
  name: "TIFF",
  claims: (name) => /\.tiff?$/.test(name),
  async inspect(read, size, signal) {
    const window = windowed(read, size, WINDOW_BYTES);
    const opening = (await window(0, 16)).slice(0, 16);
    const blank = notBegun(opening);
    if (blank !== null) return blank;
    const kind = tiffKind(opening);
    if (kind === "cut") return short(null, "the header is not complete");
    if (kind === null) return undeclared("not a TIFF file");
    return await followDirectories(kind, { window, size, signal, budget: { valuesLeft: MAX_VALUES } });
  },
};

async function followDirectories(kind: TiffKind, file: TiffFile): Promise<Verdict> {
  const { size, signal } = file;
  if (kind.firstDirectory === 0) return short(null, UNWRITTEN);
  const waiting: DirectoryPlace[] = [{ offset: kind.firstDirectory, hasNext: true }];
  const seen = new Set([kind.firstDirectory]);
  let end = 0;
  while (waiting.length > 0) {
    const place = waiting.pop()!;
    signal.throwIfAborted();
    const directory = await readDirectory(kind, place, file);
    if (directory.found === "strange") return undeclared(directory.problem);
    end = Math.max(end, directory.end);
    if (directory.found === "cut" && directory.end <= size) return short(null, UNWRITTEN);
    if (directory.found === "cut") return short(end, written(size, end, "at least "));
    for (const next of directory.next) {
      if (next.offset === 0 || seen.has(next.offset)) continue;
      if (seen.size >= MAX_DIRECTORIES) return undeclared(`it has more than ${MAX_DIRECTORIES} directories`);
      seen.add(next.offset);
      waiting.push(next);
    }
  }
  if (size < end) return short(end, written(size, end));
  return { verdict: "reached", declaredBytes: end };
}

const UNWRITTEN = "its directory is not written yet";
const WINDOW_BYTES = 64 * 1024;
const MAX_DIRECTORIES = 65_536;
const MAX_VALUES = 4_000_000;

// One image file directory (IFD) of a TIFF or BigTIFF file: how far what it tells of reaches, and which
// directories it leads to.

/** What the first bytes of a TIFF file say. */
interface TiffKind {
  /** True for `II`, little-endian; false for `MM`. */
  readonly little: boolean;
  /** True for BigTIFF, whose offsets have 64 bits. */
  readonly big: boolean;
  /** Offset of the first directory; 0 where none is written yet. */
  readonly firstDirectory: number;
}

/**
 * What was found at an offset; `next` are further directories, at offset 0 for none, and `problem` says why no length can be told.
 */
type Directory =
  /** `end` is how far the file must reach for all that is known so far. */
  | { readonly found: "directory"; readonly end: number; readonly next: readonly DirectoryPlace[] }
  | { readonly found: "cut"; readonly end: number }
  | { readonly found: "strange"; readonly problem: string };

/** Where a directory is. */
interface DirectoryPlace {
  readonly offset: number;
  /** False for Exif, GPS and the like: nothing comes after them, and programs (dcraw, LibRaw) put something else where that would be noted. */
  readonly hasNext: boolean;
}

/** The file as it is looked at. */
interface TiffFile {
  readonly window: WindowReader;
  readonly size: number;
  readonly signal: AbortSignal;
  /** How many values of strips and tiles may still be looked at: hostile directories can share theirs. */
  readonly budget: { valuesLeft: number };
}

/** Reads the file header: null where it is no TIFF, "cut" where it ends too early to tell. */
function tiffKind(opening: Uint8Array): TiffKind | "cut" | null {
  const [first, second] = opening;
  if ((first !== 0x49 && first !== 0x4d) || (opening.length > 1 && second !== first)) return null;
  if (opening.length < 4) return "cut";
  const little = first === 0x49;
  const view = new DataView(opening.buffer, opening.byteOffset, opening.length);
  const version = view.getUint16(2, little);
  if (version !== 42 && version !== 43) return null;
  const big = version === 43;
  if (opening.length < (big ? 16 : 8)) return "cut";
  return { little, big, firstDirectory: big ? Number(view.getBigUint64(8, little)) : view.getUint32(4, little) };
}

/** Reads the directory at `offset` and sums up where its values, strips and tiles end. */
async function readDirectory(kind: TiffKind, { offset, hasNext }: DirectoryPlace, file: TiffFile): Promise<Directory> {
  const sizes = kind.big ? BIG : CLASSIC;
  if (!Number.isSafeInteger(offset + MAX_ENTRIES * sizes.entry)) {
    return { found: "strange", problem: `a directory has the impossible offset ${offset}` };
  }
  const head = await bytesAt(file, offset, sizes.count);
  if (head === null) return { found: "cut", end: offset + sizes.count };
  const entryCount = kind.big ? number64(head, 0, kind) : head.getUint16(0, kind.little);
  // A directory has entries (TIFF 6.0 §2): without one, the first is space that was set aside. Others are found empty in the wild.
  if (entryCount === 0 && offset === kind.firstDirectory) return { found: "cut", end: offset + sizes.count };
  if (entryCount > MAX_ENTRIES) return { found: "strange", problem: `a directory has ${entryCount} entries` };

  const entriesAt = offset + sizes.count;
  let end = entriesAt + entryCount * sizes.entry + sizes.offset;
  const table = await bytesAt(file, entriesAt, end - entriesAt);
  if (table === null) return { found: "cut", end };
  const entries = new Map<number, Entry>();
  for (let index = 0; index < entryCount; index++) {
    const entry = readEntry(table, index * sizes.entry, entriesAt, kind);
    entries.set(entry.tag, entry);
    end = Math.max(end, entry.at + entry.count * entry.width);
  }
  if (!Number.isSafeInteger(end)) return { found: "strange", problem: "a value has an impossible offset" };
  if (end > file.size) return { found: "cut", end };

  for (const [offsets, counts] of DATA_TAGS) {
    const reach = await dataEnd(kind, entries.get(offsets), entries.get(counts), file);
    if (reach === "endless") return { found: "strange", problem: "its directories list too many strips or tiles" };
    if (reach === "uncounted") return { found: "strange", problem: "a directory does not declare the length of its image data" };
    if (!Number.isSafeInteger(reach)) return { found: "strange", problem: "image data has an impossible offset" };
    end = Math.max(end, reach);
  }
  const next: DirectoryPlace[] = [];
  if (hasNext) next.push({ offset: readNumber(table, entryCount * sizes.entry, sizes.offset, kind), hasNext });
  for (const tag of DIRECTORY_TAGS) {
    const entry = entries.get(tag);
    if (entry === undefined) continue;
    if (entry.count > MAX_ENTRIES) return { found: "strange", problem: `a directory points to ${entry.count} others` };
    for await (const value of values(kind, entry, file)) next.push({ offset: value, hasNext: tag === SUB_DIRECTORIES });
  }
  return { found: "directory", end, next };
}

interface Entry {
  readonly tag: number;
  /** Bytes of one value; 0 for a type that is not known. */
  readonly width: number;
  readonly count: number;
  /** Where the values are, in the file. */
  readonly at: number;
}

function readEntry(table: DataView, at: number, tableOffset: number, kind: TiffKind): Entry {
  const sizes = kind.big ? BIG : CLASSIC;
  const width = WIDTHS[table.getUint16(at + 2, kind.little)] ?? 0;
  const count = readNumber(table, at + 4, sizes.offset, kind);
  const valueAt = at + 4 + sizes.offset;
  const inline = width * count <= sizes.offset;
  const place = inline ? tableOffset + valueAt : readNumber(table, valueAt, sizes.offset, kind);
  return { tag: table.getUint16(at, kind.little), width, count, at: place };
}

/** The end of the furthest strip or tile. */
async function dataEnd(
  kind: TiffKind,
  offsets: Entry | undefined,
  counts: Entry | undefined,
  file: TiffFile,
): Promise<number | "uncounted" | "endless"> {
  if (offsets === undefined) return 0;
  if (counts === undefined || counts.count < offsets.count) return "uncounted";
  if ((file.budget.valuesLeft -= offsets.count) < 0) return "endless";
  let end = 0;
  const lengths = values(kind, counts, file);
  for await (const offset of values(kind, offsets, file)) {
    const length = (await lengths.next()).value ?? 0;
    // A length of 0 is a hole: not written, and not meant to be.
    if (length > 0) end = Math.max(end, offset + length);
  }
  return end;
}

/** The values of an entry that lie within the file, a few thousand at a time. */
async function* values(
  kind: TiffKind,
  { width, count, at }: Entry,
  file: TiffFile,
): AsyncGenerator<number, undefined, undefined> {
  if (width !== 2 && width !== 4 && width !== 8) return;
  for (let index = 0; index < count; index += PIECE_VALUES) {
    file.signal.throwIfAborted();
    const piece = Math.min(PIECE_VALUES, count - index);
    const view = await bytesAt(file, at + index * width, piece * width);
    if (view === null) return;
    for (let value = 0; value < piece; value++) yield readNumber(view, value * width, width, kind);
  }
}

/** `length` bytes of the file, or null where it ends before; a copy, so the next look does not change it. */
async function bytesAt({ window }: TiffFile, offset: number, length: number): Promise<DataView | null> {
  const bytes = (await window(offset, length)).subarray(0, length);
  if (bytes.length < length) return null;
  const kept = bytes.slice();
  return new DataView(kept.buffer, kept.byteOffset, length);
}

function readNumber(view: DataView, at: number, width: number, kind: TiffKind): number {
  if (width === 8) return number64(view, at, kind);
  return width === 4 ? view.getUint32(at, kind.little) : view.getUint16(at, kind.little);
}

/** Beyond 2^53 the number is not exact, and is found to be no safe integer. */
function number64(view: DataView, at: number, { little }: TiffKind): number {
  return Number(view.getBigUint64(at, little));
}

const CLASSIC = { count: 2, entry: 12, offset: 4 } as const;
const BIG = { count: 8, entry: 20, offset: 8 } as const;
/** Bytes of one value by type number (TIFF 6.0 §2, BigTIFF 16–18). */
const WIDTHS: readonly number[] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];
/** Strips, tiles, and the old JPEG stream: where they are, how long they are. */
const DATA_TAGS = [[273, 279], [324, 325], [513, 514]] as const;
const SUB_DIRECTORIES = 330;
/** SubIFDs, Exif, GPS, interoperability. */
const DIRECTORY_TAGS = [SUB_DIRECTORIES, 34665, 34853, 40965] as const;
const MAX_ENTRIES = 65_536;
const PIECE_VALUES = 8192;
