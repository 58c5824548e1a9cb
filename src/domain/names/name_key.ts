/**
 * Names that some file systems take for one: those of Windows and macOS ignore the case of letters, and macOS how accents are composed.
 */

/** The same for paths that some file system takes for one. */
export function nameKey(path: string): string {
  return path.normalize().toLowerCase();
}

/** Other spellings of a path, which lead to the same file only where the file system ignores case or composition. */
export function otherSpellings(path: string): string[] {
  const cut = path.lastIndexOf("/") + 1;
  const [folder, name] = [path.slice(0, cut), path.slice(cut)];
  const swapped = [...name].map((letter) => letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase());
  const composed = name === name.normalize() ? name.normalize("NFD") : name.normalize();
  return [...new Set([folder + swapped.join(""), folder + composed])].filter((other) => other !== path);
}
