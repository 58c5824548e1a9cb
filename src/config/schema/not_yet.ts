/**
 * Keys whose feature is not built yet: using one is an error, turning it off is fine. Whoever builds the feature deletes its line.
 *
 * @module
 */

/** A feature that is not built. */
interface NotYet {
  /** The part of the value that uses it, as the error names it; null if it is not used. */
  readonly asked: (value: unknown) => string | null;
  /** Which part of the key is missing, for the help; empty if it is the whole key. */
  readonly missing: string;
}

/** Keys of features that are not built at all. */
export const UNBUILT = {
  pocketbase: whole("pocketbase", (value) => value === false),
} satisfies Readonly<Record<string, NotYet>>;

/** Every key of which something is not built yet. */
export const NOT_YET: Readonly<Record<string, NotYet>> = UNBUILT;

/** What the help of a key ends with; empty if all of it is built. */
export function notYetNote(key: string): string {
  const entry = NOT_YET[key];
  if (!entry) return "";
  return entry.missing === "" ? " (not available yet)" : ` (not available yet: ${entry.missing})`;
}

function whole(key: string, isOff: (value: unknown) => boolean): NotYet {
  return { asked: (value) => isOff(value) ? null : `"${key}"`, missing: "" };
}
