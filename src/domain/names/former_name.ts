/** The name that a former version keeps when a newer one takes the plain name: `m31.fits` → `m31.v1.fits`. */
import { nameParts, utf8Length } from "./name_parts.ts";

/** What stands before and behind `.v<number>`; for shells that count up by themselves. */
interface FormerNameParts {
  /** Folder (with its `/`) and name up to the ending, e.g. `20260705/m31`. */
  readonly stem: string;
  /** The ending with its dot, e.g. `.fits` or `.fits.fz`; empty where there is none. */
  readonly ending: string;
}

/** Parts for the former names of a path. Names that would grow too long lose the end of their stem. */
export function formerNameParts(path: string): FormerNameParts {
  const cut = path.lastIndexOf("/") + 1;
  const name = path.slice(cut);
  const { stem, ext } = nameParts(name);
  return { stem: path.slice(0, cut) + shortened(stem, ext), ending: ext };
}

/** The path of former version `number` (1, 2, …). */
export function formerName(path: string, number: number): string {
  const { stem, ending } = formerNameParts(path);
  return `${stem}.v${number}${ending}`;
}

/** Cuts whole characters until stem, `.v99999` and ending fit the 255 bytes that file systems allow. */
function shortened(stem: string, ending: string): string {
  const room = LONGEST_NAME - ".v99999".length - utf8Length(ending);
  if (utf8Length(stem) <= room) return stem;
  const characters = [...stem];
  while (utf8Length(characters.join("")) > room) characters.pop();
  return characters.join("");
}

const LONGEST_NAME = 255;
