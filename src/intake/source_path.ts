/** Paths of a watched folder: relative with `/` inside the daemon, absolute in the system's own notation outside. */

/** The absolute path of something in the watched folder; `""` is the folder itself. */
export function absolutePathOf(root: string, path: string, separator: "/" | "\\"): string {
  if (path === "") return root;
  const below = separator === "/" ? path : path.replaceAll("/", separator);
  return endsWithSeparator(root, separator) ? root + below : root + separator + below;
}

/** The path relative to the watched folder, `""` for the folder itself; null for what does not lie in it. */
export function relativePathOf(root: string, absolute: string, separator: "/" | "\\"): string | null {
  if (absolute === root) return "";
  const base = endsWithSeparator(root, separator) ? root : root + separator;
  if (!absolute.startsWith(base)) return null;
  const below = absolute.slice(base.length);
  return separator === "/" ? below : below.replaceAll(separator, "/");
}

function endsWithSeparator(root: string, separator: "/" | "\\"): boolean {
  return root.endsWith(separator) || (separator === "\\" && root.endsWith("/"));
}
