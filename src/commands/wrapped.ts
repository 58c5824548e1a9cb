/**
 * Long sentences for a terminal: broken between words, the further lines indented under the first.
 *
 * @module
 */

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
    if (empty || longer.length <= columns) {
      line = longer;
    } else {
      lines.push(line);
      line = indent + word;
    }
    empty = false;
  }
  return [...lines, line];
}
