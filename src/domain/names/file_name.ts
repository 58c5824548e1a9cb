/** Names and paths of files: taken apart, made safe, counted up, compared. */

/**
 * Splits the last part of a path into stem and extension: `a` and `.fits.gz`. The extension may be empty; a leading dot does not start
 * one, and it contains no blanks.
 */
export function nameParts(name: string): { readonly stem: string; readonly ext: string } {
  const last = endingAt(name);
  if (last < 0) return { stem: name, ext: "" };
  if (!COMPRESSIONS.has(name.slice(last).toLowerCase())) return { stem: name.slice(0, last), ext: name.slice(last) };
  const inner = name.slice(0, last);
  const before = endingAt(inner);
  // A number before the compression is a frame number, not an ending: `m31.0001.gz`.
  const at = before > 0 && /[A-Za-z]/.test(inner.slice(before)) ? before : last;
  return { stem: name.slice(0, at), ext: name.slice(at) };
}

/** Length of a text as UTF-8: what file systems count. */
export function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}

function endingAt(name: string): number {
  const match = /[^.](\.[A-Za-z0-9_~-]{1,16})$/.exec(name);
  return match ? match.index + 1 : -1;
}

const COMPRESSIONS: ReadonlySet<string> = new Set([".gz", ".fz", ".bz2", ".xz", ".zst", ".z", ".zip", ".lz4"]);

/**
 * What stands before and behind `.v<number>` in the name that a former version keeps, for shells that count up by themselves. Names that
 * would grow too long for the 255 bytes that file systems allow lose the end of their stem.
 */
export function formerNameParts(path: string): { readonly stem: string; readonly ending: string } {
  const { stem, ext } = nameParts(lastPart(path));
  const room = LONGEST_NAME - ".v99999".length - utf8Length(ext);
  return { stem: path.slice(0, path.lastIndexOf("/") + 1) + shortened(stem, room), ending: ext };
}

/** The path of former version `number` (1, 2, …): `m31.fits` → `m31.v1.fits`. */
export function formerName(path: string, number: number): string {
  const { stem, ending } = formerNameParts(path);
  return `${stem}.v${number}${ending}`;
}

/**
 * The text as a name, or as a part of one: without separators, control characters, characters that Windows forbids, names that
 * mean something to it (`NUL`), dots at the ends, and what is too long. Empty where nothing is left.
 */
export function safeName(text: string): string {
  const plain = text.normalize().replace(/[\s\p{Zl}\p{Zp}]+/gu, " ").trim().replace(FORBIDDEN, "_")
    .replace(/^\.+/, (dots) => "_".repeat(dots.length));
  const name = shortened(plain, MOST_BYTES).replace(/[. ]+$/, "");
  return isReservedName(name) ? `_${name}` : name;
}

/** Windows takes these for devices, with any ending. */
export function isReservedName(name: string): boolean {
  return RESERVED.test(name);
}

/** Cuts whole characters until it fits. */
function shortened(text: string, bytes: number): string {
  const characters = [...text];
  while (utf8Length(characters.join("")) > bytes) characters.pop();
  return characters.join("");
}

/** What file systems allow. */
export const LONGEST_NAME = 255;
/** Leaves room for the rest of a name. */
const MOST_BYTES = 80;
const FORBIDDEN = /[<>:"|?*\\/\p{Cc}\p{Cf}\p{Cs}\p{Co}\uFFFD]/gu;
const RESERVED = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])( *\..*)?$/is;

/** The same for paths that some file system takes for one: Windows and macOS ignore the case of letters, macOS how accents are composed. */
export function nameKey(path: string): string {
  return path.normalize().toLowerCase();
}

/** Other spellings of a path, which lead to the same file only where the file system ignores case or composition. */
export function otherSpellings(path: string): string[] {
  const cut = path.lastIndexOf("/") + 1;
  const [folder, name] = [path.slice(0, cut), path.slice(cut)];
  const swapped = [...name].map((letter) => letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase());
  const composed = name === name.normalize() ? name.normalize("NFD") : name.normalize();
  return [...new Set([folder + swapped.join(""), folder + composed])].filter((other) => other !== path);
}

/** A name in a folder, as a path. */
export function pathIn(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/** The folder part of a relative path; `""` where there is none. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

/** The name at the end of a path. */
export function lastPart(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The folders on the way to a path: `a`, `a/b` of `a/b/c`: the highest first; of an absolute path the empty one first. */
export function ancestors(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

/** Fewer repetitions occur in trees that people make, such as `2026/2026`. */
const FEWEST = 3;
/** Longer blocks of folders are not looked for. */
const LONGEST = 8;

/**
 * Every way in which the folders of a relative path repeat at least three times in a row, `out/out/out/a.fits`, as images do that come
 * back to where they were sent from; and the same with them once only, twice, … less one time.
 */
export function repetitions(path: string): { readonly shorter: readonly string[] }[] {
  const parts = path.split("/");
  const folders = parts.slice(0, -1);
  const found: { shorter: string[] }[] = [];
  for (let start = 0; start < folders.length; start++) {
    for (let length = 1; length <= LONGEST && start + FEWEST * length <= folders.length; length++) {
      let end = start + length;
      while (end < folders.length && folders[end] === folders[end - length]) end++;
      const times = Math.floor((end - start) / length);
      if (times < FEWEST) continue;
      const shorter = Array.from({ length: times - 1 }, (_, more) =>
        [
          ...parts.slice(0, start + (more + 1) * length),
          ...parts.slice(start + times * length),
        ].join("/"));
      found.push({ shorter });
    }
  }
  return found;
}
