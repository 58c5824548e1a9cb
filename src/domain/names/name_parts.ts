/** A file name taken apart into stem and ending, so that `a.fits.gz` keeps `.fits.gz` together. */

/** The two parts of a file name; together they are the name. */
interface NameParts {
  readonly stem: string;
  /** With its dot; empty where the name has none. A compression's ending takes the one before it along. */
  readonly ext: string;
}

/** Takes the last part of a path apart. A leading dot begins no ending, and words with blanks are none. */
export function nameParts(name: string): NameParts {
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
