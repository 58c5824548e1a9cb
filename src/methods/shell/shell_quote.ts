/**
 * The one place that quotes for a remote shell. Everything sent to a remote `sh` is either our own program text or
 * went through here.
 */

/**
 * The word as a POSIX shell reads it back, byte for byte. Plain words stay as they are.
 *
 * @throws {TypeError} when the word holds a NUL, which no shell can take.
 */
export function shellQuote(word: string): string {
  if (word.includes("\0")) throw new TypeError("A word for a shell cannot hold a NUL");
  if (/^[A-Za-z0-9_@%+:,./-]+$/.test(word)) return word;
  // Outside of quotes a backslash works in every login shell, csh and fish too.
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

export function shellWords(words: readonly string[]): string {
  return words.map(shellQuote).join(" ");
}

/** The words in groups of at most `limit` UTF-16 units quoted (never empty groups), so that a command line stays below every system's limit. */
export function wordGroups(words: readonly string[], limit = 30_000): string[][] {
  const groups: string[][] = [];
  let length = Infinity;
  for (const word of words) {
    const cost = shellQuote(word).length + 1;
    if (length + cost > limit) {
      groups.push([]);
      length = 0;
    }
    groups.at(-1)?.push(word);
    length += cost;
  }
  return groups;
}
