/**
 * One line of a FITS header: 80 characters, keyword and value (FITS Standard 4.0, §4.1 and §4.2),
 * fixed or free format. Lenient in what does not matter for the length: real cameras are.
 *
 * @module
 */

/** What a keyword can hold; complex numbers and keywords without value are left out. */
export type CardValue = string | number | boolean;

/** `value` is undefined for COMMENT, HISTORY, complex numbers and whatever else has none that can be read. */
export interface Card {
  readonly keyword: string;
  readonly value: CardValue | undefined;
}

/** Length of a card, in bytes. */
export const CARD_BYTES = 80;

/** Takes a card apart; `text` has one character a byte. Never throws. */
export function parseCard(text: string): Card {
  const keyword = text.slice(0, 8).trimEnd();
  // A continued string has no value indicator (§4.2.1.2).
  if (text.slice(8, 10) !== "= " && keyword !== "CONTINUE") return { keyword, value: undefined };
  return { keyword, value: parseValue(text.slice(10)) };
}

function parseValue(text: string): CardValue | undefined {
  const rest = text.trimStart();
  if (rest.startsWith("'")) return parseString(rest);
  const slash = rest.indexOf("/");
  const word = (slash < 0 ? rest : rest.slice(0, slash)).trim();
  if (word === "T") return true;
  if (word === "F") return false;
  return NUMBER.test(word) ? Number(word.replace(/[Dd]/, "E")) : undefined;
}

/** A quote inside is doubled; blanks at the end say nothing. A missing last quote is forgiven. */
function parseString(text: string): string {
  const inside = /^'((?:[^']|'')*)/.exec(text)?.[1] ?? "";
  return inside.replaceAll("''", "'").trimEnd();
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][+-]?\d+)?$/;
