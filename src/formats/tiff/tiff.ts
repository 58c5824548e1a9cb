/**
 * TIFF 6.0 and BigTIFF: the end of the last directory, value, strip or tile that the directories tell of.
 * Programs write the directory last or first; either way the length is declared once it is there.
 */
import { type Format, type RangeReader, short, undeclared, type Verdict, written } from "../format.ts";
import { isBlank, windowed } from "../range_window.ts";
import { type DirectoryPlace, readDirectory, type TiffFile, type TiffKind, tiffKind } from "./tiff_directory.ts";

/** `.tif`, `.tiff`: short until the end of all that the directories point to is there. */
export const tiff: Format = {
  name: "TIFF",
  claims: (name) => /\.tiff?$/.test(name),
  inspect: declaredLength,
};

async function declaredLength(read: RangeReader, size: number, signal: AbortSignal): Promise<Verdict> {
  const window = windowed(read, size, WINDOW_BYTES);
  const opening = (await window(0, 16)).slice(0, 16);
  if (isBlank(opening)) {
    return short(null, size === 0 ? "the file is empty" : "the file begins with zeros: its header is not written yet");
  }
  const kind = tiffKind(opening);
  if (kind === "cut") return short(null, "the header is not complete");
  if (kind === null) return undeclared("not a TIFF file");
  return await followDirectories(kind, { window, size, signal, budget: { valuesLeft: MAX_VALUES } });
}

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
