/**
 * Long sentences for a terminal: broken between words, the further lines indented under the first.
 *
 * @module
 */
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

function widthOf(line: string): number {
  return stripAnsiCode(line).length;
}
