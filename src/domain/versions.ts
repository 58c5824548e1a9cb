/**
 * The names under which former contents are kept when a file's final name is given to a newer one.
 *
 * @module
 */
import { nameParts, utf8Length } from "./name_parts.ts";

/** Most bytes of UTF-8 that file systems allow in one part of a path. */
export const MAX_NAME_BYTES = 255;

/**
 * The `n`-th kept version of a target path: `a/b.fits` → `a/b.v1.fits`, `b.fits.gz` → `b.v1.fits.gz`, `b` → `b.v1`.
 * A stem too long for it is cut, so two long names can share one: the caller takes the first `n` that is free.
 *
 * @throws {RangeError} when `n` is not a whole number from 1.
 */
export function versionName(target: string, n: number): string {
  if (!Number.isSafeInteger(n) || n < 1) throw new RangeError(`a version is a whole number from 1, not ${n}`);
  const slash = target.lastIndexOf("/") + 1;
  const { stem, ext } = nameParts(target.slice(slash));
  const ending = `.v${n}${ext}`;
  return target.slice(0, slash) + cut(stem, MAX_NAME_BYTES - utf8Length(ending)) + ending;
}

/** The longest beginning of a text that fits, no character cut in two. */
function cut(text: string, maxBytes: number): string {
  if (utf8Length(text) <= maxBytes) return text;
  let bytes = 0;
  let kept = "";
  for (const character of text) {
    bytes += utf8Length(character);
    if (bytes > maxBytes) break;
    kept += character;
  }
  return kept;
}
