/**
 * Names in Hebrew, Arabic and other scripts that are written from right to left. In one line with a path they turn around what
 * stands beside them, so whoever shows a path keeps its parts apart (`<bdi>`).
 */

/** Whether a text holds letters that are written from right to left. */
export function isRightToLeft(text: string): boolean {
  return LETTERS.test(text);
}

/** The names in a path, and the slashes between them. */
export function pathParts(path: string): string[] {
  return path.split(/(\/)/).filter((part) => part !== "");
}

/** The blocks of Unicode that are kept for such scripts (UAX #9, DerivedBidiClass). */
const LETTERS = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
