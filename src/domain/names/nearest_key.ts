/** The nearest of the known words, or undefined if none is near. */
export function nearestKey(written: string, known: readonly string[]): string | undefined {
  const wanted = plain(written);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const word of known) {
    const distance = editDistance(wanted, plain(word));
    if (distance < bestDistance) [best, bestDistance] = [word, distance];
  }
  // A part of a known word counts as well, like "host" for "remote_host", if only one word contains it.
  if (best !== undefined || wanted.length < 3) return best;
  const holding = known.filter((word) => plain(word).includes(wanted));
  return holding.length === 1 ? holding[0] : undefined;
}

/** `watchPath`, `watch-path` and `Watch Path` are all `watch_path`. */
function plain(word: string): string {
  return word.slice(0, 80).replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase().replace(/[\s.-]+/g, "_");
}

/** How many insertions, deletions, replacements and swaps of neighbours turn one word into the other. */
function editDistance(a: string, b: string): number {
  let former: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, former[j - 2]! + 1);
      next.push(cost);
    }
    [former, row] = [row, next];
  }
  return row[b.length]!;
}
