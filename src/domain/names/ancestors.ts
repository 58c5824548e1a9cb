/** The folders on the way to a path. */

/** `a`, `a/b` of `a/b/c`: the highest first; of an absolute path the empty one first. */
export function ancestors(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}
