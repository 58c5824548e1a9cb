/**
 * Globs, read in one way everywhere: `[!a]` as in sh, rsync and gitignore, case ignored, dots matched, and every character of a name is
 * one, line separators included.
 */
import picomatch from "picomatch";

/** Whether a text, with `/` between the parts of a path, matches one of these patterns as a whole. */
export function globs(patterns: readonly string[]): (text: string) => boolean {
  if (patterns.length === 0) return () => false;
  // `s`: without it, the dots in picomatch's expressions stop at line separators. `posix`: `[!a]`, `[[:digit:]]`.
  return picomatch([...patterns], { nocase: true, dot: true, windows: false, posix: true, flags: "is" });
}

/** Whether two patterns may match one name. `*.fits` and `flat*.txt` cannot: their ends differ. */
export function mayMatchOneName(...patterns: readonly [string, string]): boolean {
  const [one = "", other = ""] = patterns.map((pattern) => /[^*?[\]{}()|]*$/.exec(pattern.toLowerCase())?.[0]);
  return one.endsWith(other) || other.endsWith(one);
}
