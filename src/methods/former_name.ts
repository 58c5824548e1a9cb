/**
 * The name that a former version keeps when a newer one takes the plain name: `m31.fits` → `m31.v1.fits`.
 *
 * @module
 */

/** What stands before and behind `.v<number>`; for shells that count up by themselves. */
export interface FormerNameParts {
  /** Folder (with its `/`) and name up to the ending, e.g. `20260705/m31`. */
  readonly stem: string;
  /** The ending with its dot, e.g. `.fits` or `.fits.fz`; empty where there is none. */
  readonly ending: string;
}

/** Parts for the former names of a path. Names that would grow too long lose the end of their stem. */
export function formerNameParts(path: string): FormerNameParts {
  const cut = path.lastIndexOf("/") + 1;
  const name = path.slice(cut);
  const ending = ENDING.exec(name)?.[0] ?? "";
  return { stem: path.slice(0, cut) + shortened(name.slice(0, name.length - ending.length), ending), ending };
}

/** The path of former version `number` (1, 2, …). */
export function formerName(path: string, number: number): string {
  const { stem, ending } = formerNameParts(path);
  return `${stem}.v${number}${ending}`;
}

/** Cuts whole characters until stem, `.v99999` and ending fit the 255 bytes that file systems allow. */
function shortened(stem: string, ending: string): string {
  const room = LONGEST_NAME - ".v99999".length - bytes(ending);
  if (bytes(stem) <= room) return stem;
  const characters = [...stem];
  while (bytes(characters.join("")) > room) characters.pop();
  return characters.join("");
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

const LONGEST_NAME = 255;
/** The last ending, together with the one before where it only tells the compression. Not the dot of a hidden file. */
const ENDING = /(?<=.)(\.[^.]{1,16})?\.(gz|fz|bz2|xz|zst|lz4|z)$|(?<=.)\.[^.]{0,16}$/i;
