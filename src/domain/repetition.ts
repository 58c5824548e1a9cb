/**
 * Paths that grow by repeating themselves, `out/out/out/a.fits`: what images look like that come back to where they were sent from.
 */

/** A path that repeats some of its folders, and the same with them once only, twice, … less one time. */
interface Repetition {
  readonly shorter: readonly string[];
}

/** Fewer repetitions occur in trees that people make, such as `2026/2026`. */
const FEWEST = 3;
/** Longer blocks of folders are not looked for. */
const LONGEST = 8;

/** Every way in which the folders of a relative path (`/` between the parts) repeat at least three times in a row. */
export function repetitions(path: string): Repetition[] {
  const parts = path.split("/");
  const folders = parts.slice(0, -1);
  const found: Repetition[] = [];
  for (let start = 0; start < folders.length; start++) {
    for (let length = 1; length <= LONGEST && start + FEWEST * length <= folders.length; length++) {
      let end = start + length;
      while (end < folders.length && folders[end] === folders[end - length]) end++;
      const times = Math.floor((end - start) / length);
      if (times < FEWEST) continue;
      const shorter = Array.from({ length: times - 1 }, (_, more) =>
        [
          ...parts.slice(0, start + (more + 1) * length),
          ...parts.slice(start + times * length),
        ].join("/"));
      found.push({ shorter });
    }
  }
  return found;
}
