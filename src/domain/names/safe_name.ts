/** Text that becomes a file or folder name which every system accepts and takes for the same. */
import { utf8Length } from "./name_parts.ts";

/**
 * The text as a name, or as a part of one: without separators, control characters, characters that Windows forbids, names that
 * mean something to it (`NUL`), dots at the ends, and what is too long. Empty where nothing is left.
 */
export function safeName(text: string): string {
  const plain = text.normalize().replace(/[\s\p{Zl}\p{Zp}]+/gu, " ").trim().replace(FORBIDDEN, "_")
    .replace(/^\.+/, (dots) => "_".repeat(dots.length));
  const name = shortened(plain).replace(/[. ]+$/, "");
  return isReservedName(name) ? `_${name}` : name;
}

/** Windows takes these for devices, with any ending. */
export function isReservedName(name: string): boolean {
  return RESERVED.test(name);
}

function shortened(text: string): string {
  if (utf8Length(text) <= MOST_BYTES) return text;
  const characters = [...text];
  while (utf8Length(characters.join("")) > MOST_BYTES) characters.pop();
  return characters.join("");
}

/** Leaves room for the rest of a name. */
const MOST_BYTES = 80;
const FORBIDDEN = /[<>:"|?*\\/\p{Cc}\p{Cf}\p{Cs}\p{Co}\uFFFD]/gu;
const RESERVED = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])( *\..*)?$/is;
