/** Long sentences for a terminal: broken between words, the further lines indented under the first. */
import { stripAnsiCode } from "@std/fmt/colors";

/**
 * The lines of a text, each at most `columns` characters, the indent included, where its words allow that: a path is never cut.
 * The first begins with `first`, the others with `indent`.
 */
export function wrapped(text: string, columns: number, first: string, indent: string): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(" ")) {
    const longer = empty ? line + word : `${line} ${word}`;
    if (empty || widthOf(longer) <= columns) {
      line = longer;
    } else {
      lines.push(line.trimEnd());
      // A word that fits with less indent is spared a break by the terminal.
      line = (widthOf(word) > columns ? indent : indent.slice(0, columns - widthOf(word))) + word;
    }
    empty = line.trim() === "" && lines.length > 0;
  }
  return [...lines, line];
}

/** The same text with the lines that are too long wrapped, what follows indented by two more than the line itself. */
export function fitted(text: string, columns: number): string {
  return text.split("\n").flatMap((line) => {
    if (widthOf(line) <= columns) return [line];
    const indent = /^ */.exec(line)?.[0] ?? "";
    return wrapped(line.slice(indent.length), columns, indent, `${indent}  `);
  }).join("\n");
}

/** How many columns of a terminal it takes. */
export function widthOf(line: string): number {
  const text = stripAnsiCode(line);
  return text.length + (text.match(WIDE)?.length ?? 0);
}

/** East Asian characters of two columns; those beyond U+FFFF have a length of two anyway. */
const WIDE = /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]/g;
